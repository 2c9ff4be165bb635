package ledger_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"keyward/certs"
	"keyward/certs/ledger"
	"keyward/fault"
)

// write makes a ledger of n lines and returns them.
func write(t *testing.T, path string, ca *certs.Issuer, n int) []string {
	t.Helper()
	var entries []ledger.Entry
	for i := range n - 1 {
		entries = append(entries, ledger.Entry{Op: ledger.Issue, Serial: fmt.Sprintf("%06x", i), Subject: "O=Leaf", NotAfter: now.AddDate(0, 3, 0)})
	}
	appendTo(t, path, ca, entries...)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(strings.Lines(string(text)))
}

func TestTampered(t *testing.T) {
	dir := t.TempDir()
	ca, stranger := newCA(t, certs.P256), newCA(t, certs.P256)
	sound := write(t, filepath.Join(dir, "root.ledger"), ca, 12)
	branch := write(t, filepath.Join(dir, "branch.ledger"), ca, 12) // the same key, other signatures
	foreign := write(t, filepath.Join(dir, "foreign.ledger"), stranger, 12)
	book, err := ledger.Open(filepath.Join(dir, "root.ledger"), ca.Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	edit := func(at int, from, to string) []string {
		lines := slices.Clone(sound)
		lines[at-1] = strings.Replace(lines[at-1], from, to, 1)
		return lines
	}
	without := func(from, to int) []string { return slices.Delete(slices.Clone(sound), from-1, to) }
	insert := func(before int, line string) []string { return slices.Insert(slices.Clone(sound), before-1, line) }
	swapped := func(a, b int) []string {
		lines := slices.Clone(sound)
		lines[a-1], lines[b-1] = lines[b-1], lines[a-1]
		return lines
	}
	for _, c := range []struct {
		name  string
		lines []string
		line  int64 // of the fault; 0 where nothing is wrong, -1 where no line is at fault
		says  string
	}{
		{"nothing", sound, 0, ""},
		{"an unfinished line behind it", append(slices.Clone(sound), sound[3][:40]), 0, ""},
		{"a word changed", edit(5, "O=Leaf", "O=Beef"), 5, "it was changed: the CA's key did not sign it"},
		{"the first line changed", edit(1, "O=Root", "O=Boot"), 1, "it was changed"},
		{"the last line changed", edit(12, "O=Leaf", "O=Beef"), 12, "it was changed"},
		{"a field added before the signature", edit(5, `,"sig"`, `,"reason":"x","sig"`), 5, "it was changed"},
		{"a field added behind the signature", edit(5, "\"}\n", "\",\"reason\":\"keyCompromise\"}\n"), 5, "it does not read"},
		{"spaces in it", edit(5, `"op":`, `"op": `), 5, "it was changed"},
		{"a signature cut", edit(5, `"sig":"M`, `"sig":"`), 5, "it was changed"},
		{"no line at all", insert(5, "hello\n"), 5, "it was inserted"},
		{"an empty line", insert(5, "\n"), 5, "it was inserted"},
		{"empty lines at the end", append(slices.Clone(sound), "\n"), 13, "it does not read"},
		{"a line missing", without(7, 7), 7, "it is missing: line 8 follows line 6"},
		{"lines missing", without(7, 9), 7, "lines 7 to 9 are missing"},
		{"the first missing", without(1, 1), 1, "it is missing: line 2 follows line 0"},
		{"two swapped", swapped(4, 5), 4, "it was swapped: line 5 stands here, and line 4 behind it"},
		{"two swapped far off", swapped(4, 9), 4, "lines 4 to 8 are missing"},
		{"one twice", insert(6, sound[4]), 6, "it was inserted: it is line 5 once more"},
		{"an old one again", insert(6, sound[1]), 6, "it was inserted: it is line 2 once more"},
		{"one of another CA inserted", insert(6, foreign[5]), 6, "it was inserted: the CA did not sign it"},
		{"one of another CA in its place", edit(6, sound[5], foreign[5]), 6, "it was changed: the CA's key did not sign it"},
		{"one of another branch", edit(6, sound[5], branch[5]), 6, "put together from two"},
		{"the ledger of another CA", foreign, 1, "it begins the ledger of another CA"},
		{"the end cut", sound[:9], -1, "it was cut off: it ends with line 9, and the head is line 12"},
		{"all cut", nil, -1, "it was cut off: it ends with line 0"},
		{"the last line torn", append(slices.Clone(sound[:11]), strings.TrimSuffix(sound[11], "\n")), -1, "it was cut off: it ends with line 11"},
		{"written anew with the key", branch, -1, "line 12 is not the one of the head"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "root.ledger")
			if err := os.WriteFile(path, []byte(strings.Join(c.lines, "")), 0o600); err != nil {
				t.Fatal(err)
			}
			again, err := ledger.OpenAt(path, ca.Chain[0], book.Head)
			if c.line == 0 {
				if err != nil || again.Head != book.Head {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, fault.InvalidFile) || !strings.Contains(err.Error(), c.says) || fault.HintOf(err) == "" {
				t.Errorf("got %v", err)
			}
			if at, found := errors.AsType[*ledger.Fault](err); found != (c.line > 0) || found && at.Line != c.line {
				t.Errorf("got %v, want line %d", err, c.line)
			}
		})
	}
}

