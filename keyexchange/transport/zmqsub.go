package transport

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"keyward/fault"
	"keyward/internal/retry"
)

// maxSkip is how long a message that is too long may be, and only cost its own bytes. A longer one costs the connection.
const maxSkip = 1 << 30

// ZMQSubscriber is a SUB socket that connects, and connects again.
type ZMQSubscriber struct {
	address string
	opts    ZMQOptions
	life    context.Context // until Close
	end     context.CancelFunc
	in      *bufio.Reader // of conn, where there is one
	brief   *time.Timer   // runs out when it was there for long enough to have another at once
	tries   int           // to connect, that failed since

	mu   sync.Mutex
	conn net.Conn
}

// DialZMQ makes a Subscriber to the publisher at an endpoint, tcp://HOST:PORT. It is Receive that connects, so the publisher need
// not be there yet. The error is fault.Usage.
func DialZMQ(endpoint string, o ZMQOptions) (*ZMQSubscriber, error) {
	address, err := ZMQAddress(endpoint)
	if err != nil {
		return nil, err
	}
	if host, _, _ := net.SplitHostPort(address); host == "" {
		return nil, fault.New(fault.Usage, endpointHint, "%q names no host to connect to", endpoint)
	}
	o.fill()
	s := &ZMQSubscriber{address: address, opts: o}
	s.life, s.end = context.WithCancel(context.Background())
	return s, nil
}

// Receive gets the next message, and connects first where there is no connection.
func (s *ZMQSubscriber) Receive(ctx context.Context) ([]byte, error) {
	for {
		conn, err := s.connected(ctx)
		if err != nil {
			return nil, err
		}
		stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
		message, err := s.read(conn)
		stop()
		if err == nil || errors.Is(err, ErrBad) {
			return message, err
		}
		s.lose(ctx, err)
	}
}

// connected is the connection, a new one where there is none.
func (s *ZMQSubscriber) connected(ctx context.Context) (net.Conn, error) {
	s.mu.Lock()
	conn := s.conn
	s.mu.Unlock()
	if conn != nil && ctx.Err() == nil {
		return conn, nil
	}
	ctx, stop := s.within(ctx)
	defer stop(nil)
	for ctx.Err() == nil {
		conn, err := s.dial(ctx)
		if err == nil && s.keep(conn) {
			s.opts.Log.Info("connected", "publisher", s.address)
			s.brief, s.tries = time.NewTimer(briefly), 0
			return conn, nil
		}
		if ctx.Err() == nil {
			retry.Wait(ctx, s.opts.Log, "no connection", s.tries, err, "publisher", s.address)
			s.tries++
		}
	}
	return nil, context.Cause(ctx)
}

// within is a context that Close ends too, with net.ErrClosed.
func (s *ZMQSubscriber) within(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.life, func() { cancel(net.ErrClosed) })
	return ctx, func(cause error) { stop(); cancel(cause) }
}

// dial connects and subscribes.
func (s *ZMQSubscriber) dial(ctx context.Context) (net.Conn, error) {
	dialer := net.Dialer{Timeout: s.opts.StepTime, KeepAliveConfig: keepAlive()}
	conn, err := dialer.DialContext(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	s.in = bufio.NewReaderSize(conn, 64<<10)
	if err = shake(conn, s.in, s.opts.StepTime, "SUB", "PUB", "XPUB"); err != nil {
		err = noPublisher(err)
	} else {
		_, err = conn.Write(appendFrame(nil, 0, []byte{1})) // to messages that begin with nothing: all
	}
	if !stop() {
		err = net.ErrClosed
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// noPublisher is why the handshake failed.
func noPublisher(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) {
		err = errors.New("the peer closes the connection in the handshake")
	}
	return fmt.Errorf("no ZeroMQ publisher there: %w", err)
}

// keep makes a connection ours, unless Close came first.
func (s *ZMQSubscriber) keep(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Err() != nil {
		_ = conn.Close()
		return false
	}
	s.conn = conn
	return true
}

// briefly is how long a connection lasts after which another is made only after a pause.
const briefly = time.Second

// lose gives the connection up.
func (s *ZMQSubscriber) lose(ctx context.Context, why error) {
	s.mu.Lock()
	_ = s.conn.Close()
	s.conn = nil
	s.mu.Unlock()
	ctx, stop := s.within(ctx)
	defer stop(nil)
	switch {
	case ctx.Err() != nil:
	case s.brief.Stop():
		retry.Wait(ctx, s.opts.Log, "connection lost", 0, why, "publisher", s.address)
	default:
		s.opts.Log.Info("connection lost", "cause", why, "publisher", s.address)
	}
}

// Close ends the connection, and a Receive that waits.
func (s *ZMQSubscriber) Close() error {
	s.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return nil
	}
	return s.conn.Close()
}

// read reads a message, and answers the commands before it.
func (s *ZMQSubscriber) read(conn net.Conn) ([]byte, error) {
	for {
		f, err := readFrame(s.in)
		if err != nil {
			return nil, err
		}
		if !f.command() {
			return s.readMessage(f)
		}
		name, rest, err := readCommand(s.in, f)
		if err == nil && name == "PING" {
			err = s.answer(conn, pong(rest))
		}
		if err != nil {
			return nil, err
		}
	}
}

func (s *ZMQSubscriber) answer(conn net.Conn, command []byte) error {
	if err := conn.SetWriteDeadline(time.Now().Add(s.opts.StepTime)); err != nil {
		return err
	}
	_, err := conn.Write(command)
	return err
}

// readMessage reads the rest of a message that begins with this frame. One that nobody wants is read and forgotten.
func (s *ZMQSubscriber) readMessage(f frame) ([]byte, error) {
	if !f.more() && f.size <= uint64(s.opts.MaxMessage) {
		message, err := readBody(s.in, int(f.size))
		return message, within(err)
	}
	frames := 1
	for ; ; frames++ {
		if f.size > maxSkip {
			return nil, fmt.Errorf("the publisher announces a message of %d bytes", f.size)
		}
		if _, err := io.CopyN(io.Discard, s.in, int64(f.size)); err != nil {
			return nil, within(err)
		}
		if !f.more() {
			break
		}
		var err error
		if f, err = readFrame(s.in); err != nil {
			return nil, within(err)
		}
		if f.command() {
			return nil, errGarbage
		}
	}
	if frames > 1 {
		return nil, fmt.Errorf("%w: it has %d frames", ErrBad, frames)
	}
	return nil, fmt.Errorf("%w: %d bytes are more than %d", ErrBad, f.size, s.opts.MaxMessage)
}
