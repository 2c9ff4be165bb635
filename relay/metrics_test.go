package relay

import (
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestMetrics fetches the page after some traffic. Nothing of the peers is in it but numbers.
func TestMetrics(t *testing.T) {
	end := time.Unix(2_000_000_000, 0)
	r := startRelay(t, Config{
		Certificates: func() map[string]*x509.Certificate { return map[string]*x509.Certificate{"server": {NotAfter: end}} },
		NextUpdates: func() map[string]time.Time {
			return map[string]time.Time{"O=two": end, "O=one\xff": end.Add(time.Hour)}
		},
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- r.ServeMetrics(ctx, l) }()

	first, second := r.pair("secret-meetup")
	first.text("12345")
	second.wantText("12345")
	r.open("/wrong").wantClose(1011, "no relay at this path")
	gone, left := r.pair("y")
	gone.text("123")
	left.wantText("123")
	gone.closeWith(4321)
	gone.wantEcho(4321)
	left.wantClose(1002, alonePhrase)
	third := r.arrive("z")
	r.waitFor(func(s Status) bool {
		return stateOf(s, "z") != "" && r.connections.Open.Load() == 3 && len(r.everybody()) == 3
	})

	status, page := get(t, l, "/metrics")
	for _, line := range []string{
		"keyward_relay_connections_open 3", "keyward_relay_connections_limit 4096", "keyward_relay_handshakes_failed_total 0",
		`keyward_relay_peers{state="arriving"} 0`, `keyward_relay_peers{state="waiting"} 1`, `keyward_relay_peers{state="paired"} 2`,
		"keyward_relay_pairs_total 2", "keyward_relay_messages_total 2", "keyward_relay_bytes_total 8",
		`keyward_relay_closes_total{by="peer",code=""} 1`, `keyward_relay_closes_total{by="mate",code=""} 1`,
		`keyward_relay_closes_total{by="relay",code="1011"} 1`,
		`keyward_certificate_not_after_seconds{certificate="server"} 2000000000`,
		"keyward_relay_crl_next_update_seconds{issuer=\"O=one\uFFFD\"} 2000003600\nkeyward_relay_crl_next_update_seconds{issuer=\"O=two\"} 2000000000",
	} {
		if !strings.Contains(page, "\n"+line+"\n") {
			t.Errorf("the metrics have no line %s", line)
		}
	}
	if status != http.StatusOK || strings.Contains(page, "secret") || strings.Contains(page, `"4321"`) { // in quotes: some number of bytes may have these digits
		t.Errorf("%d\n%s", status, page)
	}
	if status, page := get(t, l, "/healthz"); status != http.StatusOK || page != "ok\n" {
		t.Errorf("healthz: %d %q", status, page)
	}
	if status, _ := get(t, l, "/"); status != http.StatusNotFound {
		t.Errorf("/: %d", status)
	}
	for _, w := range []*wire{first, second, third} {
		w.Close()
	}
	r.stop()
	if status, _ := get(t, l, "/healthz"); status != http.StatusServiceUnavailable {
		t.Errorf("healthz of a relay that stopped: %d", status)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	noGoroutines(t, "relay.(*Server)")
}

func get(t *testing.T, l net.Listener, path string) (status int, body string) {
	t.Helper()
	answer, err := http.Get("http://" + l.Addr().String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(page)
}
