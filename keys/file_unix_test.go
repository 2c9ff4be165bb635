//go:build unix

package keys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"keyward/fault"
)

func TestModes(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0)) // the most open one
	path := filepath.Join(t.TempDir(), "new", ".vov", "userkey")
	save(t, path, false)
	backup, err := Save(t.Context(), path, generate(t), true, testTime)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{
		path: 0o600, backup: 0o600, filepath.Dir(path): 0o700, filepath.Dir(filepath.Dir(path)): 0o700,
	} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %04o, want %04o", name, info.Mode().Perm(), want)
		}
	}
}

func TestLoadRefusesWhatOthersCanReach(t *testing.T) {
	path := DefaultPath(t.TempDir())
	save(t, path, false)
	dir := filepath.Dir(path)

	chmod(t, path, 0o604)
	_, err := Load(t.Context(), path)
	refused(t, err, "chmod 600 "+path)
	chmod(t, path, 0o600)

	chmod(t, dir, 0o777)
	_, err = Load(t.Context(), path)
	refused(t, err, "chmod go-w "+dir)
	_, err = Save(t.Context(), path, generate(t), true, testTime)
	refused(t, err, "chmod go-w "+dir)
	chmod(t, dir, 0o777|fs.ModeSticky)
	if _, err = Load(t.Context(), path); err != nil {
		t.Errorf("a sticky folder: %v", err)
	}
}

func TestLoadDoesNotWaitForAFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "userkey")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(t.Context(), path); !errors.Is(err, fault.InvalidFile) {
		t.Errorf("Load: %v", err)
	}
	if _, err := Save(t.Context(), path, generate(t), true, testTime); !errors.Is(err, fault.InvalidFile) {
		t.Errorf("Save: %v", err)
	}
	if _, err := Save(t.Context(), path, generate(t), false, testTime); !errors.Is(err, fault.Exists) {
		t.Errorf("Save without replace: %v", err)
	}
}

func refused(t *testing.T, err error, hint string) {
	t.Helper()
	if !errors.Is(err, fault.Policy) || !strings.HasSuffix(fault.HintOf(err), hint) {
		t.Errorf("error %v, hint %q; want the policy and %q", err, fault.HintOf(err), hint)
	}
}

func chmod(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
