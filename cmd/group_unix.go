//go:build unix

package cmd

import (
	"os/exec"
	"syscall"
)

// ownGroup makes c lead a process group, and gives what asks the group to end.
func ownGroup(c *exec.Cmd) func() error {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
}

// endGroup kills what is left of c's group.
func endGroup(c *exec.Cmd) {
	if c.Process != nil {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
	}
}
