package registry

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/netip"
	"time"

	"keyward/internal/limit"
	"keyward/registry/wire"
	"keyward/store"
)

// Wrong passwords are counted in the store, so that all servers over it count together, under three subjects: the
// source, the account, and the account as seen from the source's neighbourhood. Past the number of each that is free
// the next try has to wait, at first a second after the last wrong password, then twice as long with each, up to
// longestDelay. A try that comes earlier is answered 429, and neither hashed nor counted. A count ends after
// store.FailureMemory without a wrong password.
//
// Nobody elsewhere keeps a user out who has the right password: what is counted for an account by itself holds up only
// neighbourhoods that gave a wrong password for it since they last gave the right one. So each has one try, and a
// guesser with many addresses has one an hour for each neighbourhood besides what is free. Who shares an address
// with a guesser waits with them. Logins with a key never wait: nobody guesses a seal.
//
// The counts go by what was claimed, and so does the answer: it is the same for a name that is no user's.
const (
	freeOfSource  = 10 // more than of a name: several users may come from one address
	freeNearby    = 5
	freeOfAccount = 20
	longestDelay  = time.Minute
)

// claim is a source that says it is a user. Its strings are subjects of the store's failures.
type claim struct{ source, account, nearby string }

// claim names the subjects without the user's name, which may be a password typed into the wrong field: it goes
// through a hash that takes the server's private key, so that the store does not tell it. The current key is that of all
// servers over a store; where it is replaced, accounts are counted anew.
func (s *Server) claim(c *call, name string) claim {
	key := s.current().private
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte("account of a failed login\x00" + name))
	account := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
	from := limit.Source(c.r.RemoteAddr)
	return claim{"source:" + from.String(), "account:" + account, "nearby:" + account + "@" + neighbourhood(from).String()}
}

// neighbourhood is the network in which a source is likely to have other addresses: 24 bits of an IPv4 address, 48 of
// an IPv6 address.
func neighbourhood(source netip.Prefix) netip.Prefix {
	bits := 48
	if source.Addr().Is4() {
		bits = 24
	}
	p, _ := source.Addr().Prefix(bits) // the zero prefix has itself
	return p
}

// mayTry refuses a password login that comes too early after wrong ones.
func (s *Server) mayTry(ctx context.Context, who claim) error {
	all, err := s.cfg.Store.Failures(ctx, who.source, who.nearby, who.account)
	if err != nil {
		return err
	}
	now := s.cfg.Now()
	wait := max(delay(all[0], freeOfSource, now), delay(all[1], freeNearby, now))
	if all[1].Count > 0 && now.Sub(all[1].Last) <= store.FailureMemory {
		wait = max(wait, delay(all[2], freeOfAccount, now))
	}
	if wait > 0 {
		return errLimited(wait)
	}
	return nil
}

// delay is how long the next try has to wait.
func delay(f store.Failure, free int, now time.Time) time.Duration {
	ago := now.Sub(f.Last)
	if f.Count < free || ago < -longestDelay { // what is to come is of a clock that was set back: nobody waits for it
		return 0
	}
	long := min(time.Second<<min(f.Count-free, 10), longestDelay)
	return min(long, long-ago) // another server's clock may go before
}

// wrongPassword counts one.
func (s *Server) wrongPassword(ctx context.Context, who claim) error {
	return s.cfg.Store.AddFailure(ctx, s.cfg.Now(), who.source, who.nearby, who.account)
}

// rightPassword forgets the wrong ones for the account from nearby. What the source did to other accounts stays.
func (s *Server) rightPassword(ctx context.Context, who claim) error {
	nearby, err := s.cfg.Store.Failures(ctx, who.nearby)
	if err != nil || nearby[0].Count == 0 {
		return err
	}
	return s.cfg.Store.ForgetFailures(ctx, who.nearby)
}

// errLimited tells when the next try may be.
func errLimited(wait time.Duration) error {
	return &refusal{status: http.StatusTooManyRequests, retry: wait, body: wire.Error{
		Error:   wire.CodeLimited,
		Message: "too many wrong passwords",
		Hint:    "wait and try again; a login with a key need not wait",
	}}
}
