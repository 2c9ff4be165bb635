package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// end is one of a relay's connection: of a websocket, or, of the reference, of framed messages. It is as quick as can be, and
// what it does is alike on both: messages are made before, each is one write, and what comes is counted and thrown away.
type end struct {
	*tls.Conn
	in *bufio.Reader
	ws bool
}

const (
	messageSize = 1 << 10
	pathPrefix  = "/micronets/v1/ws-proxy/"
	hello       = `{"message":{"messageId":0,"messageType":"CONN:HELLO","requiresResponse":false}}`

	// Of a websocket's frame (RFC 6455, section 5.2).
	lastText   = 0x81 // the only frame of a text
	lastPing   = 0x89
	controlBit = 0x08
	opPong     = 0x0a
	opClose    = 0x08
	maskBit    = 0x80
	length16   = 126 // the length follows in two bytes
)

// relay is a running relay and what its peers speak.
type relay struct {
	*server
	ws  bool
	tls *tls.Config // of a peer
}

// meet connects a peer to a meetup of a relay and says who it is.
func (r relay) meet(ctx context.Context, meetup string) (*end, error) {
	c, err := (&tls.Dialer{Config: r.tls}).DialContext(ctx, "tcp", r.address)
	if err != nil {
		return nil, err
	}
	p := newEnd(c.(*tls.Conn), r.ws)
	first := meetup
	if p.ws {
		first = hello
		err = p.upgrade(meetup)
	}
	if err == nil {
		_, err = p.Write(p.frame([]byte(first)))
	}
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("peer of %s: %w", meetup, err)
	}
	return p, nil
}

func newEnd(c *tls.Conn, ws bool) *end {
	return &end{Conn: c, in: bufio.NewReaderSize(c, 16<<10), ws: ws}
}

// upgrade makes a websocket of the connection. The key is RFC 6455's example: nobody looks whether it is a new one.
func (p *end) upgrade(meetup string) error {
	_, err := fmt.Fprintf(p, "GET %s%s HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", pathPrefix, meetup)
	if err != nil {
		return err
	}
	answer, err := http.ReadResponse(p.in, nil)
	if err != nil {
		return err
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return errors.New(answer.Status)
	}
	return nil
}

// frame is what one message looks like on the connection.
func (p *end) frame(message []byte) []byte {
	if !p.ws {
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...)
	}
	frame := []byte{lastText}
	if len(message) < length16 {
		frame = append(frame, maskBit|byte(len(message)))
	} else {
		frame = binary.BigEndian.AppendUint16(append(frame, maskBit|length16), uint16(len(message)))
	}
	mask := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	frame = append(frame, mask[:]...)
	for i, b := range message {
		frame = append(frame, b^mask[i%len(mask)])
	}
	return frame
}

// next reads to the end of the next message and returns its length. A relay's pings are left without an answer: no turn takes as
// long as a relay waits for one.
func (p *end) next() (int, error) {
	if !p.ws {
		length, err := p.in.Peek(4)
		if err != nil {
			return 0, err
		}
		n := int(binary.BigEndian.Uint32(length))
		_, err = p.in.Discard(len(length) + n)
		return n, err
	}
	for {
		op, n, err := p.nextFrame()
		if err != nil || op&controlBit == 0 {
			return n, err
		}
	}
}

// nextFrame reads one frame of a websocket.
func (p *end) nextFrame() (op byte, n int, err error) {
	head, err := p.in.Peek(2)
	if err != nil {
		return 0, 0, err
	}
	op, n = head[0]&0x0f, int(head[1])
	if op == opClose {
		return op, 0, io.EOF
	}
	if n == length16 {
		if head, err = p.in.Peek(4); err != nil {
			return 0, 0, err
		}
		n = int(binary.BigEndian.Uint16(head[2:]))
	}
	_, err = p.in.Discard(len(head) + n)
	return op, n, err
}

// settle returns when the relay has seen what was sent to it. On a websocket a ping tells.
func (p *end) settle() error {
	if _, err := p.Write([]byte{lastPing, maskBit, 0, 0, 0, 0}); err != nil {
		return err
	}
	for {
		if op, _, err := p.nextFrame(); err != nil || op == opPong {
			return err
		}
	}
}

// expect reads n messages of a size.
func (p *end) expect(n, size int) error {
	for range n {
		got, err := p.next()
		if err != nil {
			return err
		}
		if got != size {
			return fmt.Errorf("a message has %d bytes instead of %d", got, size)
		}
	}
	return nil
}

// send writes a frame n times.
func (p *end) send(n int, frame []byte) error {
	for range n {
		if _, err := p.Write(frame); err != nil {
			return err
		}
	}
	return nil
}

// couple is two peers that have met.
type couple struct{ left, right *end }

func (r relay) couple(ctx context.Context, meetup string) (c couple, err error) {
	if c.left, err = r.meet(ctx, meetup); err != nil {
		return c, err
	}
	if c.right, err = r.meet(ctx, meetup); err != nil {
		return c, errors.Join(err, c.left.Close())
	}
	for _, p := range []*end{c.left, c.right} {
		if _, err := p.next(); err != nil {
			c.close()
			return c, fmt.Errorf("the other's first message: %w", err)
		}
	}
	return c, nil
}

// direct is a couple without a relay.
func (r relay) direct(ctx context.Context, server *tls.Config) (c couple, err error) {
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		return c, err
	}
	defer l.Close()
	dialed, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
	if err != nil {
		return c, err
	}
	other, err := l.Accept()
	if err != nil {
		return c, errors.Join(err, dialed.Close())
	}
	left, right := tls.Client(dialed, r.tls), other.(*tls.Conn)
	c = couple{newEnd(left, false), newEnd(right, false)}
	done := make(chan error, 1)
	go func() { done <- left.HandshakeContext(ctx) }()
	return c, errors.Join(right.HandshakeContext(ctx), <-done)
}

func (c couple) close() {
	_ = c.left.Close()
	_ = c.right.Close()
}

// message is one as both ends send it.
func (c couple) message() []byte { return c.left.frame(make([]byte, messageSize)) }

// flood sends n messages from one end to the other.
func (c couple) flood(n int) error {
	sent := make(chan error, 1)
	go func() { sent <- c.left.send(n, c.message()) }()
	return errors.Join(c.right.expect(n, messageSize), <-sent)
}

// volley sends a message there and back n times, and returns half of the time that each took, in milliseconds.
func (c couple) volley(n int) ([]float64, error) {
	frame := c.message()
	back := make(chan error, 1)
	go func() {
		for range n {
			if err := errors.Join(c.right.expect(1, messageSize), c.right.send(1, frame)); err != nil {
				back <- err
				return
			}
		}
		back <- nil
	}()
	took := make([]float64, n)
	for i := range took {
		start := time.Now()
		if err := errors.Join(c.left.send(1, frame), c.left.expect(1, messageSize)); err != nil {
			c.close()
			return nil, errors.Join(err, <-back)
		}
		took[i] = ms(time.Since(start)) / 2
	}
	return took, <-back
}
