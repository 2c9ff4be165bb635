package certs_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyward/certs"
	"keyward/fault"
)

// renewed is old's successor, with its key where key is not nil.
func renewed(t testing.TB, old *x509.Certificate, key crypto.Signer, issuer *certs.Issuer) *certs.Issued {
	t.Helper()
	req, err := certs.Renewal(old)
	if err != nil {
		t.Fatal(err)
	}
	req.Key = key
	return issue(t, req, issuer)
}

// same holds what a renewal keeps: all but serial number, times and signature.
func same(t *testing.T, old, now *x509.Certificate) {
	t.Helper()
	if diff := cmp.Diff(old.RawSubject, now.RawSubject); diff != "" {
		t.Errorf("subject: %s", diff)
	}
	if diff := cmp.Diff(old.RawSubjectPublicKeyInfo, now.RawSubjectPublicKeyInfo); diff != "" {
		t.Errorf("key: %s", diff)
	}
	if diff := cmp.Diff(extensions(old), extensions(now)); diff != "" {
		t.Errorf("extensions: %s", diff)
	}
	if old.SerialNumber.Cmp(now.SerialNumber) == 0 {
		t.Error("the serial number is the same")
	}
	if was, is := old.NotAfter.Sub(old.NotBefore), now.NotAfter.Sub(now.NotBefore); was != is {
		t.Errorf("it lives %v, the old one lived %v", is, was)
	}
}

func extensions(cert *x509.Certificate) map[string]string {
	all := map[string]string{}
	for _, ext := range cert.Extensions {
		all[ext.Id.String()] = fmt.Sprintf("critical %v: %x", ext.Critical, ext.Value)
	}
	return all
}

func TestRenewalMakesTheSame(t *testing.T) {
	for _, profile := range certs.Profiles() {
		t.Run(string(profile), func(t *testing.T) {
			f := issueFamily(t, profile, certs.P256)
			root := renewed(t, f.root.Cert, f.root.Key, nil)
			same(t, f.root.Cert, root.Cert)
			intermediate := renewed(t, f.intermediate.Cert, f.intermediate.Key, root.Issuer())
			same(t, f.intermediate.Cert, intermediate.Cert)
			same(t, f.leaf.Cert, renewed(t, f.leaf.Cert, f.leaf.Key, intermediate.Issuer()).Cert)

			// What the old CAs signed verifies below the new ones.
			roots, between := x509.NewCertPool(), x509.NewCertPool()
			roots.AddCert(root.Cert)
			between.AddCert(intermediate.Cert)
			if _, err := f.leaf.Cert.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
				t.Errorf("the old leaf below the new CAs: %v", err)
			}
		})
	}
}

func TestRenewalKeepsLimits(t *testing.T) {
	one := 1
	root := issue(t, certs.Request{Role: certs.Root, Organization: "Root", PathLen: &one, PermitDNS: []string{"corp.test"}, PermitIP: []string{"10.0.0.0/8"}}, nil)
	below := issue(t, certs.Request{Role: certs.Intermediate, Organization: "Below", PermitDNS: []string{"a.corp.test"}}, root.Issuer())
	same(t, root.Cert, renewed(t, root.Cert, root.Key, nil).Cert)
	same(t, below.Cert, renewed(t, below.Cert, below.Key, root.Issuer()).Cert)

	strange := foreign(t, root, below.Key, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.MaxPathLenZero = true, true, true
		c.DNSNames, c.ExtKeyUsage, c.KeyUsage = nil, nil, x509.KeyUsageCertSign
		c.PermittedDNSDomainsCritical, c.PermittedDNSDomains, c.ExcludedDNSDomains = true, []string{".a.corp.test"}, []string{"b.a.corp.test"}
		c.PermittedURIDomains, c.ExcludedEmailAddresses = []string{".corp.test"}, []string{"root@corp.test"}
		c.PermittedIPRanges = root.Cert.PermittedIPRanges
	})
	same(t, strange, renewed(t, strange, below.Key, root.Issuer()).Cert)
}

