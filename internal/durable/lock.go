package durable

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/gofrs/flock"
)

// poll is how often a waiting command tries the lock again.
const poll = 5 * time.Millisecond

var errNotRegular = errors.New("not a regular file")

// acquire locks the file at path, making it where it is missing, and waits until ctx
// ends. The holder removes the file before it lets go, so a lock counts only while its
// file is still the one at path.
func acquire(ctx context.Context, path string) (*flock.Flock, error) {
	for {
		l := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR|noFollow), flock.SetPermissions(0o600))
		if _, err := l.TryLockContext(ctx, poll); err != nil {
			return nil, err
		}
		ok, err := isAt(l, path)
		if ok {
			return l, nil
		}
		if err := errors.Join(err, l.Close()); err != nil {
			return nil, err
		}
	}
}

// isAt tells whether the locked file is the one at path.
func isAt(l *flock.Flock, path string) (bool, error) {
	mine, err := l.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !there.Mode().IsRegular() {
		return false, errNotRegular
	}
	return os.SameFile(mine, there), nil
}
