package cmd

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/certs/verify"
	"keyward/fault"
	"keyward/relay"
)

// clientCA is whom a service takes certificates from: those that a CA signed and did not revoke. Its files are read by one
// goroutine.
type clientCA struct {
	log  *slog.Logger
	now  func() time.Time
	flag string // that names the file of the CA
	whom string // the CA signs
	file string
	crls []string // files

	held     atomic.Pointer[authority]
	changed  bool // since the last review, as what else says who may stay
	reviewed time.Time
}

// due tells whether those who are here have to be asked about again: when something changed, and every now and then, since
// certificates end.
func (c *clientCA) due() bool {
	c.warn()
	now := c.now()
	if !c.changed && now.Sub(c.reviewed) < lookForEnds {
		return false
	}
	c.changed, c.reviewed = false, now
	return true
}

func (c *clientCA) source() *followed {
	return &followed{what: "ca and crls", names: append([]string{c.file}, c.crls...), read: c.read}
}

// authority is what was read of the CA.
type authority struct {
	roots    *x509.CertPool
	verifier *verify.Verifier
	crls     []*endingCRL

	mu    sync.Mutex
	known map[[sha256.Size]byte]span // when certificates are trusted, by their hash
}

// span is a time from a moment up to another.
type span struct{ from, until time.Time }

// maxKnown is how many certificates are remembered. They are forgotten together, which costs no more than to verify them again.
const maxKnown = 16384

// trusts verifies a certificate. What was found is remembered, since each peer is asked for several times: a signature takes
// a good part of what a connection takes.
func (a *authority) trusts(cert *x509.Certificate, with []*x509.Certificate, now time.Time) error {
	which := sha256.Sum256(cert.Raw)
	a.mu.Lock()
	s := a.known[which]
	a.mu.Unlock()
	if !now.Before(s.from) && now.Before(s.until) {
		return nil
	}
	chain, err := a.verifier.At(now).Chain(cert, with...)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.known) >= maxKnown {
		clear(a.known)
	}
	a.known[which] = span{now, a.until(chain, now)}
	return nil
}

// until is when the first certificate of a chain ends, or a CRL does that may be its.
func (a *authority) until(chain []*x509.Certificate, now time.Time) time.Time {
	first := chain[0].NotAfter
	for _, cert := range chain {
		if cert.NotAfter.Before(first) {
			first = cert.NotAfter
		}
	}
	for _, crl := range a.crls {
		if crl.NextUpdate.After(now) && crl.NextUpdate.Before(first) {
			first = crl.NextUpdate
		}
	}
	return first
}

