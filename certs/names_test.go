package certs_test

import (
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keyward/certs"
	"keyward/fault"
)

func TestNamesAreToldApart(t *testing.T) {
	root := issue(t, certs.Request{Role: certs.Root, Organization: "Root"}, nil)
	cert := issue(t, leaf("Svc.Example.com", "svc.example.com", "*.example.com", "localhost", "xn--bcher-kva.example", "a--b.1.example",
		"192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", "2001:DB8:0::1",
		"Alice@Example.com", "mailto:bob+x@example.com", "spiffe://corp.test/ns/a", "https://corp.test:8443/?q#f", "urn:uuid:f81d4fae",
		strings.Repeat("a", 63)+".example"), root.Issuer()).Cert
	got := struct{ DNS, IP, Email, URI []string }{DNS: cert.DNSNames, Email: cert.EmailAddresses}
	for _, ip := range cert.IPAddresses {
		got.IP = append(got.IP, ip.String())
	}
	for _, uri := range cert.URIs {
		got.URI = append(got.URI, uri.String())
	}
	want := struct{ DNS, IP, Email, URI []string }{
		DNS:   []string{"svc.example.com", "*.example.com", "localhost", "xn--bcher-kva.example", "a--b.1.example", strings.Repeat("a", 63) + ".example"},
		IP:    []string{"192.0.2.7", "2001:db8::1"},
		Email: []string{"Alice@example.com", "bob+x@example.com"},
		URI:   []string{"spiffe://corp.test/ns/a", "https://corp.test:8443/?q#f", "urn:uuid:f81d4fae"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

func TestWhatIsNoNameIsRefused(t *testing.T) {
	long := strings.Repeat(strings.Repeat("a", 49)+".", 5)
	for name, hint := range map[string]string{
		"":                        "example.com",
		"foo bar":                 "--san",
		"a.test,b.test":           "example.com",
		"a.test\n":                "--san",
		"a\x00.test":              "--san",
		"a_b.example":             "example.com",
		".a.test":                 "example.com",
		"a..test":                 "example.com",
		"a.test.":                 "example.com",
		"-a.test":                 "example.com",
		"a-.test":                 "example.com",
		strings.Repeat("a", 64):   "example.com",
		long + "test":             "example.com",
		"*":                       "example.com",
		"*.":                      "example.com",
		"*.test":                  "*.example.com",
		"a.*.test":                "example.com",
		"*a.example.com":          "example.com",
		"*.*.example.com":         "example.com",
		"bücher.example":          "xn--",
		"256.1.1.1":               "example.com",
		"1.2.3":                   "example.com",
		"10.0.0.1:443":            "10.0.0.1",
		"[::1]:443":               "::1",
		"[::1]":                   "::1",
		"a.test:443":              "a.test",
		"10.0.0.0/8":              "--permit-ip",
		"2001:db8::/32":           "--permit-ip",
		"fe80::1%eth0":            "fe80::1",
		"@example.com":            "user@",
		"a@":                      "user@",
		"a@b@example.com":         "user@",
		"a b@example.com":         "--san",
		".a@example.com":          "user@",
		"a..b@example.com":        "user@",
		"<a@example.com>":         "user@",
		"a@*.example.com":         "user@",
		"é@example.com":           "ASCII",
		"://a":                    "scheme://",
		"https://":                "scheme://",
		"https:///path":           "scheme://",
		"https://a_b.example/":    "scheme://",
		"https://a.test:x/":       "scheme://",
		"https://a.test/%zz":      "scheme://",
		"spiffe://a.test/x?y":     "spiffe://",
		"spiffe://a.test/x#y":     "spiffe://",
		"spiffe://a.test:80/x":    "spiffe://",
		"spiffe://user@a.test/x":  "spiffe://",
		"https://bücher.example/": "xn--",
	} {
		err := certs.CheckName(name)
		if fault.KindOf(err) != fault.Policy || !strings.Contains(fault.HintOf(err), hint) {
			t.Errorf("%q: %v (%s); want a refusal that says %q", name, err, fault.HintOf(err), hint)
		}
	}
}

func TestLimitsAreNormalised(t *testing.T) {
	root := issue(t, certs.Request{Role: certs.Root, Organization: "Root",
		PermitDNS: []string{".Corp.test", "corp.test", "lab"}, PermitIP: []string{"10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1"}}, nil).Cert
	var networks []string
	for _, n := range root.PermittedIPRanges {
		networks = append(networks, n.String())
	}
	if diff := cmp.Diff([]string{"corp.test", "lab"}, root.PermittedDNSDomains); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32", "::1/128"}, networks); diff != "" {
		t.Error(diff)
	}
	if !root.PermittedDNSDomainsCritical {
		t.Error("not critical")
	}
}

func TestWhatIsNoLimitIsRefused(t *testing.T) {
	for _, req := range []certs.Request{
		{PermitDNS: []string{""}}, {PermitDNS: []string{"."}}, {PermitDNS: []string{"..corp.test"}}, {PermitDNS: []string{"*.corp.test"}},
		{PermitDNS: []string{"10.0.0.0/8"}}, {PermitDNS: []string{"a b"}}, {PermitDNS: []string{"bücher.example"}},
		{PermitIP: []string{""}}, {PermitIP: []string{"corp.test"}}, {PermitIP: []string{"10.0.0.1/8"}}, {PermitIP: []string{"10.0.0.0/33"}},
		{PermitIP: []string{"10.0.0.0/255.0.0.0"}}, {PermitIP: []string{"fe80::1%eth0"}}, {PermitIP: []string{"::ffff:10.0.0.0/104"}}, {PermitIP: []string{"::ffff:10.0.0.1"}},
	} {
		req.Role, req.Organization = certs.Root, "Root"
		if _, err := certs.Issue(req, nil, now); fault.KindOf(err) != fault.Policy || fault.HintOf(err) == "" {
			t.Errorf("%q %q: %v; want a refusal with a hint", req.PermitDNS, req.PermitIP, err)
		}
	}
}

func TestHasNames(t *testing.T) {
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"a.test", "b.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	for _, tt := range []struct {
		sans []string
		want bool
	}{
		{[]string{"127.0.0.1", "B.test", "a.test", "a.test"}, true},
		{[]string{"a.test", "b.test"}, false},
		{[]string{"a.test", "b.test", "127.0.0.1", "c.test"}, false},
		{[]string{"a b"}, false},
	} {
		if got := certs.HasNames(cert, tt.sans); got != tt.want {
			t.Errorf("HasNames(%q) = %v", tt.sans, got)
		}
	}
}
