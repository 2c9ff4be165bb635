//go:build !unix

package cmd

import "os"

// interrupt ends a process: Windows has no way to ask one without a console.
func interrupt(p *os.Process) error { return p.Kill() }
