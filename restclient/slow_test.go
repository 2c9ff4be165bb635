package restclient

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keyward/fault"
)

// The tests of this file run in a bubble with its own time, over connections in memory:
// no test waits, and a goroutine that is left fails its test.

// pipes is a listener of connections in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9100} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// overPipe gives a client of a server with that handler; stop ends both.
func overPipe(t *testing.T, handler http.HandlerFunc) (client *Client, stop func()) {
	t.Helper()
	client, err := New("http://localhost:9100", Options{Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	listener := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	client.http.Transport.(*http.Transport).DialContext = listener.dial
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(listener)
	}()
	return client, func() {
		client.Close()
		server.Shutdown(context.Background())
		<-done
	}
}

func drip(w http.ResponseWriter, text string) {
	io.WriteString(w, text)
	w.(http.Flusher).Flush()
}

func checkTimeout(t *testing.T, err error, start time.Time, after time.Duration) {
	t.Helper()
	if !errors.Is(err, fault.Unreachable) || !strings.Contains(err.Error(), "no whole answer") {
		t.Errorf("%v, want no whole answer", err)
	}
	if took := time.Since(start); took != after {
		t.Errorf("gave up after %s, want %s", took, after)
	}
}

func TestSilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, stop := overPipe(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		defer stop()
		start := time.Now()
		_, err := client.ServerKey(t.Context())
		checkTimeout(t, err, start, time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		_, err = client.ServerKey(ctx)
		checkTimeout(t, err, start, time.Second)
	})
}

func TestDrippingServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, stop := overPipe(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			drip(w, `{"keys":[`)
			for r.Context().Err() == nil {
				drip(w, " ")
				time.Sleep(time.Second)
			}
		})
		defer stop()
		start := time.Now()
		_, err := client.Keys(t.Context(), Token{Access: "t"}, "user1")
		checkTimeout(t, err, start, time.Minute)
		start = time.Now()
		for _, err = range client.AllKeys(t.Context(), Token{Access: "t"}) {
		}
		checkTimeout(t, err, start, time.Minute)
	})
}

// TestServerThatStopsAfterAKey holds that the time counts again after each key.
func TestServerThatStopsAfterAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, stop := overPipe(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			drip(w, `{"keys":[{"user":"0"},`)
			<-r.Context().Done()
		})
		defer stop()
		start := time.Now()
		n, err := 0, error(nil)
		for _, err = range client.AllKeys(t.Context(), Token{Access: "t"}) {
			n++
		}
		checkTimeout(t, err, start, time.Minute)
		if n != 2 {
			t.Errorf("%d turns, want a key and an error", n)
		}
	})
}

// TestServerThatNeverShakesHands accepts the connection of a TLS client and says nothing.
func TestServerThatNeverShakesHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, err := New("https://localhost:9100", Options{Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		here, there := net.Pipe()
		client.http.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) { return here, nil }
		read := make(chan struct{})
		go func() {
			defer close(read)
			io.Copy(io.Discard, there)
		}()
		start := time.Now()
		_, err = client.ServerKey(t.Context())
		checkTimeout(t, err, start, time.Minute)
		here.Close()
		<-read
	})
}

// TestLongList takes longer than the timeout as a whole, on both sides, but never for one key.
func TestLongList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, stop := overPipe(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			drip(w, `{"keys":[{"user":"0"}`)
			for range 9 {
				time.Sleep(50 * time.Second)
				drip(w, `,{"user":"n"}`)
			}
			drip(w, `]}`)
		})
		defer stop()
		n := 0
		for key, err := range client.AllKeys(t.Context(), Token{Access: "t"}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			if key.User == "0" {
				time.Sleep(time.Hour)
			}
		}
		if n != 10 {
			t.Errorf("%d keys, want 10", n)
		}
	})
}
