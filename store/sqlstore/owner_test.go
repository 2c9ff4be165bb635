//go:build unix

package sqlstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"keyward/fault"
)

func TestFilesOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make another user's files")
	}
	const stranger = 54321
	for _, suffix := range []string{"", ".lock", "-wal", "-shm", "-journal"} {
		for name, make := range map[string]func(path string) error{
			"file": func(path string) error { return os.WriteFile(path, nil, 0o600) },
			"link": func(path string) error { return os.Symlink("elsewhere", path) },
		} {
			path := filepath.Join(t.TempDir(), "registry.db")
			planted := path + suffix
			if err := errors.Join(make(planted), os.Lchown(planted, stranger, stranger)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			refused(t, path, fault.Policy, planted+" belongs to another user", "data folder of its own")
			if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
				t.Errorf("%s: there are %v, %v", name, entries, err)
			}
		}
	}
}

// TestLockIsNoLink has a link where the lock should be: what it points at stays as it is.
func TestLockIsNoLink(t *testing.T) {
	dir := t.TempDir()
	path, target := filepath.Join(dir, "registry.db"), filepath.Join(dir, "thesis")
	if err := errors.Join(os.WriteFile(target, []byte("thesis"), 0o600), os.Symlink(target, path+".lock")); err != nil {
		t.Fatal(err)
	}
	refused(t, path, fault.Policy, "registry.db.lock", "move it away")
	if got, err := os.ReadFile(target); err != nil || string(got) != "thesis" {
		t.Errorf("the link's target holds %q, %v", got, err)
	}
}

// TestLockNamesItsProcess has a longer number left by the last holder.
func TestLockNamesItsProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	if err := os.WriteFile(path+".lock", []byte("12345678901234567\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	if got, err := os.ReadFile(path + ".lock"); err != nil || string(got) != strconv.Itoa(os.Getpid())+"\n" {
		t.Errorf("the lock holds %q, %v", got, err)
	}
}
