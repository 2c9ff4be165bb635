//go:build !unix

package cmd

import "os/exec"

// ownGroup gives what ends c: Windows has no process groups that end together.
func ownGroup(c *exec.Cmd) func() error { return func() error { return c.Process.Kill() } }

// endGroup has nothing to do here.
func endGroup(*exec.Cmd) {}
