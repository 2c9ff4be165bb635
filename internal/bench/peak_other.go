//go:build !linux

package main

import "os"

// peak is not measured: other systems count in other units, or not at all.
func peak(*os.ProcessState) float64 { return 0 }
