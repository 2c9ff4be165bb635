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

// patience is how long one command may hold the lock while another waits: far more than
// a set takes, even on a slow disk.
const patience = 10 * time.Second

var errBusy = errors.New("another command has had it for " + patience.String())

var errNotRegular = errors.New("not a regular file")

// acquire locks the set's file, making it where it is missing, and waits until ctx ends, or
// one holder has tried its patience. The holder removes the file before it lets go, so a
// lock counts only while its file is still the one at its path.
func (s *set) acquire(ctx context.Context) error {
	there, err := s.found(lockName(s.name))
	if err != nil {
		return err
	}
	s.stale = there != nil
	for {
		l := flock.New(s.path(lockName(s.name)), flock.SetFlag(os.O_CREATE|os.O_RDWR|noFollow), flock.SetPermissions(0o600))
		if err := wait(ctx, l); err != nil {
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

// claim locks the set if it has no lock's file: by giving shared, a lock that the caller
// holds, another name, or else by making one. An inode costs a hundred times what a name does.
func (s *set) claim(shared *flock.Flock) (bool, error) {
	path := s.path(lockName(s.name))
	l := shared
	if l == nil || os.Link(l.Path(), path) != nil {
		l = flock.New(path, flock.SetFlag(os.O_CREATE|os.O_EXCL|os.O_RDWR|noFollow), flock.SetPermissions(0o600))
		if ok, err := l.TryLock(); !ok || err != nil {
			return false, unlessExists(err)
		}
	}
	ok, err := s.isAt(l)
	if ok {
		s.lock = l
		return true, nil
	}
	if l != shared {
		err = errors.Join(err, l.Close())
	}
	return false, err
}

func unlessExists(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

func wait(ctx context.Context, l *flock.Flock) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errBusy)
	defer cancel()
	_, err := l.TryLockContext(ctx, poll)
	if err != nil && errors.Is(context.Cause(ctx), errBusy) {
		return errBusy
	}
	return err
}

// isAt tells whether the locked file is the one at its path.
func (s *set) isAt(l *flock.Flock) (bool, error) {
	mine, err := l.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Lstat(s.path(lockName(s.name)))
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
