//go:build !windows

package ledger

import (
	"errors"
	"os"
	"syscall"
)

// noFollow refuses a link in the ledger's place, and does not wait for a FIFO's other end.
const noFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

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
