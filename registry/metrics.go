package registry

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
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"keyward/internal/limit"
	"keyward/registry/wire"
)

// bounds are the upper bounds of the histogram of durations, in seconds. A password's hash
// takes 75 ms, and what waits for the store or for a hash is cut off after some seconds.
var bounds = [...]float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// routeMethod is what requests are counted by. Both are of few values, whatever strangers send.
type routeMethod struct{ route, method string }

// answers counts those to one route and method.
type answers struct {
	statuses map[int]int64
	within   [len(bounds) + 1]int64 // by the bound that their duration is below; the last has none
	seconds  float64
}

// outcome is how a login ended.
type outcome struct{ grant, result string }

// metrics count what a server did since its start.
type metrics struct {
	started     time.Time
	connections limit.Count // of the API
	storeErrors atomic.Int64
	panics      atomic.Int64
	limited     atomic.Int64

	mu     sync.Mutex
	routes map[routeMethod]*answers
	logins map[outcome]int64
}

func newMetrics() *metrics {
	m := &metrics{started: time.Now(), routes: map[routeMethod]*answers{}, logins: map[outcome]int64{}}
	for _, grant := range []string{wire.GrantPassword, wire.GrantAPIKey} {
		for _, result := range []string{"granted", "refused"} {
			m.logins[outcome{grant, result}] = 0 // so that a rate can be told from the first one on
		}
	}
	return m
}

// count takes a call that has its answer.
func (m *metrics) count(c *call) {
	took := time.Since(c.start).Seconds()
	switch {
	case errors.Is(c.cause, errPanic):
		m.panics.Add(1)
	case c.cause != nil && !errors.Is(c.cause, context.Canceled):
		m.storeErrors.Add(1)
	case c.status == http.StatusTooManyRequests:
		m.limited.Add(1)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	of := m.of(c)
	of.statuses[c.status]++
	of.within[sort.SearchFloat64s(bounds[:], took)]++
	of.seconds += took
	if c.grant != "" {
		m.logins[outcome{c.grant, loginResult(c.status)}]++
	}
}

func (m *metrics) of(c *call) *answers {
	kind := routeMethod{cmp.Or(c.path, "other"), method(c.r)}
	if m.routes[kind] == nil {
		m.routes[kind] = &answers{statuses: map[int]int64{}}
	}
	return m.routes[kind]
}

// method is a request's, "other" for one that the API does not have: it is as long as a stranger likes.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return r.Method
	}
	return "other"
}

func loginResult(status int) string {
	switch status {
	case http.StatusOK:
		return "granted"
	case http.StatusUnauthorized:
		return "refused"
	case http.StatusTooManyRequests:
		return "limited"
	}
	return "failed"
}

// Metrics answers with the page that a Prometheus server fetches. It has numbers, the API's
// paths and the version: no name of a user and no secret.
func (s *Server) Metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(s.page())
	})
}

// The bounds on the connections that metrics are fetched by.
const (
	metricsConnections = 32
	metricsTime        = 10 * time.Second
)

// ServeMetrics answers GET /metrics in plain http on the connections of l, until ctx ends. Then
// it cuts them and closes l, and returns nil; before that, what went wrong.
func (s *Server) ServeMetrics(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.Metrics())
	srv := &http.Server{
		Handler:        mux,
		ReadTimeout:    metricsTime,
		WriteTimeout:   metricsTime,
		MaxHeaderBytes: headerBytes,
		ErrorLog:       slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelWarn),
	}
	srv.SetKeepAlivesEnabled(false) // so that no connection stays longer than its one page takes
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		<-ctx.Done()
		_ = srv.Close()
	})
	err := srv.Serve(limited(l, metricsConnections, new(limit.Count)))
	stop()
	wg.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve metrics on %s: %w", l.Addr(), err)
}

// page is the text of all metrics.
func (s *Server) page() []byte {
	m, p := s.metrics, &page{}
	p.metric("keyward_build_info", "gauge", "The running version; the value is always 1.", 1, "version", s.cfg.Version, "go_version", runtime.Version())
	p.metric("process_start_time_seconds", "gauge", "When the process started, in seconds since 1970.", float64(m.started.UnixMilli())/1e3)
	s.certificates(p)
	m.answered(p)
	p.metric("keyward_rate_limited_total", "counter", "Requests refused since there were too many (429).", float64(m.limited.Load()))
	p.metric("keyward_store_errors_total", "counter", "Requests and clean-ups that failed at the store.", float64(m.storeErrors.Load()))
	p.metric("keyward_panics_total", "counter", "Requests that ended in a panic.", float64(m.panics.Load()))
	p.metric("keyward_connections_open", "gauge", "Connections to the API that are open.", float64(m.connections.Open.Load()))
	p.metric("keyward_connections_limit", "gauge", "How many may be open, a quarter of them from one address.", float64(s.cfg.MaxConnections))
	p.metric("keyward_connections_refused_total", "counter", "Connections closed at once, since their address had its share.", float64(m.connections.Refused.Load()))
	p.metric("keyward_hashing_queue", "gauge", "Passwords being hashed or waiting for it.", float64(s.hashing.turns.held()))
	p.metric("keyward_hashing_queue_limit", "gauge", "How many of them there may be.", float64(s.hashing.turns.places+s.hashing.turns.most))
	memory(p)
	return p.Bytes()
}

