package certs_test

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"slices"
	"testing"
	"time"

	"keyward/certs"
)

// parents lists, for each certificate, the place of its issuer in the list; -1 for none.
func parents(t *testing.T, list []*x509.Certificate) []int {
	t.Helper()
	nodes := certs.Trees(list)
	var all []int
	for _, cert := range list {
		i := slices.IndexFunc(nodes, func(n *certs.Node) bool { return n.Cert.Equal(cert) })
		if i < 0 {
			t.Fatalf("%v is not there", cert.Subject)
		}
		parent := -1
		if nodes[i].Issuer != nil {
			parent = slices.IndexFunc(list, nodes[i].Issuer.Cert.Equal)
			if !slices.Contains(nodes[i].Issuer.Signed, nodes[i]) {
				t.Errorf("%v is not below its issuer", cert.Subject)
			}
		}
		all = append(all, parent)
	}
	return all
}

func TestTrees(t *testing.T) {
	f, other := issueFamily(t, certs.Peer, certs.P256), issueFamily(t, certs.Micronets, certs.P256)
	root, inter, leaf := f.root.Cert, f.intermediate.Cert, f.leaf.Cert
	tests := []struct {
		name string
		list []*x509.Certificate
		want []int
	}{
		{"none", nil, nil},
		{"a root", []*x509.Certificate{root}, []int{-1}},
		{"a chain", []*x509.Certificate{leaf, inter, root}, []int{1, 2, -1}},
		{"in another order", []*x509.Certificate{root, leaf, inter}, []int{-1, 2, 0}},
		{"with a gap", []*x509.Certificate{leaf, root}, []int{-1, -1}},
		{"one twice", []*x509.Certificate{leaf, inter, leaf}, []int{1, -1, 1}},
		// The families have the same names: only keys tell them apart.
		{"two families", []*x509.Certificate{other.root.Cert, root, other.intermediate.Cert, inter, other.leaf.Cert, leaf}, []int{-1, -1, 0, 1, 2, 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := parents(t, tt.list); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestTreesOfCrossSigned has two CAs that signed each other: one of them is the top.
func TestTreesOfCrossSigned(t *testing.T) {
	f := issueFamily(t, certs.Peer, certs.P256)
	sign := func(subject string, public crypto.PublicKey, issuer string, key crypto.Signer) *x509.Certificate {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: subject}, NotAfter: now.Add(time.Hour),
			IsCA: true, BasicConstraintsValid: true,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, &x509.Certificate{Subject: pkix.Name{CommonName: issuer}}, public, key)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	a := sign("a", f.root.Key.Public(), "b", f.leaf.Key)
	b := sign("b", f.leaf.Key.Public(), "a", f.root.Key)
	if got, want := parents(t, []*x509.Certificate{a, b}), []int{1, -1}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	forged := sign("c", f.leaf.Key.Public(), "a", f.leaf.Key) // says that a signed it
	if got, want := parents(t, []*x509.Certificate{forged, a}), []int{-1, -1}; !slices.Equal(got, want) {
		t.Errorf("forged: got %v, want %v", got, want)
	}
	if nodes := certs.Trees([]*x509.Certificate{forged}); nodes[0].IssuerKnown() {
		t.Error("a forged certificate knows its issuer")
	}
}

func TestRoleAndPurpose(t *testing.T) {
	f := issueFamily(t, certs.Peer, certs.P256)
	zero := 0
	limited := issue(t, certs.Request{Role: certs.Intermediate, Organization: "L", PathLen: &zero, PermitDNS: []string{"corp.test"}, PermitIP: []string{"10.0.0.0/8"}}, f.root.Issuer())
	tests := []struct {
		cert    *x509.Certificate
		role    certs.Role
		purpose string
	}{
		{f.root.Cert, certs.Root, "CA of CAs and leaves"},
		{f.intermediate.Cert, certs.Intermediate, "CA of CAs and leaves"},
		{limited.Cert, certs.Intermediate, "CA of leaves alone, for corp.test, 10.0.0.0/8"},
		{f.leaf.Cert, certs.Leaf, "TLS server, TLS client"},
		{&x509.Certificate{}, certs.Leaf, "anything: it does not say"},
		{&x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageMicrosoftKernelCodeSigning}}, certs.Leaf, "usage 13"},
	}
	for _, tt := range tests {
		if role, purpose := certs.RoleOf(tt.cert), certs.Purpose(tt.cert); role != tt.role || purpose != tt.purpose {
			t.Errorf("got %v, %q, want %v, %q", role, purpose, tt.role, tt.purpose)
		}
	}
}
