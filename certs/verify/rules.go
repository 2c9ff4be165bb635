package verify

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"keyward/certs"
)

func version(s *subject) string {
	if s.Version != 3 {
		return fmt.Sprintf("it is of version %d, not 3", s.Version)
	}
	return ""
}

func serial(s *subject) string {
	switch {
	case s.SerialNumber.Sign() <= 0:
		return "its serial number is not positive"
	case s.SerialNumber.BitLen() >= 160: // the sign takes a bit of the 20 octets
		return "its serial number is longer than 20 octets"
	}
	return ""
}

// signatureParameters are NULL for RSA's PKCS #1 (RFC 4055 section 5) and absent for ECDSA (RFC 5758 section
// 3.2) and Ed25519 (RFC 8410 section 3).
func signatureParameters(s *subject) string {
	switch s.SignatureAlgorithm {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.SHA1WithRSA, x509.MD5WithRSA:
		if !bytes.Equal(s.signatureParameters, asn1.NullBytes) {
			return "the parameters of its signature algorithm are not NULL"
		}
	case x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512, x509.ECDSAWithSHA1, x509.PureEd25519:
		if len(s.signatureParameters) > 0 {
			return "its signature algorithm has parameters"
		}
	}
	return ""
}

// signatureAlgorithm lets a root's own signature be, since it proves nothing.
func signatureAlgorithm(s *subject) string {
	switch s.SignatureAlgorithm {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512, x509.PureEd25519:
		return ""
	}
	if s.root {
		return ""
	}
	return fmt.Sprintf("it is signed with %v", s.SignatureAlgorithm)
}

// emptyName is an empty SEQUENCE in DER.
var emptyName = []byte{0x30, 0}

func issuerName(s *subject) string {
	if bytes.Equal(s.RawIssuer, emptyName) {
		return "its issuer has no name"
	}
	return ""
}

func caSubject(s *subject) string {
	if s.ca && bytes.Equal(s.RawSubject, emptyName) {
		return "a CA must have a name, and it has none"
	}
	return ""
}

// toTheSecond tells whether a time is written as YYMMDDHHMMSSZ, or with a year of four digits.
func toTheSecond(t rawTime) bool {
	digits, utc := strings.CutSuffix(t.text, "Z")
	size := 12
	if t.generalized {
		size = 14
	}
	return utc && len(digits) == size && strings.Trim(digits, "0123456789") == ""
}

func validity(s *subject) string {
	if s.NotAfter.Before(s.NotBefore) {
		return "it ends before it begins"
	}
	for _, t := range []struct {
		name string
		raw  rawTime
		year int
	}{{"beginning", s.notBefore, s.NotBefore.UTC().Year()}, {"end", s.notAfter, s.NotAfter.UTC().Year()}} {
		switch {
		case t.raw.generalized && t.year < 2050:
			return fmt.Sprintf("its %s before 2050 is written as GeneralizedTime", t.name)
		case !toTheSecond(t.raw):
			return fmt.Sprintf("its %s %q is not written to the second, in UTC", t.name, t.raw.text)
		}
	}
	return ""
}

func keySize(s *subject) string {
	switch key := s.PublicKey.(type) {
	case *rsa.PublicKey:
		switch bits := key.N.BitLen(); {
		case bits < 2048:
			return fmt.Sprintf("its RSA key has %d bits, and 2048 are the least", bits)
		case bits%8 != 0:
			return fmt.Sprintf("its RSA key has %d bits, which are not whole bytes", bits)
		}
	case *ecdsa.PublicKey:
		if !slices.Contains([]elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}, key.Curve) {
			return "its key is on the curve " + key.Params().Name
		}
	case ed25519.PublicKey:
	default:
		return fmt.Sprintf("its key is %v", s.PublicKeyAlgorithm)
	}
	return ""
}

func keyExponent(s *subject) string {
	if key, ok := s.PublicKey.(*rsa.PublicKey); ok && (key.E < 3 || key.E%2 == 0) {
		return fmt.Sprintf("the exponent of its RSA key is %d, and not an odd number from 3", key.E)
	}
	return ""
}

func uniqueIdentifiers(s *subject) string {
	if s.uniqueID {
		return "it has a unique identifier"
	}
	return ""
}

