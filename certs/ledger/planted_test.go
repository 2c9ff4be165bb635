//go:build !windows

package ledger_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"keyward/certs"
	"keyward/certs/ledger"
	"keyward/fault"
)

// TestPlanted has something else in the ledger's place. Nothing is written through it, and nothing waits for it.
func TestPlanted(t *testing.T) {
	ca := newCA(t, certs.P256)
	for _, c := range []struct {
		name  string
		plant func(path string) error
		kind  fault.Kind
	}{
		{"link", func(p string) error { return os.Symlink("elsewhere", p) }, fault.Policy},
		{"link to nothing", func(p string) error { return os.Symlink("nowhere", p) }, fault.Policy},
		{"FIFO", func(p string) error { return syscall.Mkfifo(p, 0o600) }, fault.Policy},
		{"folder", func(p string) error { return os.Mkdir(p, 0o700) }, fault.Failed},
		{"another user's file", foreignFile, fault.Policy},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			elsewhere := filepath.Join(dir, "elsewhere")
			if err := os.WriteFile(elsewhere, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "root.ledger")
			if err := c.plant(path); errors.Is(err, os.ErrPermission) {
				t.Skip("only root can")
			} else if err != nil {
				t.Fatal(err)
			}
			for name, add := range map[string]func() error{
				"Append": func() error { return ledger.Append(t.Context(), path, ca, now, ledger.Issued(ca.Chain[0])) },
				"Start":  func() error { return ledger.Start(t.Context(), path, ca, now) },
			} {
				if err := add(); fault.KindOf(err) != c.kind || fault.HintOf(err) == "" {
					t.Errorf("%s: got %v (%s)", name, err, fault.HintOf(err))
				}
			}
			if info, err := os.Stat(elsewhere); err != nil || info.Size() > 0 {
				t.Errorf("written to: %v", err)
			}
		})
	}
}

func foreignFile(path string) error {
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		return err
	}
	return os.Chown(path, 65534, 65534)
}
