package term

import (
	"fmt"
	"os"
	"strings"
	"time"

	xterm "golang.org/x/term"
)

// Progress is a bar on a terminal's last line.
type Progress struct {
	out   *os.File
	what  string
	now   func() time.Time
	drawn time.Time
}

// barWidth is the bar's, in characters; barPause the least time between two drawings.
const (
	barWidth = 30
	barPause = 100 * time.Millisecond
)

// NewProgress gives a bar for out; nil, which shows nothing, where out is no terminal.
func NewProgress(out *os.File, what string, now func() time.Time) *Progress {
	if !xterm.IsTerminal(int(out.Fd())) {
		return nil
	}
	return &Progress{out: out, what: what, now: now}
}

// Show draws how much is done, a few times a second.
func (p *Progress) Show(done, all int) {
	if p == nil || all == 0 || p.now().Sub(p.drawn) < barPause && done < all {
		return
	}
	p.drawn = p.now()
	_, _ = fmt.Fprintf(p.out, "\r%s [%s] %d/%d ", p.what, bar(done, all), done, all)
}

func bar(done, all int) string {
	full := barWidth * done / all
	return strings.Repeat("#", full) + strings.Repeat(".", barWidth-full)
}

// Clear removes the bar, so that what follows starts on a clean line.
func (p *Progress) Clear() {
	if p != nil && !p.drawn.IsZero() {
		_, _ = fmt.Fprint(p.out, "\r\x1b[K")
	}
}
