package verify

import (
	"bytes"
	"cmp"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"slices"
	"strings"

	"keyward/certs"
)

// What the search for a reason costs at most, since whoever made the certificates could give them all
// the same name.
const (
	maxDepth      = 32 // certificates of the likeliest chain
	maxCandidates = 16 // signatures that are checked for one of them
)

// minRSA is how many bits an RSA key must have for crypto/rsa to verify with it.
const minRSA = 1024

// explain finds why there is no chain for cert, and which certificate is to blame. It looks at the
// likeliest chain from the bottom up, since crypto/x509 does not say whose fault it is.
func (v *Verifier) explain(cert *x509.Certificate, with []*x509.Certificate, cause error) *Error {
	e := v.reason(cert, with, cause)
	e.Err = cause
	return e
}

func (v *Verifier) reason(cert *x509.Certificate, with []*x509.Certificate, cause error) *Error {
	if _, mismatch := errors.AsType[x509.HostnameError](cause); mismatch {
		return nameMismatch([]*x509.Certificate{cert}, v.opts.Name)
	}
	chain, broken := v.likeliest(cert, with)
	end := len(chain)
	if broken != nil {
		end = broken.Depth + 1
	}
	for depth := range end {
		if e := v.flaw(chain, depth); e != nil {
			return e
		}
	}
	if broken != nil {
		broken.Chain = chain
		return broken
	}
	invalid, _ := errors.AsType[x509.CertificateInvalidError](cause)
	switch {
	case invalid.Reason == x509.IncompatibleUsage && invalid.Cert != nil:
		return v.wrongUsage(chain)
	case invalid.Reason == x509.CANotAuthorizedForThisName && invalid.Cert != nil:
		return forbiddenName(chain, invalid.Detail)
	case strings.Contains(invalid.Detail, "invalid policies"):
		return failure(Policies, chain, 0, "no policy of it is valid under the policies of the CAs above")
	}
	return failure(Untrusted, chain, 0, "%s", strings.TrimPrefix(cause.Error(), "x509: "))
}

// likeliest is the chain that cert most probably was meant to have. Where it does not reach a root, or a
// signature in it is wrong, the error says so.
func (v *Verifier) likeliest(cert *x509.Certificate, with []*x509.Certificate) ([]*x509.Certificate, *Error) {
	chain := []*x509.Certificate{cert}
	var broken *Error
	for len(chain) < maxDepth {
		last := chain[len(chain)-1]
		if v.trusted(last) {
			return chain, broken
		}
		issuer, err := v.issuerOf(chain, with)
		if issuer == nil {
			return chain, cmp.Or(broken, noIssuer(chain))
		}
		chain = append(chain, issuer)
		if err != nil && broken == nil {
			broken = badSignature(chain, err)
		}
	}
	return chain, cmp.Or(broken, failure(Untrusted, chain, 0, "its chain is longer than %d certificates", maxDepth))
}

