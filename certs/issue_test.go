package certs_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"keyward/certs"
	"keyward/fault"
)

func intPtr(n int) *int { return &n }

// forge signs template without any policy, below parent or by itself: what is wrong in others' certificates
// has to come from somewhere.
func forge(t testing.TB, template x509.Certificate, parent *certs.Issuer) *certs.Issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return forgeFor(t, template, key, parent)
}

func forgeFor(t testing.TB, template x509.Certificate, key crypto.Signer, parent *certs.Issuer) *certs.Issuer {
	t.Helper()
	if template.NotBefore.IsZero() {
		template.NotBefore = now.Add(-time.Hour)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = now.AddDate(20, 0, 0)
	}
	if template.Subject.Organization == nil {
		template.Subject = pkix.Name{Organization: []string{rand.Text()}}
	}
	above, signer, chain := &template, key, []*x509.Certificate(nil)
	if parent != nil {
		above, signer, chain = parent.Chain[0], parent.Key, parent.Chain
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, above, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &certs.Issuer{Chain: append([]*x509.Certificate{cert}, chain...), Key: key}
}

// ca is the template of a CA without limits.
func ca() x509.Certificate {
	return x509.Certificate{BasicConstraintsValid: true, IsCA: true, MaxPathLen: -1, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
}

// but is ca with a change.
func but(change func(*x509.Certificate)) x509.Certificate {
	template := ca()
	change(&template)
	return template
}

func leaf(sans ...string) certs.Request {
	return certs.Request{Role: certs.Leaf, Organization: "Leaf", SANs: sans}
}

func intermediate() certs.Request {
	return certs.Request{Role: certs.Intermediate, Organization: "Intermediate"}
}

func mustNetwork(s string) *net.IPNet {
	_, network, err := net.ParseCIDR(s)
	if err != nil {
		panic(err)
	}
	return network
}

func TestIssueRefuses(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	good := forge(t, ca(), nil)
	dns := forge(t, but(func(c *x509.Certificate) {
		c.PermittedDNSDomains, c.ExcludedDNSDomains = []string{"corp.test"}, []string{"secret.corp.test"}
	}), nil)
	pathLen0 := forge(t, but(func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, true }), nil)
	request := func(change func(*certs.Request), sans ...string) certs.Request {
		r := leaf(sans...)
		change(&r)
		return r
	}
	for _, tt := range []struct {
		name   string
		req    certs.Request
		issuer *certs.Issuer
		kind   fault.Kind
		says   string // a part of the error or the hint
	}{
		{"leaf that outlives its issuer", request(func(r *certs.Request) { r.NotAfter = now.AddDate(30, 0, 0) }), good, fault.Policy, "--clamp"},
		{"leaf that outlives its issuer's issuer", request(func(r *certs.Request) { r.NotAfter = now.AddDate(10, 0, 0) }),
			forge(t, ca(), forge(t, but(func(c *x509.Certificate) { c.NotAfter = now.AddDate(1, 0, 0) }), nil)), fault.Policy, "outlive"},
		{"leaf that outlives its issuer by more than a day", request(func(r *certs.Request) { r.NotAfter = now.AddDate(20, 0, 0).Add(24*time.Hour + time.Second) }), good, fault.Policy, "--clamp"},
		{"end in the past", request(func(r *certs.Request) { r.NotAfter = now }), good, fault.Policy, "--days"},
		{"end after 9999", certs.Request{Role: certs.Root, Organization: "Root", NotAfter: now.AddDate(9000, 0, 0)}, nil, fault.Policy, "9999"},

		{"DNS outside", leaf("www.evil.com"), dns, fault.Policy, "corp.test"},
		{"DNS like inside", leaf("evilcorp.test"), dns, fault.Policy, "corp.test"},
		{"DNS excluded", leaf("a.secret.corp.test"), dns, fault.Policy, "excluded"},
		{"wildcard over excluded", leaf("*.corp.test"), dns, fault.Policy, "excluded"},
		{"DNS outside, far above", leaf("www.evil.com"), forge(t, ca(), forge(t, ca(), dns)), fault.Policy, "corp.test"},
		{"IP outside", leaf("192.0.2.1"), forge(t, but(func(c *x509.Certificate) { c.PermittedIPRanges = []*net.IPNet{mustNetwork("10.0.0.0/8")} }), nil), fault.Policy, "10.0.0.0/8"},
		{"IPv6 where IPv4 is permitted", leaf("2001:db8::1"), forge(t, but(func(c *x509.Certificate) { c.PermittedIPRanges = []*net.IPNet{mustNetwork("0.0.0.0/0")} }), nil), fault.Policy, "0.0.0.0/0"},
		{"IP excluded", leaf("10.1.2.3"), forge(t, but(func(c *x509.Certificate) { c.ExcludedIPRanges = []*net.IPNet{mustNetwork("10.1.0.0/16")} }), nil), fault.Policy, "excluded"},
		{"e-mail outside", leaf("a@evil.com"), forge(t, but(func(c *x509.Certificate) { c.PermittedEmailAddresses = []string{"corp.test"} }), nil), fault.Policy, "corp.test"},
		{"e-mail on a host below", leaf("a@sub.corp.test"), forge(t, but(func(c *x509.Certificate) { c.PermittedEmailAddresses = []string{"corp.test"} }), nil), fault.Policy, "corp.test"},
		{"e-mail excluded", leaf("root@corp.test"), forge(t, but(func(c *x509.Certificate) { c.ExcludedEmailAddresses = []string{"root@corp.test"} }), nil), fault.Policy, "excluded"},
		{"e-mail on a host below an excluded one", leaf("a@b.corp.test"), forge(t, but(func(c *x509.Certificate) { c.ExcludedEmailAddresses = []string{"corp.test"} }), nil), fault.Policy, "excluded"},
		{"URI on a host below an excluded one", leaf("https://b.corp.test/"), forge(t, but(func(c *x509.Certificate) { c.ExcludedURIDomains = []string{"corp.test"} }), nil), fault.Policy, "excluded"},
		{"URI outside", leaf("https://evil.com/"), forge(t, but(func(c *x509.Certificate) { c.PermittedURIDomains = []string{".corp.test"} }), nil), fault.Policy, ".corp.test"},
		{"URI excluded", leaf("https://a.corp.test/"), forge(t, but(func(c *x509.Certificate) { c.ExcludedURIDomains = []string{".corp.test"} }), nil), fault.Policy, "excluded"},
		{"URI without a host under constraints", leaf("urn:uuid:1"), dns, fault.Policy, "cannot be held"},
		{"URI with an IP under constraints", leaf("https://10.0.0.1/"), dns, fault.Policy, "cannot be held"},

		{"intermediate below path length 0", intermediate(), pathLen0, fault.Policy, "path length"},
		{"intermediate past a path length above", intermediate(), forge(t, ca(), forge(t, but(func(c *x509.Certificate) { c.MaxPathLen = 1 }), nil)), fault.Policy, "path length"},
		{"leaf past a path length above", leaf(), forge(t, ca(), pathLen0), fault.Policy, "path length"},
		{"path length beyond the issuer's", certs.Request{Role: certs.Intermediate, Organization: "I", PathLen: intPtr(1)},
			forge(t, but(func(c *x509.Certificate) { c.MaxPathLen = 1 }), nil), fault.Policy, "--path-len to 0"},
		{"limits outside the issuer's", certs.Request{Role: certs.Intermediate, Organization: "I", PermitDNS: []string{"evil.com"}}, dns, fault.Policy, "corp.test"},
		{"limits wider than the issuer's", certs.Request{Role: certs.Intermediate, Organization: "I", PermitIP: []string{"10.0.0.0/8"}},
			forge(t, but(func(c *x509.Certificate) { c.PermittedIPRanges = []*net.IPNet{mustNetwork("10.0.0.0/16")} }), nil), fault.Policy, "10.0.0.0/16"},

		{"issuer is a leaf", leaf(), forge(t, x509.Certificate{}, nil), fault.Policy, "not a CA"},
		{"issuer is a leaf that says so", leaf(), forge(t, x509.Certificate{BasicConstraintsValid: true}, nil), fault.Policy, "not a CA"},
		{"issuer without keyCertSign", leaf(), forge(t, but(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }), nil), fault.Policy, "keyCertSign"},
		{"issuer expired", leaf(), forge(t, but(func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) }), nil), fault.Policy, "expired"},
		{"issuer of tomorrow", leaf(), forge(t, but(func(c *x509.Certificate) { c.NotBefore = now.Add(time.Hour) }), nil), fault.Policy, "not valid before"},
		{"issuer's issuer expired", leaf(), forge(t, ca(), forge(t, but(func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) }), nil)), fault.Policy, "expired"},
		{"issuer with an unknown critical extension", leaf(), forge(t, but(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
		}), nil), fault.Policy, "1.2.3.4"},
		{"issuer's key of another", leaf(), &certs.Issuer{Chain: good.Chain, Key: dns.Key}, fault.Policy, "--ca-keyfile"},
		{"issuer's key is weak", leaf(), forgeFor(t, ca(), weak, nil), fault.Policy, "weak"},
		{"issuer for clients only", leaf(), forge(t, but(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), nil), fault.Policy, "Server Authentication"},
		{"issuer above for servers only", request(func(r *certs.Request) { r.Profile = certs.Client }),
			forge(t, ca(), forge(t, but(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), nil)), fault.Policy, "Client Authentication"},

		{"root with an issuer", certs.Request{Role: certs.Root, Organization: "Root"}, good, fault.Usage, "root"},
		{"leaf without an issuer", leaf(), nil, fault.Usage, "leaf"},
		{"no role", certs.Request{Organization: "X"}, good, fault.Usage, "role"},
		{"leaf with a path length", request(func(r *certs.Request) { r.PathLen = intPtr(0) }), good, fault.Usage, "--path-len"},
		{"negative path length", certs.Request{Role: certs.Root, Organization: "Root", PathLen: intPtr(-1)}, nil, fault.Usage, "--path-len"},
		{"leaf with limits", request(func(r *certs.Request) { r.PermitDNS = []string{"corp.test"} }), good, fault.Usage, "--permit-dns"},
		{"CA with a name", certs.Request{Role: certs.Root, Organization: "Root", SANs: []string{"a.test"}}, nil, fault.Usage, "--san"},
		{"server without a name", request(func(r *certs.Request) { r.Profile = certs.Server }), good, fault.Usage, "--san"},
		{"unknown profile", request(func(r *certs.Request) { r.Profile = "sever" }), good, fault.Usage, "micronets"},
		{"unknown key type", request(func(r *certs.Request) { r.KeyType = "rsa1024" }), good, fault.Usage, "rsa2048"},
		{"key of a kind that is not made", request(func(r *certs.Request) { r.Key = weak }), good, fault.Usage, "rsa1024"},

		{"no organization", request(func(r *certs.Request) { r.Organization = "" }), good, fault.Usage, "--subject-org-name"},
		{"long organization", request(func(r *certs.Request) { r.Organization = strings.Repeat("é", 65) }), good, fault.Policy, "65"},
		{"organization with a newline", request(func(r *certs.Request) { r.Organization = "A\nB" }), good, fault.Policy, `A\nB`},
		{"organization with a terminal's escape", request(func(r *certs.Request) { r.Organization = "\x1b[2J" }), good, fault.Policy, `\x1b`},
		{"organization not in UTF-8", request(func(r *certs.Request) { r.Organization = "\xff" }), good, fault.Policy, `\xff`},

		{"micronets with a name", request(func(r *certs.Request) { r.Profile = certs.Micronets }, "a.test"), good, fault.Policy, "--profile peer"},
		{"micronets with another key", request(func(r *certs.Request) { r.Profile, r.KeyType = certs.Micronets, certs.P384 }), good, fault.Policy, "p256"},
		{"micronets with a path length", certs.Request{Role: certs.Root, Organization: "Root", Profile: certs.Micronets, PathLen: intPtr(1)}, nil, fault.Policy, "path length"},
		{"micronets with limits", certs.Request{Role: certs.Root, Organization: "Root", Profile: certs.Micronets, PermitIP: []string{"10.0.0.0/8"}}, nil, fault.Policy, "name constraints"},
		{"micronets leaf of its issuer's name", request(func(r *certs.Request) { r.Profile, r.Organization = certs.Micronets, " acme  inc" }),
			forge(t, but(func(c *x509.Certificate) { c.Subject.Organization = []string{"Acme Inc"} }), nil), fault.Policy, "self-signed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			issued, err := certs.Issue(tt.req, tt.issuer, now)
			if issued != nil || fault.KindOf(err) != tt.kind {
				t.Fatalf("Issue = %v, %v; want %v", issued, err, tt.kind)
			}
			if all := err.Error() + " " + fault.HintOf(err); !strings.Contains(all, tt.says) {
				t.Errorf("%q does not say %q", all, tt.says)
			}
			if fault.HintOf(err) == "" {
				t.Errorf("%v: no hint", err)
			}
		})
	}
}

