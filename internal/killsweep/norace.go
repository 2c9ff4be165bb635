//go:build !race

package killsweep

const race = false
