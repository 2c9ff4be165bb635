package main

import (
	"os"
	"syscall"
)

// peak is the most memory that a process held, in KiB. A process holds at first what the one that starts
// it does, so that this program must be the smaller one.
func peak(p *os.ProcessState) float64 {
	usage, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return float64(usage.Maxrss)
}
