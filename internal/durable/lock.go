package durable

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/gofrs/flock"
)

// poll is how often a waiting command tries the lock again.
const poll = 5 * time.Millisecond

var errNotRegular = errors.New("not a regular file")

// acquire locks the set's file, making it where it is missing, and waits until ctx ends. The
// holder removes the file before it lets go, so a lock counts only while its file is still
// the one at its path.
func (s *set) acquire(ctx context.Context) error {
	there, err := s.found(lockName(s.name))
	if err != nil {
		return err
	}
	s.stale = there != nil
	for {
		l := flock.New(s.path(lockName(s.name)), flock.SetFlag(os.O_CREATE|os.O_RDWR|noFollow), flock.SetPermissions(0o600))
		if _, err := l.TryLockContext(ctx, poll); err != nil {
			return err
		}
		ok, err := s.isAt(l)
		if ok {
			s.lock = l
			return nil
		}
		if err := errors.Join(err, l.Close()); err != nil {
			return err
		}
	}
}

// isAt tells whether the locked file is the one at its path.
func (s *set) isAt(l *flock.Flock) (bool, error) {
	mine, err := l.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Lstat(l.Path())
	if isMissing(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !there.Mode().IsRegular() {
		return false, errNotRegular
	}
	if err := s.check(lockName(s.name), there); err != nil {
		return false, err
	}
	return os.SameFile(mine, there), nil
}
