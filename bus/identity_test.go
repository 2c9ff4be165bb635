package bus_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"
	"time"

	"keyward/bus"
	"keyward/fault"
)

const domain = "example.org"

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// certificate is one with these URIs among its alternative names, to the byte, and names of other kinds that are an account's.
func certificate(t testing.TB, uris ...string) *x509.Certificate {
	t.Helper()
	names := []asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 2, Bytes: []byte("alice")}}
	for _, uri := range uris {
		names = append(names, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(uri)})
	}
	value, err := asn1.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	return withExtension(t, value)
}

func withExtension(t testing.TB, alternativeNames []byte) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "alice", Organization: []string{"spiffe://example.org/bus/account/alice"}},
		NotBefore: start, NotAfter: start.Add(time.Hour),
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: alternativeNames}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Skipf("crypto/x509 takes no such certificate: %v", err)
	}
	return cert
}

func TestAccountOf(t *testing.T) {
	for uri, want := range map[string]bus.Name{
		"spiffe://example.org/bus/account/alice":   "alice",
		"spiffe://example.org/bus/account/Alice":   "Alice",
		"spiffe://example.org/bus/account/-_9":     "-_9",
		"spiffe://example.org/bus/account/account": "account",
	} {
		got, err := bus.AccountOf(certificate(t, uri), domain)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v", uri, got, err)
		}
	}
}

func TestAccountOfRefuses(t *testing.T) {
	const good = "spiffe://example.org/bus/account/alice"
	for what, uris := range map[string][]string{
		"none":                 nil,
		"two":                  {good, "spiffe://example.org/bus/account/bob"},
		"the same twice":       {good, good},
		"one of another kind":  {good, "https://example.org/"},
		"another domain":       {"spiffe://example.com/bus/account/alice"},
		"a domain below":       {"spiffe://a.example.org/bus/account/alice"},
		"a domain within":      {"spiffe://example.org.evil.test/bus/account/alice"},
		"no domain":            {"spiffe:///bus/account/alice"},
		"a scheme in capitals": {"SPIFFE://example.org/bus/account/alice"},
		"a domain in capitals": {"spiffe://EXAMPLE.org/bus/account/alice"},
		"a path in capitals":   {"spiffe://example.org/Bus/account/alice"},
		"another scheme":       {"https://example.org/bus/account/alice"},
		"a port":               {"spiffe://example.org:443/bus/account/alice"},
		"a user":               {"spiffe://alice@example.org/bus/account/alice"},
		"a query":              {good + "?x"},
		"an empty query":       {good + "?"},
		"a fragment":           {good + "#x"},
		"an empty fragment":    {good + "#"},
		"a slash at the end":   {good + "/"},
		"a deeper path":        {good + "/x"},
		"a path in front":      {"spiffe://example.org/x/bus/account/alice"},
		"the path twice":       {"spiffe://example.org/bus/account/bus/account/alice"},
		"dots":                 {"spiffe://example.org/bus/account/../account/alice"},
		"two slashes":          {"spiffe://example.org//bus/account/alice"},
		"an escaped letter":    {"spiffe://example.org/bus/account/al%69ce"},
		"an escaped slash":     {"spiffe://example.org/bus%2faccount/alice"},
		"a dot in the name":    {"spiffe://example.org/bus/account/alice.bob"},
		"a star":               {"spiffe://example.org/bus/account/*"},
		"no name":              {"spiffe://example.org/bus/account/"},
		"a long name":          {"spiffe://example.org/bus/account/" + strings.Repeat("x", 65)},
		"a blank":              {good + "%20"},
		"nothing":              {""},
	} {
		t.Run(what, func(t *testing.T) {
			if got, err := bus.AccountOf(certificate(t, uris...), domain); fault.KindOf(err) != fault.NotTrusted || fault.HintOf(err) == "" {
				t.Errorf("%q: %q, %v", uris, got, err)
			}
		})
	}
	t.Run("a CA", func(t *testing.T) {
		cert := certificate(t, good)
		cert.IsCA = true
		if got, err := bus.AccountOf(cert, domain); fault.KindOf(err) != fault.NotTrusted || fault.HintOf(err) == "" {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("no alternative names", func(t *testing.T) {
		if got, err := bus.AccountOf(&x509.Certificate{}, domain); fault.KindOf(err) != fault.NotTrusted {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestIdentity(t *testing.T) {
	uri, err := bus.Identity(domain, "alice")
	if err != nil || uri != "spiffe://example.org/bus/account/alice" {
		t.Errorf("%q, %v", uri, err)
	}
	for _, bad := range []string{"", "Example.org", "example.org:1", "a/b", "a@b", "é", strings.Repeat("x", 256)} {
		if _, err := bus.Identity(bad, "alice"); fault.KindOf(err) != fault.Policy {
			t.Errorf("trust domain %q: %v", bad, err)
		}
	}
	if _, err := bus.Identity(domain, "a.b"); fault.KindOf(err) != fault.Policy {
		t.Error(err)
	}
}

func TestOpens(t *testing.T) {
	cert := certificate(t, "spiffe://example.org/bus/account/alice")
	for what, c := range map[string]struct {
		change func(*bus.Account)
		want   fault.Kind
	}{
		"its own":                   {func(*bus.Account) {}, 0},
		"the second of its domains": {func(a *bus.Account) { a.Identities = []string{"spiffe://old/bus/account/alice", a.Identities[0]} }, 0},
		"made at the removal":       {func(a *bus.Account) { a.NotBefore = start }, 0},
		"an account made again":     {func(a *bus.Account) { a.NotBefore = start.Add(time.Second) }, fault.NotTrusted},
		"of another trust domain":   {func(a *bus.Account) { a.Identities = []string{"spiffe://old/bus/account/alice"} }, fault.NotTrusted},
		"of no identity":            {func(a *bus.Account) { a.Identities = nil }, fault.NotTrusted},
		"renamed": {func(a *bus.Account) {
			a.Name, a.Identities = "alicia", []string{"spiffe://example.org/bus/account/alicia"}
		}, fault.NotTrusted},
		"revoked":                    {func(a *bus.Account) { a.State = bus.Revoked }, fault.NotPermitted},
		"of no state":                {func(a *bus.Account) { a.State = "" }, fault.NotPermitted},
		"a namesake in another case": {func(a *bus.Account) { a.Identities = []string{"spiffe://example.org/bus/account/ALICE"} }, fault.NotTrusted},
	} {
		err := aliceWith(c.change).Opens(cert)
		if (err == nil) != (c.want == 0) || err != nil && (fault.KindOf(err) != c.want || fault.HintOf(err) == "") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func FuzzAccountOf(f *testing.F) {
	for _, uri := range []string{"spiffe://example.org/bus/account/alice", "SPIFFE://example.org/bus/account/alice", "spiffe://example.org/bus/account/al%69ce", "spiffe://example.org:1/bus/account/alice", "spiffe://example.org/bus/account/alice?", ""} {
		names, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(uri)}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(names)
	}
	f.Add([]byte{0x30, 0x00})
	f.Add([]byte{0x30, 0x80, 0x00})
	f.Fuzz(func(t *testing.T, alternativeNames []byte) {
		cert := &x509.Certificate{Extensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: alternativeNames}}}
		account, err := bus.AccountOf(cert, domain)
		if err != nil {
			return
		}
		uri, err := bus.Identity(domain, account)
		if err != nil || !strings.Contains(string(alternativeNames), uri) {
			t.Errorf("%x names %q, %v", alternativeNames, account, err)
		}
	})
}
