package certs_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"testing"

	"keyward/certs"
	"keyward/fault"
)

// FuzzRenewal renews what anybody may have made: what is signed has its subject and is as much a CA as it was, and not more.
func FuzzRenewal(f *testing.F) {
	family := issueFamily(f, certs.Peer, certs.Ed25519)
	scripts := issueFamily(f, certs.Micronets, certs.P256)
	for _, issued := range []*certs.Issued{family.root, family.intermediate, family.leaf, scripts.root, scripts.intermediate, scripts.leaf} {
		f.Add(issued.Cert.Raw)
	}
	for _, change := range []func(*x509.Certificate){
		func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid, c.DNSNames, c.ExtKeyUsage, c.KeyUsage = true, true, nil, nil, x509.KeyUsageCertSign
			c.PermittedDNSDomains, c.ExcludedURIDomains = []string{".a.test"}, []string{"b.test"}
		},
		func(c *x509.Certificate) {
			c.OCSPServer = []string{"http://o.test"}
			c.ExtraExtensions = []pkix.Extension{{Id: []int{2, 5, 29, 17}, Value: []byte{0x30, 4, 0x88, 2, 42, 3}}}
		},
		func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{2, 5, 29, 35}, Value: []byte{0x30, 3, 0x82, 1, 7}}}
		},
	} {
		f.Add(foreign(f, family.intermediate, family.leaf.Key, change).Raw)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		old, err := x509.ParseCertificate(der)
		if err != nil {
			return
		}
		req, err := certs.Renewal(old)
		if err != nil {
			if !errors.Is(err, fault.Policy) || fault.HintOf(err) == "" {
				t.Fatal(err)
			}
			return
		}
		if req.Role == certs.Root {
			return // it signs itself, and its key is not here
		}
		req.PublicKey, req.Clamp = old.PublicKey, true
		issued, err := certs.Issue(req, family.intermediate.Issuer(), now)
		if err != nil {
			return
		}
		cert := issued.Cert
		if !bytes.Equal(cert.RawSubject, old.RawSubject) || cert.IsCA != old.IsCA || cert.KeyUsage != old.KeyUsage {
			t.Errorf("subject %v, CA %v, usage %v became %v, %v, %v", old.Subject, old.IsCA, old.KeyUsage, cert.Subject, cert.IsCA, cert.KeyUsage)
		}
		if len(cert.UnhandledCriticalExtensions) > 0 {
			t.Errorf("it has the critical extensions %v", cert.UnhandledCriticalExtensions)
		}
	})
}
