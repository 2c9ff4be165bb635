package verify

import "crypto/x509"

// Violation is a rule that a certificate breaks.
type Violation struct {
	Depth   int
	Section string // as "RFC 5280 4.1.2.2" or "BR 7.1.2.7.6"
	Words   string
}

func strict(_ []*x509.Certificate, _ Purpose) *Error { return nil }
