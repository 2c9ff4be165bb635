package sqlstore

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/gofrs/flock"

	"keyward/internal/fault"
)

// lockFile takes the lock beside the database at path for this process, or says which process
// has it. The system releases the lock when its process ends, however it ends.
func lockFile(path string) (*flock.Flock, error) {
	name := path + ".lock"
	lock := flock.New(name, flock.SetPermissions(0o600), flock.SetFlag(os.O_CREATE|os.O_RDWR))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("take its lock: %w", err)
	}
	if !locked {
		return nil, fault.New(fault.Exists, "stop that process, or give this one another data folder",
			"database %s is in use by %s", path, holder(name))
	}
	// Only for the message above: the lock holds without the number.
	_ = os.WriteFile(name, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600)
	return lock, nil
}

// holder names the process that has the lock, as well as it can.
func holder(name string) string {
	data, err := os.ReadFile(name)
	pid := strings.TrimSpace(string(data))
	if err != nil || pid == "" {
		return "another process"
	}
	return "process " + pid
}
