package relay

import (
	"bufio"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
)

const (
	writeTime = 10 * time.Second // for one frame
	closeTime = 5 * time.Second  // for the other end's close frame

	headroom  = ws.MaxHeaderSize // before a payload, for its frame's header
	chunkSize = 16 << 10         // of the payload that is passed on at a time
)

// chunk is room for a frame: its header and a part of a message.
type chunk [headroom + chunkSize]byte

// chunks are kept here. A connection has one only while a message passes.
var chunks = sync.Pool{New: func() any { return new(chunk) }}

// conn is one end of a websocket connection (RFC 6455) after its handshake. One goroutine reads, any may write.
type conn struct {
	net.Conn
	in      *bufio.Reader
	side    ws.State
	deflate bool  // permessage-deflate was agreed on, without context takeover (RFC 7692)
	limit   int64 // the bytes of the largest message that is read

	heard atomic.Int64 // when the last frame came, in nanoseconds of Unix time

	// The message that is read.
	open bool // it has not ended
	last bool // its last frame's header was read
	mask [4]byte
	left int64 // of the frame's payload
	at   int   // bytes of the frame's payload that were read, for the mask
	size int64 // of all its frames so far, as they came
	flat *inflating

	writing sync.Mutex
	closing bool // a close frame was sent
}

// newConn makes one of a connection whose handshake is done. in may hold what came with it.
func newConn(nc net.Conn, in *bufio.Reader, side ws.State, limit int64) *conn {
	return &conn{Conn: nc, in: in, side: side, limit: limit}
}

// closure ends a connection. It is what a close frame says: the other end's, or ours that is still to be sent.
type closure struct {
	code   ws.StatusCode
	reason string
	theirs bool
}

func (c *closure) Error() string {
	if c.theirs {
		return fmt.Sprintf("closed by the other end with %d %q", c.code, c.reason)
	}
	return fmt.Sprintf("closed with %d %q", c.code, c.reason)
}

var errClosing = errors.New("the websocket is closed")

// begin reads to the next message and tells what it is, ws.OpText or ws.OpBinary. Pings on the way are answered. The
// error is a *closure where the other end closes or breaks the protocol, and what the network says where it fails.
func (c *conn) begin() (ws.OpCode, error) {
	h, err := c.header()
	if err != nil {
		return 0, err
	}
	c.size, c.flat = 0, nil
	if err := c.enter(h); err != nil {
		return 0, err
	}
	if h.Rsv1() {
		c.flat = inflate(c)
	}
	return h.OpCode, nil
}

// fill reads the message that was begun, as much as there is room for. At its end it says so.
func (c *conn) fill(p []byte) (n int, end bool, err error) {
	if c.flat != nil {
		return c.flat.fill(p, c.limit)
	}
	return c.fillRaw(p)
}

// fillRaw reads payload as it came, without its mask.
func (c *conn) fillRaw(p []byte) (n int, end bool, err error) {
	for n < len(p) && c.open {
		if c.left == 0 {
			if c.last {
				c.open = false
				break
			}
			h, err := c.header()
			if err == nil {
				err = c.enter(h)
			}
			if err != nil {
				return n, false, err
			}
			continue
		}
		part := p[n:min(len(p), n+int(min(c.left, chunkSize)))]
		got, err := io.ReadFull(c.in, part)
		if err != nil {
			return n, false, err
		}
		if c.side.ServerSide() {
			ws.Cipher(part, c.mask, c.at)
		}
		n, c.at, c.left = n+got, c.at+got, c.left-int64(got)
	}
	if c.open && c.last && c.left == 0 {
		c.open = false
	}
	return n, !c.open, nil
}

// enter begins a frame of a message.
func (c *conn) enter(h ws.Header) error {
	c.open, c.last, c.mask, c.left, c.at = true, h.Fin, h.Mask, h.Length, 0
	c.size += h.Length
	if h.Length > c.limit || c.size > c.limit {
		return c.tooBig()
	}
	return nil
}

