package limit

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// scripted is a listener that answers each Accept with the next of the test's errors, nil for a connection.
type scripted struct {
	net.Listener
	answers chan error
	last    net.Conn // the client's end of the last connection
}

func (s *scripted) Accept() (net.Conn, error) {
	if err := <-s.answers; err != nil {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", err)}
	}
	client, server := net.Pipe()
	s.last = client
	return server, nil
}

// TestAccept has a listener fail for a while, give connections, and fail for good.
func TestAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &scripted{answers: make(chan error, 10)}
		for _, err := range []error{syscall.EMFILE, nil, syscall.ECONNABORTED, nil, syscall.EINVAL} {
			l.answers <- err
		}
		start, handled := time.Now(), 0
		err := Accept(t.Context(), l, slog.New(slog.DiscardHandler), func(conn net.Conn) {
			handled++
			conn.Close()
		})
		if waited := time.Since(start); handled != 2 || waited != 2*time.Second || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("handled %d connections in %v, then: %v", handled, waited, err)
		}
	})
}

// TestAcceptEnds ends it while it waits for a second to pass, and with a connection that comes too late.
func TestAcceptEnds(t *testing.T) {
	for name, answer := range map[string]error{"wait": syscall.EMFILE, "connection": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &scripted{answers: make(chan error, 1)}
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() {
					ended <- Accept(ctx, l, slog.New(slog.DiscardHandler), func(net.Conn) { t.Error("it handles a connection") })
				}()
				if answer == nil {
					synctest.Wait()
					stop()
				}
				l.answers <- answer
				synctest.Wait()
				stop()
				if err := <-ended; err != nil {
					t.Errorf("it ends with: %v", err)
				}
				if answer == nil {
					if _, err := l.last.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
						t.Errorf("the connection that came too late has: %v", err)
					}
				}
			})
		})
	}
}
