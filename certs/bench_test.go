package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"testing"

	"keyward/certs"
)

// BenchmarkIssueLeaf is one P-256 leaf with its key, and both as PEM; BenchmarkFloor is the least that
// crypto/x509 needs for that.
func BenchmarkIssueLeaf(b *testing.B) {
	root := issue(b, certs.Request{Role: certs.Root, Organization: "Root", PermitDNS: []string{"corp.test"}}, nil)
	issuer := issue(b, certs.Request{Role: certs.Intermediate, Organization: "Intermediate"}, root.Issuer()).Issuer()
	req := leaf("svc.corp.test", "10.0.0.7")
	for b.Loop() {
		issued, err := certs.Issue(req, issuer, now)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := issued.KeyPEM(nil); err != nil {
			b.Fatal(err)
		}
		issued.CertPEM()
	}
}

func BenchmarkFloor(b *testing.B) {
	root := issue(b, certs.Request{Role: certs.Root, Organization: "Root"}, nil)
	template := &x509.Certificate{Subject: pkix.Name{Organization: []string{"Leaf"}}, NotBefore: now, NotAfter: now.AddDate(0, 0, 90),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, DNSNames: []string{"svc.corp.test"}}
	for b.Loop() {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		der, err := x509.CreateCertificate(rand.Reader, template, root.Cert, key.Public(), root.Key)
		if err != nil {
			b.Fatal(err)
		}
		keyDER, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			b.Fatal(err)
		}
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	}
}
