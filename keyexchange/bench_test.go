package keyexchange

import (
	"crypto/tls"
	"net"
	"slices"
	"testing"
	"time"

	"keyward/internal/tlsclient"
)

// BenchmarkFetch is a whole exchange beside a bare TLS 1.3 handshake with the same certificate, one after the other. Of each it
// takes the median.
func BenchmarkFetch(b *testing.B) {
	w := newWorld(b, func(c *Config) { c.MaxPerAddress = 1000 })
	l, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	check(b, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		shakeAll(b, l, w.cfg.TLS)
	}()
	b.Cleanup(func() { _ = l.Close(); <-done })
	client := w.client()
	trusting := tlsclient.Verifying(client.TLS, "", nil)
	var bare, whole []time.Duration
	for b.Loop() {
		start := time.Now()
		tcp, err := new(net.Dialer).DialContext(b.Context(), "tcp", l.Addr().String())
		check(b, err)
		conn := tls.Client(tcp, trusting)
		check(b, conn.HandshakeContext(b.Context()))
		_, _ = conn.Read(make([]byte, 1)) // until the server is done with it
		_ = conn.Close()
		middle := time.Now()
		_, err = client.Fetch(b.Context())
		check(b, err)
		bare, whole = append(bare, middle.Sub(start)), append(whole, time.Since(middle))
	}
	slices.Sort(bare)
	slices.Sort(whole)
	b.ReportMetric(float64(bare[len(bare)/2].Microseconds()), "bare-us")
	b.ReportMetric(float64(whole[len(whole)/2].Microseconds()), "whole-us")
	b.ReportMetric(float64(bare[len(bare)/2])/float64(whole[len(whole)/2]), "bare/whole")
}

// shakeAll does the handshake with each connection and closes it.
func shakeAll(b *testing.B, l net.Listener, config *tls.Config) {
	for {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		conn := tls.Server(nc, config)
		if err := conn.HandshakeContext(b.Context()); err != nil {
			b.Error(err)
		}
		_ = conn.Close()
	}
}
