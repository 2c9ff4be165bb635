//go:build race

package killsweep

const race = true
