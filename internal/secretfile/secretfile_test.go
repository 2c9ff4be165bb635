package secretfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"keyward/fault"
)

func TestReadTakesAtMostItsLimit(t *testing.T) {
	path := write(t, t.TempDir(), "key", 0o600, "12345678")
	data, _, err := Read(path, 8)
	if err != nil || string(data) != "12345678" {
		t.Fatalf("Read = %q, %v", data, err)
	}
	if _, _, err := Read(path, 7); !errors.Is(err, fault.InvalidFile) {
		t.Errorf("one byte too large: %v", err)
	}
}

func TestReadRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := Read(dir, 8); !errors.Is(err, fault.InvalidFile) {
		t.Errorf("folder: %v", err)
	}
	missing := filepath.Join(dir, "none")
	if _, _, err := Read(missing, 8); !errors.Is(err, fault.NotFound) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if err := Exposed(missing); !errors.Is(err, fault.NotFound) {
		t.Errorf("missing: %v", err)
	}
	if err := FolderExposed(filepath.Join(missing, "key")); !errors.Is(err, fault.NotFound) {
		t.Errorf("missing folder: %v", err)
	}
	if err := FolderExposed(missing); err != nil {
		t.Errorf("missing file in a good folder: %v", err)
	}
}

func TestQuoteMakesOneShellWord(t *testing.T) {
	for path, want := range map[string]string{
		"/home/a/.vov/userkey": "/home/a/.vov/userkey",
		"my key":               "'my key'",
		"it's":                 `'it'\''s'`,
		"a;b":                  "'a;b'",
		"":                     "''",
	} {
		if got := Quote(path); got != want {
			t.Errorf("Quote(%q) = %s, want %s", path, got, want)
		}
	}
}

func write(t *testing.T, dir, name string, mode os.FileMode, data string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}