func authorityKeyIdentifier(s *subject) string {
	switch {
	case s.extension(ceAuthorityKeyID) == nil && s.root:
		return "" // it may leave the identifier out
	case s.extension(ceAuthorityKeyID) == nil:
		return "it has no authority key identifier"
	case len(s.AuthorityKeyId) == 0:
		return "its authority key identifier has no key identifier"
	case s.root && !bytes.Equal(s.AuthorityKeyId, s.SubjectKeyId):
		return "it signed itself, and its two key identifiers differ"
	case s.issuer != nil && len(s.issuer.SubjectKeyId) > 0 && !bytes.Equal(s.AuthorityKeyId, s.issuer.SubjectKeyId):
		return "its authority key identifier is not its issuer's"
	}
	return ""
}

func authorityKeyIdentifierFields(s *subject) string {
	ext := s.extension(ceAuthorityKeyID)
	if ext != nil && !onlyKeyIdentifier(ext.Value) {
		return "its authority key identifier has more than a key identifier"
	}
	return ""
}

func subjectKeyIdentifier(s *subject) string {
	if s.ca && len(s.SubjectKeyId) == 0 {
		return "a CA must have a subject key identifier, and it has none"
	}
	return ""
}

func keyUsage(s *subject) string {
	ext := s.extension(ceKeyUsage)
	switch {
	case s.ca && ext == nil:
		return "a CA must have a key usage, and it has none"
	case s.ca && !s.signs:
		return "a CA's key usage must have keyCertSign"
	case !s.ca && s.signs:
		return "its key usage has keyCertSign, and it is no CA"
	case ext != nil && s.KeyUsage == 0:
		return "its key usage has no use"
	}
	return ""
}

func keyUsageOfServer(s *subject) string {
	const uses = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement
	if s.server && !s.ca && s.extension(ceKeyUsage) != nil && s.KeyUsage&uses == 0 {
		return "its key usage has none that a TLS server needs"
	}
	return ""
}

func policyMappings(s *subject) string {
	switch {
	case s.extension(cePolicyMappings) == nil:
		return ""
	case !s.ca:
		return "it has policy mappings, and is no CA"
	}
	anyPolicy := x509.OID{}
	_ = anyPolicy.UnmarshalText([]byte("2.5.29.32.0"))
	for _, m := range s.PolicyMappings {
		if m.IssuerDomainPolicy.Equal(anyPolicy) || m.SubjectDomainPolicy.Equal(anyPolicy) {
			return "it maps anyPolicy"
		}
	}
	return ""
}

func alternativeNames(s *subject) string {
	ext := s.extension(ceAlternativeNames)
	empty := bytes.Equal(s.RawSubject, emptyName)
	switch {
	case ext == nil && empty && !s.ca:
		return "it has neither a subject nor alternative names"
	case ext == nil:
		return ""
	case bytes.Equal(ext.Value, emptyName):
		return "its alternative names are empty"
	case empty && !ext.Critical:
		return "its subject is empty, and its alternative names are not critical"
	}
	for _, name := range s.DNSNames {
		if why := notDNS(strings.TrimPrefix(name, "*.")); why != "" {
			return fmt.Sprintf("%q is no DNS name: %s", name, why)
		}
	}
	for _, address := range s.EmailAddresses {
		if err := certs.CheckName(address); err != nil || !strings.Contains(address, "@") {
			return fmt.Sprintf("%q is no e-mail address", address)
		}
	}
	return ""
}

func notDNS(name string) string {
	if net.ParseIP(name) != nil {
		return "it is an IP address"
	}
	if strings.ContainsAny(name, "@:/") {
		return "a label has other characters than letters, digits and hyphens"
	}
	if err := certs.CheckName(name); err != nil {
		_, why, _ := strings.Cut(err.Error(), "is not a name for a certificate: ")
		return why
	}
	return ""
}

func alternativeNamesOfServer(s *subject) string {
	if !s.server || s.ca {
		return ""
	}
	if len(s.DNSNames)+len(s.IPAddresses) == 0 {
		return "a TLS server must have a DNS name or IP address among its alternative names"
	}
	if s.critical(ceAlternativeNames) && !bytes.Equal(s.RawSubject, emptyName) {
		return "it has a subject, and its alternative names are critical"
	}
	return ""
}

func wildcards(s *subject) string {
	if !s.server {
		return ""
	}
	for _, name := range s.DNSNames {
		if domain, ok := strings.CutPrefix(name, "*."); ok && !strings.Contains(domain, ".") {
			return fmt.Sprintf("%q is for a whole top-level domain", name)
		}
	}
	return ""
}

