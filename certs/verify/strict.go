package verify

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
)

// Violation is a rule that a certificate of a chain breaks.
type Violation struct {
	Depth   int    // where it stands in the chain
	Section string // as "RFC 5280 4.1.2.2" or "BR 7.1.2.7.6", the CA/Browser Forum's Baseline Requirements 2
	Words   string // what is wrong
}

// subject is a certificate that the rules look at.
type subject struct {
	*x509.Certificate
	fields // what x509.Certificate does not keep

	issuer *x509.Certificate // nil at the top
	ca     bool              // it is one, or stands above others
	root   bool              // a CA that names itself as its issuer
	server bool              // a leaf that TLS servers use
	signs  bool              // its key usage lets it sign certificates
}

// rule is what a certificate must keep to. Its check says what is wrong; "" where nothing is.
type rule struct {
	section string
	check   func(*subject) string
}

// rules are what --strict holds beyond crypto/x509. Those of RFC 5280 that crypto/x509 holds when it parses or verifies
// are left to it: one algorithm inside and outside the signed part, no negative serial number, no extension twice,
// authority and subject key identifiers and authority information access not critical, name constraints not empty,
// DER. Left out: whether a wildcard's domain is a public suffix, where it is more than a top-level domain, and a
// server's 398 days (BR 6.3.2), since internal CAs differ. Ed25519 is let pass, though the BR do not list it.
var rules = []rule{
	{"RFC 5280 4.1.2.1", version},
	{"RFC 5280 4.1.2.2", serial},
	{"RFC 5280 4.1.1.2", signatureParameters},
	{"BR 7.1.3.2", signatureAlgorithm},
	{"RFC 5280 4.1.2.4", issuerName},
	{"RFC 5280 4.1.2.5", validity},
	{"RFC 5280 4.1.2.6", caSubject},
	{"BR 6.1.5", keySize},
	{"BR 6.1.6", keyExponent},
	{"RFC 5280 4.1.2.8", uniqueIdentifiers},
	{"RFC 5280 4.2.1.1", authorityKeyIdentifier},
	{"BR 7.1.2.11.1", authorityKeyIdentifierFields},
	{"RFC 5280 4.2.1.2", subjectKeyIdentifier},
	{"RFC 5280 4.2.1.3", keyUsage},
	{"BR 7.1.2.7.11", keyUsageOfServer},
	{"RFC 5280 4.2.1.5", policyMappings},
	{"RFC 5280 4.2.1.6", alternativeNames},
	{"BR 7.1.2.7.12", alternativeNamesOfServer},
	{"BR 3.2.2.6", wildcards},
	{"BR 7.1.4.3", commonName},
	{"RFC 5280 4.2.1.9", basicConstraints},
	{"BR 7.1.2.7.8", serverIsNoCA},
	{"RFC 5280 4.2.1.10", nameConstraints},
	{"RFC 5280 4.2.1.11", policyConstraints},
	{"RFC 5280 4.2.1.12", extendedKeyUsage},
	{"BR 7.1.2.7.10", extendedKeyUsageOfServer},
	{"BR 7.1.2.7.6", extensionsOfServer},
	{"BR 7.1.2.1.2", extensionsOfRoot},
	{"BR 7.1.2.6.1", extensionsOfIntermediate},
	{"RFC 5280 4.2.1.14", inhibitAnyPolicy},
}

// strict holds every certificate of a chain against every rule; nil where all are kept.
func strict(chain []*x509.Certificate, purpose Purpose) *Error {
	var broken []Violation
	for depth := range chain {
		broken = append(broken, violations(chain, depth, purpose)...)
		for _, above := range chain[depth+1:] {
			if name, words := outsideHosts(above, chain[depth]); name != "" {
				broken = append(broken, Violation{depth, "RFC 5280 4.2.1.10", fmt.Sprintf("the name constraints of %s %s, and it has %s", NameOf(above), words, name)})
			}
		}
	}
	if len(broken) == 0 {
		return nil
	}
	first := broken[0]
	e := failure(Strict, chain, first.Depth, "%s (%s)", first.Words, first.Section)
	if len(broken) > 1 {
		e.words += fmt.Sprintf("; and %d more", len(broken)-1)
	}
	e.Violations = broken
	return e
}

func violations(chain []*x509.Certificate, depth int, purpose Purpose) []Violation {
	cert := chain[depth]
	raw, ok := readFields(cert)
	if !ok { // crypto/x509 took it, so this is for its readings to come
		return []Violation{{depth, "RFC 5280 4.1", "its fields cannot be read"}}
	}
	s := &subject{Certificate: cert, fields: raw, ca: depth > 0 || cert.BasicConstraintsValid && cert.IsCA, signs: cert.KeyUsage&x509.KeyUsageCertSign != 0}
	if depth+1 < len(chain) {
		s.issuer = chain[depth+1]
	}
	s.root = s.ca && s.issuer == nil && bytes.Equal(cert.RawSubject, cert.RawIssuer)
	s.server = depth == 0 && (purpose == Server || purpose == Any && !s.ca && slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageServerAuth))
	var broken []Violation
	for _, r := range rules {
		if words := r.check(s); words != "" {
			broken = append(broken, Violation{depth, r.section, words})
		}
	}
	return broken
}

// extension is the one with the last arcs below id-ce (2.5.29); nil where it is not there.
func (s *subject) extension(arc int) *pkix.Extension {
	id := asn1.ObjectIdentifier{2, 5, 29, arc}
	if i := slices.IndexFunc(s.Extensions, func(ext pkix.Extension) bool { return ext.Id.Equal(id) }); i >= 0 {
		return &s.Extensions[i]
	}
	return nil
}

// critical tells whether the extension is there and marked so.
func (s *subject) critical(arc int) bool {
	ext := s.extension(arc)
	return ext != nil && ext.Critical
}

// The arcs of the extensions below id-ce.
const (
	ceSubjectKeyID      = 14
	ceKeyUsage          = 15
	ceAlternativeNames  = 17
	ceBasicConstraints  = 19
	ceNameConstraints   = 30
	cePolicyMappings    = 33
	ceAuthorityKeyID    = 35
	cePolicyConstraints = 36
	ceExtendedKeyUsage  = 37
	ceInhibitAnyPolicy  = 54
)
