package verify

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"keyward/certs"
	"keyward/fault"
)

// Reason is why a certificate is not trusted: a stable code, for programs.
type Reason string

// The reasons.
const (
	Expired           Reason = "expired"
	NotYetValid       Reason = "not_yet_valid"
	IssuerMissing     Reason = "issuer_missing"     // who signed it is not there
	UntrustedRoot     Reason = "untrusted_root"     // it signed itself, and is not among the roots
	Signature         Reason = "signature"          // it does not verify
	Algorithm         Reason = "algorithm"          // it is signed with a broken or unknown algorithm, or a key that is too small
	NotCA             Reason = "not_ca"             // it signed another and may not
	PathLength        Reason = "path_length"        // more CAs stand below one than it allows
	NameConstraints   Reason = "name_constraints"   // a name outside what a CA above may sign
	Usage             Reason = "usage"              // not for the purpose
	NameMismatch      Reason = "name_mismatch"      // not for the name
	CriticalExtension Reason = "critical_extension" // one that is not known
	Policies          Reason = "policies"           // RFC 5280 section 6.1's policies leave none
	TooLarge          Reason = "too_large"          // more than is looked at
	Revoked           Reason = "revoked"            // by its issuer, whose CRL lists it
	CRLMissing        Reason = "crl_missing"        // no CRL of its issuer is there
	CRLStale          Reason = "crl_stale"          // the CRL is too old, or not valid yet
	CRLInvalid        Reason = "crl_invalid"        // not signed by the issuer, or of a kind that is not supported
	Strict            Reason = "strict"             // a rule of RFC 5280 or the Baseline Requirements is broken
	Untrusted         Reason = "untrusted"          // crypto/x509 says so, in its own words
)

var hints = map[Reason]string{
	Expired:           "renew it",
	NotYetValid:       "check the clock; --at verifies for another time",
	IssuerMissing:     "name the file with its issuer: --untrusted for an intermediate, --ca-file for a root that you trust",
	UntrustedRoot:     "name it with --ca-file if you trust it",
	Signature:         "get the certificate again: it was changed, or another CA has the same name",
	Algorithm:         "have its issuer sign it again, with SHA-256 at least and an RSA key of 2048 bits, P-256 or Ed25519",
	NotCA:             "have it issued by a CA",
	PathLength:        "have it issued by a CA further up",
	NameConstraints:   "use a CA that allows the name",
	Usage:             "issue it in another profile, or verify it for what it is with --for",
	NameMismatch:      "issue it with the name as --san, or verify it for one that it has",
	CriticalExtension: "issue it without the extension",
	Policies:          "use a CA that allows its policies",
	TooLarge:          "issue a smaller one",
	Revoked:           "issue a new one, with a new key",
	CRLMissing:        "name its issuer's CRL with --crl",
	CRLStale:          "get the newest CRL of its issuer; `keyward gen-crl` makes one",
	CRLInvalid:        "get a complete CRL that its issuer signed",
	Strict:            "issue it again in the peer, server or client profile",
}

// Error says why a certificate is not trusted.
type Error struct {
	Reason     Reason
	Cert       *x509.Certificate   // the one at fault
	Depth      int                 // where it stands in Chain; 0 is the certificate that was to be verified
	Chain      []*x509.Certificate // as far as it could be built; the last need not be a root
	Violations []Violation         // the rules that are broken, with the reason Strict
	Err        error               // what crypto/x509 says; nil where it says nothing

	words string
}

func (e *Error) Error() string {
	if e.Depth == 0 {
		return e.words
	}
	return fmt.Sprintf("%s: %s", NameOf(e.Cert), e.words)
}

// Unwrap gives crypto/x509's error.
func (e *Error) Unwrap() error { return e.Err }

func (e *Error) fault() error {
	hint := hints[e.Reason]
	switch {
	case e.Reason == Strict && e.Depth > 0:
		hint = "make the CA again, or verify without --strict"
	case e.Reason == Usage && e.Depth > 0:
		hint = "use a CA that is for this, or verify for what it is for with --for"
	case e.Reason == NameMismatch && len(certs.Describe(e.Cert).SANs) == 0:
		hint = "issue it with the name as --san"
	}
	return fault.New(fault.NotTrusted, hint, "%w", e)
}

// failure is an Error about the certificate at depth of chain.
func failure(reason Reason, chain []*x509.Certificate, depth int, format string, args ...any) *Error {
	return &Error{Reason: reason, Cert: chain[depth], Depth: depth, Chain: chain, words: fmt.Sprintf(format, args...)}
}

func nameMismatch(chain []*x509.Certificate, name string) *Error {
	sans := certs.Describe(chain[0]).SANs
	if cn := chain[0].Subject.CommonName; cn != "" && len(sans) == 0 {
		return failure(NameMismatch, chain[:1], 0, "it is not for %s: it has none, and its common name %q does not count", name, cn)
	}
	return failure(NameMismatch, chain[:1], 0, "it is not for %s: it has %s", name, listed(sans))
}

// NameOf is what people know a certificate by: a leaf's first name, else the subject's common name, its
// organization where that is all, or the subject.
func NameOf(cert *x509.Certificate) string {
	if !cert.IsCA && len(cert.DNSNames) > 0 {
		return cert.DNSNames[0]
	}
	info := certs.Describe(cert)
	if !info.IsCA && len(info.SANs) > 0 {
		return info.SANs[0]
	}
	if len(cert.Subject.Names) == 1 && len(cert.Subject.Organization) == 1 {
		return cert.Subject.Organization[0]
	}
	return cmp.Or(cert.Subject.CommonName, info.Subject, "serial "+info.Serial)
}

// listed joins what somebody may have made long.
func listed[S ~string](list []S) string {
	const most = 10
	var words []string
	for i, s := range list {
		if i == most {
			words = append(words, fmt.Sprintf("and %d more", len(list)-most))
			break
		}
		words = append(words, string(s))
	}
	return cmp.Or(strings.Join(words, ", "), "none")
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
