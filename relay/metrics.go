package relay

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"keyward/internal/limit"
)

// metrics count what a server did since its start.
type metrics struct {
	started      time.Time
	shakesFailed atomic.Int64
	pairs        atomic.Int64

	// Guarded by Server.mu.
	messages, bytes int64 // of peers that are gone
	ends            map[end]int64
}

// end is how a peer's time ended: who closed, and with which code where it was the relay. There are few, whatever strangers send.
type end struct{ by, code string }

func newMetrics() *metrics { return &metrics{started: time.Now(), ends: map[end]int64{}} }

// count takes a peer that is gone. It needs Server.mu.
func (m *metrics) count(p *peer, cause error) {
	m.messages += p.messages.Load()
	m.bytes += p.bytes.Load()
	m.ends[endOf(cause)]++
}

func endOf(cause error) end {
	how, ok := errors.AsType[*closure](cause)
	switch {
	case !ok:
		return end{by: "network"}
	case how.theirs:
		return end{by: "peer"}
	}
	return end{"relay", strconv.Itoa(int(how.code))}
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

// page is the text of all metrics, in format 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/). It has numbers only: no id and no name.
func (s *Server) page() []byte {
	m, p := s.metrics, &page{}
	p.metric("process_start_time_seconds", "gauge", "When the process started, in seconds since 1970.", float64(m.started.UnixMilli())/1e3)
	p.metric("keyward_relay_connections_open", "gauge", "Connections that are open.", float64(s.connections.Open.Load()))
	p.metric("keyward_relay_connections_limit", "gauge", "How many may be open.", float64(s.cfg.MaxPeers))
	p.metric("keyward_relay_connections_refused_total", "counter", "Connections closed at once, since their address had its share.", float64(s.connections.Refused.Load()))
	p.metric("keyward_relay_handshakes_failed_total", "counter", "Connections that became no websocket.", float64(m.shakesFailed.Load()))
	messages, bytes := s.passed()
	arriving, waiting, paired := s.population()
	p.family("keyward_relay_peers", "gauge", "Peers that are here, by what they do.")
	p.sample("keyward_relay_peers", float64(arriving), "state", "arriving")
	p.sample("keyward_relay_peers", float64(waiting), "state", StateWaiting)
	p.sample("keyward_relay_peers", float64(paired), "state", StatePaired)
	p.metric("keyward_relay_pairs_total", "counter", "How often two peers met.", float64(m.pairs.Load()))
	p.metric("keyward_relay_messages_total", "counter", "Messages passed on.", float64(messages))
	p.metric("keyward_relay_bytes_total", "counter", "Bytes of messages passed on.", float64(bytes))
	s.closed(p)
	p.metric("go_goroutines", "gauge", "Goroutines that there are.", float64(runtime.NumGoroutine()))
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	p.metric("go_memstats_heap_alloc_bytes", "gauge", "Bytes of the heap in use or not yet collected.", float64(memory.HeapAlloc))
	p.metric("go_memstats_stack_inuse_bytes", "gauge", "Bytes of stacks.", float64(memory.StackInuse))
	p.metric("go_memstats_sys_bytes", "gauge", "Bytes taken from the system.", float64(memory.Sys))
	return p.Bytes()
}

// passed is how much was passed on, of those who are gone and those who are here.
func (s *Server) passed() (messages, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	messages, bytes = s.metrics.messages, s.metrics.bytes
	for p := range s.peers {
		messages += p.messages.Load()
		bytes += p.bytes.Load()
	}
	return messages, bytes
}

// population counts who is here.
func (s *Server) population() (arriving, waiting, paired int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.meetups {
		if m.second == nil {
			waiting++
		} else {
			paired += 2
		}
	}
	return s.arriving(), waiting, paired
}

// closed writes how peers ended.
func (s *Server) closed(p *page) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.family("keyward_relay_closes_total", "counter", "Peers that are gone, by who closed, and the relay's close codes.")
	order := func(a, b end) int { return cmp.Or(cmp.Compare(a.by, b.by), cmp.Compare(a.code, b.code)) }
	for _, e := range slices.SortedFunc(maps.Keys(s.metrics.ends), order) {
		p.sample("keyward_relay_closes_total", float64(s.metrics.ends[e]), "by", e.by, "code", e.code)
	}
}

// page is written in Prometheus's text format.
type page struct{ bytes.Buffer }

// family begins the samples of one name.
func (p *page) family(name, kind, help string) {
	fmt.Fprintf(p, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// metric is a family of one sample.
func (p *page) metric(name, kind, help string, value float64) {
	p.family(name, kind, help)
	p.sample(name, value)
}

// sample is one line; labels are names and values in turn, both our own words.
func (p *page) sample(name string, value float64, labels ...string) {
	p.WriteString(name)
	before := "{"
	for label := range slices.Chunk(labels, 2) {
		fmt.Fprintf(p, `%s%s="%s"`, before, label[0], label[1])
		before = ","
	}
	if len(labels) > 0 {
		p.WriteByte('}')
	}
	fmt.Fprintf(p, " %s\n", strconv.FormatFloat(value, 'f', -1, 64))
}
