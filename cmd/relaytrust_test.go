package cmd

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"keyward/certs"
	"keyward/fault"
	"keyward/relay"
)

// TestRelayTrust lets days pass for a peer that is connected: it may stay until its certificate ends, or the CA's list does.
func TestRelayTrust(t *testing.T) {
	start := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	now := start
	day := func(n int) time.Time { return start.AddDate(0, 0, n) }
	root, err := certs.Issue(certs.Request{Role: certs.Root, Organization: "Root"}, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := certs.Issue(certs.Request{Role: certs.Leaf, Profile: certs.Client, Organization: "Peer", SANs: []string{"peer"}, NotAfter: day(20)}, root.Issuer(), now)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	put := func(name string, text []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	crl := func(number int64, from, until time.Time) string {
		der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: from, NextUpdate: until}, root.Cert, root.Key)
		if err != nil {
			t.Fatal(err)
		}
		return put("root.crl.pem", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
	}
	var log bytes.Buffer
	trust := &relayTrust{clientCA: clientCA{
		log: slog.New(slog.NewJSONHandler(&log, nil)), now: func() time.Time { return now },
		file: put("root.cert.pem", root.CertPEM()), crls: []string{crl(1, day(0), day(10))},
	}, rules: put("rules", []byte("m dns:peer *"))}
	sources := trust.sources()
	follow := func() {
		t.Helper()
		for _, source := range sources {
			if err := source.look(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	follow()
	server := relay.NewServer(relay.Config{TLS: trust.tlsConfig(new(identity))})
	peer := relay.Visitor{Certificate: leaf.Cert, Chains: [][]*x509.Certificate{{leaf.Cert, root.Cert}}, Meetup: "m"}
	passes := func(want string) {
		t.Helper()
		trust.review(server)
		switch err := trust.permit(peer, nil); {
		case err == nil && want != "", err != nil && (want == "" || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", now.Format(time.DateOnly), err, want)
		}
	}
	passes("")
	now = day(9)
	passes("")
	now = day(11)
	passes("the CRL of Root is too old")
	passes("the CRL of Root is too old")
	crl(2, day(11), day(40))
	follow()
	passes("")
	now = day(21)
	passes("expired")
	now = day(12)
	put("rules", []byte("other dns:peer *"))
	follow()
	passes("no rule")
	follow() // reads nothing that is as it was
	want := []string{"ca", "crl", "rules", "a CRL ends soon: whom its issuer signed is not let in after that", "a CRL is too old: whom its issuer signed is not let in", "ca", "crl", "rules"}
	if got := lines(t, &log); !slices.Equal(got, want) {
		t.Errorf("the log has %q, want %q", got, want)
	}
}

// TestNoRelay tells who may not ask from where nobody answers.
func TestNoRelay(t *testing.T) {
	for code, want := range map[error]fault.Kind{syscall.EACCES: fault.NotPermitted, syscall.ENOENT: fault.Unreachable, syscall.ECONNREFUSED: fault.Unreachable, syscall.ECONNRESET: fault.Unreachable} {
		err := noRelay("admin.sock", &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", code)})
		if !errors.Is(err, want) || fault.HintOf(err) == "" {
			t.Errorf("%v: %v", code, err)
		}
	}
}

func TestLasting(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 400 * time.Millisecond: "0s", 59 * time.Second: "59s", 60 * time.Second: "1m0s", 61 * time.Minute: "1h1m", 24 * time.Hour: "1d0h", 76 * time.Hour: "3d4h",
	} {
		if got := lasting(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
