//go:build !windows

package ledger

import (
	"errors"
	"os"
	"syscall"
)

// nonblock does not wait for a FIFO's other end; noFollow refuses a link in the ledger's place besides.
const (
	nonblock = syscall.O_NONBLOCK
	noFollow = syscall.O_NOFOLLOW | nonblock
)

// syncFolder makes the folder's names durable, where its filesystem can.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}
