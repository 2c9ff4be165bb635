package natsauth

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"keyward/fault"
	"keyward/internal/prometheus"
)

// Metrics count what was decided about clients since the start. A Service and an embedded server fill them alike.
type Metrics struct {
	started      time.Time
	certificates func() map[string]*x509.Certificate
	nextUpdates  func() map[string]time.Time

	mu          sync.Mutex
	connections func() int // nil while nobody is answered
	answers     map[string]int64
	took        prometheus.Durations
	ends        map[End]int64
	read        time.Duration // from the start on, to when the store was
}

// End is why a connection is ended.
type End string

// The ends.
const (
	AccountChanged End = "account"     // or is of another store, or not there any more
	NotTrusted     End = "not_trusted" // the certificate, which was verified again
	NotKnown       End = "not_known"   // the certificate, to any authorizer, when whom is trusted changed
)

// What becomes of a client.
const (
	letIn        = "let_in"
	notTrusted   = "not_trusted"   // its certificate, or the server that asks
	noAccount    = "no_account"    // of the name in its certificate
	notPermitted = "not_permitted" // the account is revoked, or the connection of a kind that is not let in
	late         = "late"          // the server waits no more, or the store took too long
	storeFailed  = "store_failed"  // it does not answer
	failed       = "failed"        // for another reason
)

// NewMetrics makes metrics that also tell when certificates end, and the last CRL of each issuer, both by a name; nil tells nothing.
func NewMetrics(certificates func() map[string]*x509.Certificate, nextUpdates func() map[string]time.Time) *Metrics {
	m := &Metrics{started: time.Now(), certificates: certificates, nextUpdates: nextUpdates, answers: map[string]int64{}, ends: map[End]int64{}}
	for _, outcome := range []string{letIn, notTrusted, noAccount, notPermitted, late, storeFailed, failed} {
		m.answers[outcome] = 0 // so that a rate can be told from the first one on
	}
	for _, end := range []End{AccountChanged, NotTrusted, NotKnown} {
		m.ends[end] = 0
	}
	return m
}

// Working says that clients are answered from now on, and who counts the connections; nil that they are not any more.
func (m *Metrics) Working(connections func() int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.connections = connections
}

// Answered counts a client that was let in, or refused with an error, and how long it waited.
func (m *Metrics) Answered(err error, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answers[outcome(err)]++
	m.took.Add(took)
}

// errLate is a question whose server waits no more.
var errLate = errors.New("too late")

func outcome(err error) string {
	switch kind := fault.KindOf(err); {
	case err == nil:
		return letIn
	case errors.Is(err, errLate), errors.Is(err, context.DeadlineExceeded):
		return late
	case kind == fault.Unreachable:
		return storeFailed
	case kind == fault.NotTrusted:
		return notTrusted
	case kind == fault.NotFound:
		return noAccount
	case kind == fault.NotPermitted:
		return notPermitted
	}
	return failed
}

// Ended counts a connection that is ended.
func (m *Metrics) Ended(why End) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ends[why]++
}

// StoreRead says that the store gave all changes of accounts just now.
func (m *Metrics) StoreRead() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.read = time.Since(m.started)
}

// Serve answers GET /metrics, in Prometheus's text format, and GET /healthz, in plain http on the connections of l,
// until ctx ends. Then it cuts them and closes l, and returns nil; before that, what went wrong.
func (m *Metrics) Serve(ctx context.Context, l net.Listener, log *slog.Logger) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", prometheus.Handler(m.page))
	mux.HandleFunc("GET /healthz", m.answerHealth)
	return prometheus.Serve(ctx, l, mux, log)
}

func (m *Metrics) answerHealth(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	m.mu.Lock()
	working := m.connections != nil
	m.mu.Unlock()
	if !working {
		http.Error(w, "starting or stopping", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// page is the text of all metrics. It has no name of an account.
func (m *Metrics) page() []byte {
	p := &prometheus.Page{}
	p.Started(m.started)
	if m.certificates != nil {
		p.Certificates(m.certificates())
	}
	if m.nextUpdates != nil {
		p.Times("keyward_bus_crl_next_update_seconds", "When the last CRL of an issuer ends", "issuer", m.nextUpdates())
	}
	m.decided(p)
	p.Runtime()
	return p.Bytes()
}

// decided writes what the lock guards.
func (m *Metrics) decided(p *prometheus.Page) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.Family("keyward_bus_answers_total", "counter", "Clients that were let in, or refused and why.")
	for _, outcome := range slices.Sorted(maps.Keys(m.answers)) {
		p.Sample("keyward_bus_answers_total", float64(m.answers[outcome]), "outcome", outcome)
	}
	p.Family("keyward_bus_answer_duration_seconds", "histogram", "How long the answers took.")
	p.Histogram("keyward_bus_answer_duration_seconds", &m.took)
	if m.connections != nil {
		p.Metric("keyward_bus_connections", "gauge", "Connections of clients that are known.", float64(m.connections()))
	}
	p.Family("keyward_bus_disconnects_total", "counter", "Connections ended, by why: the account changed, the certificate is not trusted any more, or no authorizer knows it.")
	for _, end := range slices.Sorted(maps.Keys(m.ends)) {
		p.Sample("keyward_bus_disconnects_total", float64(m.ends[end]), "reason", string(end))
	}
	if m.read > 0 {
		p.Metric("keyward_bus_store_read_seconds", "gauge", "When the store last gave the changes of accounts, in seconds since 1970.", float64(m.started.Add(m.read).UnixMilli())/1e3)
	}
}
