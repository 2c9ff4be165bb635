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

	"keyward/certs"
	"keyward/certs/verify"
	"keyward/internal/fault"
	"keyward/internal/secretfile"
	"keyward/relay"
)

// maxRules is how many bytes of a file of rules are read.
const maxRules = 1 << 20

// relayTrust is who may come to the relay: whom the CA signed and did not revoke, and whom the rules allow. Its files are
// read by one goroutine.
type relayTrust struct {
	log    *slog.Logger
	now    func() time.Time
	caFile string
	crls   []string // files
	rules  string   // a file; "" allows all

	held     atomic.Pointer[authority]
	allowed  atomic.Pointer[relay.Rules]
	changed  bool // since the last review
	reviewed time.Time
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

// endingCRL is a CRL, and what was told of its end.
type endingCRL struct {
	*x509.RevocationList
	told string
}

// sources are the files that it comes from.
func (t *relayTrust) sources() []*followed {
	all := []*followed{{what: "ca and crls", names: append([]string{t.caFile}, t.crls...), read: t.readAuthority}}
	if t.rules != "" {
		all = append(all, &followed{what: "rules", names: []string{t.rules}, read: t.readRules})
	}
	return all
}

// review has the relay look again at all who are there, when something changed, and every now and then: certificates end.
func (t *relayTrust) review(server *relay.Server) {
	t.warn()
	if now := t.now(); t.changed || now.Sub(t.reviewed) >= lookForEnds {
		t.changed, t.reviewed = false, now
		server.Review()
	}
}

// readAuthority reads the CA's certificates and CRLs.
func (t *relayTrust) readAuthority(context.Context) error {
	found, err := certs.ReadFile(t.caFile)
	if err != nil {
		return err
	}
	next := &authority{roots: x509.NewCertPool(), known: map[[sha256.Size]byte]span{}}
	for _, cert := range found.Certs {
		if certs.RoleOf(cert) == certs.Leaf {
			return fault.New(fault.InvalidFile, "give --ca-file the certificate of the CA that signs the peers", "%s: %s is no CA", t.caFile, verify.NameOf(cert))
		}
		next.roots.AddCert(cert)
	}
	opts := verify.Options{Roots: found.Certs, At: t.now(), Purpose: verify.Client}
	for _, file := range t.crls {
		crls, err := verify.ReadCRLs(file)
		if err != nil {
			return err
		}
		opts.CRLs = append(opts.CRLs, crls...)
	}
	if next.verifier, err = verify.New(opts); err != nil {
		return err
	}
	t.log.Info("ca", "file", t.caFile, "certificates", len(found.Certs))
	for _, crl := range opts.CRLs {
		list := crl.List()
		next.crls = append(next.crls, &endingCRL{RevocationList: list})
		t.log.Info("crl", "issuer", list.Issuer.String(), "number", list.Number, "next_update", list.NextUpdate.UTC(), "revoked", len(list.RevokedCertificateEntries))
	}
	t.warnUncovered(found.Certs, opts.CRLs)
	t.held.Store(next)
	t.changed = true
	return nil
}

// warnUncovered tells of each CA that has no CRL, where there are any: a CRL of another CA is easily given.
func (t *relayTrust) warnUncovered(cas []*x509.Certificate, crls []*verify.CRL) {
	for _, ca := range cas {
		covers := func(crl *verify.CRL) bool { return crl.List().CheckSignatureFrom(ca) == nil }
		if len(crls) > 0 && !slices.ContainsFunc(crls, covers) {
			t.log.Warn("there is no CRL of a CA: whom it signed itself is not let in", "ca", ca.Subject.String(),
				"hint", "give --crl that of each CA that signs peers; `keyward gen-crl` makes one")
		}
	}
}

func (t *relayTrust) readRules(context.Context) error {
	text, _, err := secretfile.Read(t.rules, maxRules)
	if err != nil {
		return err
	}
	rules, err := relay.ParseRules(t.rules, text)
	if err != nil {
		return err
	}
	t.allowed.Store(rules)
	t.changed = true
	t.log.Info("rules", "file", t.rules, "rules", rules.Len())
	if rules.Len() == 0 {
		t.log.Warn("there is no rule: nobody may come", "file", t.rules)
	}
	return nil
}

// permit tells whether a peer may come, or may meet another. It is asked again about those who are here: a certificate ends, or is revoked.
func (t *relayTrust) permit(who relay.Visitor, mate *relay.Visitor) error {
	if err := t.trusted(who.Certificate, slices.Concat(who.Chains...)); err != nil {
		return err
	}
	if rules := t.allowed.Load(); rules != nil {
		return rules.Permit(who, mate)
	}
	return nil
}

func (t *relayTrust) trusted(cert *x509.Certificate, with []*x509.Certificate) error {
	return t.held.Load().trusts(cert, with, t.now())
}

// tlsConfig asks each peer for a certificate of the CA as it is by then.
func (t *relayTrust) tlsConfig(shown *identity) *tls.Config {
	config := shown.tlsConfig()
	config.NextProtos = []string{"http/1.1"} // a websocket begins with an upgrade, which HTTP/2 has not
	config.ClientAuth, config.Time = tls.RequireAndVerifyClientCert, t.now
	config.VerifyConnection = func(state tls.ConnectionState) error {
		cert := state.PeerCertificates[0]
		err := t.trusted(cert, state.PeerCertificates[1:])
		if err != nil { // the CA signed it, so no stranger fills the log
			t.tellRefused(cert, err)
		}
		return err
	}
	base := config.Clone()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		now := base.Clone()
		now.ClientCAs = t.held.Load().roots
		return now, nil
	}
	return config
}

