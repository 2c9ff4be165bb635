package plan

import (
	"context"
	"crypto/x509"
	"sync"

	"keyward/certs"
	"keyward/certs/ledger"
	"keyward/fault"
)

// authority is a CA while a plan is applied. What stands below it asks for it only when its own turn is
// over, and it is read once.
type authority struct {
	renewed *certs.Issuer // a root that is being signed, for its own ledger
	ledger  string
	stand   func() (*above, error)        // its certificate and those above it
	issuer  func() (*certs.Issuer, error) // and its key
}

// noAuthority stands above a root.
func noAuthority() *authority {
	return &authority{
		stand:  func() (*above, error) { return &above{}, nil },
		issuer: func() (*certs.Issuer, error) { return nil, nil },
	}
}

func (a *applying) addOutside(o Outside) {
	certFile, keyFile := a.m.path(o.CertFile), a.m.path(o.KeyFile)
	a.authorities[o.Name] = &authority{
		ledger: o.Ledger,
		stand: sync.OnceValues(func() (*above, error) {
			stand := a.m.outsideAbove(o)
			return stand, stand.err
		}),
		issuer: sync.OnceValues(func() (*certs.Issuer, error) {
			issuer, _, err := certs.LoadIssuer(context.Background(), certFile, keyFile, a.unlock(o.PasswordFile), false)
			return issuer, err
		}),
	}
}

func (a *applying) addAuthority(e *Entry) {
	over := a.authorities[e.Issuer]
	if over == nil {
		return
	}
	own := &authority{ledger: ledger.Path(a.m.base(e) + certSuffix)}
	own.stand = sync.OnceValues(func() (*above, error) {
		top, err := over.stand()
		if err != nil {
			return nil, err
		}
		f, err := a.m.find(e)
		if err == nil && f.cert == nil {
			err = fault.New(fault.NotFound, "", "its issuer %s is not there", e.Name)
		}
		if err != nil {
			return nil, err
		}
		stand := &above{chain: append([]*x509.Certificate{f.cert}, top.chain...), written: top.written}
		if made := a.m.madeAt(e); made.After(stand.written) {
			stand.written = made
		}
		stand.revoked, err = revoked(a.m.base(e)+certSuffix, f.cert)
		return stand, err
	})
	own.issuer = sync.OnceValues(func() (*certs.Issuer, error) {
		stand, err := own.stand()
		if err != nil {
			return nil, err
		}
		key, _, err := certs.LoadKey(context.Background(), a.m.base(e)+keySuffix, a.unlock(e.PasswordFile))
		if err != nil {
			return nil, err
		}
		return certs.NewIssuer(stand.chain, key)
	})
	a.authorities[e.Name] = own
}
