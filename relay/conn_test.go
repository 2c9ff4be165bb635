package relay

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// canned is a connection that gives what it holds and takes all.
type canned struct {
	net.Conn
	in  *bytes.Reader
	out bytes.Buffer
}

func (c *canned) Read(p []byte) (int, error)       { return c.in.Read(p) }
func (c *canned) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *canned) Close() error                     { return nil }
func (c *canned) SetReadDeadline(time.Time) error  { return nil }
func (c *canned) SetWriteDeadline(time.Time) error { return nil }

func cannedConn(in []byte, limit int64) (*conn, *canned) {
	nc := &canned{in: bytes.NewReader(in)}
	return newConn(nc, bufio.NewReaderSize(nc, bufferSize), ws.StateServerSide, limit), nc
}

// TestBothEnds sends messages from a client's end to a server's, and back.
func TestBothEnds(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20} {
		near, far := net.Pipe()
		client := newConn(near, bufio.NewReaderSize(near, bufferSize), ws.StateClientSide, 1<<20)
		server := newConn(far, bufio.NewReaderSize(far, bufferSize), ws.StateServerSide, 1<<20)
		message := []byte(strings.Repeat("x", size))
		for _, way := range [][2]*conn{{client, server}, {server, client}} {
			sent := make(chan error, 1)
			go func() { sent <- way[0].write(ws.OpBinary, message) }()
			op, got, err := way[1].read()
			if err != nil || op != ws.OpBinary || !bytes.Equal(got, message) {
				t.Errorf("%d bytes: got %v, %d bytes, %v", size, op, len(got), err)
			}
			if err := <-sent; err != nil {
				t.Error(err)
			}
		}
		near.Close()
		far.Close()
	}
}

// TestEndOnce sends one close frame, and nothing behind it.
func TestEndOnce(t *testing.T) {
	c, nc := cannedConn(nil, 1)
	c.end(ws.StatusGoingAway, strings.Repeat("x", 200)) // more than fits
	c.end(ws.StatusNormalClosure, "")
	if err := c.write(ws.OpText, nil); !errors.Is(err, errClosing) {
		t.Errorf("a message behind the close frame: %v", err)
	}
	if c.ping() {
		t.Error("a ping behind the close frame")
	}
	if want := "\x88\x7d\x03\xe9" + strings.Repeat("x", 123); nc.out.String() != want {
		t.Errorf("sent %q", nc.out.String())
	}
}

// TestEndHurries closes while a frame is on its way that nobody takes. It does not get all of its time.
func TestEndHurries(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	c := newConn(near, bufio.NewReaderSize(near, bufferSize), ws.StateServerSide, 1)
	sent := make(chan error, 1)
	go func() { sent <- c.write(ws.OpText, []byte("x")) }()
	_, _ = far.Read(make([]byte, 1)) // a part of it
	start := time.Now()
	c.end(ws.StatusGoingAway, "")
	if err := <-sent; err == nil || time.Since(start) >= writeTime {
		t.Errorf("the frame ended with %v after %v", err, time.Since(start))
	}
}

// TestFinishReadsOn wants what comes to be read up to the other end's close frame, and all of it where it is broken: on some
// systems a connection that is closed with something unread takes our close frame with it.
func TestFinishReadsOn(t *testing.T) {
	frames := string(encoded(0x81, []byte("x"))) + string(encoded(0x02, make([]byte, 10_000))) + string(encoded(0x89, nil))
	for in, want := range map[string]int{
		frames + string(encoded(0x88, nil)) + "1234": 4,
		frames + strings.Repeat("x", 10_000):         0,
		frames:                                       0,
	} {
		c, nc := cannedConn([]byte(in), 100)
		c.finish(&closure{code: ws.StatusNormalClosure})
		if left := nc.in.Len() + c.in.Buffered(); left != want {
			t.Errorf("%d bytes are left, want %d", left, want)
		}
		if nc.out.String() != "\x88\x02\x03\xe8" {
			t.Errorf("sent %q", nc.out.String())
		}
	}
}

// TestBreaksOff wants the end of a connection within a message to be an error, compressed or not.
func TestBreaksOff(t *testing.T) {
	for _, in := range []string{
		string(encoded(0x01, []byte("x"))),
		string(encoded(0x81, []byte("xyz"))[:8]),
		string(encoded(0x41, []byte(deflated("some message")))),
		string(encoded(0xc1, []byte(deflated("some message")))[:10]),
		string(encoded(0x01, []byte("x"))) + "\x80",
	} {
		c, _ := cannedConn([]byte(in), 100)
		c.deflate = true
		if op, got, err := c.read(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q: %v %q %v", in, op, got, err)
		}
	}
}

// FuzzFrames reads whatever comes as a server does: all that it gives is within the limit, and it ends.
func FuzzFrames(f *testing.F) {
	seeds := [][]byte{
		encoded(0x81, []byte(hello("x"))), encoded(0x01, []byte("x")), encoded(0x80, []byte("x")), encoded(0x89, []byte("ping")),
		encoded(0x8a, nil), encoded(0x88, []byte("\x03\xe8bye")), encoded(0x88, []byte("\x03")), encoded(0xc1, []byte(deflated("compressed"))),
		encoded(0xc2, []byte(deflated(strings.Repeat("bomb", 5000)))), encoded(0xc1, []byte("\xff\xff")), encoded(0xa1, nil), encoded(0x83, nil),
		{0x81, 1, 'x'}, {0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4}, bytes.Repeat([]byte{0xff}, 14), {0x81, 0xfe, 0},
		append(encoded(0x41, []byte("\x4a")), encoded(0x80, []byte("\x04\x00"))...), encoded(0xc1, []byte("\xf3\x48\xcd\xc9\xc9\x07\x00\x00")),
		append(encoded(0x01, []byte("a")), append(encoded(0x89, nil), encoded(0x80, []byte("b"))...)...),
	}
	for _, s := range seeds {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Add(bytes.Join(seeds, nil), true)
	f.Fuzz(func(t *testing.T, in []byte, deflate bool) {
		const limit = 2000
		c, nc := cannedConn(in, limit)
		c.deflate = deflate
		var err error
		for err == nil {
			var op ws.OpCode
			var message []byte
			if op, message, err = c.read(); err == nil && (len(message) > limit || !op.IsData() || op == ws.OpContinuation) {
				t.Fatalf("a message of type %v with %d bytes", op, len(message))
			}
		}
		c.finish(err)
		if sent := nc.out.Len(); sent > len(in)+ws.MaxHeaderSize+ws.MaxControlFramePayloadSize {
			t.Errorf("%d bytes were answered with %d", len(in), sent)
		}
	})
}

// FuzzUpgrade reads whatever comes as a request, and not more than it may.
func FuzzUpgrade(f *testing.F) {
	good := upgradeRequest(testPrefix+"x", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
	for _, s := range []string{good, good + "more", "", "\r\n", "GET", strings.ReplaceAll(good, "\r", ""), strings.Repeat("x", 10000),
		upgradeRequest("x", `Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits="15", permessage-deflate;x=;`)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		nc := &canned{in: bytes.NewReader([]byte(in))}
		u, err := upgrade(nc)
		read := len(in) - nc.in.Len() - u.in.Buffered()
		if read > requestSize {
			t.Errorf("%d bytes were read", read)
		}
		if err != nil {
			return
		}
		if !strings.HasSuffix(in[:read], "\n\r\n") && !strings.HasSuffix(in[:read], "\n\n") {
			t.Errorf("the request was taken to end with %q", in[max(0, read-10):read])
		}
	})
}