// refused logs who was refused in the handshake, where the CA signed the certificate: strangers fill no log.
func (t *relayTrust) refused(remote net.Addr, chain []*x509.Certificate) {
	if len(chain) == 0 || !t.held.Load().signed(chain[0], chain[1:], t.now()) {
		return
	}
	if err := t.trusted(chain[0], chain[1:]); err != nil {
		t.tellRefused(chain[0], err, "remote", remote.String())
	}
}

func (t *relayTrust) tellRefused(cert *x509.Certificate, err error, more ...any) {
	about := append(relay.LogAttrs(cert), "serial", certs.Describe(cert).Serial, "error", err, "hint", fault.HintOf(err))
	t.log.Warn("refused", append(about, more...)...)
}

// signed tells whether the CA signed a certificate, which may have ended, not have begun or not be for a client.
func (a *authority) signed(cert *x509.Certificate, with []*x509.Certificate, now time.Time) bool {
	ageless := func(c *x509.Certificate) *x509.Certificate {
		same := *c
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

// nextUpdates is, for each issuer of CRLs, when its last one ends: while one is good, those before it may be old.
func (t *relayTrust) nextUpdates() map[string]time.Time {
	last := map[string]time.Time{}
	for _, crl := range t.held.Load().crls {
		if issuer := crl.Issuer.String(); crl.NextUpdate.After(last[issuer]) {
			last[issuer] = crl.NextUpdate
		}
	}
	return last
}

// warn tells once of a CRL that ends soon, and once that it did.
func (t *relayTrust) warn() {
	now := t.now()
	for _, crl := range t.held.Load().crls {
		words := ""
		switch left := crl.NextUpdate.Sub(now); {
		case left < 0:
			words = "a CRL is too old: whom its issuer signed is not let in"
		case left < crl.NextUpdate.Sub(crl.ThisUpdate)/5:
			words = "a CRL ends soon: whom its issuer signed is not let in after that"
		}
		if words != crl.told {
			crl.told = words
			t.log.Warn(words, "issuer", crl.Issuer.String(), "next_update", crl.NextUpdate.UTC())
		}
	}
}
