package natsembed

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"keyward/fault"
)

const (
	noteTime = time.Minute // in which of one account's
	maxNotes = 100         // are logged
)

// notes takes the server's log into ours. What ends a start is kept: the server says it nowhere else.
type notes struct {
	log   *slog.Logger
	now   func() time.Time
	fatal atomic.Pointer[string]

	mu    sync.Mutex
	since time.Time
	of    map[string]int // each account's, since then
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

// due tells whether a line is logged. Most are of what a client may not do, which it can try a hundred thousand times a second.
func (n *notes) due(format string) bool {
	_, user, known := strings.Cut(format, ` - "$G/user:`) // the server's words: in a client's a quote has a backslash
	if !known {
		return true
	}
	account, _, _ := strings.Cut(user, `"`)
	n.mu.Lock()
	defer n.mu.Unlock()
	if now := n.now(); n.of == nil || now.Sub(n.since) >= noteTime {
		n.since, n.of = now, map[string]int{}
	}
	n.of[account]++
	if n.of[account] == maxNotes+1 {
		n.log.Warn("an account has its share of the log: no more of what NATS says of it, for a minute", "account", account)
	}
	return n.of[account] <= maxNotes
}

// Noticef takes who is cut off for not reading. All else is how the server is made, which is nothing for every day.
func (n *notes) Noticef(format string, args ...any) {
	if strings.Contains(format, " - Slow Consumer ") {
		n.Warnf(format, args...)
		return
	}
	n.note(slog.LevelDebug, format, args)
}

// Warnf takes a warning.
func (n *notes) Warnf(format string, args ...any) {
	if n.due(format) {
		n.note(slog.LevelWarn, format, args)
	}
}

// Errorf takes an error. Those of clients that are refused are left to letIn and to the handshake: strangers fill no log.
func (n *notes) Errorf(format string, args ...any) {
	level := slog.LevelError
	for _, known := range []string{"TLS handshake error: %v%s", "%v - %s", server.ErrAuthentication.Error()} {
		if strings.HasSuffix(format, " - "+known) { // what comes before is partly the client's
			level = slog.LevelDebug
		}
	}
	if n.due(format) {
		n.note(level, format, args)
	}
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
