package plan

import (
	"crypto/x509"
	"errors"

	"keyward/certs/ledger"
	"keyward/fault"
)

// revoked are the serial numbers on the revocation list that lies beside a CA's certificate, which is signed anew with each
// revocation and read faster than the ledger. None where there is no list.
func revoked(certFile string, ca *x509.Certificate) (map[string]bool, error) {
	list, err := ledger.ReadCRL(ledger.CRLPath(certFile), ca)
	if errors.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	serials := map[string]bool{}
	for _, entry := range list.RevokedCertificateEntries {
		serials[entry.SerialNumber.String()] = true
	}
	return serials, nil
}

// refuseRevoked keeps a revoked certificate from a successor that nobody decided on.
func (a *above) refuseRevoked(certFile string, cert *x509.Certificate) error {
	if cert == nil || !a.revoked[cert.SerialNumber.String()] {
		return nil
	}
	return fault.New(fault.Policy, "take it out of the manifest, or move its certificate and key away to have new ones made", "%s is revoked", certFile)
}
