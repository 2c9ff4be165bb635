//go:build unix

package term

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// canWait tells whether this system can wait for a key for some time.
const canWait = true

// waitFor tells whether there is something to read within the time. A signal ends it early.
func waitFor(f *os.File, d time.Duration) (bool, error) {
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, int(d.Milliseconds())+1)
	if errors.Is(err, unix.EINTR) {
		return false, nil
	}
	return n > 0, err
}
