package certs

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudflare/cfssl/helpers"

	"keyward/fault"
)

// Issuer is a CA that signs: its key, and its certificate with those above it as far as they are known.
type Issuer struct {
	Chain []*x509.Certificate // the CA's own first, then each one's issuer
	Key   crypto.Signer
}

// NewIssuer checks that key is the first certificate's and that each certificate is signed by
// the next. A key of another certificate is fault.Policy, a chain out of order fault.InvalidFile.
func NewIssuer(chain []*x509.Certificate, key crypto.Signer) (*Issuer, error) {
	if len(chain) == 0 {
		return nil, fault.New(fault.InvalidFile, "name the CA's certificate with --ca-certfile", "no CA certificate")
	}
	if !SameKey(key, chain[0].PublicKey) {
		return nil, fault.New(fault.Policy, "give --ca-keyfile and --ca-certfile of the same CA", "the CA key is not the key of %s", label(chain[0]))
	}
	for i, cert := range chain[:len(chain)-1] {
		if !bytes.Equal(cert.RawIssuer, chain[i+1].RawSubject) {
			return nil, fault.New(fault.InvalidFile, "put the CA first, then its issuer, the root last", "certificate %d, %s, is not the issuer of the one before it", i+2, label(chain[i+1]))
		}
		if err := cert.CheckSignatureFrom(chain[i+1]); err != nil {
			return nil, fault.New(fault.InvalidFile, "put the CA first, then its issuer, the root last", "certificate %d, %s, did not sign the one before it: %w", i+2, label(chain[i+1]), err)
		}
	}
	return &Issuer{Chain: chain, Key: key}, nil
}

// LoadIssuer reads a CA from its files, after finishing or discarding what a killed Write left of
// them. The certificates are PEM, the CA first and then each one's issuer, or one in DER. The key is
// PEM: PKCS#8, SEC1 or PKCS#1; unlock gives the password of one that is encrypted. Both may be in one file, in any order. A key file that
// others can read, or whose folder they can write to, is fault.Policy; with warnOnly it is loaded
// all the same and the warnings are returned. A file that does not parse is fault.InvalidFile.
func LoadIssuer(ctx context.Context, certFile, keyFile string, unlock Unlock, warnOnly bool) (*Issuer, []string, error) {
	chain, key, warnings, err := loadPair(ctx, certFile, keyFile, unlock, warnOnly)
	if err != nil {
		return nil, nil, err
	}
	issuer, err := NewIssuer(chain, key)
	return issuer, warnings, err
}

// check refuses, as fault.Policy, what a verifier would not accept below this issuer now.
func (ca *Issuer) check(w wanted, now time.Time) error {
	if !SameKey(ca.Key, ca.Chain[0].PublicKey) {
		return fault.New(fault.Policy, "give --ca-keyfile and --ca-certfile of the same CA", "the CA key is not the key of %s", label(ca.Chain[0]))
	}
	switch helpers.SignerAlgo(ca.Key) {
	case x509.UnknownSignatureAlgorithm, x509.SHA1WithRSA, x509.ECDSAWithSHA1:
		return fault.New(fault.Policy, "use a CA with a stronger key", "the key of %s (%s) is too weak: verifiers refuse what it signs", label(ca.Chain[0]), keyTypeOf(ca.Key.Public()))
	}
	return ca.checkChain(w, now)
}

// checkChain is check of the certificates alone, whatever their key is.
func (ca *Issuer) checkChain(w wanted, now time.Time) error {
	for depth, cert := range ca.Chain {
		if err := checkCA(cert, now); err != nil {
			return err
		}
		if err := checkPathLen(cert, depth, w); err != nil {
			return err
		}
		if err := checkPurpose(cert, w); err != nil {
			return err
		}
		if err := checkNames(w.names, cert); err != nil {
			return err
		}
		if err := checkLimits(w.limits, cert); err != nil {
			return err
		}
	}
	return checkSubject(ca.Chain[0], w)
}

// checkSubject refuses a leaf that OpenSSL would take for self-signed: one that has its issuer's
// name, compared as RFC 5280 section 7.1 does, and no identifier of its own key.
func checkSubject(cert *x509.Certificate, w wanted) error {
	if w.Role != Leaf || w.Profile != Micronets || len(cert.Subject.Names) != 1 || len(cert.Subject.Organization) != 1 {
		return nil
	}
	fold := func(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }
	if fold(cert.Subject.Organization[0]) != fold(w.Organization) {
		return nil
	}
	return fault.New(fault.Policy, "set another --subject-org-name", "a leaf named as its issuer %s would be taken for self-signed", label(cert))
}