func TestIssueAllows(t *testing.T) {
	constrained := forge(t, but(func(c *x509.Certificate) {
		c.PermittedDNSDomains = []string{"corp.test", ".lab.test"}
		c.PermittedIPRanges = []*net.IPNet{mustNetwork("10.0.0.0/8"), mustNetwork("2001:db8::/32")}
		c.PermittedEmailAddresses = []string{"corp.test", ".lab.test", "Me@other.test"}
		c.PermittedURIDomains = []string{".corp.test", "corp.test"}
	}), nil)
	names := []string{"corp.test", "a.b.corp.test", "*.corp.test", "x.lab.test", "10.255.0.1", "2001:db8::7",
		"a@corp.test", "b@c.lab.test", "Me@Other.test", "spiffe://corp.test/a", "https://x.corp.test:8443/p"}
	verify(t, issue(t, leaf(names...), constrained), constrained, now)

	nested := certs.Request{Role: certs.Intermediate, Organization: "I", PermitDNS: []string{"eu.corp.test"}, PermitIP: []string{"10.1.0.0/16"}}
	below := issue(t, nested, constrained).Issuer()
	verify(t, issue(t, leaf("a.eu.corp.test", "10.1.2.3"), below), below, now)

	anyUsage := forge(t, but(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }), nil)
	verify(t, issue(t, leaf("a.test"), anyUsage), anyUsage, now)

	limited := forge(t, but(func(c *x509.Certificate) { c.MaxPathLen = 1 }), nil)
	last := issue(t, certs.Request{Role: certs.Intermediate, Organization: "I", PathLen: intPtr(0)}, limited).Issuer()
	verify(t, issue(t, leaf("a.test"), last), last, now)
}

