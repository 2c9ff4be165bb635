package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"keyward/internal/limit"
)

// metrics count what a server did since its start.
type metrics struct {
	started         time.Time
	shakesFailed    atomic.Int64
	pairs           atomic.Int64
	messages, bytes atomic.Int64 // of peers that are gone
}

func newMetrics() metrics { return metrics{started: time.Now()} }

// forget takes the last of a peer.
func (s *Server) forget(p *peer, cause error) {
	s.mu.Lock()
	delete(s.peers, p)
	s.metrics.messages.Add(p.messages.Load())
	s.metrics.bytes.Add(p.bytes.Load())
	s.mu.Unlock()
	s.cfg.Log.Info("peer left", "meetup", p.Meetup, "remote", p.Address, "subject", p.Certificate.Subject.String(),
		"cause", cause, "messages", p.messages.Load(), "bytes", p.bytes.Load(), "seconds", int(time.Since(p.since).Seconds()))
}

func (s *Server) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

// The bounds on the connections that metrics are fetched by.
const (
	metricsConnections = 32
	metricsTime        = 10 * time.Second
	metricsHeader      = 16 << 10
)

// ServeMetrics answers GET /metrics, in Prometheus's text format, and GET /healthz, in plain http on the connections of l,
// until ctx ends. Then it cuts them and closes l, and returns nil; before that, what went wrong.
func (s *Server) ServeMetrics(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", s.answerMetrics)
	mux.HandleFunc("GET /healthz", s.answerHealth)
	srv := &http.Server{
		Handler:        mux,
		ReadTimeout:    metricsTime,
		WriteTimeout:   metricsTime,
		MaxHeaderBytes: metricsHeader,
		ErrorLog:       slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelWarn),
	}
	srv.SetKeepAlivesEnabled(false) // so that no connection stays longer than its one page takes
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		<-ctx.Done()
		_ = srv.Close()
	})
	err := srv.Serve(limit.NewListener(l, metricsConnections, metricsConnections, new(limit.Count)))
	stop()
	wg.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve metrics on %s: %w", l.Addr(), err)
}

func (s *Server) answerHealth(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if s.isStopping() {
		http.Error(w, "stopping", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

func (s *Server) answerMetrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(s.page())
}

// page is the text of all metrics.
func (s *Server) page() []byte {
	_ = ws.StatusNormalClosure
	var p bytes.Buffer
	metric := func(name, kind, help string, value float64) {
		fmt.Fprintf(&p, "# HELP %s %s\n# TYPE %s %s\n%s %s\n", name, help, name, kind, name, strconv.FormatFloat(value, 'f', -1, 64))
	}
	metric("process_start_time_seconds", "gauge", "When the process started, in seconds since 1970.", float64(s.metrics.started.UnixMilli())/1e3)
	metric("go_goroutines", "gauge", "Goroutines that there are.", float64(runtime.NumGoroutine()))
	return p.Bytes()
}