func (s *Server) certificates(p *page) {
	if s.cfg.Certificates == nil {
		return
	}
	p.family("keyward_certificate_not_after_seconds", "gauge", "When a certificate ends, in seconds since 1970.")
	all := s.cfg.Certificates()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		p.sample("keyward_certificate_not_after_seconds", float64(all[name].NotAfter.Unix()), "certificate", name)
	}
}

// answered writes what the lock guards.
func (m *metrics) answered(p *page) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kinds := slices.SortedFunc(maps.Keys(m.routes), func(a, b routeMethod) int {
		return cmp.Or(cmp.Compare(a.route, b.route), cmp.Compare(a.method, b.method))
	})
	p.family("keyward_http_requests_total", "counter", "Requests answered.")
	for _, k := range kinds {
		for _, status := range slices.Sorted(maps.Keys(m.routes[k].statuses)) {
			p.sample("keyward_http_requests_total", float64(m.routes[k].statuses[status]),
				"route", k.route, "method", k.method, "status", strconv.Itoa(status))
		}
	}
	p.family("keyward_http_request_duration_seconds", "histogram", "How long the requests took, from their header to the end of the work.")
	for _, k := range kinds {
		p.histogram("keyward_http_request_duration_seconds", m.routes[k], "route", k.route, "method", k.method)
	}
	var tokens int64
	p.family("keyward_logins_total", "counter", "Logins, by grant and result.")
	ended := slices.SortedFunc(maps.Keys(m.logins), func(a, b outcome) int {
		return cmp.Or(cmp.Compare(a.grant, b.grant), cmp.Compare(a.result, b.result))
	})
	for _, o := range ended {
		p.sample("keyward_logins_total", float64(m.logins[o]), "grant", o.grant, "result", o.result)
		if o.result == "granted" {
			tokens += m.logins[o]
		}
	}
	p.metric("keyward_tokens_issued_total", "counter", "Tokens given to clients.", float64(tokens))
}

// memory writes what the Go runtime says, under the names that every Go program's metrics have.
func memory(p *page) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p.metric("go_goroutines", "gauge", "Goroutines that there are.", float64(runtime.NumGoroutine()))
	p.metric("go_memstats_alloc_bytes_total", "counter", "Bytes allocated on the heap, freed ones too.", float64(m.TotalAlloc))
	p.metric("go_memstats_heap_alloc_bytes", "gauge", "Bytes of the heap in use or not yet collected.", float64(m.HeapAlloc))
	p.metric("go_memstats_heap_objects", "gauge", "Objects on the heap.", float64(m.HeapObjects))
	p.metric("go_memstats_next_gc_bytes", "gauge", "The heap's size at which garbage is collected next.", float64(m.NextGC))
	p.metric("go_memstats_stack_inuse_bytes", "gauge", "Bytes of stacks.", float64(m.StackInuse))
	p.metric("go_memstats_sys_bytes", "gauge", "Bytes taken from the system.", float64(m.Sys))
	p.metric("go_gc_cycles_total", "counter", "How often garbage was collected.", float64(m.NumGC))
	p.metric("go_gc_pause_seconds_total", "counter", "How long the program stood still for it.", float64(m.PauseTotalNs)/1e9)
}

// page is written in Prometheus's text format 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/).
type page struct{ bytes.Buffer }

// family begins the samples of one name.
func (p *page) family(name, kind, help string) {
	fmt.Fprintf(p, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// metric is a family of one sample.
func (p *page) metric(name, kind, help string, value float64, labels ...string) {
	p.family(name, kind, help)
	p.sample(name, value, labels...)
}

// sample is one line; labels are names and values in turn.
func (p *page) sample(name string, value float64, labels ...string) {
	p.WriteString(name)
	before := "{"
	for label := range slices.Chunk(labels, 2) {
		fmt.Fprintf(p, `%s%s="%s"`, before, label[0], escaped(label[1]))
		before = ","
	}
	if len(labels) > 0 {
		p.WriteByte('}')
	}
	fmt.Fprintf(p, " %s\n", number(value))
}

// histogram writes how many took up to each bound, the shorter ones included.
func (p *page) histogram(name string, a *answers, labels ...string) {
	var sum int64
	for i, n := range a.within {
		sum += n
		bound := "+Inf"
		if i < len(bounds) {
			bound = number(bounds[i])
		}
		p.sample(name+"_bucket", float64(sum), append(slices.Clip(labels), "le", bound)...)
	}
	p.sample(name+"_sum", a.seconds, labels...)
	p.sample(name+"_count", float64(sum), labels...)
}

func number(value float64) string { return strconv.FormatFloat(value, 'f', -1, 64) }

// escaped is a label's value as it stands between quotes.
func escaped(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s)
}
