//go:build !unix

package term

// answers is true: on Windows survey asks the console, not the terminal's stream.
func (t *Terminal) answers() bool { return true }
