package certs

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
)

// Node is a certificate of a tree, with those that it signed.
type Node struct {
	Cert   *x509.Certificate
	Role   Role
	Issuer *Node // nil at the top
	Signed []*Node
}

// IssuerKnown tells whether who signed it is there: another certificate, or itself.
func (n *Node) IssuerKnown() bool { return n.Issuer != nil || selfSigned(n.Cert) }

// Trees orders certificates, in any order and of any number of chains, by who signed whom: names
// and key identifiers (RFC 5280 section 4.2.1.1) that fit and a signature that verifies. The nodes
// are returned in the order of certs; those without an Issuer are the tops. A certificate that is
// there twice is one node. Of certificates that sign each other one becomes a top.
// It says nothing of trust: expired and unfit issuers count too.
func Trees(certs []*x509.Certificate) []*Node {
	var nodes []*Node
	known := map[string]bool{}
	bySubject := map[string][]*Node{}
	for _, cert := range certs {
		if known[string(cert.Raw)] {
			continue
		}
		known[string(cert.Raw)] = true
		n := &Node{Cert: cert, Role: RoleOf(cert)}
		nodes = append(nodes, n)
		bySubject[string(cert.RawSubject)] = append(bySubject[string(cert.RawSubject)], n)
	}
	for _, n := range nodes {
		if n.Role == Root || selfSigned(n.Cert) {
			continue
		}
		n.Issuer = issuerAmong(bySubject[string(n.Cert.RawIssuer)], n)
		if n.Issuer != nil {
			n.Issuer.Signed = append(n.Issuer.Signed, n)
		}
	}
	return nodes
}

// maxCandidates bounds the signatures that are checked for one certificate, since whoever made the
// file could give them all the same name.
const maxCandidates = 16

func issuerAmong(candidates []*Node, n *Node) *Node {
	for tried, c := range candidates {
		if tried == maxCandidates {
			break
		}
		if c != n && signed(c.Cert, n.Cert) && !above(n, c) {
			return c
		}
	}
	return nil
}

// above tells whether n stands above other already.
func above(n, other *Node) bool {
	for ; other != nil; other = other.Issuer {
		if other == n {
			return true
		}
	}
	return false
}

// signed tells whether issuer signed cert. With an algorithm that crypto/x509 does not check any
// more, such as SHA-1, names and key identifiers have to do.
func signed(issuer, cert *x509.Certificate) bool {
	if !bytes.Equal(issuer.RawSubject, cert.RawIssuer) {
		return false
	}
	if len(cert.AuthorityKeyId) > 0 && len(issuer.SubjectKeyId) > 0 && !bytes.Equal(cert.AuthorityKeyId, issuer.SubjectKeyId) {
		return false
	}
	err := issuer.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature)
	if _, old := errors.AsType[x509.InsecureAlgorithmError](err); old || errors.Is(err, x509.ErrUnsupportedAlgorithm) {
		return true
	}
	return err == nil
}

func selfSigned(cert *x509.Certificate) bool { return signed(cert, cert) }

// RoleOf tells a certificate's role from itself alone: a CA that signed itself is a root.
func RoleOf(cert *x509.Certificate) Role {
	switch {
	case !cert.BasicConstraintsValid || !cert.IsCA:
		return Leaf
	case selfSigned(cert):
		return Root
	}
	return Intermediate
}

// Purpose says in a few words what a certificate is for.
func Purpose(cert *x509.Certificate) string {
	if cert.BasicConstraintsValid && cert.IsCA {
		return purposeOfCA(cert)
	}
	var uses []string
	for _, usage := range cert.ExtKeyUsage {
		if use, ok := purposes[usage]; ok {
			uses = append(uses, use)
		} else {
			uses = append(uses, fmt.Sprintf("usage %d", usage))
		}
	}
	for _, id := range cert.UnknownExtKeyUsage {
		uses = append(uses, id.String())
	}
	if len(uses) == 0 {
		return "anything: it does not say"
	}
	return strings.Join(uses, ", ")
}

var purposes = map[x509.ExtKeyUsage]string{
	x509.ExtKeyUsageAny:             "anything",
	x509.ExtKeyUsageServerAuth:      "TLS server",
	x509.ExtKeyUsageClientAuth:      "TLS client",
	x509.ExtKeyUsageCodeSigning:     "signed code",
	x509.ExtKeyUsageEmailProtection: "e-mail",
	x509.ExtKeyUsageTimeStamping:    "time stamps",
	x509.ExtKeyUsageOCSPSigning:     "OCSP answers",
}

func purposeOfCA(cert *x509.Certificate) string {
	words := "CA of CAs and leaves"
	switch limit, limited := pathLen(cert); {
	case limited && limit == 0:
		words = "CA of leaves alone"
	case limited:
		words = fmt.Sprintf("CA of leaves and CAs, %d deep", limit)
	}
	permitted := append([]string(nil), cert.PermittedDNSDomains...)
	for _, network := range cert.PermittedIPRanges {
		permitted = append(permitted, network.String())
	}
	if len(permitted) > 0 {
		words += ", for " + strings.Join(permitted, ", ")
	}
	return words
}
