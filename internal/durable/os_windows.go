package durable

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/gofrs/flock"
)

const noFollow = 0

// foreign tells nothing: the folder's access list says who may do what.
func foreign(_, _ fs.FileInfo) bool { return false }

// errInvalidFunction is what FAT answers to a request for a hard link.
const errInvalidFunction = syscall.Errno(1)

// syncFolder does nothing: Windows has no such call, and NTFS journals its names.
func syncFolder(*os.File) error { return nil }

func noLinks(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, errInvalidFunction)
}

// release closes the file first, since an open one cannot be removed. That also makes
// it safe: where another command has the lock by now, the removal fails and is its to do.
func release(l *flock.Flock, paths []string) {
	_ = l.Close()
	for _, p := range paths {
		_ = os.Remove(p)
	}
}
