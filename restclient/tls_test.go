package restclient_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"keyward/internal/fault"
	"keyward/restclient"
)

func TestPinForms(t *testing.T) {
	digits := strings.Repeat("0aF9", 16)
	var colons []string
	for i := 0; i < len(digits); i += 2 {
		colons = append(colons, digits[i:i+2])
	}
	for _, pin := range []string{"sha256:" + digits, "SHA256:" + strings.ToUpper(digits), "sha256:" + strings.Join(colons, ":"), " sha256:" + digits + "\n"} {
		if _, err := restclient.Pinned(pin); err != nil {
			t.Errorf("Pinned(%q): %v", pin, err)
		}
	}
	for _, pin := range []string{"", "sha256:", digits, "sha1:" + digits, "sha256:" + digits[2:], "sha256:" + digits + "00", "sha256:" + digits[1:] + "g", "sha256//" + digits} {
		_, err := restclient.Pinned(pin)
		checkFault(t, err, fault.Usage, "is not a pin", "sha256:")
	}
}

// TestPinnedTrustsTheKey takes any chain and name, and checks resumed sessions as well.
func TestPinnedTrustsTheKey(t *testing.T) {
	cert := newAuthority(t).leaf(t, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, nil })
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		var resumed atomic.Int32
		config := tlsConfig(cert)
		config.MaxVersion = version
		server := serveTLS(t, config, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.TLS.DidResume {
				resumed.Add(1)
			}
			answer(200, "application/json", `{"users":[]}`).ServeHTTP(w, r)
		}))
		trust, err := restclient.Pinned(restclient.Pin(cert.Leaf))
		if err != nil {
			t.Fatal(err)
		}
		at := clock
		trust.Time = func() time.Time { return at }
		trust.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		client := newClient(t, server.URL, restclient.Options{TLS: trust})
		for range 2 {
			if _, err := client.Users(t.Context(), token); err != nil {
				t.Fatal(err)
			}
			client.Close()
		}
		if resumed.Load() != 1 {
			t.Errorf("TLS %x: %d sessions were resumed, want 1", version, resumed.Load())
		}
		at = clock.Add(2 * time.Hour)
		_, err = client.Users(t.Context(), token)
		checkFault(t, err, fault.NotTrusted, "expired on", "renew")
	}
}

func TestPeek(t *testing.T) {
	cert := newAuthority(t).leaf(t, func(c *x509.Certificate) { c.NotAfter = clock.Add(-time.Second) })
	var requests atomic.Int32
	server := serveTLS(t, tlsConfig(cert), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	got, err := restclient.Peek(t.Context(), server.URL+"/project")
	if err != nil {
		t.Fatal(err)
	}
	if !got.Equal(cert.Leaf) {
		t.Errorf("Peek gives %v", got.Subject)
	}
	if requests.Load() != 0 {
		t.Error("Peek sent a request")
	}
}

func TestPeekFails(t *testing.T) {
	shouting := listen(t, func(conn net.Conn) { io.WriteString(conn, "HTTP/1.0 400 Bad Request\r\n\r\n"); conn.Close() })
	closing := listen(t, func(conn net.Conn) { conn.Close() })
	silent := listen(t, func(conn net.Conn) { t.Cleanup(func() { conn.Close() }) })
	late, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	for _, test := range []struct {
		ctx  context.Context
		url  string
		kind fault.Kind
		says string
	}{
		{t.Context(), "http://localhost:1", fault.Usage, "has no certificate"},
		{t.Context(), "https://a@b", fault.Usage, "user name"},
		{t.Context(), "https://" + shouting, fault.Unreachable, "not TLS"},
		{t.Context(), "https://" + closing, fault.Unreachable, ""},
		{late, "https://" + silent, fault.Unreachable, "no whole answer in time"},
	} {
		_, err := restclient.Peek(test.ctx, test.url)
		checkFault(t, err, test.kind, test.says, "")
	}
}
