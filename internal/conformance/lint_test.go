// Package conformance has zlint judge what package certs makes. What zlint finds is either mended
// or in the table of exceptions with its reason, and an exception that no longer happens fails.
package conformance

import (
	"crypto"
	"crypto/rand"
	stdx509 "crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"

	"keyward/certs"
	"keyward/certs/ledger"
)

// sources are the lints by who made the rules.
var (
	rfcs     = []lint.LintSource{lint.RFC3279, lint.RFC5280, lint.RFC5480, lint.RFC5891, lint.RFC6962, lint.RFC8813}
	browsers = []lint.LintSource{lint.CABFBaselineRequirements, lint.MozillaRootStorePolicy, lint.AppleRootStorePolicy, lint.ChromeRootStorePolicy, lint.Community}
)

// made is a certificate or a CRL of ours.
type made struct {
	name string // profile/role/key type
	cert *x509.Certificate
	crl  *x509.RevocationList
}

// The floors are lints that have something to say of what is made: those of a part that lost its input say nothing.
func TestRFCs(t *testing.T)           { judge(t, certificates(t), rfcs, rfcExceptions, 70) }
func TestBrowsers(t *testing.T)       { judge(t, certificates(t), browsers, browserExceptions, 125) }
func TestRFCsOfCRLs(t *testing.T)     { judge(t, crls(t), rfcs, nil, 9) }
func TestBrowsersOfCRLs(t *testing.T) { judge(t, crls(t), browsers, crlExceptions, 11) }

// judge runs the lints over all and holds what they find against the exceptions.
func judge(t *testing.T, all []made, sources []lint.LintSource, exceptions []exception, floor int) {
	t.Helper()
	registry, err := lint.GlobalRegistry().Filter(lint.FilterOptions{IncludeSources: sources})
	if err != nil {
		t.Fatal(err)
	}
	applied, used := map[string]bool{}, make([]bool, len(exceptions))
	for _, m := range all {
		for name, result := range m.lint(registry).Results {
			if result.Status != lint.NA && result.Status != lint.NE {
				applied[name] = true
			}
			if result.Status < lint.Notice {
				continue
			}
			i := slices.IndexFunc(exceptions, func(e exception) bool { return e.covers(name, m.name) })
			if i < 0 {
				t.Errorf("%s: %s: %s %s %s", m.name, name, result.Status, result.LintMetadata.Description, result.Details)
				continue
			}
			used[i] = true
		}
	}
	t.Logf("%d lints apply to %d of ours", len(applied), len(all))
	if len(applied) < floor {
		t.Errorf("that is too little: the floor is %d", floor)
	}
	for i, e := range exceptions {
		if !used[i] {
			t.Errorf("the exception %s for %v does not happen any more", e.lint, e.scope)
		}
	}
}

func (m made) lint(registry lint.Registry) *zlint.ResultSet {
	if m.crl != nil {
		return zlint.LintRevocationListEx(m.crl, registry)
	}
	return zlint.LintCertificateEx(m.cert, registry)
}

// TestJudgeFinds holds that a finding is one: a certificate of long ago's habits, which names a host with an underscore in its CN alone.
func TestJudgeFinds(t *testing.T) {
	bad, err := x509.ParseCertificate(unfit(t))
	if err != nil {
		t.Fatal(err)
	}
	found := zlint.LintCertificate(bad)
	for _, name := range []string{"e_ext_san_missing", "w_ext_subject_key_identifier_missing_sub_cert"} {
		if found.Results[name].Status < lint.Notice {
			t.Errorf("%s lets it pass", name)
		}
	}
}

var now = time.Now()

// certificates are a root, an intermediate and a leaf of each profile and key type, and what becomes of them.
func certificates(t *testing.T) []made {
	t.Helper()
	var all []made
	add := func(name string, issued *certs.Issued) *certs.Issued {
		cert, err := x509.ParseCertificate(issued.Cert.Raw)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, made{name: name, cert: cert})
		return issued
	}
	for _, profile := range certs.Profiles() {
		for _, keyType := range []certs.KeyType{certs.P256, certs.P384, certs.Ed25519, certs.RSA2048} {
			if profile == certs.Micronets && keyType != certs.P256 {
				continue
			}
			called := func(what string) string { return fmt.Sprintf("%s/%s/%s", profile, what, keyType) }
			ask := func(role certs.Role, organization string, sans ...string) certs.Request {
				return certs.Request{Role: role, Profile: profile, KeyType: keyType, Organization: organization, SANs: sans}
			}
			root := add(called("root"), issue(t, ask(certs.Root, "Root"), nil))
			below := add(called("intermediate"), issue(t, ask(certs.Intermediate, "Intermediate"), root.Issuer()))
			leaf := add(called("leaf"), issue(t, ask(certs.Leaf, "Leaf", names(profile)...), below.Issuer()))
			add(called("renewed root"), issue(t, again(t, root, root.Key), nil))
			add(called("renewed intermediate"), issue(t, again(t, below, below.Key), root.Issuer()))
			add(called("renewed leaf"), issue(t, again(t, leaf, leaf.Key), below.Issuer()))
			if profile != certs.Micronets {
				add(called("requested leaf"), issue(t, requested(t, ask(certs.Leaf, "Asked", names(profile)[:3]...), leaf), below.Issuer()))
			}
		}
	}
	limited := add("peer/limited root/p256", issue(t, certs.Request{Role: certs.Root, Organization: "Root", PathLen: new(1), PermitDNS: []string{"example.org"}, PermitIP: []string{"10.0.0.0/8"}}, nil))
	add("peer/limited intermediate/p256", issue(t, certs.Request{Role: certs.Intermediate, Organization: "Below"}, limited.Issuer()))
	return all
}