func (v *Verifier) trusted(cert *x509.Certificate) bool {
	if v.opts.Roots != nil {
		return v.trust[string(cert.Raw)]
	}
	// A pool does not tell what is in it; who is trusted verifies by itself, if it is in its time.
	_, err := cert.Verify(x509.VerifyOptions{Roots: v.x509.Roots, CurrentTime: cert.NotAfter, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err == nil
}

func noIssuer(chain []*x509.Certificate) *Error {
	depth := len(chain) - 1
	top := chain[depth]
	if selfSigned(top) {
		return failure(UntrustedRoot, chain, depth, "it signed itself and is not among the roots that are trusted")
	}
	return failure(IssuerMissing, chain, depth, "its issuer %s is not here", cmp.Or(top.Issuer.String(), "without a name"))
}

func selfSigned(c *x509.Certificate) bool {
	if !bytes.Equal(c.RawSubject, c.RawIssuer) {
		return false
	}
	err := verifies(c, c)
	_, old := errors.AsType[x509.InsecureAlgorithmError](err)
	return err == nil || old
}

func badSignature(chain []*x509.Certificate, err error) *Error {
	depth := len(chain) - 2
	child, issuer := chain[depth], NameOf(chain[depth+1])
	if why := outsize(chain[depth+1]); why != "" {
		return failure(TooLarge, chain, depth+1, "it has %s", why)
	}
	_, old := errors.AsType[x509.InsecureAlgorithmError](err)
	if old || errors.Is(err, x509.ErrUnsupportedAlgorithm) {
		return failure(Algorithm, chain, depth, "its signature by %s is not accepted: %v", issuer, child.SignatureAlgorithm)
	}
	if key, ok := chain[depth+1].PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < minRSA {
		return failure(Algorithm, chain, depth, "its signature by %s is not accepted: that RSA key has %d bits", issuer, key.N.BitLen())
	}
	return failure(Signature, chain, depth, "its signature is wrong: it names %s as its issuer, whose key did not make it", issuer)
}

// issuerOf finds who most probably issued the last certificate of chain; the error is its signature's.
func (v *Verifier) issuerOf(chain, with []*x509.Certificate) (*x509.Certificate, error) {
	child := chain[len(chain)-1]
	var best *x509.Certificate
	var bestErr error
	rank, tried := 0, 0
	for _, list := range [][]*x509.Certificate{v.issuer[string(child.RawIssuer)], with} {
		for _, c := range list {
			if tried == maxCandidates || !bytes.Equal(c.RawSubject, child.RawIssuer) || slices.ContainsFunc(chain, c.Equal) {
				continue
			}
			r, err := 1, errors.New("the key identifiers differ")
			if keyIDsFit(c, child) {
				tried++
				if err = verifies(c, child); err == nil {
					r = 3 + v.worth(c)
				} else {
					r = 2
				}
			}
			if r > rank {
				best, bestErr, rank = c, err, r
			}
		}
	}
	return best, bestErr
}

// worth ranks those who have the same key: a root first, then who is in its time and may sign.
func (v *Verifier) worth(c *x509.Certificate) int {
	sound := !v.opts.At.Before(c.NotBefore) && !v.opts.At.After(c.NotAfter) && c.BasicConstraintsValid && c.IsCA
	switch {
	case v.trust[string(c.Raw)] && sound:
		return 3
	case v.trust[string(c.Raw)]:
		return 2
	case sound:
		return 1
	}
	return 0
}

func keyIDsFit(issuer, child *x509.Certificate) bool {
	return len(child.AuthorityKeyId) == 0 || len(issuer.SubjectKeyId) == 0 || bytes.Equal(child.AuthorityKeyId, issuer.SubjectKeyId)
}

// verifies checks a signature alone, whatever the issuer may do.
func verifies(issuer, child *x509.Certificate) error {
	if outsize(issuer) != "" {
		return errors.New("not looked at")
	}
	switch child.SignatureAlgorithm {
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1: // CheckSignature takes them, Verify does not
		return x509.InsecureAlgorithmError(child.SignatureAlgorithm)
	}
	return issuer.CheckSignature(child.SignatureAlgorithm, child.RawTBSCertificate, child.Signature)
}

// flaw is what is wrong with one certificate by itself, or as an issuer of the one below it.
func (v *Verifier) flaw(chain []*x509.Certificate, depth int) *Error {
	c := chain[depth]
	switch why := outsize(c); {
	case why != "":
		return failure(TooLarge, chain, depth, "it has %s", why)
	case len(c.UnhandledCriticalExtensions) > 0:
		return failure(CriticalExtension, chain, depth, "its critical extension %s is not known", c.UnhandledCriticalExtensions[0])
	case v.opts.At.Before(c.NotBefore):
		return failure(NotYetValid, chain, depth, "it is not valid before %s", stamp(c.NotBefore))
	case v.opts.At.After(c.NotAfter):
		return failure(Expired, chain, depth, "it expired on %s", stamp(c.NotAfter))
	case depth == 0:
		return nil
	case c.Version == 3 && !c.BasicConstraintsValid || c.BasicConstraintsValid && !c.IsCA || !c.IsCA && !v.trusted(c):
		return failure(NotCA, chain, depth, "it is not a CA, and issued %s", NameOf(chain[depth-1]))
	case c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0:
		return failure(NotCA, chain, depth, "its key usage does not let it sign certificates, and it issued %s", NameOf(chain[depth-1]))
	case c.BasicConstraintsValid && c.MaxPathLen >= 0 && depth-1 > c.MaxPathLen:
		return failure(PathLength, chain, depth, "its path length is %d, and the number of CAs below it is %d", c.MaxPathLen, depth-1)
	}
	return nil
}

// wrongUsage finds the certificate whose extended key usage leaves the purpose out.
func (v *Verifier) wrongUsage(chain []*x509.Certificate) *Error {
	want := v.opts.Purpose.usage()
	asked := certs.Purpose(&x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{want}})
	for depth, c := range chain {
		limited := len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) > 0
		if limited && !slices.Contains(c.ExtKeyUsage, want) && !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny) {
			has := certs.Purpose(&x509.Certificate{ExtKeyUsage: c.ExtKeyUsage, UnknownExtKeyUsage: c.UnknownExtKeyUsage})
			return failure(Usage, chain, depth, "its usage is %s, not %s", has, asked)
		}
	}
	return failure(Usage, chain, 0, "its chain is not for %s", asked)
}
