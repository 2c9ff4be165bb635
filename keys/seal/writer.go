package seal

import (
	"fmt"
	"io"
	"os"

	"keyward/keys"
)

// Sender is who seals: the name under which the recipient knows the pair's public key.
type Sender struct {
	Name string
	Pair keys.Pair
}

// Recipient is for whom a file is: the pair of any of the keys opens it.
type Recipient struct {
	Name string
	Keys []keys.PublicKey // 1 to MaxKeys, none twice
}

// writer holds back a full chunk until it is known whether it is the last.
type writer struct {
	w      io.Writer
	chunks chunks
	plain  []byte // at most a chunk
	sealed []byte
	err    error // what ended it
}

// NewWriter writes the header to w and returns what seals the stream to w. Close seals the last chunk:
// without it the file is cut off, and opens as such. It does not close w. Names are 1 to 64 visible ASCII
// characters; other names, no keys, too many or one twice are fault.Usage, a low-order key and a pair that is
// none fault.InvalidFile.
func NewWriter(w io.Writer, from Sender, to Recipient) (io.WriteCloser, error) {
	h := Header{From: from.Name, FromKey: from.Pair.Public, To: to.Name, ToKeys: to.Keys}
	if err := h.check(); err != nil {
		return nil, err
	}
	text, key, err := sealHeader(from.Pair, h)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	return &writer{
		w:      w,
		chunks: chunks{key: key},
		plain:  make([]byte, 0, chunkSize),
		sealed: make([]byte, 0, sealedSize),
	}, nil
}

// Write seals each chunk that is full and not the last.
func (w *writer) Write(p []byte) (n int, err error) {
	for n < len(p) {
		if len(w.plain) == chunkSize {
			w.flush(false)
		}
		if w.err != nil {
			return n, w.err
		}
		taken := min(len(p)-n, chunkSize-len(w.plain))
		w.plain = append(w.plain, p[n:n+taken]...)
		n += taken
	}
	return n, w.err
}

// Close seals the last chunk. After an error it does nothing but return it.
func (w *writer) Close() error {
	if w.err == nil {
		w.flush(true)
	}
	if w.err != nil {
		return w.err
	}
	w.err = os.ErrClosed
	return nil
}

func (w *writer) flush(last bool) {
	if w.err != nil {
		return
	}
	_, w.err = w.w.Write(w.chunks.seal(w.sealed, w.plain, last))
	w.plain = w.plain[:0]
}
