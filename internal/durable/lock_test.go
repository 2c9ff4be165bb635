package durable

import (
	"os"
	"path/filepath"
	"testing"
)

// TestLockOfARemovedFile has a waiter lock a file that its holder has removed by then.
func TestLockOfARemovedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".peer.lock")
	l, err := acquire(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	check := func(when string, want, wantErr bool) {
		t.Helper()
		if ok, err := isAt(l, path); ok != want || (err != nil) != wantErr {
			t.Errorf("%s: got %v, %v", when, ok, err)
		}
	}
	check("at first", true, false)
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	check("removed", false, false)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	check("made again", false, false)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path+".away", path); err != nil {
		t.Fatal(err)
	}
	check("a link in its place", false, true)
}
