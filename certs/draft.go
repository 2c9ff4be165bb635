package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"time"
)

// Draft is the certificate that Issue would make of req now, without what follows from keys: its
// public key, identifiers, serial number and signature. above is its issuer and those above that, none
// for a root; drafts will do. What Issue refuses Draft refuses, but for what the issuer's key says.
// asked is the end that req wants, which the issuer's may come before.
func Draft(req Request, above []*x509.Certificate, now time.Time) (draft *x509.Certificate, asked time.Time, err error) {
	w, err := req.check(now)
	if err != nil {
		return nil, asked, err
	}
	issuer := &Issuer{Chain: above}
	life := lifetime{start: req.start(now), end: w.NotAfter}
	if len(above) > 0 {
		if err := issuer.checkChain(w, now); err != nil {
			return nil, asked, err
		}
		if life, err = issuer.fit(life, w); err != nil {
			return nil, asked, err
		}
	}
	draft = &x509.Certificate{
		Subject:   pkix.Name{Organization: []string{w.Organization}},
		NotBefore: life.start, NotAfter: life.end,
		BasicConstraintsValid: true, IsCA: w.Role != Leaf, MaxPathLen: -1,
	}
	switch {
	case w.Profile == Micronets:
		draft.ExtraExtensions, err = micronetsExtensions(w.Role, nil, nil)
	case w.Role == Leaf:
		w.fillLeaf(draft)
	default:
		w.fillCA(draft)
		issuer.inherit(draft)
	}
	return draft, w.NotAfter, err
}
