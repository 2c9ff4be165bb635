package keyexchange

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"keyward/internal/prometheus"
)

// metrics count what a server did since its start.
type metrics struct {
	started      time.Time
	shakesFailed atomic.Int64
	given        atomic.Int64
	notPermitted atomic.Int64
	sentAway     atomic.Int64
}

// ServeMetrics answers GET /metrics, in Prometheus's text format, and GET /healthz, in plain http on the connections of l,
// until ctx ends. Then it cuts them and closes l, and returns nil; before that, what went wrong.
func (s *Server) ServeMetrics(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", prometheus.Handler(s.page))
	mux.HandleFunc("GET /healthz", s.answerHealth)
	return prometheus.Serve(ctx, l, mux, s.cfg.Log)
}

func (s *Server) answerHealth(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if s.isStopping() {
		http.Error(w, "stopping", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

func (s *Server) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

// page is the text of all metrics. It has no key and no name of a client.
func (s *Server) page() []byte {
	m, p := &s.metrics, &prometheus.Page{}
	p.Started(m.started)
	if s.cfg.Certificates != nil {
		p.Certificates(s.cfg.Certificates())
	}
	if s.cfg.NextUpdates != nil {
		p.Times("keyward_keyexchange_crl_next_update_seconds", "When the last CRL of an issuer ends", "issuer", s.cfg.NextUpdates())
	}
	counts := s.Status()
	p.Metric("keyward_keyexchange_connections_open", "gauge", "Connections that are open.", float64(counts.Open))
	p.Metric("keyward_keyexchange_connections_limit", "gauge", "How many may be open.", float64(s.cfg.MaxClients))
	p.Metric("keyward_keyexchange_connections_refused_total", "counter", "Connections closed at once, since their address had its share.", float64(counts.Refused))
	p.Metric("keyward_keyexchange_handshakes_failed_total", "counter", "Connections that came to no TLS.", float64(m.shakesFailed.Load()))
	p.Metric("keyward_keyexchange_keys_given_total", "counter", "How often a client got the keys.", float64(m.given.Load()))
	p.Metric("keyward_keyexchange_not_permitted_total", "counter", "How often one did not, as the rules say.", float64(m.notPermitted.Load()))
	p.Metric("keyward_keyexchange_sent_away_total", "counter", "Clients sent away, since the keys changed or they may not have them any more.", float64(m.sentAway.Load()))
	keys := s.cfg.Ring().At(s.cfg.Now())
	p.Metric("keyward_keyexchange_keys_from_seconds", "gauge", "When the keys that seal now began to, in seconds since 1970.", float64(keys.From.Unix()))
	p.Runtime()
	return p.Bytes()
}
