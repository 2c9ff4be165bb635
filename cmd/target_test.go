package cmd

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"testing"
	"time"

	"keyward/certs"
	"keyward/fault"
)

func TestServerAddress(t *testing.T) {
	tests := []struct{ target, address, host string }{
		{"example.org:443", "example.org:443", "example.org"},
		{"[::1]:8443", "[::1]:8443", "::1"},
		{"https://example.org", "example.org:443", "example.org"},
		{"https://example.org/a:1/b", "example.org:443", "example.org"},
		{"https://example.org:9100/", "example.org:9100", "example.org"},
		{"https://[::1]", "[::1]:443", "::1"},
		{"example.org", "", ""}, {":443", "", ""}, {"a:0", "", ""}, {"a:65536", "", ""}, {"a:https", "", ""},
		{`C:\certs\a.pem`, "", ""}, {"::1", "", ""}, {"http://example.org", "", ""}, {"", "", ""},
	}
	for _, tt := range tests {
		address, host, ok := serverAddress(tt.target)
		if address != tt.address || host != tt.host || ok != (tt.address != "") {
			t.Errorf("%q: got %q, %q, %v", tt.target, address, host, ok)
		}
	}
}

// heard is what a TLS server saw of a client.
type heard struct {
	name string // as SNI has it
	data int    // bytes after the handshake
}

// listen runs a TLS server until the test ends; what it heard is there once its listener is closed.
func listen(t *testing.T, config *tls.Config) (address string, saw func() heard) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var h heard
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		h.name = hello.ServerName
		return nil, nil
	}
	var served sync.WaitGroup
	served.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		h.data, _ = tls.Server(conn, config).Read(make([]byte, 1))
	})
	t.Cleanup(func() { l.Close() })
	return l.Addr().String(), func() heard {
		served.Wait()
		return h
	}
}

func TestHandshake(t *testing.T) {
	past := clock.AddDate(-1, 0, 0) // long expired
	root, err := certs.Issue(certs.Request{Role: certs.Root, Organization: "Root"}, nil, past)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := certs.Issue(certs.Request{Role: certs.Leaf, Organization: "Leaf", SANs: []string{"a.test"}}, root.Issuer(), past)
	if err != nil {
		t.Fatal(err)
	}
	shown := tls.Certificate{Certificate: [][]byte{leaf.Cert.Raw, root.Cert.Raw}, PrivateKey: leaf.Key}
	configs := map[string]*tls.Config{
		"TLS 1.3":                     {},
		"TLS 1.2":                     {MaxVersion: tls.VersionTLS12},
		"TLS 1.0":                     {MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10},
		"it wants a certificate, 1.3": {ClientAuth: tls.RequireAnyClientCert},
		"it wants a certificate, 1.2": {ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12},
	}
	for name, config := range configs {
		t.Run(name, func(t *testing.T) {
			config.Certificates = []tls.Certificate{shown}
			address, saw := listen(t, config)
			chain, err := handshake(t.Context(), address, "a.test", 10*time.Second)
			if err != nil || len(chain) != 2 || !chain[0].Equal(leaf.Cert) || !chain[1].Equal(root.Cert) {
				t.Errorf("got %d certificates, %v", len(chain), err)
			}
			if h := saw(); h.name != "a.test" || h.data != 0 {
				t.Errorf("the server heard %+v", h)
			}
		})
	}
}

func TestHandshakeEnds(t *testing.T) {
	address, _ := listen(t, &tls.Config{}) // it has no certificate at all
	if _, err := handshake(t.Context(), address, "a.test", 10*time.Second); fault.KindOf(err) != fault.Unreachable || fault.HintOf(err) == "" {
		t.Errorf("without a certificate: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := handshake(ctx, "127.0.0.1:1", "a.test", time.Minute); fault.KindOf(err) != fault.Unreachable {
		t.Errorf("cancelled: %v", err)
	}
}
