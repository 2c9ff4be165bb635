//go:build unix

package term

import (
	"bytes"
	"errors"
	"time"

	"golang.org/x/sys/unix"
	xterm "golang.org/x/term"
)

// probeTime is how long a terminal gets to say where its cursor is. Local ones
// take under a millisecond, one across the world a third of a second.
const probeTime = 500 * time.Millisecond

// answers reports whether the terminal answers a cursor query (ECMA-48 DSR).
// What was typed ahead of the answer is kept for the plain prompts.
func (t *Terminal) answers() bool {
	fd := int(t.in.Fd())
	state, err := xterm.MakeRaw(fd)
	if err != nil {
		return false
	}
	defer func() { _ = xterm.Restore(fd, state) }()
	if _, err := t.out.WriteString("\x1b[6n"); err != nil {
		return false
	}
	deadline := time.Now().Add(probeTime)
	buf := make([]byte, 64)
	for {
		wait := time.Until(deadline)
		if wait <= 0 {
			return false
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(wait.Milliseconds())+1)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return false
		}
		n, err = t.in.Read(buf)
		if err != nil {
			return false
		}
		t.typed = append(t.typed, buf[:n]...)
		start := bytes.Index(t.typed, []byte("\x1b["))
		if start < 0 {
			continue
		}
		end := bytes.IndexByte(t.typed[start:], 'R')
		if end < 0 {
			continue
		}
		t.typed = append(t.typed[:start], t.typed[start+end+1:]...)
		return len(t.typed) == 0
	}
}
