package keyexchange

import (
	"net/netip"
	"sync"
	"time"

	"keyward/internal/identity"
	"keyward/internal/limit"
)

const (
	refusalTime = time.Minute // in which a visitor's refusals are logged once
	maxRefusals = 1000        // that are logged in that time, whoever they are of
)

// refusals says which of them are logged. Who asks again and again fills no log; the metrics count each.
type refusals struct {
	mu    sync.Mutex
	since time.Time
	told  map[refused]bool
}

// refused is who is counted together: a source, with one certificate or none.
type refused struct {
	from        netip.Prefix
	certificate string
}

// due tells whether a visitor's refusal is to be logged.
func (r *refusals) due(v Visitor, now time.Time) bool {
	who := refused{from: limit.Source(v.Address.String())}
	if v.Certificate != nil {
		who.certificate = identity.Fingerprint(v.Certificate)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.told == nil || now.Sub(r.since) >= refusalTime {
		r.since, r.told = now, map[refused]bool{}
	}
	if r.told[who] || len(r.told) == maxRefusals {
		return false
	}
	r.told[who] = true
	return true
}
