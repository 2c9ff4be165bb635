package sqlstore

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/gofrs/flock"

	"keyward/fault"
)

// lockFile takes the lock beside the database at path for this process, or says which process
// has it. The system releases the lock when its process ends, however it ends.
func lockFile(path string) (*flock.Flock, error) {
	name := path + ".lock"
	if info, err := os.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return nil, fault.New(fault.Policy, "move it away", "the lock %s is %s, not a file", name, kindOf(info))
	}
	lock := flock.New(name, flock.SetPermissions(0o600), flock.SetFlag(os.O_CREATE|os.O_RDWR|noFollow))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("take its lock: %w", err)
	}
	if !locked {
		return nil, fault.New(fault.Exists, "stop that process, or give this one another data folder",
			"database %s is in use by %s", path, holder(name))
	}
	note(lock, os.Getpid())
	return lock, nil
}

// note writes the number of the process into the lock's file, if that is the one at its
// path. It is only for the message above: the lock holds without it.
func note(lock *flock.Flock, pid int) {
	f, err := os.OpenFile(lock.Path(), os.O_WRONLY|noFollow, 0)
	if err != nil {
		return
	}
	defer f.Close()
	mine, errMine := lock.Stat()
	there, errThere := f.Stat()
	if errMine != nil || errThere != nil || !os.SameFile(mine, there) {
		return
	}
	if f.Truncate(0) == nil {
		_, _ = fmt.Fprintln(f, pid)
	}
}

// holder names the process that has the lock, as well as it can.
func holder(name string) string {
	data, err := os.ReadFile(name)
	pid, notPID := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || notPID != nil {
		return "another process"
	}
	return "process " + strconv.Itoa(pid)
}
