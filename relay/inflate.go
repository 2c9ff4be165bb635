package relay

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/gobwas/ws"
)

// inflating is a compressed message while it is read.
type inflating struct {
	c      *conn
	out    io.ReadCloser
	size   int64
	failed error // of reading it as it came
}

//nolint:gochecknoglobals // it keeps room, and nothing that is in it
var inflaters = sync.Pool{New: func() any { return flate.NewReader(bytes.NewReader(nil)) }}

// tail ends a message's deflate stream (RFC 7692, section 7.2.2), with an empty last block so that its reader ends too.
const tail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

func inflate(c *conn) *inflating {
	out := inflaters.Get().(io.ReadCloser)
	f := &inflating{c: c, out: out}
	_ = out.(flate.Resetter).Reset(io.MultiReader(rawMessage{f}, strings.NewReader(tail)), nil) // never fails
	return f
}

// fill is conn.fill. A message that grows above the limit is as much too big as one that comes so.
func (f *inflating) fill(p []byte, limit int64) (n int, end bool, err error) {
	for n < len(p) && err == nil {
		var got int
		got, err = f.out.Read(p[n:])
		n += got
	}
	if f.failed != nil {
		return n, false, f.failed
	}
	f.c.heard.Store(true) // though what this is made of may have come long ago
	if f.size += int64(n); f.size > limit {
		return n, false, f.c.tooBig()
	}
	if err == nil {
		return n, false, nil
	}
	if !errors.Is(err, io.EOF) {
		return n, false, &closure{code: ws.StatusInvalidFramePayloadData, reason: "the message is not compressed as it says"}
	}
	return n, true, f.close()
}

// close reads over what follows the last block.
func (f *inflating) close() error {
	inflaters.Put(f.out)
	f.c.flat = nil
	_, err := io.Copy(io.Discard, rawMessage{f})
	return err
}

// rawMessage reads the message that was begun as it came.
type rawMessage struct{ f *inflating }

func (r rawMessage) Read(p []byte) (int, error) {
	n, end, err := r.f.c.fillRaw(p[:min(len(p), chunkSize)])
	r.f.failed = err
	if err == nil && n == 0 && end {
		err = io.EOF
	}
	return n, err
}
