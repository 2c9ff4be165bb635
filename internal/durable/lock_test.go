package durable

import (
	"os"
	"testing"
)

// TestLockOfARemovedFile has a waiter lock a file that its holder has removed by then.
func TestLockOfARemovedFile(t *testing.T) {
	s, err := open(t.Context(), t.TempDir(), "peer")
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	path := s.path(".peer.lock")
	check := func(when string, want, wantErr bool) {
		t.Helper()
		if ok, err := s.isAt(s.lock); ok != want || (err != nil) != wantErr {
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
