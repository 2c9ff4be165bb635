package verify_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"keyward/certs"
	"keyward/certs/verify"
	"keyward/fault"
)

// family issues a root, an intermediate and a leaf as keyward does.
func family(t testing.TB, profile certs.Profile, keyType certs.KeyType) (all []*certs.Issued) {
	t.Helper()
	var issuer *certs.Issuer
	for _, req := range []certs.Request{
		{Role: certs.Root, Organization: "Root"}, {Role: certs.Intermediate, Organization: "Intermediate"}, {Role: certs.Leaf, Organization: "Leaf"},
	} {
		req.Profile, req.KeyType = profile, keyType
		if profile != certs.Micronets && req.Role == certs.Leaf {
			req.SANs = []string{"svc.corp.test", "*.corp.test", "10.0.0.7", "user@corp.test", "spiffe://corp.test/svc"}
		}
		if profile != certs.Micronets && req.Role == certs.Root {
			one := 1
			req.PathLen, req.PermitDNS, req.PermitIP = &one, []string{"corp.test"}, []string{"10.0.0.0/8"}
		}
		issued, err := certs.Issue(req, issuer, noon)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, issued)
		issuer = issued.Issuer()
	}
	return all
}

// TestProfiles holds our own certificates against --strict: what keyward makes keeps the rules it holds others to.
func TestProfiles(t *testing.T) {
	uses := map[certs.Profile][]verify.Purpose{
		certs.Peer: {verify.Any, verify.Server, verify.Client}, certs.Server: {verify.Any, verify.Server}, certs.Client: {verify.Any, verify.Client},
	}
	for profile, purposes := range uses {
		for _, keyType := range []certs.KeyType{certs.P256, certs.P384, certs.RSA2048, certs.Ed25519} {
			all := family(t, profile, keyType)
			for _, purpose := range purposes {
				opts := verify.Options{Roots: []*x509.Certificate{all[0].Cert}, Intermediates: []*x509.Certificate{all[1].Cert}, At: noon, Purpose: purpose, Strict: true}
				for _, issued := range all[1:] {
					if issued.Cert.IsCA {
						opts.Purpose = verify.Any
					} else {
						opts.Purpose = purpose
					}
					if _, err := verify.Chain(issued.Cert, opts); err != nil {
						t.Errorf("%s %s for %v: %v", profile, keyType, purpose, err)
					}
				}
			}
		}
	}
}

