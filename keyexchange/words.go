package keyexchange

import (
	"errors"
	"io"
)

// The words of the exchange.
const (
	wordInit         = "INIT"
	wordAck          = "ACK"
	wordKeepAlive    = "KEEPALIVE"
	wordKeepAliveAck = "KEEPALIVEACK"
)

// errWord is of who says what is not of the exchange.
var errWord = errors.New("not a word of the exchange")

// words reads words that nothing divides, in whatever pieces they come.
type words struct {
	in   io.Reader
	come []byte // of room, and not yet looked at
	room [32]byte
}

// expect reads this word. It is errWord at the first byte that is not of it.
func (w *words) expect(word string) error {
	for {
		n := min(len(w.come), len(word))
		if string(w.come[:n]) != word[:n] {
			return errWord
		}
		if n == len(word) {
			w.come = w.come[n:]
			return nil
		}
		have := copy(w.room[:], w.come)
		more, err := w.in.Read(w.room[have:])
		w.come = w.room[:have+more]
		if more == 0 && err != nil {
			return err
		}
	}
}
