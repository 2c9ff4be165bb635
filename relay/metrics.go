package relay

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"keyward/internal/prometheus"
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

// end is how a peer's time ended: who closed, and with which code where it was the relay, for itself or since the mate was gone. There are few, whatever strangers send.
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
	case how == errAlone:
		return end{by: "mate"}
	}
	return end{"relay", strconv.Itoa(int(how.code))}
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

// page is the text of all metrics. It has no id and no name of a peer.
func (s *Server) page() []byte {
	m, p := s.metrics, &prometheus.Page{}
	p.Started(m.started)
	if s.cfg.Certificates != nil {
		p.Certificates(s.cfg.Certificates())
	}
	if s.cfg.NextUpdates != nil {
		p.Times("keyward_relay_crl_next_update_seconds", "When the last CRL of an issuer ends", "issuer", s.cfg.NextUpdates())
	}
	p.Metric("keyward_relay_connections_open", "gauge", "Connections that are open.", float64(s.connections.Open.Load()))
	p.Metric("keyward_relay_connections_limit", "gauge", "How many may be open.", float64(s.cfg.MaxPeers))
	p.Metric("keyward_relay_connections_refused_total", "counter", "Connections closed at once, since their address had its share.", float64(s.connections.Refused.Load()))
	p.Metric("keyward_relay_handshakes_failed_total", "counter", "Connections that became no websocket.", float64(m.shakesFailed.Load()))
	messages, bytes := s.passed()
	arriving, waiting, paired := s.population()
	p.Family("keyward_relay_peers", "gauge", "Peers that are here, by what they do.")
	p.Sample("keyward_relay_peers", float64(arriving), "state", "arriving")
	p.Sample("keyward_relay_peers", float64(waiting), "state", StateWaiting)
	p.Sample("keyward_relay_peers", float64(paired), "state", StatePaired)
	p.Metric("keyward_relay_pairs_total", "counter", "How often two peers met.", float64(m.pairs.Load()))
	p.Metric("keyward_relay_messages_total", "counter", "Messages passed on.", float64(messages))
	p.Metric("keyward_relay_bytes_total", "counter", "Bytes of messages passed on.", float64(bytes))
	s.closed(p)
	p.Runtime()
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
func (s *Server) closed(p *prometheus.Page) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.Family("keyward_relay_closes_total", "counter", "Peers that are gone, by who closed: the peer, its mate, the network, or the relay with a code.")
	order := func(a, b end) int { return cmp.Or(cmp.Compare(a.by, b.by), cmp.Compare(a.code, b.code)) }
	for _, e := range slices.SortedFunc(maps.Keys(s.metrics.ends), order) {
		p.Sample("keyward_relay_closes_total", float64(s.metrics.ends[e]), "by", e.by, "code", e.code)
	}
}