// verify asks crypto/x509, for each thing that the leaf is for.
func verify(t testing.TB, issued *certs.Issued, issuer *certs.Issuer, at time.Time) {
	t.Helper()
	if err := accepts(issued.Cert, issuer, at); err != nil {
		t.Errorf("crypto/x509 refuses %v: %v", issued.Cert.Subject, err)
	}
}

func accepts(cert *x509.Certificate, issuer *certs.Issuer, at time.Time) error {
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(issuer.Chain[len(issuer.Chain)-1])
	for _, c := range issuer.Chain {
		intermediates.AddCert(c)
	}
	usages := cert.ExtKeyUsage
	if len(usages) == 0 {
		usages = []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
	}
	for _, usage := range usages {
		opts := x509.VerifyOptions{Roots: roots, Intermediates: intermediates, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{usage}}
		if _, err := cert.Verify(opts); err != nil {
			return err
		}
	}
	return nil
}

// drawCA draws a CA with random limits below issuer. Names on both sides of each are in drawLeaf.
func drawCA(t *testing.T, rt *rapid.T, issuer *certs.Issuer) *certs.Issuer {
	domains := rapid.SliceOfN(rapid.SampledFrom([]string{"test", "corp.test", ".corp.test", "a.corp.test", "other.test"}), 0, 2)
	networks := rapid.SliceOfN(rapid.Map(rapid.SampledFrom([]string{"10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "2001:db8::/32"}), mustNetwork), 0, 1)
	template := ca()
	if limit := rapid.IntRange(-3, 2).Draw(rt, "path length"); limit >= 0 {
		template.MaxPathLen, template.MaxPathLenZero = limit, limit == 0
	}
	if rapid.IntRange(0, 3).Draw(rt, "constrained") == 0 {
		template.PermittedDNSDomains, template.ExcludedDNSDomains = domains.Draw(rt, "permitted"), domains.Draw(rt, "excluded")
		template.PermittedIPRanges, template.ExcludedIPRanges = networks.Draw(rt, "permitted networks"), networks.Draw(rt, "excluded networks")
		template.PermittedEmailAddresses, template.ExcludedEmailAddresses = domains.Draw(rt, "permitted e-mail"), domains.Draw(rt, "excluded e-mail")
		template.PermittedURIDomains, template.ExcludedURIDomains = domains.Draw(rt, "permitted URIs"), domains.Draw(rt, "excluded URIs")
	}
	if rapid.IntRange(0, 5).Draw(rt, "for one purpose") == 0 {
		usages := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageAny}
		template.ExtKeyUsage = []x509.ExtKeyUsage{rapid.SampledFrom(usages).Draw(rt, "usage")}
	}
	template.NotBefore = now.Add(-time.Duration(rapid.IntRange(0, 600).Draw(rt, "age in seconds")) * time.Second)
	template.NotAfter = now.AddDate(0, 0, rapid.SampledFrom([]int{89, 90, 91, 3650}).Draw(rt, "days"))
	return forge(t, template, issuer)
}

func drawLeaf(rt *rapid.T) certs.Request {
	names := rapid.SampledFrom([]string{"corp.test", "a.corp.test", "*.corp.test", "b.a.corp.test", "evil.com", "*.other.test",
		"10.1.2.3", "10.2.3.4", "192.0.2.1", "2001:db8::1", "u@corp.test", "u@a.corp.test", "spiffe://corp.test/x", "https://b.corp.test/", "urn:x:y"})
	req := leaf(rapid.SliceOfN(names, 0, 2).Draw(rt, "names")...)
	req.Profile = rapid.SampledFrom([]certs.Profile{certs.Peer, certs.Client, certs.Server}).Draw(rt, "profile")
	req.Clamp = rapid.Bool().Draw(rt, "clamp")
	return req
}

// tally counts what a random test did, and fails one that only ever went one way.
type tally struct{ made, refused int }

func (c *tally) check(t *testing.T) {
	if c.made == 0 || c.refused == 0 {
		t.Errorf("%d made and %d refused: the test shows nothing", c.made, c.refused)
	}
}

// issue returns nil for a refusal.
func (c *tally) issue(rt *rapid.T, req certs.Request, issuer *certs.Issuer) *certs.Issued {
	issued, err := certs.Issue(req, issuer, now)
	if err == nil {
		c.made++
		return issued
	}
	if !errors.Is(err, fault.Policy) && (!errors.Is(err, fault.Usage) || req.Profile != certs.Server) {
		rt.Fatal(err)
	}
	c.refused++
	return nil
}

// TestWhatIsIssuedVerifies draws chains of CAs. Whatever Issue makes below them crypto/x509
// accepts, from the first second to the last.
func TestWhatIsIssuedVerifies(t *testing.T) {
	var count tally
	rapid.Check(t, func(rt *rapid.T) {
		var issuer *certs.Issuer
		for range rapid.IntRange(1, 3).Draw(rt, "CAs") {
			issuer = drawCA(t, rt, issuer)
		}
		issued := count.issue(rt, drawLeaf(rt), issuer)
		if issued == nil {
			return
		}
		for _, at := range []time.Time{now, issued.Cert.NotBefore, issued.Cert.NotAfter} {
			if err := accepts(issued.Cert, issuer, at); err != nil {
				rt.Fatalf("crypto/x509 refuses it at %v: %v", at, err)
			}
		}
	})
	count.check(t)
}

// TestIntermediatesCarryTheLimitsAbove draws a CA, and issues below an intermediate of it without having
// the CA at hand, as where --ca-certfile has one certificate only. crypto/x509 sees the whole chain.
func TestIntermediatesCarryTheLimitsAbove(t *testing.T) {
	var count tally
	rapid.Check(t, func(rt *rapid.T) {
		between := intermediate()
		between.Clamp = true
		if rapid.Bool().Draw(rt, "limited itself") {
			between.PermitDNS = []string{"a.corp.test"}
		}
		issued := count.issue(rt, between, drawCA(t, rt, nil))
		if issued == nil {
			return
		}
		whole := issued.Issuer()
		alone := &certs.Issuer{Chain: whole.Chain[:1], Key: whole.Key}
		if leaf := count.issue(rt, drawLeaf(rt), alone); leaf != nil {
			if err := accepts(leaf.Cert, whole, now); err != nil {
				rt.Fatalf("crypto/x509 refuses it: %v", err)
			}
		}
	})
	count.check(t)
}

// TestConstraintsRefuseNoMore draws DNS and IP constraints, on which verifiers agree: what Issue refuses for them
// crypto/x509 would have refused.
func TestConstraintsRefuseNoMore(t *testing.T) {
	refused := 0
	rapid.Check(t, func(rt *rapid.T) {
		domains := rapid.SliceOfN(rapid.SampledFrom([]string{"test", "corp.test", ".corp.test", "a.corp.test", "other.test"}), 0, 3)
		networks := rapid.SliceOfN(rapid.Map(rapid.SampledFrom([]string{"10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32"}), mustNetwork), 0, 2)
		template := ca()
		template.PermittedDNSDomains, template.ExcludedDNSDomains = domains.Draw(rt, "permitted"), domains.Draw(rt, "excluded")
		template.PermittedIPRanges, template.ExcludedIPRanges = networks.Draw(rt, "permitted networks"), networks.Draw(rt, "excluded networks")
		issuer := forge(t, template, nil)
		dns := rapid.SampledFrom([]string{"corp.test", "a.corp.test", "*.corp.test", "*.a.corp.test", "evil.com", "*.other.test"}).Draw(rt, "name")
		ip := rapid.SampledFrom([]string{"10.1.2.3", "10.2.3.4", "192.0.2.1", "2001:db8::1"}).Draw(rt, "address")
		if _, err := certs.Issue(leaf(dns, ip), issuer, now); err == nil {
			return
		}
		refused++
		signed := forge(t, x509.Certificate{DNSNames: []string{dns}, IPAddresses: []net.IP{net.ParseIP(ip)}}, issuer)
		if err := accepts(signed.Chain[0], issuer, now); err == nil {
			rt.Fatalf("crypto/x509 accepts %s and %s", dns, ip)
		}
	})
	if refused == 0 {
		t.Error("nothing was refused: the test shows nothing")
	}
}

func TestLifetimes(t *testing.T) {
	root := issue(t, certs.Request{Role: certs.Root, Organization: "Root"}, nil)
	for _, tt := range []struct {
		role    certs.Role
		profile certs.Profile
		want    time.Time
	}{
		{certs.Root, certs.Peer, now.AddDate(10, 0, 0)},
		{certs.Intermediate, certs.Peer, now.AddDate(5, 0, 0)},
		{certs.Leaf, certs.Client, now.AddDate(0, 0, 90)},
		{certs.Root, certs.Micronets, now.AddDate(0, 0, 500)},
		{certs.Intermediate, certs.Micronets, now.AddDate(0, 0, 500)},
		{certs.Leaf, certs.Micronets, now.AddDate(0, 0, 500)},
	} {
		issuer := root.Issuer()
		if tt.role == certs.Root {
			issuer = nil
		}
		cert := issue(t, certs.Request{Role: tt.role, Profile: tt.profile, Organization: "X"}, issuer).Cert
		if !cert.NotAfter.Equal(tt.want) || !cert.NotBefore.Equal(now.Add(-5*time.Minute)) {
			t.Errorf("%v %s: %v to %v, want to %v", tt.role, tt.profile, cert.NotBefore, cert.NotAfter, tt.want)
		}
	}
}

func TestExcessIsShortened(t *testing.T) {
	born := now.Add(-time.Minute)
	issuer := forge(t, but(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = born, now.AddDate(0, 0, 90) }), nil)
	for _, tt := range []struct {
		name string
		req  certs.Request
		note bool
	}{
		{"none", certs.Request{}, false},
		{"a day", certs.Request{NotAfter: now.AddDate(0, 0, 91)}, true},
		{"clamped", certs.Request{NotAfter: now.AddDate(0, 0, 900), Clamp: true}, true},
		{"micronets", certs.Request{Profile: certs.Micronets}, true},
		{"half a second", certs.Request{NotAfter: now.AddDate(0, 0, 90).Add(time.Second / 2)}, false},
	} {
		tt.req.Role, tt.req.Organization = certs.Leaf, "Leaf"
		if tt.req.Profile == "" {
			tt.req.SANs = []string{"a.test"}
		}
		issued := issue(t, tt.req, issuer)
		if !issued.Cert.NotAfter.Equal(now.AddDate(0, 0, 90)) || !issued.Cert.NotBefore.Equal(born) {
			t.Errorf("%s: %v to %v", tt.name, issued.Cert.NotBefore, issued.Cert.NotAfter)
		}
		if got := len(issued.Notes) > 0; got != tt.note {
			t.Errorf("%s: notes %q", tt.name, issued.Notes)
		}
	}
}

func TestNotes(t *testing.T) {
	root := issue(t, certs.Request{Role: certs.Root, Organization: "Root", PermitDNS: []string{"corp.test"}}, nil)
	if len(root.Notes) != 1 || !strings.Contains(root.Notes[0], "--permit-ip") {
		t.Errorf("root: %q", root.Notes)
	}
	if notes := issue(t, leaf(), root.Issuer()).Notes; len(notes) != 1 || !strings.Contains(notes[0], "--san") {
		t.Errorf("leaf: %q", notes)
	}
	for _, profile := range []certs.Profile{certs.Client, certs.Micronets} {
		if notes := issue(t, certs.Request{Role: certs.Leaf, Organization: "L", Profile: profile}, root.Issuer()).Notes; len(notes) > 0 {
			t.Errorf("%s: %q", profile, notes)
		}
	}
}

func TestSerialNumbers(t *testing.T) {
	seen := map[string]bool{}
	longest := 0
	for range 64 {
		serial := issue(t, certs.Request{Role: certs.Root, Organization: "Root"}, nil).Cert.SerialNumber
		if serial.Sign() <= 0 || serial.BitLen() > 159 || seen[serial.String()] {
			t.Errorf("serial number %v", serial)
		}
		seen[serial.String()] = true
		longest = max(longest, serial.BitLen())
	}
	if longest < 150 {
		t.Errorf("the longest of 64 serial numbers has %d bits", longest)
	}
}

// TestExtensions holds each profile's extensions against RFC 5280: which, in which criticality.
func TestExtensions(t *testing.T) {
	const bc, ku, eku, ski, aki, san, nc = "basicConstraints!", "keyUsage!", "extKeyUsage", "subjectKeyID", "authorityKeyID", "subjectAltName", "nameConstraints!"
	ids := map[string]string{"2.5.29.19": "basicConstraints", "2.5.29.15": "keyUsage", "2.5.29.37": eku, "2.5.29.14": ski, "2.5.29.35": aki, "2.5.29.17": san, "2.5.29.30": "nameConstraints"}
	extensions := func(issued *certs.Issued) []string {
		var list []string
		for _, ext := range issued.Cert.Extensions {
			name := ids[ext.Id.String()]
			if ext.Critical {
				name += "!"
			}
			list = append(list, name)
		}
		return list
	}
	peer, micronets := issueFamily(t, certs.Peer, certs.P256), issueFamily(t, certs.Micronets, certs.P256)
	limited := issue(t, certs.Request{Role: certs.Root, Organization: "Root", PermitDNS: []string{"corp.test"}}, nil)
	for _, tt := range []struct {
		name    string
		issued  *certs.Issued
		want    []string
		inOrder bool
	}{
		{"peer root", peer.root, []string{bc, ku, ski}, false},
		{"peer root with limits", limited, []string{bc, ku, ski, nc}, false},
		{"peer intermediate", peer.intermediate, []string{bc, ku, ski, aki}, false},
		{"peer leaf", peer.leaf, []string{bc, ku, eku, ski, aki, san}, false},
		{"micronets root", micronets.root, []string{bc, ski, aki, ku}, true},
		{"micronets intermediate", micronets.intermediate, []string{bc, aki, ski, ku}, true},
		{"micronets leaf", micronets.leaf, []string{bc, aki, ku}, true},
	} {
		got := extensions(tt.issued)
		if !tt.inOrder {
			slices.Sort(got)
			slices.Sort(tt.want)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: want (-), got (+):\n%s", tt.name, diff)
		}
	}
	if usage := peer.leaf.Cert.KeyUsage; usage != x509.KeyUsageDigitalSignature {
		t.Errorf("a leaf's key usage is %b", usage)
	}
	if usage := micronets.leaf.Cert.KeyUsage; usage != x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment|x509.KeyUsageKeyAgreement {
		t.Errorf("a micronets leaf's key usage is %b", usage)
	}
	if usage := micronets.root.Cert.KeyUsage; usage != x509.KeyUsageDigitalSignature|x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
		t.Errorf("a micronets root's key usage is %b", usage)
	}
	if usage := peer.root.Cert.KeyUsage; usage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
		t.Errorf("a root's key usage is %b", usage)
	}
}

