package limit

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"syscall"
	"time"
)

// Accept gives the connections of l to handle, one at a time, until ctx ends, and then returns nil; or until no more can
// come, with what went wrong. An error that goes away by itself it logs, and tries again a second later. Its caller closes l
// when ctx ends.
func Accept(ctx context.Context, l net.Listener, log *slog.Logger, handle func(net.Conn)) error {
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case passing(err):
			log.Warn("accept", "error", err)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return nil
			}
		case err != nil:
			return err
		default:
			handle(conn)
		}
	}
}

// passing says whether an error of Accept goes away by itself: the system is short of something, or the client was quick.
func passing(err error) bool {
	for _, code := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}
