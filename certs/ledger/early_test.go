package ledger

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keyward/certs"
)

// TestEarly has a ledger that was read before it was locked be read on from there, and anew where it went on otherwise.
func TestEarly(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	root, err := certs.Issue(certs.Request{Role: certs.Root, Organization: "Root", KeyType: certs.Ed25519}, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	ca := root.Issuer()
	entry := func(op Op, serial string) Entry { return Entry{Op: op, Serial: serial, NotAfter: now.AddDate(0, 3, 0)} }
	add := func(t *testing.T, path string, entries ...Entry) {
		t.Helper()
		if err := Append(t.Context(), path, ca, now, entries...); err != nil {
			t.Fatal(err)
		}
	}
	cut := func(t *testing.T, path string, at int64) {
		t.Helper()
		if err := os.Truncate(path, at); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		meanwhile func(t *testing.T, path string, whole int64)
		want      string
	}{
		"nothing": {func(*testing.T, string, int64) {}, "5: 01"},
		"more":    {func(t *testing.T, path string, _ int64) { add(t, path, entry(Revoke, "02")) }, "6: 01 02"},
		"its early lines are not read again": {func(t *testing.T, path string, _ int64) {
			add(t, path, entry(Revoke, "02"))
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.WriteAt([]byte("x"), 10); err != nil {
				t.Fatal(err)
			}
		}, "6: 01 02"},
		"the last line is taken back": {func(t *testing.T, path string, whole int64) { cut(t, path, whole) }, "4: "},
		"another of its length takes its place": {func(t *testing.T, path string, whole int64) {
			cut(t, path, whole)
			add(t, path, entry(Revoke, "03"))
		}, "5: 03"},
		"others take its place": {func(t *testing.T, path string, whole int64) {
			cut(t, path, whole)
			add(t, path, entry(Revoke, "03"), entry(Revoke, "02"))
		}, "6: 03 02"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "root.ledger")
			add(t, path, entry(Issue, "01"), entry(Issue, "02"), entry(Issue, "03"))
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			add(t, path, entry(Revoke, "01"))
			before := (*Book)(nil).orRead(path, ca.Chain[0])
			c.meanwhile(t, path, info.Size())
			w, err := open(path, ca.Chain[0])
			if err != nil {
				t.Fatal(err)
			}
			defer w.file.Close()
			b, err := w.book(before)
			if err != nil {
				t.Fatal(err)
			}
			var revoked []string
			for _, entry := range b.revocations() {
				revoked = append(revoked, entry.Serial)
			}
			if got := fmt.Sprintf("%d: %s", b.Head.Seq, strings.Join(revoked, " ")); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestLongLines has few of them be held at a time: 1,024 would be 4 GiB.
func TestLongLines(t *testing.T) {
	long := append(bytes.Repeat([]byte("x"), 3<<20), '\n')
	in := bufio.NewReader(bytes.NewReader(bytes.Repeat(long, 5)))
	for _, want := range []int{2, 2, 1} {
		texts, _ := (&checker{}).read(in, wave)
		if len(texts) != want {
			t.Errorf("%d lines at once, want %d", len(texts), want)
		}
	}
}
