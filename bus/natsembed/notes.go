package natsembed

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/nats-io/nats-server/v2/server"

	"keyward/internal/fault"
)

// notes takes the server's log into ours. What ends a start is kept: the server says it nowhere else.
type notes struct {
	log   *slog.Logger
	fatal atomic.Pointer[string]
}

// failed is what ended the start, or nil.
func (n *notes) failed() error {
	if text := n.fatal.Load(); text != nil {
		return fault.New(fault.Failed, "", "the NATS server does not start: %s", *text)
	}
	return nil
}

func (n *notes) note(level slog.Level, format string, args []any) {
	n.log.Log(context.Background(), level, "NATS", "cause", fmt.Sprintf(format, args...))
}

// Noticef takes how the server is made, which is nothing for every day.
func (n *notes) Noticef(format string, args ...any) { n.note(slog.LevelDebug, format, args) }

// Warnf takes a warning.
func (n *notes) Warnf(format string, args ...any) { n.note(slog.LevelWarn, format, args) }

// Errorf takes an error. Those of clients that are refused are left to letIn and to the handshake: strangers fill no log.
func (n *notes) Errorf(format string, args ...any) {
	level := slog.LevelError
	for _, known := range []string{"TLS handshake error: %v%s", "%v - %s", server.ErrAuthentication.Error()} {
		if strings.HasSuffix(format, " - "+known) { // what comes before is partly the client's
			level = slog.LevelDebug
		}
	}
	n.note(level, format, args)
}

// Fatalf takes what ends the start.
func (n *notes) Fatalf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	n.fatal.CompareAndSwap(nil, &text)
}

// Debugf takes what is for debugging.
func (n *notes) Debugf(format string, args ...any) { n.note(slog.LevelDebug, format, args) }

// Tracef takes nothing: it would be what clients say.
func (n *notes) Tracef(string, ...any) {}