func TestRenewalWithAnotherKey(t *testing.T) {
	f := issueFamily(t, certs.Server, certs.P384)
	cert := renewed(t, f.leaf.Cert, nil, f.intermediate.Issuer()).Cert
	if got := certs.Describe(cert).KeyType; got != "p384" {
		t.Errorf("the new key is %s", got)
	}
	if cmp.Equal(cert.SubjectKeyId, f.leaf.Cert.SubjectKeyId) || cmp.Equal(cert.RawSubjectPublicKeyInfo, f.leaf.Cert.RawSubjectPublicKeyInfo) {
		t.Error("the key or its identifier is the old one's")
	}
	if diff := cmp.Diff(f.leaf.Cert.DNSNames, cert.DNSNames); diff != "" {
		t.Error(diff)
	}
}

// foreign is a certificate as others make them, signed by issuer.
func foreign(t testing.TB, issuer *certs.Issued, key crypto.Signer, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0x1234), NotBefore: now.Add(-80 * 24 * time.Hour), NotAfter: now.Add(10 * 24 * time.Hour),
		Subject:     pkix.Name{Country: []string{"DE"}, Organization: []string{"O"}, OrganizationalUnit: []string{"OU"}, CommonName: "web.corp.test"},
		DNSNames:    []string{"web.corp.test"},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageEmailProtection},
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.Cert, key.Public(), issuer.Key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestRenewalOfForeign(t *testing.T) {
	f := issueFamily(t, certs.Peer, certs.P256)
	ext := func(critical bool, ids ...int) pkix.Extension {
		return pkix.Extension{Id: ids, Critical: critical, Value: []byte{5, 0}}
	}
	tests := []struct {
		name    string
		change  func(*x509.Certificate)
		refused string // what the error says; empty for none
		lost    string // the extension that is left out
		note    string
	}{
		{name: "as openssl ca makes it", change: func(*x509.Certificate) {}},
		{name: "places, policies and a comment", change: func(c *x509.Certificate) {
			c.OCSPServer, c.IssuingCertificateURL, c.CRLDistributionPoints = []string{"http://o.test"}, []string{"http://i.test"}, []string{"http://c.test"}
			c.PolicyIdentifiers = []asn1.ObjectIdentifier{{2, 23, 140, 1, 2, 1}}
			c.ExtraExtensions = []pkix.Extension{ext(false, 2, 16, 840, 1, 113730, 1, 13), ext(false, 1, 3, 6, 1, 5, 5, 7, 1, 24)}
		}},
		{name: "no subject", change: func(c *x509.Certificate) { c.Subject = pkix.Name{} }},
		{name: "no usages", change: func(c *x509.Certificate) { c.ExtKeyUsage, c.KeyUsage = nil, 0 }},
		{name: "an unknown usage", change: func(c *x509.Certificate) { c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 2, 3}} }},
		{name: "time stamps", change: func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{ext(false, 1, 3, 6, 1, 4, 1, 11129, 2, 4, 2)}
		}, lost: "1.3.6.1.4.1.11129.2.4.2", note: "SCTs"},
		{name: "poison", change: func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{ext(true, 1, 3, 6, 1, 4, 1, 11129, 2, 4, 3)}
		}, refused: "precertificate"},
		{name: "unknown and critical", change: func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{ext(true, 1, 2, 3, 4)} }, refused: "does not know: [1.2.3.4]"},
		{name: "a CA's usages", change: func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign }, refused: "is none"},
		{name: "a name that is none", change: func(c *x509.Certificate) { c.DNSNames = []string{"foo_bar"} }, refused: "not a name"},
		{name: "another kind of name", change: func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{2, 5, 29, 17}, Value: []byte{0x30, 4, 0x88, 2, 42, 3}}}
		}, refused: "of a kind"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			old := foreign(t, f.intermediate, f.leaf.Key, tt.change)
			req, err := certs.Renewal(old)
			var issued *certs.Issued
			if err == nil {
				req.PublicKey = old.PublicKey
				issued, err = certs.Issue(req, f.intermediate.Issuer(), now)
			}
			if tt.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tt.refused) || !errors.Is(err, fault.Policy) {
					t.Fatalf("got %v, want it to say %q", err, tt.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			had := extensions(old)
			delete(had, tt.lost)
			was := extensions(issued.Cert)
			if id := "2.5.29.15"; had[id] != "" && strings.Split(had[id], ":")[1] == strings.Split(was[id], ":")[1] {
				was[id] = had[id]
			}
			if diff := cmp.Diff(had, was); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(old.RawSubject, issued.Cert.RawSubject); diff != "" {
				t.Error(diff)
			}
			if !strings.Contains(strings.Join(issued.Notes, "\n"), tt.note) {
				t.Errorf("the notes are %q", issued.Notes)
			}
		})
	}
}

