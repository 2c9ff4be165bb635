package registry

import (
	"net"
	"net/netip"
	"sync"
)

// tally counts what each source holds, up to a share.
type tally struct {
	share int
	mu    sync.Mutex
	held  map[netip.Prefix]int
}

func newTally(share int) *tally { return &tally{share: share, held: make(map[netip.Prefix]int)} }

// enter takes one more for a source, unless it has its share.
func (t *tally) enter(source netip.Prefix) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[source] >= t.share {
		return false
	}
	t.held[source]++
	return true
}

// leave gives back what enter took.
func (t *tally) leave(source netip.Prefix) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[source]--; t.held[source] == 0 {
		delete(t.held, source)
	}
}

// source is what a limit counts together: an IPv4 address, or the 64 bits of an IPv6 address
// below which a host chooses freely. What is no address and port is all one source.
func source(remote string) netip.Prefix {
	a, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	address, bits := a.Addr().Unmap().WithZone(""), 64
	if address.Is4() {
		bits = 32
	}
	p, _ := address.Prefix(bits) // the bits fit
	return p
}

// limitListener accepts no connection while as many are open as may be, and closes at once
// one more from a source that has its share.
type limitListener struct {
	net.Listener
	slots   chan struct{} // a place for each open connection
	sources *tally
	count   *connections
	closing chan struct{}
	close   func() error
}

func limit(l net.Listener, most int, count *connections) *limitListener {
	closing := make(chan struct{})
	return &limitListener{l, make(chan struct{}, most), newTally(max(1, most/4)), count, closing, sync.OnceValue(func() error {
		close(closing)
		return l.Close()
	})}
}

func (l *limitListener) Close() error { return l.close() }

func (l *limitListener) Accept() (net.Conn, error) {
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
		from := source(conn.RemoteAddr().String())
		if l.sources.enter(from) {
			l.count.open.Add(1)
			return &limitedConn{conn, sync.OnceFunc(func() { l.leave(from) })}, nil
		}
		_ = conn.Close()
		l.count.refused.Add(1)
		<-l.slots
	}
}

// leave gives back the place of a connection.
func (l *limitListener) leave(from netip.Prefix) {
	l.sources.leave(from)
	l.count.open.Add(-1)
	<-l.slots
}

// limitedConn gives its place back when it is closed.
type limitedConn struct {
	net.Conn
	leave func()
}

func (c *limitedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