// TestMicronets says what the Micronets scripts' certificates break: they are made to be exactly those.
func TestMicronets(t *testing.T) {
	all := family(t, certs.Micronets, certs.P256)
	opts := verify.Options{Roots: []*x509.Certificate{all[0].Cert}, Intermediates: []*x509.Certificate{all[1].Cert}, At: noon, Purpose: verify.Server}
	if _, err := verify.Chain(all[2].Cert, opts); err != nil {
		t.Error(err)
	}
	opts.Strict = true
	_, err := verify.Chain(all[2].Cert, opts)
	e, ok := errors.AsType[*verify.Error](err)
	if !ok || e.Reason != verify.Strict || len(e.Violations) == 0 {
		t.Fatalf("got %v", err)
	}
	var got []string
	for _, broken := range e.Violations {
		got = append(got, fmt.Sprintf("%d: %s (%s)", broken.Depth, broken.Words, broken.Section))
	}
	want := []string{
		"0: a TLS server must have a DNS name or IP address among its alternative names (BR 7.1.2.7.12)",
		"0: a TLS server must have an extended key usage, and it has none (BR 7.1.2.7.10)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

// TestFault says whose fault each failure is.
func TestFault(t *testing.T) {
	for _, c := range []struct {
		name   string
		make   func(t *testing.T) graph
		opts   verify.Options
		reason verify.Reason
		depth  int
		chain  int
		hint   string
	}{
		{"expired in the middle", trio(nil, list(longAgo), nil), verify.Options{}, verify.Expired, 1, 3, "renew it"},
		{"wrong signature", func(t *testing.T) graph {
			g := trio(nil, nil, nil)(t)
			g.leaf = leaf(t, g.inter[0], func(s *spec) { s.sign = signWith(t, s.key, 5) })
			return g
		}, verify.Options{}, verify.Signature, 0, 3, "get the certificate again"},
		{"no issuer in the middle", func(t *testing.T) graph {
			g := trio(nil, nil, nil)(t)
			g.roots = []*made{root(t, named(name("Unrelated")))}
			return g
		}, verify.Options{}, verify.IssuerMissing, 1, 2, "--untrusted"},
		{"another root of the same name", func(t *testing.T) graph {
			g := trio(nil, nil, nil)(t)
			g.roots = []*made{root(t)}
			return g
		}, verify.Options{}, verify.Signature, 1, 3, "another CA has the same name"},
		{"usage of a CA", trio(nil, list(with(extended(clientAuth))), nil), verify.Options{Purpose: verify.Server}, verify.Usage, 1, 3, "use a CA"},
		{"name in the middle", row(san("permitted.example.com"), permit("permitted.example.com"), list(with(alternative("other.example.com")))), verify.Options{}, verify.NameConstraints, 1, 4, "use a CA"},
		{"path length of the root", func(t *testing.T) graph {
			r := root(t, pathLen(0)...)
			a := ca(t, r)
			return graph{leaf: leaf(t, a), inter: []*made{a}, roots: []*made{r}}
		}, verify.Options{}, verify.PathLength, 2, 3, "further up"},
		{"a domain with a dot has all below, not itself", row(san("example.com"), permit(".example.com"), nil), verify.Options{}, verify.NameConstraints, 0, 4, "use a CA"},
		{"signed with SHA-1", func(t *testing.T) graph {
			r := root(t)
			return graph{leaf: leaf(t, r, func(s *spec) { s.algorithm, s.sign = ecdsaSHA1, signWith(t, r.key, cryptoSHA1) }), roots: []*made{r}}
		}, verify.Options{}, verify.Algorithm, 0, 2, "sign it again"},
		{"CA that breaks a rule", pair(list(with(critical(basic(true, -1), false))), nil), verify.Options{Strict: true}, verify.Strict, 1, 2, "make the CA again"},
		{"e-mail address", pair(nil, list(with(alternative("mail:a@example.com")))), verify.Options{Name: "b@example.com"}, verify.NameMismatch, 0, 1, "--san"},
		{"URI", pair(nil, list(with(alternative("uri:spiffe://a/b")))), verify.Options{Name: "spiffe://a/c"}, verify.NameMismatch, 0, 1, "--san"},
		{"policies", trio(nil, list(with(extension(36, true, sequence([]byte{0x80, 1, 0})))), nil), verify.Options{}, verify.Policies, 0, 3, "policies"},
		{"RSA key of 20,000 bits", pair(list(holds(spkiOf(t, hugeRSA()))), nil), verify.Options{}, verify.TooLarge, 1, 2, "smaller"},
		{"RSA key of 512 bits", func(t *testing.T) graph {
			r := root(t, holds(smallRSA))
			return graph{leaf: leaf(t, r), roots: []*made{r}}
		}, verify.Options{}, verify.Algorithm, 0, 2, "sign it again"},
		{"leaf of 300 KiB", pair(nil, list(also(extension(99, false, make([]byte, 300<<10))))), verify.Options{}, verify.TooLarge, 0, 2, "smaller"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := c.make(t)
			c.opts.At = noon
			err := g.verify(c.opts)
			e, ok := errors.AsType[*verify.Error](err)
			if !ok || !errors.Is(err, fault.NotTrusted) {
				t.Fatalf("got %v", err)
			}
			if e.Reason != c.reason || e.Depth != c.depth || len(e.Chain) != c.chain || e.Chain[e.Depth] != e.Cert || !strings.Contains(fault.HintOf(err), c.hint) {
				t.Errorf("%s at %d of %d, hint %q: %v", e.Reason, e.Depth, len(e.Chain), fault.HintOf(err), err)
			}
		})
	}
}

func TestNames(t *testing.T) {
	m := pair(nil, list(with(alternative("a.example.com", "mail:a@example.com", "uri:spiffe://a/b", "10.0.0.7"))))(t)
	for _, name := range []string{"a.example.com", "A.example.com", "a@example.com", "a@Example.COM", "spiffe://a/b", "SPIFFE://A/b", "10.0.0.7"} {
		if err := m.verify(verify.Options{At: noon, Name: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"A@example.com", "spiffe://a/B", "spiffe://a", "10.0.0.8"} {
		if err := m.verify(verify.Options{At: noon, Name: name}); err == nil {
			t.Errorf("%s passes for another name", name)
		}
	}
}

func TestNoTime(t *testing.T) {
	if _, err := verify.New(verify.Options{}); err == nil {
		t.Error("verifies at no time")
	}
}

func hugeRSA() *rsa.PublicKey {
	return &rsa.PublicKey{N: new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 19_999), big.NewInt(1)), E: 65537}
}

var smallRSA = func() []byte {
	spki, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 511), big.NewInt(1)), E: 65537})
	if err != nil {
		panic(err)
	}
	return spki
}()