// TestEveryBit changes each byte of a ledger in turn.
func TestEveryBit(t *testing.T) {
	ca := newCA(t, certs.Ed25519)
	path := filepath.Join(t.TempDir(), "root.ledger")
	text := strings.Join(write(t, path, ca, 3), "")
	for i := range text {
		for _, bit := range []byte{1, 0x20} {
			changed := []byte(text)
			changed[i] ^= bit
			found := false
			n := 0
			for _, err := range ledger.Entries(strings.NewReader(string(changed)), ca.Chain[0]) {
				found = found || err != nil
				n++
			}
			if !found && n == 3 {
				t.Fatalf("byte %d as %q is not seen", i, changed[i])
			}
		}
	}
}

// TestAppendToDamaged has an Append refuse what does not hold at the end, and add nothing.
func TestAppendToDamaged(t *testing.T) {
	ca, stranger := newCA(t, certs.P256), newCA(t, certs.P256)
	sound := write(t, filepath.Join(t.TempDir(), "root.ledger"), ca, 6)
	foreign := write(t, filepath.Join(t.TempDir(), "root.ledger"), stranger, 6)
	for _, c := range []struct {
		name, text string
		says       string
	}{
		{"the last line changed", strings.Join(sound[:5], "") + strings.Replace(sound[5], "Leaf", "Beef", 1), "damaged"},
		{"the one before missing", strings.Join(sound[:4], "") + sound[5], "damaged"},
		{"two swapped", strings.Join(sound[:4], "") + sound[5] + sound[4], "damaged"},
		{"not a ledger", "hello\n", "damaged"},
		{"a long line", strings.Repeat("x", 9<<20) + "\n", "damaged"},
		{"no beginning", sound[1], "damaged"},
		{"another CA's", strings.Join(foreign, ""), "the ledger of another CA"},
		{"another CA's line", strings.Join(sound, "") + foreign[5], "damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "root.ledger")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			err := ledger.Append(t.Context(), path, ca, now, ledger.Issued(ca.Chain[0]))
			if !errors.Is(err, fault.InvalidFile) || !strings.Contains(err.Error(), c.says) || fault.HintOf(err) == "" {
				t.Errorf("got %v", err)
			}
			if text, err := os.ReadFile(path); err != nil || string(text) != c.text {
				t.Errorf("it was changed: %v", err)
			}
		})
	}
}

// TestTorn has an Append cut off what a killed one left.
func TestTorn(t *testing.T) {
	ca := newCA(t, certs.P256)
	sound := write(t, filepath.Join(t.TempDir(), "root.ledger"), ca, 3)
	for name, torn := range map[string]string{
		"nothing":       "",
		"a letter":      "{",
		"half":          sound[2][:len(sound[2])/2],
		"no newline":    strings.TrimSuffix(sound[2], "\n"),
		"zeros":         strings.Repeat("\x00", 5000),
		"a long one":    strings.Repeat("x", 3<<20),
		"a page's rest": strings.Repeat("x", 8<<10-1),
	} {
		t.Run(name, func(t *testing.T) {
			for whole := range 3 {
				path := filepath.Join(t.TempDir(), "root.ledger")
				if err := os.WriteFile(path, []byte(strings.Join(sound[:whole], "")+torn), 0o600); err != nil {
					t.Fatal(err)
				}
				appendTo(t, path, ca, ledger.Issued(newLeaf(t, ca, "web.example.org")))
				if got, want := len(read(t, path, ca)), max(whole, 1)+1; got != want {
					t.Errorf("%d lines, want %d", got, want)
				}
			}
		})
	}
}
