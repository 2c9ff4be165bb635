package relay

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

const (
	writeTime  = 10 * time.Second // for one frame
	hurryTime  = time.Second      // for a frame that is on its way when the connection is to end
	closeTime  = 5 * time.Second  // for the other end's close frame
	maxReason  = ws.MaxControlFramePayloadSize - 2
	bufferSize = 512 // of what is read at a time: headers. Larger payloads go past it.

	headroom  = ws.MaxHeaderSize  // before a payload, for its frame's header
	chunkSize = 16<<10 - headroom // of the payload that is passed on at a time, so that its frame fits one TLS record
)

// chunk is room for a frame: its header and a part of a message.
type chunk [headroom + chunkSize]byte

// chunks are kept here. A connection has one only while a message passes.
var chunks = sync.Pool{New: func() any { return new(chunk) }} //nolint:gochecknoglobals // it keeps room, and nothing that is in it

// conn is one end of a websocket connection (RFC 6455) after its handshake. One goroutine reads, any may write.
type conn struct {
	net.Conn
	in      *bufio.Reader
	side    ws.State
	deflate bool  // permessage-deflate was agreed on, without context takeover (RFC 7692)
	limit   int64 // the bytes of the largest message that is read

	heard atomic.Bool            // something came; who looks at it sets it back
	room  [ws.MaxHeaderSize]byte // for a header that is read

	// The message that is read.
	open   bool // it has not ended
	last   bool // its last frame's header was read
	mask   [4]byte
	left   int64 // of the frame's payload
	at     int   // bytes of the frame's payload that were read, for the mask
	size   int64 // of all its frames so far, as they came
	frames int64 // so far
	flat   *inflating

	writing turn
	closing bool // a close frame was sent, or nothing more can be
}

// turn is a lock that one holds at a time. It is a channel, since a goroutine that waits for a mutex counts as at work where
// tests let time pass once nobody is.
type turn chan struct{}

func (t turn) Lock()   { t <- struct{}{} }
func (t turn) Unlock() { <-t }

func (t turn) TryLock() bool {
	select {
	case t <- struct{}{}:
		return true
	default:
		return false
	}
}

// newConn makes one of a connection whose handshake is done. in may hold what came with it.
func newConn(nc net.Conn, in *bufio.Reader, side ws.State, limit int64) *conn {
	return &conn{Conn: nc, in: in, side: side, limit: limit, writing: make(turn, 1)}
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

// Is takes the other end's word that a message was too large for an ErrTooLarge.
func (c *closure) Is(target error) bool {
	return target == ErrTooLarge && c.theirs && c.code == ws.StatusMessageTooBig
}

var errClosing = errors.New("the websocket is closed")

// begin reads to the next message and tells what it is, ws.OpText or ws.OpBinary. Pings on the way are answered. The
// error is a *closure where the other end closes or breaks the protocol, and what the network says where it fails.
func (c *conn) begin() (ws.OpCode, error) {
	h, err := c.header()
	if err != nil {
		return 0, err
	}
	c.size, c.frames, c.flat = 0, 0, nil
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
				return n, false, cut(err)
			}
			continue
		}
		part := p[n:min(len(p), n+int(min(c.left, chunkSize)))]
		got, err := io.ReadFull(c.in, part)
		if err != nil {
			return n, false, cut(err)
		}
		c.heard.Store(true)
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

// cut is the error of a message that breaks off.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// enter begins a frame of a message. A message has no more frames than it may have bytes, so that empty ones end too.
func (c *conn) enter(h ws.Header) error {
	c.open, c.last, c.mask, c.left, c.at = true, h.Fin, h.Mask, h.Length, 0
	if c.frames++; h.Length > c.limit-c.size || c.frames > max(c.limit, 1) {
		return c.tooBig()
	}
	c.size += h.Length
	return nil
}

func (c *conn) tooBig() error {
	return &closure{code: ws.StatusMessageTooBig, reason: fmt.Sprintf("a message is at most %d bytes", c.limit)}
}

// header reads the next header of a data frame, and does what the control frames before it ask for.
func (c *conn) header() (ws.Header, error) {
	for {
		h, err := ws.ReadHeaderBuffer(c.in, c.room[:])
		if errors.Is(err, ws.ErrHeaderLengthMSB) || errors.Is(err, ws.ErrHeaderLengthUnexpected) {
			return h, &closure{code: ws.StatusProtocolError, reason: err.Error()}
		}
		if err != nil {
			return h, err
		}
		if err := c.check(h); err != nil {
			return h, &closure{code: ws.StatusProtocolError, reason: err.Error()}
		}
		c.heard.Store(true)
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
		return closed(payload)
	}
	return nil
}

// closed is what a close frame says. One that breaks the protocol is answered as such.
func closed(payload []byte) *closure {
	if len(payload) == 0 {
		return &closure{code: ws.StatusNoStatusRcvd, theirs: true}
	}
	code, reason := ws.ParseCloseFrameData(payload)
	if len(payload) == 1 || !sendable(code) || !utf8.ValidString(reason) {
		return &closure{code: ws.StatusProtocolError, reason: "a close frame that says nothing valid", theirs: true}
	}
	return &closure{code: code, reason: reason, theirs: true}
}

