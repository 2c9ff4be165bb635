// Package term asks the person at the terminal: a yes, a line, a password.
//
// Yes or no is asked with survey where the terminal answers a cursor query, which
// survey would otherwise wait for without end; elsewhere, and for passwords, whose
// length survey shows, golang.org/x/term reads plain lines.
package term

import (
	"errors"
	"io"
	"os"
	"strings"

	"github.com/AlecAivazis/survey/v2"
	"github.com/AlecAivazis/survey/v2/terminal"
	xterm "golang.org/x/term"

	"keyward/internal/fault"
)

// Terminal is a terminal with a person before it.
type Terminal struct {
	in, out *os.File
	plain   bool
	typed   []byte // read while the terminal was probed, not yet used
	lines   *xterm.Terminal
}

// Open gives the terminal behind in and out; nil where either is none, so that
// nobody is asked behind a pipe's back. With plain there is no colour and no moving cursor.
func Open(in, out *os.File, plain bool) *Terminal {
	if !xterm.IsTerminal(int(in.Fd())) || !xterm.IsTerminal(int(out.Fd())) {
		return nil
	}
	t := &Terminal{in: in, out: out, plain: plain}
	t.lines = xterm.NewTerminal(t, "")
	return t
}

// Read and Write let x/term edit lines over both files.
func (t *Terminal) Read(p []byte) (int, error) {
	if len(t.typed) > 0 {
		n := copy(p, t.typed)
		t.typed = t.typed[n:]
		return n, nil
	}
	return t.in.Read(p)
}

func (t *Terminal) Write(p []byte) (int, error) { return t.out.Write(p) }

// Confirm asks a question; the answer is no unless it is yes.
func (t *Terminal) Confirm(question string) (bool, error) {
	if !t.plain {
		t.plain = !t.answers()
	}
	if t.plain {
		answer, err := t.Line(question + " [y/N] ")
		answer = strings.ToLower(strings.TrimSpace(answer))
		return answer == "y" || answer == "yes", err
	}
	yes := false
	err := survey.AskOne(&survey.Confirm{Message: question}, &yes, survey.WithStdio(byteByByte{t.in}, t.out, t.out))
	if errors.Is(err, terminal.InterruptErr) || errors.Is(err, io.EOF) {
		return false, errInterrupted()
	}
	return yes, err
}

// byteByByte reads one byte at a time. Survey reads a terminal's answers through a
// buffer that it throws away, and with it what was typed behind them.
type byteByByte struct{ *os.File }

func (f byteByByte) Read(p []byte) (int, error) { return f.File.Read(p[:min(1, len(p))]) }

// Line asks for a line of text.
func (t *Terminal) Line(prompt string) (string, error) {
	return t.raw(func() (string, error) {
		t.lines.SetPrompt(prompt)
		return t.lines.ReadLine()
	})
}

// Password asks for a secret and shows nothing of it, not even its length.
func (t *Terminal) Password(prompt string) (string, error) {
	return t.raw(func() (string, error) { return t.lines.ReadPassword(prompt) })
}

// raw runs read with the terminal in raw mode: an interrupt then arrives as a
// byte, and the terminal is put right before anything else happens.
func (t *Terminal) raw(read func() (string, error)) (string, error) {
	state, err := xterm.MakeRaw(int(t.in.Fd()))
	if err != nil {
		return "", err
	}
	line, err := read()
	if restoreErr := xterm.Restore(int(t.in.Fd()), state); err == nil {
		err = restoreErr
	}
	if errors.Is(err, io.EOF) {
		_, _ = io.WriteString(t.out, "\n")
		return "", errInterrupted()
	}
	return line, err
}

func errInterrupted() error {
	return fault.New(fault.Failed, "", "interrupted at the prompt")
}
