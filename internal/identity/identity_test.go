package identity

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keyward/fault"
)

// known is a certificate with a name of each kind.
func known(t *testing.T) *x509.Certificate {
	t.Helper()
	uri, err := url.Parse("spiffe://example.org/gateway")
	if err != nil {
		t.Fatal(err)
	}
	return &x509.Certificate{
		Raw: []byte("certificate"), RawSubjectPublicKeyInfo: []byte("key"),
		Subject:        pkix.Name{Organization: []string{"Acme, Inc.", "Other"}, CommonName: "common"},
		DNSNames:       []string{"Gateway.example.org", "*.example.org"},
		EmailAddresses: []string{"Alice@Example.org"},
		URIs:           []*url.URL{uri},
		IPAddresses:    []net.IP{net.ParseIP("10.0.0.1"), net.ParseIP("2001:db8::1")},
	}
}

func hash(data string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(data))) }

func TestOf(t *testing.T) {
	cert := known(t)
	want := []string{
		"sha256:" + hash("certificate"), "sha256:" + hash("key"), "key:" + hash("key"), `subject:CN=common,O=Acme\, Inc.+O=Other`,
		"dns:gateway.example.org", "dns:*.example.org", "uri:spiffe://example.org/gateway", "email:Alice@example.org",
		"ip:10.0.0.1", "ip:2001:db8::1", "o:Acme, Inc.", "o:Other",
	}
	if diff := cmp.Diff(want, Of(cert)); diff != "" {
		t.Error(diff)
	}
	if Fingerprint(cert) != want[0] || Pin(cert) != want[1] {
		t.Errorf("the fingerprint is %s, the pin %s", Fingerprint(cert), Pin(cert))
	}
	for _, one := range want { // what is told can be pasted
		if got, err := Parse(one); got != one || err != nil {
			t.Errorf("%s is read as %q, %v", one, got, err)
		}
	}
}

// TestParse reads what people write for the same.
func TestParse(t *testing.T) {
	pairs := strings.ToUpper(strings.Join(slices.Collect(chunks(hash("key"), 2)), ":")) // as openssl prints it
	for text, want := range map[string]string{
		"sha256:" + pairs:     "sha256:" + hash("key"),
		"key:" + pairs:        "key:" + hash("key"),
		"key:sha256:" + pairs: "key:" + hash("key"),
		"key:SHA256:" + pairs: "key:" + hash("key"),
		"dns:A.Example.ORG":   "dns:a.example.org",
		"email:A@B@Example":   "email:A@B@example",
		"ip:::ffff:10.0.0.1":  "ip:10.0.0.1",
		"ip:2001:DB8:0::1":    "ip:2001:db8::1",
		"o:a:b, c":            "o:a:b, c",
		"subject:O=A":         "subject:O=A",
	} {
		if got, err := Parse(text); got != want || err != nil {
			t.Errorf("%q is read as %q, %v; want %q", text, got, err, want)
		}
	}
}

func chunks(text string, size int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for ; text != "" && yield(text[:size]); text = text[size:] {
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, tt := range []struct{ text, want, hint string }{
		{"", `"" is no identity`, "write a star for all, or sha256:, key:, dns:, uri:, email:, ip:, o:, subject:, and what it has to be"},
		{"*", `"*" is no identity`, "write a star"},
		{"subjct:a", `"subjct:a" is no identity`, "did you mean subject:?"},
		{"dns", `"dns" is no identity`, "write a star"},
		{"DNS:a", "is no identity", ""},
		{"cn:a", "is no identity", ""},
		{"o:", `"o:" is nobody`, "without a blank"},
		{"sha256:12", `"sha256:12" is no SHA-256`, "64 hex digits"},
		{"sha256:" + hash("a") + "0", "is no SHA-256", "64 hex digits"},
		{"sha256:sha256:" + hash("a"), "is no SHA-256", "64 hex digits"},
		{"key:sha512:" + strings.Repeat("0", 64), "is no SHA-256", "64 hex digits"},
		{"dns:ä.example.org", "is no name of DNS", "xn--"},
		{"uri:example.org", "is no whole URI", "show-cert"},
		{"uri:SPIFFE://a", "is no whole URI", "show-cert"},
		{"email:alice", "is no e-mail address", "user@example.org"},
		{"ip:10.0.0.0/8", "is no IP address", "one address"},
		{"ip:fe80::1%eth0", "is no IP address", "zone"},
	} {
		_, err := Parse(tt.text)
		if !errors.Is(err, fault.InvalidFile) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(fault.HintOf(err), tt.hint) {
			t.Errorf("%q: %v (%s)", tt.text, err, fault.HintOf(err))
		}
	}
}