// TestConcurrent asks one Verifier from several sides, as verify-cert does.
func TestConcurrent(t *testing.T) {
	g := trio(nil, nil, nil)(t)
	r, a := g.roots[0], g.inter[0]
	revoked := leaf(t, a)
	v, err := verify.New(verify.Options{Roots: certsOf(g.roots), Intermediates: certsOf(g.inter), At: noon, Strict: true, AllCRLs: true, CRLs: []*verify.CRL{
		crlOf(t, a.cert, a.key, x509.RevocationList{RevokedCertificateEntries: revokes(revoked, 1)}), crlOf(t, r.cert, r.key, x509.RevocationList{}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for range 20 {
				if _, err := v.Chain(g.leaf.cert, a.cert); err != nil {
					t.Error(err)
				}
				if _, err := v.Chain(revoked.cert); err == nil {
					t.Error("a revoked certificate is valid")
				}
			}
		})
	}
	asking.Wait()
}

// FuzzChain verifies whatever crypto/x509 parses, as its own root too, so that each rule sees it.
func FuzzChain(f *testing.F) {
	r := root(f, permit("example.com")...)
	for _, m := range []*made{r, leaf(f, r), ca(f, r, with(extension(33, false, sequence()))), leaf(f, r, akiWith(true, true))} {
		f.Add(m.cert.Raw)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cert, err := x509.ParseCertificate(data)
		if err != nil {
			return
		}
		for _, roots := range [][]*x509.Certificate{{cert}, {r.cert}} {
			chain, err := verify.Chain(cert, verify.Options{Roots: roots, Intermediates: []*x509.Certificate{cert}, At: noon, Purpose: verify.Server, Strict: true})
			if e, ok := errors.AsType[*verify.Error](err); err != nil && (!ok || e.Error() == "" || e.Chain[e.Depth] != e.Cert) || err == nil && len(chain) == 0 {
				t.Errorf("%v", err)
			}
		}
	})
}

