package durable

import (
	"os"
	"path/filepath"
)

// Unfinished tells whether a command is at work on the set of that name, or was killed there.
// It changes nothing.
func Unfinished(dir, name string) bool {
	_, err := os.Lstat(filepath.Join(dir, lockName(name)))
	return err == nil
}
