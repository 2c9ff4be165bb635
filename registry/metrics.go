package registry

import (
	"cmp"
	"context"
	"errors"
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
	"keyward/internal/prometheus"
	"keyward/registry/wire"
)

// routeMethod is what requests are counted by. Both are of few values, whatever strangers send.
type routeMethod struct{ route, method string }

// answers counts those to one route and method.
type answers struct {
	statuses map[int]int64
	took     prometheus.Durations
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
	took := time.Since(c.start)
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
	of.took.Add(took)
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

// loginFailed is the result of a login that was not judged.
const loginFailed = "failed"

func loginResult(status int) string {
	switch status {
	case http.StatusOK:
		return "granted"
	case http.StatusUnauthorized, http.StatusForbidden:
		return "refused"
	case http.StatusTooManyRequests:
		return "limited"
	}
	return loginFailed
}

// Metrics answers with the page that a Prometheus server fetches. It has numbers, the API's
// paths and the version: no name of a user and no secret.
func (s *Server) Metrics() http.Handler {
	return prometheus.Handler(s.page)
}

// ServeMetrics answers GET /metrics in plain http on the connections of l, until ctx ends. Then
// it cuts them and closes l, and returns nil; before that, what went wrong.
func (s *Server) ServeMetrics(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.Metrics())
	return prometheus.Serve(ctx, l, mux, s.cfg.Log)
}

// page is the text of all metrics.
func (s *Server) page() []byte {
	m, p := s.metrics, &prometheus.Page{}
	p.Metric("keyward_build_info", "gauge", "The running version; the value is always 1.", 1, "version", s.cfg.Version, "go_version", runtime.Version())
	p.Started(m.started)
	if s.cfg.Certificates != nil {
		p.Certificates(s.cfg.Certificates())
	}
	m.answered(p)
	p.Metric("keyward_rate_limited_total", "counter", "Requests refused since there were too many (429).", float64(m.limited.Load()))
	p.Metric("keyward_store_errors_total", "counter", "Requests and clean-ups that failed at the store.", float64(m.storeErrors.Load()))
	p.Metric("keyward_panics_total", "counter", "Requests that ended in a panic.", float64(m.panics.Load()))
	p.Metric("keyward_connections_open", "gauge", "Connections to the API that are open.", float64(m.connections.Open.Load()))
	p.Metric("keyward_connections_limit", "gauge", "How many may be open, a quarter of them from one address.", float64(s.cfg.MaxConnections))
	p.Metric("keyward_connections_refused_total", "counter", "Connections closed at once, since their address had its share.", float64(m.connections.Refused.Load()))
	p.Metric("keyward_hashing_queue", "gauge", "Passwords being hashed or waiting for it.", float64(s.hashing.turns.held()))
	p.Metric("keyward_hashing_queue_limit", "gauge", "How many of them there may be.", float64(s.hashing.turns.places+s.hashing.turns.most))
	p.Runtime()
	return p.Bytes()
}

// answered writes what the lock guards.
func (m *metrics) answered(p *prometheus.Page) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kinds := slices.SortedFunc(maps.Keys(m.routes), func(a, b routeMethod) int {
		return cmp.Or(cmp.Compare(a.route, b.route), cmp.Compare(a.method, b.method))
	})
	p.Family("keyward_http_requests_total", "counter", "Requests answered.")
	for _, k := range kinds {
		for _, status := range slices.Sorted(maps.Keys(m.routes[k].statuses)) {
			p.Sample("keyward_http_requests_total", float64(m.routes[k].statuses[status]),
				"route", k.route, "method", k.method, "status", strconv.Itoa(status))
		}
	}
	p.Family("keyward_http_request_duration_seconds", "histogram", "How long the requests took, from their header to the end of the work.")
	for _, k := range kinds {
		p.Histogram("keyward_http_request_duration_seconds", &m.routes[k].took, "route", k.route, "method", k.method)
	}
	var tokens int64
	p.Family("keyward_logins_total", "counter", "Logins, by grant and result.")
	ended := slices.SortedFunc(maps.Keys(m.logins), func(a, b outcome) int {
		return cmp.Or(cmp.Compare(a.grant, b.grant), cmp.Compare(a.result, b.result))
	})
	for _, o := range ended {
		p.Sample("keyward_logins_total", float64(m.logins[o]), "grant", o.grant, "result", o.result)
		if o.result == "granted" {
			tokens += m.logins[o]
		}
	}
	p.Metric("keyward_tokens_issued_total", "counter", "Tokens given to clients.", float64(tokens))
}
