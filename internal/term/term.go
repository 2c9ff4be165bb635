// Package term asks the person at the terminal: a yes, a line, a password.
//
// It reads keys with survey's terminal layer, which knows the platforms. Survey's own
// prompts are left alone: they show a password's length, wait without end for a terminal
// that does not answer a cursor query, and cost each start of the program their templates.
package term

import (
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/AlecAivazis/survey/v2/terminal"
	xterm "golang.org/x/term"

	"keyward/fault"
)

// Terminal is a terminal with a person before it. What is typed ahead of a prompt answers
// the next one.
type Terminal struct {
	out  io.Writer
	keys *terminal.RuneReader
}

// Open gives the terminal behind in and out; nil where either is none, or where a
// background job would be stopped for asking, so that nobody is asked behind a pipe's back.
func Open(in, out *os.File) *Terminal {
	if !xterm.IsTerminal(int(in.Fd())) || !xterm.IsTerminal(int(out.Fd())) || !inForeground(in) {
		return nil
	}
	return &Terminal{out: out, keys: terminal.NewRuneReader(terminal.Stdio{In: &typing{File: in}, Out: out, Err: out})}
}

// IsTerminal tells whether what is written to w is shown at a terminal.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && xterm.IsTerminal(int(f.Fd()))
}

// Confirm asks a question; the answer is no unless it is yes.
func (t *Terminal) Confirm(question string) (bool, error) {
	answer, err := t.line(question+" [y/N] ", true)
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes", err
}

// Password asks for a secret and shows nothing of it, not even its length.
func (t *Terminal) Password(prompt string) (string, error) { return t.line(prompt, false) }

// ErrInterrupted is what a prompt gives that was interrupted, or whose input ended.
var ErrInterrupted = fault.New(fault.Failed, "", "interrupted at the prompt")

// maxLine is the longest line in characters; what is typed beyond it is dropped.
const maxLine = 4096

// line reads keys up to Enter. Nothing is echoed but by us, and an interrupt is a key
// too, so the terminal is put right before anything else happens.
func (t *Terminal) line(prompt string, echo bool) (string, error) {
	if err := t.keys.SetTermMode(); err != nil {
		return "", err
	}
	defer func() { _ = t.keys.RestoreTermMode() }()
	t.show(true, prompt)
	var line []rune
	legible := true
	for {
		key, size, err := t.keys.ReadRune()
		switch {
		case err != nil, key == terminal.KeyInterrupt, key == terminal.KeyEndTransmission:
			t.show(true, "\n")
			return "", ErrInterrupted
		case key == '\r', key == '\n':
			t.show(true, "\n")
			if !legible {
				return "", fault.New(fault.Usage, "set the terminal to UTF-8", "what was typed is not UTF-8")
			}
			return string(line), nil
		case key == utf8.RuneError && size == 1:
			legible = false
		case key == terminal.KeyBackspace, key == terminal.KeyDelete:
			if len(line) > 0 {
				line = line[:len(line)-1]
				t.show(echo, "\b \b")
			}
		case len(line) < maxLine && !unicode.IsControl(key):
			line = append(line, key)
			t.show(echo, string(key))
		}
	}
}

func (t *Terminal) show(visible bool, text string) {
	if visible {
		_, _ = io.WriteString(t.out, text)
	}
}
