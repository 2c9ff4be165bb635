//go:build !windows

package durable

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/gofrs/flock"

	"keyward/internal/secretfile"
)

// foreign tells whether a file in the folder belongs to neither the caller nor root. The
// folder's owner counts with them, since he can move what is in it without our help. In a
// sticky folder he does not: there the names are everybody's to make, and their owner's to move.
func foreign(info, folder fs.FileInfo) bool {
	return secretfile.Foreign(info) && (folder.Mode()&fs.ModeSticky != 0 || owner(info) != owner(folder))
}

func owner(info fs.FileInfo) uint32 {
	return info.Sys().(*syscall.Stat_t).Uid //nolint:forcetypeassert // what Lstat gives on every Unix
}

// noFollow makes open refuse a symbolic link that stands in the lock's place.
const noFollow = syscall.O_NOFOLLOW

// syncFolder makes the folder's names durable. Some network filesystems cannot, and
// say so; there is nothing better to do on them.
func syncFolder(f *os.File) error {
	err := f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// noLinks tells whether link failed because this filesystem, or the rule against
// links to other people's files, has none. Linux says EPERM to both.
func noLinks(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EMLINK)
}

// release removes the files first: whoever waits for this lock will find that the
// file is gone and open a new one.
func release(l *flock.Flock, paths []string) {
	for _, p := range paths {
		_ = os.Remove(p)
	}
	_ = l.Close()
}
