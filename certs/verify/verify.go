// Package verify tells whether a certificate can be trusted, and if not, which certificate of its
// chain is at fault and why.
//
// A Verifier is made once for the roots, the time and the purpose, and then asked for any number of
// certificates. What it trusts is what crypto/x509 trusts, and never more: the checks here come after
// x509.Certificate.Verify, or look for the reason where that failed.
//
// Revocation goes by the CRLs that are given; nothing is fetched. Strict holds each certificate of the chain
// against rules that crypto/x509 lets pass; strict.go lists them all, with their sections.
package verify

import (
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"keyward/fault"
)

// Purpose is what a certificate is to be used for.
type Purpose int

// The purposes. Any takes a certificate whatever its extended key usage says.
const (
	Any Purpose = iota
	Server
	Client
)

// ParsePurpose reads "any", "server" or "client"; all else is fault.Usage.
func ParsePurpose(s string) (Purpose, error) {
	if i := slices.Index([]string{"any", "server", "client"}, s); i >= 0 {
		return Purpose(i), nil
	}
	return Any, fault.New(fault.Usage, "take server, client or any", "%q is no purpose", s)
}

func (p Purpose) usage() x509.ExtKeyUsage {
	return [...]x509.ExtKeyUsage{x509.ExtKeyUsageAny, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}[p]
}

// What a certificate may have at most. Larger ones are not looked at: their cost is not their owner's.
const (
	maxCertificate = 256 << 10 // bytes
	maxRSA         = 16384     // bits
)

// Options says what a chain is held against.
type Options struct {
	Roots         []*x509.Certificate // what is trusted; nil for the system's roots
	Intermediates []*x509.Certificate // what may stand between, beside those that come with a certificate
	Name          string              // the DNS name, IP address, e-mail address or URI that the certificate must have; "" for whatever
	At            time.Time           // the time that counts, to the second; must be set
	Purpose       Purpose
	CRLs          []*CRL // the certificate itself must be covered by one of them, where there are any
	AllCRLs       bool   // each certificate below a root must be covered
	Strict        bool   // hold the rules that strict.go lists
}

// Verifier verifies certificates against the same options. It may be used by several goroutines at once.
type Verifier struct {
	opts   Options
	x509   x509.VerifyOptions
	match  func(*x509.Certificate) bool // a name that crypto/x509 does not match; nil for none
	trust  map[string]bool              // the roots, by their DER
	issuer map[string][]*x509.Certificate
	crls   *crls
}

// New makes a Verifier. fault.Failed where the system's roots cannot be read or opts.At is not set.
func New(opts Options) (*Verifier, error) {
	if opts.At.IsZero() {
		return nil, fault.New(fault.Failed, "", "verify at no time")
	}
	opts.At = opts.At.Truncate(time.Second) // validity counts in seconds (RFC 5280 section 4.1.2.5)
	v := &Verifier{opts: opts, trust: map[string]bool{}, issuer: map[string][]*x509.Certificate{}, crls: newCRLs(opts.CRLs, opts.Strict)}
	roots, err := x509.NewCertPool(), error(nil)
	if opts.Roots == nil {
		roots, err = x509.SystemCertPool()
	}
	if err != nil {
		return nil, fault.New(fault.Failed, "name the roots with --ca-file", "the system's roots cannot be read: %w", err)
	}
	for _, cert := range opts.Roots {
		roots.AddCert(cert)
		v.trust[string(cert.Raw)] = true
		v.issuer[string(cert.RawSubject)] = append(v.issuer[string(cert.RawSubject)], cert)
	}
	v.x509 = x509.VerifyOptions{
		Roots: roots, Intermediates: x509.NewCertPool(), CurrentTime: opts.At,
		KeyUsages: []x509.ExtKeyUsage{opts.Purpose.usage()},
	}
	for _, cert := range opts.Intermediates {
		v.issuer[string(cert.RawSubject)] = append(v.issuer[string(cert.RawSubject)], cert)
		if outsize(cert) == "" {
			v.x509.Intermediates.AddCert(cert)
		}
	}
	if v.match = exactName(opts.Name); v.match == nil {
		v.x509.DNSName = opts.Name
	}
	return v, nil
}

