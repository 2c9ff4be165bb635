package term

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"time"

	xterm "golang.org/x/term"
)

// Screen is a terminal that a page is shown on which changes.
type Screen struct{ in, out *os.File }

// OpenScreen gives the screen behind in and out; nil where either is no terminal, or the keys are not ours to read.
func OpenScreen(in *os.File, out io.Writer) *Screen {
	file, ok := out.(*os.File)
	if !ok || !IsTerminal(file) || Open(in, file) == nil || !canWait {
		return nil
	}
	return &Screen{in, file}
}

// The sequences of a terminal (ECMA-48 and xterm's): another screen and the one before it, the cursor
// to the corner, the rest of the line and of the screen cleared.
const (
	otherScreen = "\x1b[?1049h\x1b[?25l"
	sameScreen  = "\x1b[?25h\x1b[?1049l"
	corner      = "\x1b[H"
	clearLine   = "\x1b[K"
	clearRest   = "\x1b[J"
)

// Watch draws what page gives, anew each time that every is over, until q, ^C or the end of ctx; or until page fails, with its
// error. Then the terminal is as it was before.
func (s *Screen) Watch(ctx context.Context, every time.Duration, page func() (string, error)) error {
	text, err := page()
	if err != nil {
		return err
	}
	before, err := xterm.MakeRaw(int(s.in.Fd()))
	if err != nil {
		return err
	}
	defer func() {
		_, _ = io.WriteString(s.out, sameScreen)
		_ = xterm.Restore(int(s.in.Fd()), before)
	}()
	_, _ = io.WriteString(s.out, otherScreen)
	for {
		s.draw(text)
		if ends, err := s.pause(ctx, every); ends || err != nil {
			return err
		}
		if text, err = page(); err != nil {
			return err
		}
	}
}

// draw shows as much of the text as there is room for.
func (s *Screen) draw(text string) {
	width, height, err := xterm.GetSize(int(s.out.Fd()))
	if err != nil || width == 0 || height == 0 {
		width, height = 80, 24
	}
	_, _ = io.WriteString(s.out, corner+fitted(text, width, height)+clearRest)
}

// fitted is the first lines of text that fit, each cut to width characters. It ends without a line break, which would scroll.
func fitted(text string, width, height int) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	lines = lines[:min(len(lines), height)]
	for i, line := range lines {
		if chars := []rune(line); len(chars) > width {
			line = string(chars[:width])
		}
		lines[i] = line + clearLine
	}
	return strings.Join(lines, "\r\n")
}

// pause waits for the time to go on, or for a key that ends the show.
func (s *Screen) pause(ctx context.Context, every time.Duration) (ends bool, err error) {
	deadline := time.Now().Add(every)
	for ctx.Err() == nil {
		left := time.Until(deadline)
		if left <= 0 {
			return false, nil
		}
		if there, err := waitFor(s.in, left); err != nil || there && s.endsShow() {
			return true, err
		}
	}
	return true, nil
}

// endsShow reads what was typed: q, ^C or ^D, or that the terminal is gone.
func (s *Screen) endsShow() bool {
	keys := make([]byte, 64)
	n, err := s.in.Read(keys)
	return err != nil || bytes.ContainsAny(keys[:n], "qQ\x03\x04")
}