// signed tells whether the CA signed a certificate, which may have ended, not have begun or not be for a client.
func (a *authority) signed(cert *x509.Certificate, with []*x509.Certificate, now time.Time) bool {
	ageless := func(one *x509.Certificate) *x509.Certificate {
		same := *one
		same.NotBefore, same.NotAfter = now, now
		return &same
	}
	between := x509.NewCertPool()
	for _, other := range with {
		between.AddCert(ageless(other))
	}
	_, err := ageless(cert).Verify(x509.VerifyOptions{Roots: a.roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err == nil
}

// endingCRL is a CRL, and what was told of its end.
type endingCRL struct {
	*x509.RevocationList
	told string
}

// read reads the CA's certificates and CRLs.
func (c *clientCA) read(context.Context) error {
	found, err := certs.ReadFile(c.file)
	if err != nil {
		return err
	}
	next := &authority{roots: x509.NewCertPool(), known: map[[sha256.Size]byte]span{}}
	for _, cert := range found.Certs {
		if certs.RoleOf(cert) == certs.Leaf {
			return fault.New(fault.InvalidFile, "give --"+c.flag+" the certificate of the CA that signs the "+c.whom, "%s: %s is no CA", c.file, verify.NameOf(cert))
		}
		next.roots.AddCert(cert)
	}
	opts := verify.Options{Roots: found.Certs, At: c.now(), Purpose: verify.Client}
	for _, file := range c.crls {
		crls, err := verify.ReadCRLs(file)
		if err != nil {
			return err
		}
		opts.CRLs = append(opts.CRLs, crls...)
	}
	if next.verifier, err = verify.New(opts); err != nil {
		return err
	}
	c.log.Info("ca", "file", c.file, "certificates", len(found.Certs))
	for _, crl := range opts.CRLs {
		list := crl.List()
		next.crls = append(next.crls, &endingCRL{RevocationList: list})
		c.log.Info("crl", "issuer", list.Issuer.String(), "number", list.Number, "next_update", list.NextUpdate.UTC(), "revoked", len(list.RevokedCertificateEntries))
	}
	c.warnUncovered(found.Certs, opts.CRLs)
	c.held.Store(next)
	c.changed = true
	return nil
}

// warnUncovered tells of each CA that has no CRL, where there are any: a CRL of another CA is easily given.
func (c *clientCA) warnUncovered(cas []*x509.Certificate, crls []*verify.CRL) {
	for _, ca := range cas {
		covers := func(crl *verify.CRL) bool { return crl.List().CheckSignatureFrom(ca) == nil }
		if len(crls) > 0 && !slices.ContainsFunc(crls, covers) {
			c.log.Warn("there is no CRL of a CA: whom it signed itself is not let in", "ca", ca.Subject.String(),
				"hint", "give --crl that of each CA that signs "+c.whom+"; `keyward gen-crl` makes one")
		}
	}
}

// trusted tells why a certificate is not let in.
func (c *clientCA) trusted(cert *x509.Certificate, with []*x509.Certificate) error {
	return c.held.Load().trusts(cert, with, c.now())
}

// verify is trusted at another time, of a chain that begins with the certificate.
func (c *clientCA) verify(chain []*x509.Certificate, at time.Time) error {
	return c.held.Load().trusts(chain[0], chain[1:], at)
}

// ask has config ask each client for a certificate of the CA as it is by then. With tls.RequireAnyClientCert it is verified here alone,
// and not by crypto/tls before: that takes a fifth of a handshake, and all that a stranger hears is "bad certificate".
func (c *clientCA) ask(config *tls.Config, how tls.ClientAuthType) {
	config.ClientAuth, config.Time = how, c.now
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 { // where none is required
			return nil
		}
		cert, with := state.PeerCertificates[0], state.PeerCertificates[1:]
		err := c.trusted(cert, with)
		if err != nil && c.held.Load().signed(cert, with, c.now()) { // no stranger fills the log
			c.tellRefused(cert, err)
		}
		return err
	}
	base := config.Clone()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		now := base.Clone()
		now.ClientCAs = c.held.Load().roots
		return now, nil
	}
}

// refused logs who was refused in the handshake, where the CA signed the certificate: strangers fill no log.
func (c *clientCA) refused(remote net.Addr, chain []*x509.Certificate) {
	if len(chain) == 0 || !c.held.Load().signed(chain[0], chain[1:], c.now()) {
		return
	}
	if err := c.trusted(chain[0], chain[1:]); err != nil {
		c.tellRefused(chain[0], err, "remote", remote.String())
	}
}

func (c *clientCA) tellRefused(cert *x509.Certificate, err error, more ...any) {
	about := append(relay.LogAttrs(cert), "serial", certs.Describe(cert).Serial, "error", err, "hint", fault.HintOf(err))
	c.log.Warn("refused", append(about, more...)...)
}

// nextUpdates is, for each issuer of CRLs, when its last one ends: while one is good, those before it may be old.
func (c *clientCA) nextUpdates() map[string]time.Time {
	last := map[string]time.Time{}
	for _, crl := range c.held.Load().crls {
		if issuer := crl.Issuer.String(); crl.NextUpdate.After(last[issuer]) {
			last[issuer] = crl.NextUpdate
		}
	}
	return last
}

// warn tells once of a CRL that ends soon, and once that it did.
func (c *clientCA) warn() {
	now := c.now()
	for _, crl := range c.held.Load().crls {
		words := ""
		switch left := crl.NextUpdate.Sub(now); {
		case left < 0:
			words = "a CRL is too old: whom its issuer signed is not let in"
		case left < crl.NextUpdate.Sub(crl.ThisUpdate)/5:
			words = "a CRL ends soon: whom its issuer signed is not let in after that"
		}
		if words != crl.told {
			crl.told = words
			c.log.Warn(words, "issuer", crl.Issuer.String(), "next_update", crl.NextUpdate.UTC())
		}
	}
}

// crlFlag has the files of clientCA.crls.
func crlFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "crl", EnvVars: variable("crl"), TakesFile: true, Usage: "a `FILE` with CRLs of the CA, in PEM or one in DER; may be repeated, and the variable has several with blanks between them"}
}

func checkCRLs(c *cli.Context) error {
	if slices.Contains(c.StringSlice("crl"), "") {
		return fault.New(fault.Usage, "give --crl the file with the CRLs, or leave it out", "--crl names no file")
	}
	return nil
}