func (c *conn) tooBig() error {
	return &closure{code: ws.StatusMessageTooBig, reason: fmt.Sprintf("a message is at most %d bytes", c.limit)}
}

// header reads the next header of a data frame, and does what the control frames before it ask for.
func (c *conn) header() (ws.Header, error) {
	var room [ws.MaxHeaderSize]byte
	for {
		h, err := ws.ReadHeaderBuffer(c.in, room[:])
		if errors.Is(err, ws.ErrHeaderLengthMSB) || errors.Is(err, ws.ErrHeaderLengthUnexpected) {
			return h, &closure{code: ws.StatusProtocolError, reason: err.Error()}
		}
		if err != nil {
			return h, err
		}
		if err := c.check(h); err != nil {
			return h, &closure{code: ws.StatusProtocolError, reason: err.Error()}
		}
		c.heard.Store(time.Now().UnixNano())
		if !h.OpCode.IsControl() {
			return h, nil
		}
		if err := c.control(h); err != nil {
			return h, err
		}
	}
}

// check holds a header against the protocol. The first frame of a message may have the bit that says it is compressed.
func (c *conn) check(h ws.Header) error {
	state := c.side
	if c.open {
		state = state.Set(ws.StateFragmented)
	}
	if c.deflate && h.Rsv1() && h.OpCode.IsData() && h.OpCode != ws.OpContinuation {
		h.Rsv = ws.Rsv(false, h.Rsv2(), h.Rsv3())
	}
	return ws.CheckHeader(h, state)
}

func (c *conn) control(h ws.Header) error {
	var room [ws.MaxControlFramePayloadSize]byte
	payload := room[:h.Length]
	if _, err := io.ReadFull(c.in, payload); err != nil {
		return err
	}
	if h.Masked {
		ws.Cipher(payload, h.Mask, 0)
	}
	switch h.OpCode {
	case ws.OpPing:
		if err := c.writeControl(ws.OpPong, payload); !errors.Is(err, errClosing) {
			return err
		}
	case ws.OpClose:
		code, reason := ws.ParseCloseFrameData(payload)
		return &closure{code: code, reason: reason, theirs: true}
	}
	return nil
}

// read reads a whole message.
func (c *conn) read() (ws.OpCode, []byte, error) {
	op, err := c.begin()
	if err != nil {
		return op, nil, err
	}
	var message bytes.Buffer
	part := chunks.Get().(*chunk)
	defer chunks.Put(part)
	for {
		n, end, err := c.fill(part[:])
		if err != nil {
			return op, nil, err
		}
		message.Write(part[:n])
		if end {
			return op, message.Bytes(), nil
		}
	}
}

// write sends a whole message in one frame.
func (c *conn) write(op ws.OpCode, message []byte) error {
	frame := make([]byte, headroom+len(message))
	copy(frame[headroom:], message)
	return c.writeFrame(op, true, frame)
}

// writeFrame sends a frame whose payload is what is behind the headroom; the header is put before it, and a client's
// payload is masked where it is. Who does not take it for ten seconds has failed.
func (c *conn) writeFrame(op ws.OpCode, last bool, frame []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.writeLocked(op, last, frame)
}

func (c *conn) writeLocked(op ws.OpCode, last bool, frame []byte) error {
	if c.closing {
		return errClosing
	}
	h := ws.Header{Fin: last, OpCode: op, Length: int64(len(frame) - headroom)}
	if c.side.ClientSide() {
		h.Masked, h.Mask = true, ws.NewMask()
		ws.Cipher(frame[headroom:], h.Mask, 0)
	}
	start := headroom - ws.HeaderSize(h)
	if err := ws.WriteHeader(bytes.NewBuffer(frame[start:start]), h); err != nil {
		return err
	}
	if err := c.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err := c.Conn.Write(frame[start:])
	return err
}