// sendable says whether a code may be in a close frame: one of IANA's registry, or of those for libraries and programs.
func sendable(code ws.StatusCode) bool {
	switch code {
	case 1004, ws.StatusNoStatusRcvd, ws.StatusAbnormalClosure:
		return false
	}
	return code >= 1000 && code <= 1014 || code >= 3000 && code <= 4999
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
	return c.writeFrame(op, true, framed(message))
}

// framed is a message behind its headroom.
func framed(message []byte) []byte {
	return append(make([]byte, headroom, headroom+len(message)), message...)
}

// writeFrame sends a frame whose payload is what is behind the headroom; the header is put before it, and a client's
// payload is masked where it is. Who does not take it for ten seconds has failed, and the connection with it.
func (c *conn) writeFrame(op ws.OpCode, last bool, frame []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.writeLocked(op, last, frame, writeTime)
}

func (c *conn) writeLocked(op ws.OpCode, last bool, frame []byte, within time.Duration) error {
	if c.closing {
		return errClosing
	}
	h := ws.Header{Fin: last, OpCode: op, Length: int64(len(frame) - headroom)}
	if c.side.ClientSide() {
		h.Masked, h.Mask = true, ws.NewMask()
		ws.Cipher(frame[headroom:], h.Mask, 0)
	}
	start := headroom - ws.HeaderSize(h)
	appendHeader(frame[:start], h)
	return c.sendLocked(frame[start:], within)
}

// send sends frames as they are.
func (c *conn) send(frames []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.closing {
		return errClosing
	}
	return c.sendLocked(frames, writeTime)
}

func (c *conn) sendLocked(frames []byte, within time.Duration) error {
	if err := c.SetWriteDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	_, err := c.Conn.Write(frames)
	if err != nil {
		c.shut()
	}
	return err
}

// appendHeader appends a frame's header (RFC 6455, section 5.2).
func appendHeader(b []byte, h ws.Header) []byte { //nolint:unparam // whoever appends says what it is then
	const last, masked, length16, length64 = 0x80, 0x80, 126, 127
	first, second := byte(h.OpCode), byte(0)
	if h.Fin {
		first |= last
	}
	if h.Masked {
		second |= masked
	}
	switch {
	case h.Length < length16:
		b = append(b, first, second|byte(h.Length))
	case h.Length <= math.MaxUint16:
		b = binary.BigEndian.AppendUint16(append(b, first, second|length16), uint16(h.Length))
	default:
		b = binary.BigEndian.AppendUint64(append(b, first, second|length64), uint64(h.Length))
	}
	if h.Masked {
		b = append(b, h.Mask[:]...)
	}
	return b
}

// shut makes a frame the last one that is sent. Who reads has closeTime left.
func (c *conn) shut() {
	c.closing = true
	_ = c.SetReadDeadline(time.Now().Add(closeTime))
}

// writeControl sends a ping, a pong or a close frame, with at most 125 bytes.
func (c *conn) writeControl(op ws.OpCode, payload []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.writeControlLocked(op, payload, writeTime)
}

func (c *conn) writeControlLocked(op ws.OpCode, payload []byte, within time.Duration) error {
	var frame [headroom + ws.MaxControlFramePayloadSize]byte
	return c.writeLocked(op, true, frame[:headroom+copy(frame[headroom:], payload)], within)
}

// ping sends a ping and says so, unless another frame is on its way: that one shows as well whether the other end takes
// what it is sent.
func (c *conn) ping() bool {
	if !c.writing.TryLock() {
		return false
	}
	defer c.writing.Unlock()
	return c.writeControlLocked(ws.OpPing, nil, writeTime) == nil
}

// end sends a close frame, once. Who reads has closeTime to read to the other end's. A frame that is on its way has a
// second to arrive; then the connection is broken.
func (c *conn) end(code ws.StatusCode, reason string) {
	if !c.writing.TryLock() {
		_ = c.SetWriteDeadline(time.Now().Add(hurryTime))
		c.writing.Lock()
	}
	defer c.writing.Unlock()
	if c.closing {
		return
	}
	var body []byte
	if code != ws.StatusNoStatusRcvd {
		body = ws.NewCloseFrameBody(code, reason[:min(len(reason), maxReason)])
	}
	_ = c.writeControlLocked(ws.OpClose, body, hurryTime)
	c.shut()
}

// readDeadline sets the time by which something has to come; none where zero. A connection that ends keeps its own.
func (c *conn) readDeadline(t time.Time) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.closing {
		return errClosing
	}
	return c.SetReadDeadline(t)
}

// finish ends the connection as cause says and frees it; it is for who reads. The other end's close frame is answered.
// Where we closed first it reads on to that, for closeTime: a connection that is closed with something unread is reset,
// and our close frame may be lost with it.
func (c *conn) finish(cause error) {
	defer c.Close()
	how, ok := errors.AsType[*closure](cause)
	if !ok {
		how = &closure{code: ws.StatusGoingAway}
	}
	if how.theirs {
		c.end(how.code, "")
		return
	}
	c.end(how.code, how.reason)
	err := c.skip()
	for err == nil {
		var h ws.Header
		if h, err = c.header(); err == nil {
			c.open, c.last, c.left = true, h.Fin, h.Length
			err = c.skip()
		}
	}
	if broken, ok := errors.AsType[*closure](err); ok && !broken.theirs {
		_, _ = io.Copy(io.Discard, c.in)
	}
}

// skip reads over the rest of a frame.
func (c *conn) skip() error {
	_, err := io.CopyN(io.Discard, c.in, c.left)
	c.left, c.open = 0, c.open && !c.last
	return err
}
