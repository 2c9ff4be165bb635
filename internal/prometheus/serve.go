package prometheus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"keyward/internal/limit"
)

// The bounds on the connections that metrics are fetched by.
const (
	mostConnections = 32
	timeLimit       = 10 * time.Second
	headerSize      = 16 << 10
)

// Handler answers with the page that a Prometheus server fetches.
func Handler(page func() []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(page())
	})
}

// Serve answers in plain http on at most 32 connections of l, a quarter of them from one source, until ctx ends. Then it cuts them
// and closes l, and returns nil; before that, what went wrong.
func Serve(ctx context.Context, l net.Listener, handler http.Handler, log *slog.Logger) error {
	srv := &http.Server{
		Handler:        handler,
		ReadTimeout:    timeLimit,
		WriteTimeout:   timeLimit,
		MaxHeaderBytes: headerSize,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	srv.SetKeepAlivesEnabled(false) // so that no connection stays longer than its one page takes
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		<-ctx.Done()
		_ = srv.Close()
	})
	err := srv.Serve(limit.NewListener(l, mostConnections, mostConnections/4, new(limit.Count)))
	stop()
	wg.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve metrics on %s: %w", l.Addr(), err)
}
