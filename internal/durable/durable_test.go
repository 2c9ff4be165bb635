package durable_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/go-cmp/cmp"

	"keyward/fault"
	"keyward/internal/durable"
)

// oldSet and newSet differ in bytes and modes, and newSet has a file more.
var (
	oldSet = []durable.File{
		{Name: "peer.key.pem", Data: []byte("old key"), Mode: 0o600},
		{Name: "peer.cert.pem", Data: []byte("old cert"), Mode: 0o600},
	}
	newSet = []durable.File{
		{Name: "peer.key.pem", Data: []byte("new key"), Mode: 0o600},
		{Name: "peer.cert.pem", Data: []byte("new cert"), Mode: 0o644},
		{Name: "peer.cert.der", Data: []byte("new der"), Mode: 0o644},
	}
)

// read gives a folder's files, hidden ones too, as mode and text.
func read(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = info.Mode().String()
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got[e.Name()] += " " + string(data)
		}
	}
	return got
}

// want gives what read finds where the sets, later ones on top, are in place.
func want(sets ...[]durable.File) map[string]string {
	w := map[string]string{}
	for _, f := range slices.Concat(sets...) {
		w[f.Name] = f.Mode.String() + " " + string(f.Data)
	}
	return w
}

func mustPut(t *testing.T, dir string, files []durable.File, replace bool) {
	t.Helper()
	if err := durable.Put(t.Context(), dir, "peer", files, replace); err != nil {
		t.Fatal(err)
	}
}

func diff(t *testing.T, dir string, w map[string]string) {
	t.Helper()
	if d := cmp.Diff(w, read(t, dir)); d != "" {
		t.Error(d)
	}
}

func TestPut(t *testing.T) {
	for _, c := range []struct {
		name    string
		there   []durable.File
		put     []durable.File
		replace bool
		want    map[string]string
		err     error
	}{
		{name: "one", put: newSet[:1], want: want(newSet[:1])},
		{name: "set", put: newSet, want: want(newSet)},
		{name: "one over one", there: oldSet[:1], put: newSet[:1], replace: true, want: want(newSet[:1])},
		{name: "set over set", there: oldSet, put: newSet, replace: true, want: want(newSet)},
		{name: "set over nothing", put: newSet, replace: true, want: want(newSet)},
		{name: "one is there", there: oldSet[:1], put: newSet[:1], want: want(oldSet[:1]), err: fault.Exists},
		{name: "last of a set is there", there: oldSet[1:], put: newSet, want: want(oldSet[1:]), err: fault.Exists},
		{name: "empty file", put: []durable.File{{Name: "empty", Mode: 0o600}}, want: map[string]string{"empty": "-rw------- "}},
		{name: "odd names", put: []durable.File{{Name: "a\n\xff\"b", Mode: 0o600}, {Name: " place", Mode: 0o600}},
			want: map[string]string{"a\n\xff\"b": "-rw------- ", " place": "-rw------- "}},
		{name: "no name", put: []durable.File{{}}, want: want(), err: fault.Usage},
		{name: "a path", put: []durable.File{{Name: "a/b"}}, want: want(), err: fault.Usage},
		{name: "the folder above", put: []durable.File{{Name: ".."}}, want: want(), err: fault.Usage},
		{name: "one name twice", put: []durable.File{{Name: "a"}, {Name: "a"}}, want: want(), err: fault.Usage},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if c.there != nil {
				mustPut(t, dir, c.there, false)
			}
			if err := durable.Put(t.Context(), dir, "peer", c.put, c.replace); !errors.Is(err, c.err) {
				t.Errorf("got %v, want %v", err, c.err)
			}
			diff(t, dir, c.want)
		})
	}
}

func TestExistsNamesFileAndFlag(t *testing.T) {
	dir := t.TempDir()
	mustPut(t, dir, oldSet, false)
	err := durable.Put(t.Context(), dir, "peer", newSet, false)
	if !strings.Contains(err.Error(), filepath.Join(dir, "peer.key.pem")) || !strings.Contains(fault.HintOf(err), "--force") {
		t.Errorf("%v; %s", err, fault.HintOf(err))
	}
}

