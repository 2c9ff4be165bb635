package natsauth

import (
	"context"
	"crypto/x509"
	"errors"
	"time"

	"keyward/bus"
	"keyward/fault"
)

// Accounts is what is needed of a store.
type Accounts interface {
	// Account is the account of a name, revoked ones too. Its error is fault.NotFound where there never was one.
	Account(ctx context.Context, name bus.Name) (bus.Account, error)

	// AccountChanges gives, oldest first, at most limit accounts that changed after a revision, as they are now, and the
	// revision to ask after the next time.
	AccountChanges(ctx context.Context, since int64, limit int) (changed []bus.Account, latest int64, err error)
}

// Authorizer decides which account a certificate opens.
type Authorizer struct {
	Accounts    Accounts
	TrustDomain string // of the certificates' identities, such as example.org

	// Verify returns nil for a client's certificate that can be trusted at a time: its chain, their times, its usage, whether
	// it is revoked. A chain has the certificate first; what comes after may help to verify it, and proves nothing.
	Verify func(chain []*x509.Certificate, at time.Time) error
}

// Authorize gives the account that a chain opens at a time. Its errors say why for the log, and are nothing to tell a client:
// fault.Unreachable where the store does not answer, fault.NotFound for a name without an account, fault.NotPermitted for a
// revoked account, else fault.NotTrusted.
func (a *Authorizer) Authorize(ctx context.Context, chain []*x509.Certificate, at time.Time) (bus.Account, error) {
	if len(chain) == 0 {
		return bus.Account{}, fault.New(fault.NotTrusted, "have the server ask for certificates: `keyward bus config` does", "the client shows no certificate")
	}
	if err := a.Verify(chain, at); err != nil {
		return bus.Account{}, fault.New(fault.NotTrusted, "", "the certificate is not trusted: %w", err)
	}
	name, err := bus.AccountOf(chain[0], a.TrustDomain)
	if err != nil {
		return bus.Account{}, err
	}
	account, err := a.Accounts.Account(ctx, name)
	switch {
	case errors.Is(err, fault.NotFound):
		return bus.Account{}, fault.New(fault.NotFound, "make it with `keyward bus account add`", "there is no account %s", name)
	case err != nil:
		return bus.Account{}, fault.New(fault.Unreachable, "nobody is let in until it answers; who is in stays", "the store does not answer: %w", err)
	case account.Name != name: // a store that takes names for equal which are not
		return bus.Account{}, fault.New(fault.NotTrusted, "", "the store has %s for the account %s", account.Name, name)
	}
	return account, account.Opens(chain[0])
}