func issue(t *testing.T, req certs.Request, issuer *certs.Issuer) *certs.Issued {
	t.Helper()
	issued, err := certs.Issue(req, issuer, now)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

// again is the request of a renewal.
func again(t *testing.T, old *certs.Issued, key crypto.Signer) certs.Request {
	t.Helper()
	req, err := certs.Renewal(old.Cert)
	if err != nil {
		t.Fatal(err)
	}
	req.Key = key
	return req
}

// requested is req for the key of a signing request that went out and came back.
func requested(t *testing.T, req certs.Request, holder *certs.Issued) certs.Request {
	t.Helper()
	csr, err := certs.NewCSR(req.Organization, req.SANs, holder.Key)
	if err == nil {
		csr, err = certs.ParseCSR(csr.PEM())
	}
	if err != nil {
		t.Fatal(err)
	}
	req.PublicKey, req.KeyType = csr.PublicKey, ""
	return req
}

// crls are of the CAs of each profile and key type: with nothing revoked, and with a certificate for each reason.
func crls(t *testing.T) []made {
	t.Helper()
	var all []made
	for _, profile := range certs.Profiles() {
		for _, keyType := range []certs.KeyType{certs.P256, certs.Ed25519, certs.RSA2048} {
			if profile == certs.Micronets && keyType != certs.P256 {
				continue
			}
			ca := issue(t, certs.Request{Role: certs.Root, Profile: profile, KeyType: keyType, Organization: "Root"}, nil).Issuer()
			book := filepath.Join(t.TempDir(), "ca.ledger")
			if err := ledger.Start(t.Context(), book, ca, now); err != nil {
				t.Fatal(err)
			}
			all = append(all, made{name: fmt.Sprintf("%s/empty/%s", profile, keyType), crl: crl(t, book, ca)})
			for i, reason := range ledger.Reasons() {
				revoke(t, book, ca, issue(t, certs.Request{Role: certs.Leaf, Profile: profile, Organization: fmt.Sprint("Leaf", i), SANs: names(profile)}, ca).Cert, reason)
			}
			all = append(all, made{name: fmt.Sprintf("%s/full/%s", profile, keyType), crl: crl(t, book, ca)})
		}
	}
	return all
}

func revoke(t *testing.T, book string, ca *certs.Issuer, cert *stdx509.Certificate, reason ledger.Reason) {
	t.Helper()
	err := ledger.Update(t.Context(), book, ca, nil, now, func(b *ledger.Book) ([]ledger.Entry, error) {
		entry, err := b.Revocation(ledger.Unlisted(cert), reason)
		return []ledger.Entry{entry}, err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func crl(t *testing.T, book string, ca *certs.Issuer) *x509.RevocationList {
	t.Helper()
	list, _, err := ledger.WriteCRL(t.Context(), book, filepath.Join(filepath.Dir(book), "ca.crl.pem"), ca, nil, now, now.AddDate(0, 0, 7))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseRevocationList(list.Raw)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// names are one of each form, where the profile has any.
func names(profile certs.Profile) []string {
	if profile == certs.Micronets {
		return nil
	}
	return []string{"svc.example.org", "*.corp.example.org", "10.0.0.7", "user@example.org", "spiffe://example.org/svc"}
}

// unfit is a server's certificate as nobody should make it.
func unfit(t *testing.T) []byte {
	t.Helper()
	key, err := certs.NewKey(certs.P256)
	if err != nil {
		t.Fatal(err)
	}
	template := &stdx509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a_b.example.org"}, NotBefore: now, NotAfter: now.AddDate(5, 0, 0),
		ExtKeyUsage: []stdx509.ExtKeyUsage{stdx509.ExtKeyUsageServerAuth},
	}
	der, err := stdx509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