// TestHostile gives what costs most. None may take long; a hang fails by the tests' own time limit.
func TestHostile(t *testing.T) {
	r := root(t)
	t.Run("hundreds of the same name", func(t *testing.T) {
		a := ca(t, r, cn("Same"), without(14))
		var all []*made
		for range 300 {
			all = append(all, ca(t, r, cn("Same"), without(14)))
		}
		m := leaf(t, a, without(35))
		if err := (graph{leaf: m, inter: all, roots: []*made{r}}).verify(verify.Options{At: noon}); err == nil {
			t.Error("valid")
		}
	})
	t.Run("a chain of hundreds", func(t *testing.T) {
		var all []*made
		above := r
		for range 300 {
			above = ca(t, above)
			all = append(all, above)
		}
		if err := (graph{leaf: leaf(t, above), inter: all, roots: []*made{r}}).verify(verify.Options{At: noon}); err == nil {
			t.Error("valid")
		}
	})
	t.Run("all sign each other", func(t *testing.T) {
		var all []*made
		for i := range 12 {
			all = append(all, root(t, named(name(fmt.Sprint("CA ", i)))))
		}
		g := graph{roots: []*made{root(t, named(name("Elsewhere")))}}
		for _, of := range all {
			for _, by := range all {
				g.inter = append(g.inter, again(t, of, by))
			}
		}
		g.leaf = leaf(t, g.inter[0])
		if err := g.verify(verify.Options{At: noon, Strict: true}); err == nil {
			t.Error("valid")
		}
	})
	t.Run("thousands of names and constraints", func(t *testing.T) {
		var permitted, names []string
		for i := range 5000 {
			permitted = append(permitted, fmt.Sprintf("mail:h%d.example.com", i))
			names = append(names, fmt.Sprintf("mail:u@h%d.example.com", i))
		}
		err := trio(nil, permit(permitted...), list(with(alternative(names...))))(t).verify(verify.Options{At: noon, Strict: true})
		if e, ok := errors.AsType[*verify.Error](err); !ok || !strings.Contains(fmt.Sprint(e.Violations), "are too many for its names") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("16 MiB of certificates", func(t *testing.T) {
		var text bytes.Buffer
		a := ca(t, r)
		_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: leaf(t, a).cert.Raw})
		for text.Len() < 16<<20-2000 {
			_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
		}
		found, err := certs.Parse(text.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		v, err := verify.New(verify.Options{Roots: certsOf([]*made{r}), At: noon})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Chain(found.Certs[0], found.Certs[1:]...); err != nil {
			t.Error(err)
		}
	})
}

// opensslTakes are cases of no --strict that OpenSSL answers otherwise, with the reason.
var opensslTakes = map[string]string{
	"rfc5280::validity::notafter-exact":                     "it takes the last second for over",
	"rfc5280::validity::notafter-fractional":                "it takes the last second for over",
	"rfc5280::nc::nc-forbids-alternate-chain-ica":           "it looks at one path alone",
	"rfc5280::nc::nc-forbids-same-chain-ica":                "it looks at one path alone",
	"webpki::san::wildcard-embedded-leftmost-san":           "it lets a wildcard stand for a part of a label",
	"webpki::san::no-san":                                   "it takes the common name for a name",
	"webpki::forbidden-signature-algorithm-in-leaf (SHA-1)": "at its default level it takes SHA-1",
	"cve::cve-2025-61727":                                   "it does not hold wildcards against excluded names",
	"rfc5280::nc::nc-permits-invalid-dns-san":               "it does not ask whether a name is one",
}

// TestOpenSSL holds our answers against `openssl verify -x509_strict`: what we take it takes, and it refuses what we
// refuse without --strict. Of the rules of --strict it has some.
func TestOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	var valid, invalid, strict, lax, otherwise int
	for _, c := range limboCases() {
		if c.ours != "" || c.basic || c.use != verify.Any || strings.HasPrefix(c.why, "parse: ") {
			continue
		}
		t.Run(c.id, func(t *testing.T) {
			g := c.make(t)
			opts := c.options()
			err := g.verify(opts)
			e, _ := errors.AsType[*verify.Error](err)
			taken, words := opensslTakesIt(t, g, opts)
			switch {
			case opensslTakes[c.id] != "":
				otherwise++
				if taken == (err == nil) {
					t.Error("OpenSSL answers as we do by now")
				}
			case err != nil && e.Reason == verify.Strict && taken:
				lax++
			case err != nil && e.Reason == verify.Strict:
				strict++
			case taken != (err == nil):
				t.Errorf("OpenSSL answers otherwise: %s", words)
			case taken:
				valid++
			default:
				invalid++
			}
		})
	}
	t.Logf("alike: %d valid, %d invalid, %d by rules of --strict that OpenSSL has too; it lacks the rules of %d; %d otherwise", valid, invalid, strict, lax, otherwise)
	if valid < 20 || invalid < 40 || strict < 10 {
		t.Error("too few alike")
	}
}

func opensslTakesIt(t *testing.T, g graph, opts verify.Options) (bool, string) {
	t.Helper()
	dir := t.TempDir()
	args := []string{"verify", "-x509_strict", "-partial_chain", "-attime", fmt.Sprint(opts.At.Unix())}
	if opts.Purpose == verify.Server {
		args = append(args, "-purpose", "sslserver")
	}
	switch {
	case net.ParseIP(opts.Name) != nil:
		args = append(args, "-verify_ip", opts.Name)
	case opts.Name != "":
		args = append(args, "-verify_hostname", opts.Name)
	}
	args = append(args, "-CAfile", writePEM(t, dir, "roots.pem", g.roots))
	if len(g.inter) > 0 {
		args = append(args, "-untrusted", writePEM(t, dir, "inter.pem", g.inter))
	}
	out, err := exec.Command("openssl", append(args, writePEM(t, dir, "leaf.pem", []*made{g.leaf}))...).CombinedOutput()
	return err == nil, string(out)
}

func writePEM(t *testing.T, dir, file string, all []*made) string {
	t.Helper()
	var text bytes.Buffer
	for _, m := range all {
		_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: m.cert.Raw})
	}
	path := filepath.Join(dir, file)
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