func TestReplaceOddTargets(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(path string) error
		err  error
	}{
		{"link to a file", func(p string) error { return os.Symlink("elsewhere", p) }, nil},
		{"link to nothing", func(p string) error { return os.Symlink("nowhere", p) }, nil},
		{"folder", func(p string) error { return os.Mkdir(p, 0o700) }, fault.Exists},
		{"link to a folder", func(p string) error { return os.Symlink(".", p) }, fault.Exists},
		{"link to a device", func(p string) error { return os.Symlink(os.DevNull, p) }, fault.Exists},
	} {
		for _, set := range [][]durable.File{newSet[1:2], newSet} {
			for _, replace := range []bool{true, false} {
				t.Run(c.name, func(t *testing.T) {
					dir := t.TempDir()
					mustPut(t, dir, []durable.File{{Name: "elsewhere", Data: []byte("stays"), Mode: 0o600}}, false)
					if err := c.make(filepath.Join(dir, "peer.cert.pem")); err != nil {
						t.Fatal(err)
					}
					before, wantErr := read(t, dir), c.err
					if !replace {
						wantErr = fault.Exists
					}
					if err := durable.Put(t.Context(), dir, "peer", set, replace); !errors.Is(err, wantErr) {
						t.Errorf("got %v, want %v", err, wantErr)
					}
					after := maps.Clone(before)
					if wantErr == nil {
						maps.Copy(after, want(set))
					}
					diff(t, dir, after)
				})
			}
		}
	}
}

func TestBadFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dir  string
		kind fault.Kind
	}{
		{filepath.Join(t.TempDir(), "missing"), fault.NotFound},
		{file, fault.NotFound},
	} {
		err := durable.Put(t.Context(), c.dir, "peer", newSet, false)
		if fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.dir) || fault.HintOf(err) == "" {
			t.Errorf("%s: got %v (%s), want %v", c.dir, err, fault.HintOf(err), c.kind)
		}
	}
	if err := durable.Settle(t.Context(), filepath.Join(t.TempDir(), "missing"), "peer"); err != nil {
		t.Error(err)
	}
}

// TestLockStandsForOneFile has something else in the lock's place.
func TestLockStandsForOneFile(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"folder": func(p string) error { return os.Mkdir(p, 0o700) },
		"link":   func(p string) error { return os.Symlink("elsewhere", p) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := make(filepath.Join(dir, ".peer.lock")); err != nil {
				t.Fatal(err)
			}
			before := read(t, dir)
			err := durable.Put(t.Context(), dir, "peer", newSet, false)
			if err == nil || fault.HintOf(err) == "" {
				t.Errorf("got %v (%s)", err, fault.HintOf(err))
			}
			diff(t, dir, before)
		})
	}
}

func TestLockWaitsUntilContextEnds(t *testing.T) {
	dir := t.TempDir()
	held := flock.New(filepath.Join(dir, ".peer.lock"))
	if err := held.Lock(); err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	for name, err := range map[string]error{
		"Put":    durable.Put(ctx, dir, "peer", newSet, false),
		"Settle": durable.Settle(ctx, dir, "peer"),
	} {
		if !errors.Is(err, context.DeadlineExceeded) || fault.HintOf(err) == "" {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := durable.Put(t.Context(), dir, "other", newSet, false); err != nil {
		t.Errorf("another set's lock: %v", err)
	}
}

// TestLockWaitEnds has a lock that is held for ever, and a context that does not end.
func TestLockWaitEnds(t *testing.T) {
	dir := t.TempDir()
	held := flock.New(filepath.Join(dir, ".peer.lock"))
	if err := held.Lock(); err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	synctest.Test(t, func(t *testing.T) { // its clock leaps
		for name, err := range map[string]error{
			"Put":    durable.Put(t.Context(), dir, "peer", newSet, false),
			"Settle": durable.Settle(t.Context(), dir, "peer"),
		} {
			if fault.KindOf(err) != fault.Failed || !strings.Contains(err.Error(), ".peer.lock") || !strings.Contains(fault.HintOf(err), "another command is working on it") {
				t.Errorf("%s: got %v (%s)", name, err, fault.HintOf(err))
			}
		}
	})
}

func TestCancelledBeforeAnything(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := durable.Put(ctx, dir, "peer", newSet, false); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	diff(t, dir, want())
}
