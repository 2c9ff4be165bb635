package transport

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"keyward/fault"
)

const lengthSize = 4 // of a length before a message

// PipeWriter writes messages with their lengths.
type PipeWriter struct {
	w   io.Writer
	buf []byte
}

// NewPipeWriter makes a Publisher that writes to w, each message at once and with one Write.
func NewPipeWriter(w io.Writer) *PipeWriter { return &PipeWriter{w: w} }

// Publish writes a message. The error is the writer's.
func (p *PipeWriter) Publish(_ context.Context, message []byte) error {
	if uint64(len(message)) > math.MaxUint32 {
		return fmt.Errorf("%w: %d bytes are more than a pipe takes", ErrBad, len(message))
	}
	p.buf = append(binary.BigEndian.AppendUint32(p.buf[:0], uint32(len(message))), message...)
	_, err := p.w.Write(p.buf)
	return err
}

// Close does nothing: the writer is its owner's.
func (p *PipeWriter) Close() error { return nil }

// PipeReader reads messages with their lengths.
type PipeReader struct {
	r       *bufio.Reader
	maxSize int
	begun   bool // a length was read
}

// NewPipeReader makes a Subscriber that reads from r. A message of more than maxSize bytes, DefaultMaxMessage where it is 0, is
// left out. A read that waits does not see the end of a context, nor Close: end r for that.
func NewPipeReader(r io.Reader, maxSize int) *PipeReader {
	return &PipeReader{r: bufio.NewReaderSize(r, 64<<10), maxSize: cmp.Or(maxSize, DefaultMaxMessage)}
}

// Receive reads a message. The error is io.EOF between two messages, io.ErrUnexpectedEOF within one, fault.InvalidFile where the
// first length shows that these are no messages, else the reader's.
func (p *PipeReader) Receive(ctx context.Context) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var length [lengthSize]byte
	if _, err := io.ReadFull(p.r, length[:]); err != nil {
		return nil, err
	}
	size := int64(binary.BigEndian.Uint32(length[:]))
	first := !p.begun
	p.begun = true
	if size > int64(p.maxSize) {
		if first && size > maxSkip {
			return nil, noStream(size)
		}
		_, err := io.CopyN(io.Discard, p.r, size)
		if first && errors.Is(err, io.EOF) {
			return nil, noStream(size)
		}
		if err != nil {
			return nil, within(err)
		}
		return nil, fmt.Errorf("%w: %d bytes are more than %d", ErrBad, size, p.maxSize)
	}
	message, err := readBody(p.r, int(size))
	return message, within(err)
}

// noStream is of something else than messages, as text: its first four bytes are a length that no message has.
func noStream(size int64) error {
	return fault.New(fault.InvalidFile, "give it what `keyward keyexchange publish --transport stdio` writes", "this is no stream of sealed messages: the first one would have %d bytes, which is more than --max-message", size)
}

// Close does nothing: the reader is its owner's.
func (p *PipeReader) Close() error { return nil }

// firstPart is how much room a message gets before a byte of it is there.
const firstPart = 64 << 10

// readBody reads size bytes. Who announces much and sends little does not make us take memory.
func readBody(r io.Reader, size int) ([]byte, error) {
	body := make([]byte, 0, min(size, firstPart))
	for len(body) < size {
		body = slices.Grow(body, min(size-len(body), max(len(body), 1)))
		part := body[len(body):min(cap(body), size)]
		n, err := io.ReadFull(r, part)
		body = body[:len(body)+n]
		if err != nil {
			return nil, err
		}
	}
	return body, nil
}

// within is the error of a read in the middle of a message.
func within(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
