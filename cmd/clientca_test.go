package cmd

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keyward/certs"
)

// TestClientCAAsks has handshakes that crypto/tls verifies no certificate in: who is not of the CA is refused all the same, and what
// the CA signed is told of in the log.
func TestClientCAAsks(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	issue := func(r certs.Request, issuer *certs.Issuer) *certs.Issued {
		one, err := certs.Issue(r, issuer, now)
		if err != nil {
			t.Fatal(err)
		}
		return one
	}
	root := issue(certs.Request{Role: certs.Root, Organization: "Root"}, nil)
	other := issue(certs.Request{Role: certs.Root, Organization: "Root"}, nil)
	leaf := func(issuer *certs.Issued, profile certs.Profile, days int) tls.Certificate {
		one := issue(certs.Request{Role: certs.Leaf, Profile: profile, Organization: "Peer", SANs: []string{"peer"}, NotAfter: now.AddDate(0, 0, days)}, issuer.Issuer())
		return tls.Certificate{Certificate: [][]byte{one.Cert.Raw}, PrivateKey: one.Key, Leaf: one.Cert}
	}
	file := filepath.Join(t.TempDir(), "root.cert.pem")
	if err := os.WriteFile(file, root.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	at := now.AddDate(0, 0, 10)
	ca := &clientCA{log: slog.New(slog.NewTextHandler(&log, nil)), now: func() time.Time { return at }, file: file}
	if err := ca.read(t.Context()); err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{leaf(root, certs.Server, 20)}}
	ca.ask(config, tls.RequireAnyClientCert)
	for _, tt := range []struct {
		name  string
		shown []tls.Certificate
		told  string // in the log
		in    bool
	}{
		{name: "trusted", shown: []tls.Certificate{leaf(root, certs.Client, 20)}, in: true},
		{name: "expired", shown: []tls.Certificate{leaf(root, certs.Client, 5)}, told: "expired"},
		{name: "for servers", shown: []tls.Certificate{leaf(root, certs.Server, 20)}, told: "msg=refused"},
		{name: "another root", shown: []tls.Certificate{leaf(other, certs.Client, 20)}},
		{name: "none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log.Reset()
			here, there := net.Pipe()
			defer here.Close()
			go func() {
				client := tls.Client(there, &tls.Config{InsecureSkipVerify: true, Certificates: tt.shown})
				_ = client.Handshake()
				_, _ = client.Read(make([]byte, 1)) // the alert
			}()
			if err := tls.Server(here, config).HandshakeContext(t.Context()); (err == nil) != tt.in {
				t.Errorf("the handshake: %v", err)
			}
			if said := log.String(); tt.told == "" && said != "" || !strings.Contains(said, tt.told) {
				t.Errorf("the log says %q", said)
			}
		})
	}
}