// TestAuthorityKeyID has an issuer that another program named, not as keyID would.
func TestAuthorityKeyID(t *testing.T) {
	issuer := forge(t, but(func(c *x509.Certificate) { c.SubjectKeyId = []byte("another name") }), nil)
	for _, profile := range []certs.Profile{certs.Peer, certs.Micronets} {
		if got := issue(t, certs.Request{Role: certs.Leaf, Organization: "L", Profile: profile}, issuer).Cert.AuthorityKeyId; string(got) != "another name" {
			t.Errorf("%s: %q", profile, got)
		}
	}
}

func TestSignatureFollowsTheIssuersKey(t *testing.T) {
	for keyType, want := range map[certs.KeyType]x509.SignatureAlgorithm{
		certs.P256: x509.ECDSAWithSHA256, certs.P384: x509.ECDSAWithSHA384, certs.Ed25519: x509.PureEd25519, certs.RSA2048: x509.SHA256WithRSA,
	} {
		root := issue(t, certs.Request{Role: certs.Root, Organization: "Root", KeyType: keyType}, nil)
		if got := issue(t, leaf("a.test"), root.Issuer()).Cert.SignatureAlgorithm; got != want {
			t.Errorf("%s: %v, want %v", keyType, got, want)
		}
	}
}

func TestIssueForAKeyThatIsThere(t *testing.T) {
	first := issue(t, certs.Request{Role: certs.Root, Organization: "Root", KeyType: certs.Ed25519}, nil)
	again := issue(t, certs.Request{Role: certs.Root, Organization: "Root", Key: first.Key}, nil)
	if a, b := certs.Describe(first.Cert), certs.Describe(again.Cert); a.Pin != b.Pin || a.Serial == b.Serial {
		t.Errorf("%+v\n%+v", a, b)
	}
}