// writeControl sends a ping, a pong or a close frame, with at most 125 bytes.
func (c *conn) writeControl(op ws.OpCode, payload []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.writeControlLocked(op, payload)
}

func (c *conn) writeControlLocked(op ws.OpCode, payload []byte) error {
	var frame [headroom + ws.MaxControlFramePayloadSize]byte
	return c.writeLocked(op, true, frame[:headroom+copy(frame[headroom:], payload)])
}

// ping sends a ping, unless another frame is on its way: that one shows as well whether the other end takes what it is sent.
func (c *conn) ping() error {
	if !c.writing.TryLock() {
		return nil
	}
	defer c.writing.Unlock()
	return c.writeControlLocked(ws.OpPing, nil)
}

// end sends a close frame, once. Who reads has closeTime to read to the other end's. A write that hangs is given up.
func (c *conn) end(code ws.StatusCode, reason string) {
	now := time.Now()
	_ = c.SetReadDeadline(now.Add(closeTime))
	if !c.writing.TryLock() {
		_ = c.SetWriteDeadline(now) // this also breaks a TLS connection, for which it is too late
		c.writing.Lock()
	}
	defer c.writing.Unlock()
	_ = c.writeControlLocked(ws.OpClose, ws.NewCloseFrameBody(code, reason))
	c.closing = true
}

// finish frees the connection. Where we closed first it reads on to the other end's close frame, for closeTime: a connection
// that is closed with something unread is reset, and our close frame may be lost with it. It is for who reads.
func (c *conn) finish(cause error) {
	defer c.Close()
	if theirs, ok := errors.AsType[*closure](cause); !ok || theirs.theirs {
		return
	}
	for c.skip() == nil {
		h, err := c.header()
		if err != nil {
			return
		}
		c.open, c.last, c.left = true, h.Fin, h.Length
	}
}

// skip reads over the rest of a frame.
func (c *conn) skip() error {
	_, err := io.CopyN(io.Discard, c.in, c.left)
	c.left, c.open = 0, !c.last
	return err
}

// inflating is a compressed message while it is read.
type inflating struct {
	out  io.ReadCloser
	size int64
	c    *conn
}

var inflaters = sync.Pool{New: func() any { return flate.NewReader(bytes.NewReader(nil)) }}

// tail ends a message's deflate stream (RFC 7692, section 7.2.2), with an empty last block so that its reader ends too.
const tail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

func inflate(c *conn) *inflating {
	out := inflaters.Get().(io.ReadCloser)
	_ = out.(flate.Resetter).Reset(io.MultiReader(rawMessage{c}, bytes.NewReader([]byte(tail))), nil) // never fails
	return &inflating{out: out, c: c}
}

// fill is conn.fill. A message that grows above the limit is as much too big as one that comes so.
func (f *inflating) fill(p []byte, limit int64) (n int, end bool, err error) {
	for n < len(p) && err == nil {
		var got int
		got, err = f.out.Read(p[n:])
		n += got
	}
	if f.size += int64(n); f.size > limit {
		return n, false, f.c.tooBig()
	}
	if errors.Is(err, io.EOF) {
		return n, true, f.close()
	}
	var corrupt flate.CorruptInputError
	if errors.As(err, &corrupt) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = &closure{code: ws.StatusInvalidFramePayloadData, reason: "the message is not compressed as it says"}
	}
	return n, false, err
}

// close reads over what follows the last block.
func (f *inflating) close() error {
	inflaters.Put(f.out)
	f.c.flat = nil
	_, err := io.Copy(io.Discard, rawMessage{f.c})
	return err
}

// rawMessage reads the message that was begun as it came.
type rawMessage struct{ c *conn }

func (r rawMessage) Read(p []byte) (int, error) {
	n, end, err := r.c.fillRaw(p[:min(len(p), chunkSize)])
	if err == nil && n == 0 && end {
		err = io.EOF
	}
	return n, err
}
