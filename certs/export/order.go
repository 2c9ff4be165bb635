package export

import (
	"bytes"
	"crypto/x509"
	"slices"

	"keyward/fault"
)

// Order puts a certificate and its issuers in the order of a chain: the certificate first, then each one's issuer.
// others may come in any order and twice; one that is not above the certificate is fault.InvalidFile.
func Order(cert *x509.Certificate, others []*x509.Certificate) ([]*x509.Certificate, error) {
	chain := []*x509.Certificate{cert}
	left := slices.Clone(others)
	for {
		left = slices.DeleteFunc(left, func(other *x509.Certificate) bool {
			return slices.ContainsFunc(chain, other.Equal)
		})
		i := slices.IndexFunc(left, func(other *x509.Certificate) bool { return signedBy(chain[len(chain)-1], other) })
		if i < 0 {
			break
		}
		chain = append(chain, left[i])
	}
	if len(left) > 0 {
		return nil, fault.New(fault.InvalidFile, "give the certificates of its issuers, and no others", "%q is no issuer above %q", left[0].Subject, cert.Subject)
	}
	return chain, nil
}

func signedBy(cert, issuer *x509.Certificate) bool {
	return bytes.Equal(cert.RawIssuer, issuer.RawSubject) && cert.CheckSignatureFrom(issuer) == nil
}

func signedItself(cert *x509.Certificate) bool {
	return bytes.Equal(cert.RawIssuer, cert.RawSubject) &&
		cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil
}
