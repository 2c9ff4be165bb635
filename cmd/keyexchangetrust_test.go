package cmd

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"keyward/certs"
	"keyward/keyexchange"
)

// TestExchangeTrust lets days pass for a client that has the keys: it may keep its connection until its certificate ends, or
// the CA's list does, or the rules say otherwise. Who has no certificate is judged by its address alone.
func TestExchangeTrust(t *testing.T) {
	start := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	now := start
	day := func(n int) time.Time { return start.AddDate(0, 0, n) }
	root, err := certs.Issue(certs.Request{Role: certs.Root, Organization: "Root"}, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := certs.Issue(certs.Request{Role: certs.Leaf, Profile: certs.Client, Organization: "Client", SANs: []string{"client"}, NotAfter: day(20)}, root.Issuer(), now)
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
	trust := &exchangeTrust{clientCA: clientCA{
		log: slog.New(slog.NewJSONHandler(&log, nil)), now: func() time.Time { return now },
		file: put("root.cert.pem", root.CertPEM()), crls: []string{crl(1, day(0), day(10))},
	}, required: true, rules: put("rules", []byte("allow dns:client\nallow from:10.0.0.0/8"))}
	trust.held.Store(new(authority))
	follow := func() {
		t.Helper()
		for _, source := range trust.sources() {
			if err := source.look(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	follow()
	from := netip.MustParseAddrPort("192.0.2.1:40000")
	client := keyexchange.Visitor{Certificate: leaf.Cert, Chains: [][]*x509.Certificate{{leaf.Cert, root.Cert}}, Address: from}
	passes := func(want string) {
		t.Helper()
		switch err := trust.permit(client); {
		case err == nil && want != "", err != nil && (want == "" || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", now.Format(time.DateOnly), err, want)
		}
	}
	due := func(want bool) {
		t.Helper()
		if got := trust.due(); got != want {
			t.Errorf("%s: a review is due: %v", now.Format(time.DateOnly), got)
		}
	}
	due(true)
	due(false)
	passes("")
	now = day(9)
	due(true) // certificates end
	due(false)
	passes("")
	now = day(11)
	passes("the CRL of Root is too old")
	crl(2, day(11), day(40))
	follow()
	due(true)
	passes("")
	now = day(21)
	passes("expired")
	client.Certificate, client.Chains = nil, nil
	passes("no rule")
	client.Address = netip.MustParseAddrPort("10.0.0.1:40000")
	passes("")
	due(true)
	put("rules", []byte("deny dns:client"))
	follow()
	due(true)
	passes("no rule")
	if all := lines(t, &log); !slices.Contains(all, "a CRL ends soon: whom its issuer signed is not let in after that") {
		t.Errorf("the log has %q", all)
	}
}

// TestExchangeOpen tells when a warning is due that anybody gets the keys, and what rules without certificates do not do.
func TestExchangeOpen(t *testing.T) {
	for _, tt := range []struct {
		address, file, rules string
		required, want       bool
	}{
		{address: "0.0.0.0:49018", want: true},
		{address: "[::]:49018", file: "ca", want: true},
		{address: "192.0.2.1:49018", want: true},
		{address: "127.0.0.1:49018"},
		{address: "[::1]:49018"},
		{address: "0.0.0.0:49018", rules: "rules"},
		{address: "0.0.0.0:49018", file: "ca", required: true},
	} {
		var log bytes.Buffer
		trust := &exchangeTrust{clientCA: clientCA{log: slog.New(slog.NewJSONHandler(&log, nil)), file: tt.file}, required: tt.required, rules: tt.rules}
		trust.warnOpen(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(tt.address)))
		if got := log.Len() > 0; got != tt.want {
			t.Errorf("%+v: %s", tt, &log)
		}
	}
}
