//go:build unix

package term

import (
	"os"

	"golang.org/x/sys/unix"
)

// inForeground tells whether this process may read the terminal: a job in the background is
// stopped when it does.
func inForeground(in *os.File) bool {
	group, err := unix.IoctlGetInt(int(in.Fd()), unix.TIOCGPGRP)
	return err != nil || group == unix.Getpgrp()
}
