package term

import "os"

// typing is a terminal's input without the sequences that arrows, function keys and pasting
// send (ECMA-48, section 5.4): survey takes the tails of those it does not know for text.
type typing struct {
	*os.File
	inside byte // what a sequence began with, '[' or 'O'; 0 outside of one
	escape bool // the last byte was ESC
}

func (t *typing) Read(p []byte) (int, error) {
	for {
		n, err := t.File.Read(p)
		kept := p[:0]
		for _, b := range p[:n] {
			if t.keeps(b) {
				kept = append(kept, b)
			}
		}
		t.escape = false // at the end of what came at once it is the key Esc
		if len(kept) > 0 || err != nil {
			return len(kept), err
		}
	}
}

// keeps tells what is text, and goes on to the state after b.
func (t *typing) keeps(b byte) bool {
	switch {
	case t.inside == 'O', t.inside == '[' && b >= '@' && b <= '~':
		t.inside = 0
	case t.inside == '[':
	case t.escape:
		t.escape = false
		if b == '[' || b == 'O' {
			t.inside = b
		}
	case b == 0x1b:
		t.escape = true
	default:
		return true
	}
	return false
}