func TestDescribe(t *testing.T) {
	root := issue(t, certs.Request{Role: certs.Root, Organization: "Root", PathLen: intPtr(0)}, nil)
	cert := issue(t, leaf("b.test", "10.0.0.1", "B.test", "u@a.test", "spiffe://a.test/x", "::1"), root.Issuer()).Cert
	info := certs.Describe(cert)
	want := certs.Info{
		Subject: "O=Leaf", Issuer: "O=Root", Serial: fmt.Sprintf("%0*x", len(info.Serial), cert.SerialNumber),
		NotBefore: cert.NotBefore, NotAfter: cert.NotAfter, KeyType: "p256",
		SANs:        []string{"b.test", "u@a.test", "10.0.0.1", "::1", "spiffe://a.test/x"},
		Fingerprint: info.Fingerprint, Pin: info.Pin,
	}
	if diff := cmp.Diff(want, info); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
	if info := certs.Describe(root.Cert); !info.IsCA || info.PathLen == nil || *info.PathLen != 0 || info.SANs == nil {
		t.Errorf("root: %+v", info)
	}
	small := certs.Describe(&x509.Certificate{SerialNumber: big.NewInt(10)})
	if small.Serial != "0a" || small.KeyType != "unknown" {
		t.Errorf("small: %+v", small)
	}
}

func TestTextEscapes(t *testing.T) {
	evil := forge(t, x509.Certificate{Subject: pkix.Name{Organization: []string{"A\n\x1b[2JB"}}, DNSNames: []string{"a\x1b]0;\a\nDNS:b"}}, nil)
	if text := certs.Text(evil.Chain[0]); strings.ContainsAny(text, "\x1b\a") || strings.Contains(text, "\nDNS:b") {
		t.Errorf("%q", text)
	}
}
