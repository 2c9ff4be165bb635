package limit

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// Count is of the connections of a Listener: those that are open, and those closed at once
// since their source had its share. The zero Count is ready, and may be read at any time.
type Count struct{ Open, Refused atomic.Int64 }

// Listener accepts no connection while as many are open as may be, and closes at once
// one more from a source that has its share.
type Listener struct {
	net.Listener
	Refuse  func(remote net.Addr) // hears whose connection was closed at once, where it is not nil; for the one who accepts
	slots   chan struct{}         // a place for each open connection
	sources *Tally[netip.Prefix]
	count   *Count
	closing chan struct{}
	close   func() error
}

// NewListener bounds the connections of l: most may be open at a time, share of them from one source.
// It counts them in count. A connection gives its place back when it is closed.
func NewListener(l net.Listener, most, share int, count *Count) *Listener {
	closing := make(chan struct{})
	return &Listener{l, nil, make(chan struct{}, most), NewTally[netip.Prefix](share), count, closing, sync.OnceValue(func() error {
		close(closing)
		return l.Close()
	})}
}

// Close ends an Accept too that waits for a place. Open connections stay.
func (l *Listener) Close() error { return l.close() }

// Accept waits for a place, then for a connection that may have it. After Close its error is a net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		select {
		case l.slots <- struct{}{}:
		case <-l.closing:
			return nil, net.ErrClosed
		}
		conn, err := l.Listener.Accept()
		if err != nil {
			<-l.slots
			return nil, err
		}
		from := Source(conn.RemoteAddr().String())
		if l.sources.Enter(from) {
			l.count.Open.Add(1)
			return &limited{conn, sync.OnceFunc(func() { l.leave(from) })}, nil
		}
		l.count.Refused.Add(1) // before who is refused can see it
		_ = conn.Close()
		if l.Refuse != nil {
			l.Refuse(conn.RemoteAddr())
		}
		<-l.slots
	}
}

// leave gives back the place of a connection.
func (l *Listener) leave(from netip.Prefix) {
	l.sources.Leave(from)
	l.count.Open.Add(-1)
	<-l.slots
}

// limited is a connection that gives its place back when it is closed.
type limited struct {
	net.Conn
	leave func()
}

// Close closes the connection. Only the first one gives the place back.
func (c *limited) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// CloseWrite ends what we send, and leaves the connection open to what comes. It is errors.ErrUnsupported where the network has
// no such thing.
func (c *limited) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}