// commonName is where names stood before there were alternative names. In a server's certificate it may only repeat one.
func commonName(s *subject) string {
	if !s.server || s.ca {
		return ""
	}
	var all []string
	for _, part := range s.Subject.Names {
		if text, ok := part.Value.(string); ok && part.Type.Equal(asn1.ObjectIdentifier{2, 5, 4, 3}) {
			all = append(all, text)
		}
	}
	switch {
	case len(all) > 1:
		return "it has more than one common name"
	case len(all) == 1 && !slices.Contains(s.DNSNames, all[0]) && !hasAddress(s.IPAddresses, all[0]):
		return fmt.Sprintf("its common name %q is none of its alternative names", all[0])
	}
	return ""
}

// hasAddress looks for an address as RFC 5952 section 4 writes it.
func hasAddress(list []net.IP, text string) bool {
	return slices.ContainsFunc(list, func(ip net.IP) bool {
		address, ok := netip.AddrFromSlice(ip)
		return ok && address.String() == text
	})
}

func basicConstraints(s *subject) string {
	ext := s.extension(ceBasicConstraints)
	switch {
	case s.ca && ext == nil:
		return "a CA must have basic constraints, and it has none"
	case s.ca && !s.IsCA:
		return "its basic constraints say that it is no CA"
	case s.ca && !ext.Critical:
		return "a CA's basic constraints must be critical"
	case ext != nil && s.MaxPathLen >= 0 && !(s.IsCA && s.signs):
		return "it has a path length, and may not sign certificates"
	}
	return ""
}

func serverIsNoCA(s *subject) string {
	if s.server && s.ca {
		return "a TLS server's certificate must not be a CA"
	}
	return ""
}

func nameConstraints(s *subject) string {
	ext := s.extension(ceNameConstraints)
	switch {
	case ext == nil:
		return ""
	case !s.ca:
		return "it has name constraints, and is no CA"
	case !ext.Critical:
		return "its name constraints are not critical"
	case !plainSubtrees(ext.Value):
		return "its name constraints have a minimum or maximum"
	}
	for _, domain := range slices.Concat(s.PermittedDNSDomains, s.ExcludedDNSDomains) {
		if strings.HasPrefix(domain, ".") || strings.Contains(domain, "*") {
			return fmt.Sprintf("its name constraint %q is no domain", domain)
		}
	}
	return ""
}

func policyConstraints(s *subject) string {
	ext := s.extension(cePolicyConstraints)
	switch {
	case ext == nil:
		return ""
	case !ext.Critical:
		return "its policy constraints are not critical"
	case bytes.Equal(ext.Value, emptyName):
		return "its policy constraints are empty"
	}
	return ""
}

func inhibitAnyPolicy(s *subject) string {
	if ext := s.extension(ceInhibitAnyPolicy); ext != nil && !ext.Critical {
		return "its inhibitAnyPolicy is not critical"
	}
	return ""
}

func extendedKeyUsage(s *subject) string {
	if s.critical(ceExtendedKeyUsage) && slices.Contains(s.ExtKeyUsage, x509.ExtKeyUsageAny) {
		return "its extended key usage allows any, and is critical"
	}
	return ""
}

func extendedKeyUsageOfServer(s *subject) string {
	if !s.server || s.ca {
		return ""
	}
	if s.extension(ceExtendedKeyUsage) == nil {
		return "a TLS server must have an extended key usage, and it has none"
	}
	if !slices.Contains(s.ExtKeyUsage, x509.ExtKeyUsageServerAuth) {
		return "its extended key usage has no serverAuth"
	}
	for _, usage := range s.ExtKeyUsage {
		switch usage {
		case x509.ExtKeyUsageAny, x509.ExtKeyUsageCodeSigning, x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageTimeStamping, x509.ExtKeyUsageOCSPSigning:
			return fmt.Sprintf("its extended key usage is for %s too", certs.Purpose(&x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{usage}}))
		}
	}
	precertificate := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 4} // RFC 6962 section 3.1
	if slices.ContainsFunc(s.UnknownExtKeyUsage, precertificate.Equal) {
		return "its extended key usage is for precertificates too"
	}
	return ""
}

func extensionsOfServer(s *subject) string {
	if s.server && s.critical(ceExtendedKeyUsage) {
		return "a TLS server's extended key usage must not be critical"
	}
	return ""
}

func extensionsOfRoot(s *subject) string {
	switch {
	case s.root && s.extension(ceExtendedKeyUsage) != nil:
		return "a root must have no extended key usage"
	case s.root && s.extension(ceKeyUsage) != nil && !s.critical(ceKeyUsage):
		return "a root's key usage must be critical"
	}
	return ""
}

func extensionsOfIntermediate(s *subject) string {
	if s.ca && !s.root && s.extension(ceKeyUsage) != nil && !s.critical(ceKeyUsage) {
		return "a CA's key usage must be critical"
	}
	return ""
}