// Notes are for who asked for something; a renewal is as it was.
func TestRenewalNotes(t *testing.T) {
	f := issueFamily(t, certs.Peer, certs.P256)
	nameless := foreign(t, f.intermediate, f.leaf.Key, func(c *x509.Certificate) { c.DNSNames = nil })
	if notes := renewed(t, nameless, f.leaf.Key, f.intermediate.Issuer()).Notes; len(notes) > 0 {
		t.Errorf("the notes are %q", notes)
	}
	placed := foreign(t, f.intermediate, f.leaf.Key, func(c *x509.Certificate) { c.OCSPServer = []string{"http://o.test"} })
	moved := renewed(t, placed, f.leaf.Key, f.root.Issuer())
	if len(moved.Notes) != 1 || len(moved.Cert.OCSPServer) > 0 {
		t.Errorf("below another issuer it has the places %v, and the notes %q", moved.Cert.OCSPServer, moved.Notes)
	}
}

// A weak key is refused however long it was in use, and sizes that keyward does not make may stay.
func TestRenewalOfKeys(t *testing.T) {
	f := issueFamily(t, certs.Peer, certs.P256)
	for bits, want := range map[int]error{1024: fault.Policy, 2056: nil} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		req, err := certs.Renewal(foreign(t, f.intermediate, key, func(*x509.Certificate) {}))
		if err != nil {
			t.Fatal(err)
		}
		req.Key = key
		if _, err := certs.Issue(req, f.intermediate.Issuer(), now); !errors.Is(err, want) {
			t.Errorf("%d bits: got %v, want %v", bits, err, want)
		}
	}
}

// Below a CA that is minutes old a certificate starts with its CA. That shortens none of its successors.
func TestRenewalNeverEndsEarlier(t *testing.T) {
	caStart := now.Add(-2 * time.Minute)
	root := issueAt(t, certs.Request{Role: certs.Root, Organization: "Root"}, nil, caStart.Add(5*time.Minute))
	leaf := issueAt(t, certs.Request{Role: certs.Leaf, Organization: "Leaf"}, root.Issuer(), now).Cert
	plain := foreign(t, root, root.Key, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now, now.Add(24*time.Hour) })
	for _, old := range []*x509.Certificate{leaf, plain} {
		for minute := range 4 {
			req, err := certs.Renewal(old)
			if err != nil {
				t.Fatal(err)
			}
			successor := issueAt(t, req, root.Issuer(), now.Add(time.Duration(minute)*time.Minute)).Cert
			if successor.NotAfter.Before(old.NotAfter) {
				t.Errorf("minute %d: it ends at %v, the old one at %v", minute, successor.NotAfter, old.NotAfter)
			}
			old = successor
		}
	}
}

func issueAt(t *testing.T, req certs.Request, issuer *certs.Issuer, at time.Time) *certs.Issued {
	t.Helper()
	issued, err := certs.Issue(req, issuer, at)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}
