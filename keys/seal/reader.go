package seal

import (
	"bufio"
	"errors"
	"io"

	"keyward/keys"
)

// Reader opens a sealed file. Its Header is verified; whether the sender's key is really that user's is for
// the caller to find out.
type Reader struct {
	Header
	r      *bufio.Reader
	chunks chunks
	opened []byte // the chunk's room
	plain  []byte // what of it is not read yet
	err    error  // what follows; io.EOF after the last chunk
}

// NewReader reads the header and the first chunk, which vouches for all of the header, and opens them with
// the pair of one of the recipient's keys.
func NewReader(r io.Reader, pair keys.Pair) (*Reader, error) {
	in := bufio.NewReaderSize(r, sealedSize+1)
	h, err := readHeader(in)
	if err != nil {
		return nil, err
	}
	key, err := h.openKey(pair)
	if err != nil {
		return nil, err
	}
	out := &Reader{Header: h.Header, r: in, chunks: chunks{key: key}, opened: make([]byte, 0, chunkSize)}
	if out.openNext(); out.err != nil && !errors.Is(out.err, io.EOF) {
		return nil, out.err
	}
	return out, nil
}

// Read gives plaintext of chunks that were verified, and nothing else. Only io.EOF says that this was all of it:
// of a file that is cut off or damaged all chunks before that place are given, and then an error.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.plain) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.openNext()
	}
	n := copy(p, r.plain)
	r.plain = r.plain[n:]
	return n, nil
}

// openNext opens a chunk. One that nothing follows has to be the last.
func (r *Reader) openNext() {
	sealed, err := r.r.Peek(sealedSize + 1)
	last := err == io.EOF
	if err != nil && !last {
		r.err = err
		return
	}
	sealed = sealed[:min(len(sealed), sealedSize)]
	number := r.chunks.next
	plain, ok := r.chunks.open(r.opened, sealed, last)
	switch {
	case !ok:
		r.err = r.why(sealed, last)
	case len(plain) == 0 && number > 0:
		r.err = damaged("its last chunk is empty")
	case last:
		r.plain, r.err = plain, io.EOF
	default:
		r.plain = plain
		_, r.err = r.r.Discard(len(sealed))
	}
}

// why says what is wrong with a chunk that does not open in its place.
func (r *Reader) why(sealed []byte, last bool) error {
	number := r.chunks.next
	if len(sealed) == 0 {
		return damaged("it is cut off after its header")
	}
	if _, ok := r.chunks.open(r.opened, sealed, !last); ok {
		if last {
			return damaged("it is cut off after chunk %d", number)
		}
		return damaged("something was put behind its end")
	}
	if len(sealed) < sealedSize {
		return damaged("chunk %d, which ends it, is cut off or damaged", number)
	}
	return damaged("chunk %d is damaged, or not of this file or this place", number)
}
