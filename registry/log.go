package registry

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"keyward/registry/wire"
	"keyward/store"
)

var errPanic = errors.New("panic")

// finish ends a call: a panic becomes a 500, and the log gets its line. A short answer is
// sent when the call is over, so the wait for a beat comes last, after all that takes time.
func (s *Server) finish(c *call) {
	defer s.hold(c)
	defer s.log(c)
	defer s.metrics.count(c)
	switch p := recover(); p {
	case nil:
	case http.ErrAbortHandler:
		panic(p)
	default:
		c.refuse(fmt.Errorf("%w: %v\n%s", errPanic, p, debug.Stack()))
	}
}

func (s *Server) hold(c *call) {
	if c.release > 0 {
		s.beats.wait(c.release)
	}
}

// log writes the line of a call. It has the path's pattern and the names of users:
// never a query, a header or a body, which may hold a secret.
func (s *Server) log(c *call) {
	level := slog.LevelInfo
	switch {
	case c.status == http.StatusServiceUnavailable && c.path != wire.PathReady: // strangers can bring it about
		level = slog.LevelWarn
	case c.status >= http.StatusInternalServerError:
		level = slog.LevelError
	}
	if !s.cfg.Log.Enabled(c.r.Context(), level) {
		return
	}
	line := make([]slog.Attr, 0, 10)
	line = append(line,
		slog.String("id", c.id),
		slog.String("remote", c.r.RemoteAddr),
		slog.String("method", method(c.r)),
		slog.String("path", c.path),
		slog.Int("status", c.status),
		slog.Int64("bytes", c.bytes),
		slog.Float64("ms", float64(time.Since(c.start).Microseconds())/1e3))
	if c.caller.Name != "" {
		line = append(line, slog.String("caller", c.caller.Name))
	}
	if store.ValidName(c.user) == nil { // else it may be anything, a password too
		line = append(line, slog.String("user", c.user))
	}
	if c.cause != nil {
		line = append(line, slog.String("error", c.cause.Error()))
	}
	s.cfg.Log.LogAttrs(c.r.Context(), level, "request", line...)
}