// At is the same Verifier for another time. What was found out of the signatures of CRLs, both know.
func (v *Verifier) At(t time.Time) *Verifier {
	at := *v
	at.opts.At = t.Truncate(time.Second)
	at.x509.CurrentTime = at.opts.At
	return &at
}

// Chain is New and Verifier.Chain for one certificate.
func Chain(cert *x509.Certificate, opts Options) ([]*x509.Certificate, error) {
	v, err := New(opts)
	if err != nil {
		return nil, err
	}
	return v.Chain(cert)
}

// Chain verifies cert and returns its chain, from cert to a root. Certificates that came with it may stand
// between. An error is fault.NotTrusted around an *Error, which says why and whose fault it is.
func (v *Verifier) Chain(cert *x509.Certificate, with ...*x509.Certificate) ([]*x509.Certificate, error) {
	chains, err := v.build(cert, with)
	if err != nil {
		return nil, v.explain(cert, with, err).fault()
	}
	var first *Error // of the chains that crypto/x509 found, the first is the likeliest
	for _, chain := range chains {
		failed := v.check(chain)
		if failed == nil {
			return chain, nil
		}
		if first == nil {
			first = failed
		}
	}
	return nil, first.fault()
}

func (v *Verifier) build(cert *x509.Certificate, with []*x509.Certificate) ([][]*x509.Certificate, error) {
	if why := outsize(cert); why != "" {
		return nil, fmt.Errorf("the certificate has %s", why)
	}
	opts := v.x509
	if len(with) > 0 {
		opts.Intermediates = opts.Intermediates.Clone()
	}
	for _, other := range with {
		if outsize(other) == "" {
			opts.Intermediates.AddCert(other)
		}
	}
	return cert.Verify(opts)
}

// check holds a chain that crypto/x509 takes against what else is asked for.
func (v *Verifier) check(chain []*x509.Certificate) *Error {
	if v.match != nil && !v.match(chain[0]) {
		return nameMismatch(chain, v.opts.Name)
	}
	if v.opts.Strict {
		if failed := strict(chain, v.opts.Purpose); failed != nil {
			return failed
		}
	}
	if len(v.opts.CRLs) == 0 && !v.opts.AllCRLs {
		return nil
	}
	return v.crls.check(chain, v.opts.At, v.opts.AllCRLs)
}

// exactName matches an e-mail address or a URI, which crypto/x509 does not; nil where name is none. Hosts and
// schemes are the same in any case, the rest is not (RFC 5280 sections 7.4 and 7.5).
func exactName(name string) func(*x509.Certificate) bool {
	switch uri, err := url.Parse(name); {
	case err == nil && (uri.Host != "" || uri.Scheme == "urn"):
		return func(cert *x509.Certificate) bool {
			return slices.ContainsFunc(cert.URIs, func(has *url.URL) bool { return folded(has) == folded(uri) })
		}
	case strings.Contains(name, "@"):
		return func(cert *x509.Certificate) bool {
			return slices.ContainsFunc(cert.EmailAddresses, func(has string) bool { return mailbox(name, has) })
		}
	}
	return nil
}

// folded is a URI with its host in small letters; url.Parse has made the scheme so.
func folded(uri *url.URL) string {
	same := *uri
	same.Host = strings.ToLower(uri.Host)
	return same.String()
}

// outsize says what of a certificate is larger than it may be; nothing where it is not.
func outsize(cert *x509.Certificate) string {
	if len(cert.Raw) > maxCertificate {
		return fmt.Sprintf("more than %d bytes", maxCertificate)
	}
	if key, ok := cert.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSA {
		return fmt.Sprintf("an RSA key of more than %d bits", maxRSA)
	}
	return ""
}
