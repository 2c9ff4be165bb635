package limit

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
)

// dialed is a connection as a listener gives it, from an address that the test chooses.
type dialed struct {
	net.Conn
	from string
}

func (d dialed) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(d.from))
}

// queued is a listener of the connections that the test sends.
type queued struct{ conns chan net.Conn }

func (q queued) Accept() (net.Conn, error) {
	conn, ok := <-q.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (q queued) Close() error { close(q.conns); return nil }
func (queued) Addr() net.Addr { return &net.TCPAddr{} }

// TestListener has one address connect until it is refused, and others until nothing is accepted.
func TestListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most, share = 8, 2
		under := queued{make(chan net.Conn, 100)}
		count := new(Count)
		l := NewListener(under, most, share, count)
		accepted := make(chan net.Conn, 100)
		ended := make(chan error, 1)
		go func() {
			conn, err := l.Accept()
			for ; err == nil; conn, err = l.Accept() {
				accepted <- conn
			}
			ended <- err
		}()
		connect := func(from string, want int) {
			t.Helper()
			_, conn := net.Pipe()
			under.conns <- dialed{conn, from}
			synctest.Wait()
			if len(accepted) != want {
				t.Errorf("from %s: %d are accepted, want %d", from, len(accepted), want)
			}
		}
		for i := range share {
			connect("192.0.2.1:1", i+1)
		}
		for range 2 * most { // more than there are places: each is given back
			connect("192.0.2.1:1", share)
		}
		if open, refused := count.Open.Load(), count.Refused.Load(); open != share || refused != 2*most {
			t.Errorf("%d are open, %d were refused", open, refused)
		}
		first := <-accepted
		first.Close()
		first.Close() // gives one place back, not two
		for i, from := range []string{"192.0.2.1:2", "192.0.2.2:1", "192.0.2.2:1", "[2001:db8::1]:1", "[2001:db8::2]:1", "192.0.2.3:1", "192.0.2.4:1"} {
			connect(from, i+2)
		}
		connect("192.0.2.5:1", most) // waits for a place
		first = <-accepted
		first.Close()
		synctest.Wait()
		if len(accepted) != most {
			t.Errorf("with a place free again %d are open, want %d", len(accepted), most)
		}
		l.Close() // while Accept waits for a place
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}