// checkCA refuses a certificate that cannot sign others now.
func checkCA(cert *x509.Certificate, now time.Time) error {
	const another = "use another CA"
	switch {
	case !cert.BasicConstraintsValid || !cert.IsCA:
		return fault.New(fault.Policy, "sign with a root or an intermediate", "%s is not a CA", label(cert))
	case cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0:
		return fault.New(fault.Policy, another, "%s may not sign certificates: its key usage lacks keyCertSign", label(cert))
	case len(cert.UnhandledCriticalExtensions) > 0:
		return fault.New(fault.Policy, another, "%s has a critical extension that verifiers do not know: %v", label(cert), cert.UnhandledCriticalExtensions)
	case now.Before(cert.NotBefore):
		return fault.New(fault.Policy, "check the clock, or wait", "%s is not valid before %s", label(cert), stamp(cert.NotBefore))
	case now.After(cert.NotAfter):
		return fault.New(fault.Policy, "renew the CA, or use another", "%s expired on %s", label(cert), stamp(cert.NotAfter))
	}
	return nil
}

// checkPathLen counts the CAs between cert, which stands depth above the issuer, and the chain's end.
func checkPathLen(cert *x509.Certificate, depth int, w wanted) error {
	limit := maxPathLen(cert)
	if limit < 0 {
		return nil
	}
	below := depth
	if w.Role == Intermediate {
		below++
	}
	if below > limit {
		return fault.New(fault.Policy, "issue leaves from it, or use a CA with a larger path length", "the path length of %s is %d: no CA may be at this depth below it", label(cert), limit)
	}
	if w.PathLen != nil && below+*w.PathLen > limit {
		return fault.New(fault.Policy, fmt.Sprintf("set --path-len to %d at most", limit-below), "a path length of %d goes beyond that of %s, which is %d", *w.PathLen, label(cert), limit)
	}
	return nil
}

// maxPathLen is a CA's path length; -1 where it has none.
func maxPathLen(cert *x509.Certificate) int {
	if cert.MaxPathLen == 0 && !cert.MaxPathLenZero {
		return -1
	}
	return cert.MaxPathLen
}

// checkPurpose holds a leaf's extended key usage against a CA's, which verifiers nest.
func checkPurpose(cert *x509.Certificate, w wanted) error {
	if w.Role != Leaf || len(cert.ExtKeyUsage)+len(cert.UnknownExtKeyUsage) == 0 || slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageAny) {
		return nil
	}
	known, others := w.extKeyUsage()
	for _, usage := range known {
		if !slices.Contains(cert.ExtKeyUsage, usage) {
			return fault.New(fault.Policy, "use another --profile, or another CA", "%s may not sign for %s, which the %s profile is for", label(cert), usageNames[usage], w.Profile)
		}
	}
	for _, usage := range others {
		if !slices.ContainsFunc(cert.UnknownExtKeyUsage, usage.Equal) {
			return fault.New(fault.Policy, "use another CA", "%s may not sign for the usage %v", label(cert), usage)
		}
	}
	return nil
}

// lifetime is when a certificate is valid, and what to tell people of it.
type lifetime struct {
	start, end time.Time
	notes      []string
}

// fit puts a lifetime within those of the issuers. What starts before them starts with them. What
// would outlive them ends with them if that was asked for, is a matter of a day, or if the profile
// is micronets, whose README gives CA and leaf the same lifetime; else it is fault.Policy.
func (ca *Issuer) fit(life lifetime, w wanted) (lifetime, error) {
	first := ca.Chain[0] // the first to end
	for _, cert := range ca.Chain {
		if cert.NotBefore.After(life.start) {
			life.start = cert.NotBefore
		}
		if cert.NotAfter.Before(first.NotAfter) {
			first = cert
		}
	}
	if w.keeps {
		life.end = successorEnd(life.start, w.like)
	}
	excess := life.end.Sub(first.NotAfter)
	if excess <= 0 {
		return life, nil
	}
	if !w.Clamp && excess > 24*time.Hour && w.Profile != Micronets {
		return life, fault.New(fault.Policy, "end it with its issuer by --clamp, or set fewer --days",
			"the certificate would end on %s and outlive %s, which ends on %s", stamp(life.end), label(first), stamp(first.NotAfter))
	}
	life.notes = append(life.notes, fmt.Sprintf("it ends on %s with its issuer, not on %s", stamp(first.NotAfter), stamp(life.end)))
	life.end = first.NotAfter
	return life, nil
}

// label names a certificate in a message.
func label(cert *x509.Certificate) string { return fmt.Sprintf("%q", cert.Subject) }
