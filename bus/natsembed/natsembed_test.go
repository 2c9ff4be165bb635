package natsembed

import (
	"testing"
	"time"

	"keyward/bus"
)

// emitter is an account that can send.
func emitter(name bus.Name) bus.Account {
	return bus.Account{Name: name, Identities: []string{identity(name)}, Roles: []bus.Role{{Kind: bus.Emitter, Name: name}}}
}

func TestRevoked(t *testing.T) {
	w := newWorld(t, []bus.Account{emitter("alice"), emitter("bob")})
	shown := w.root.account("alice")
	alice, bob := w.mustConnect(shown), w.mustConnect(w.root.account("bob"))
	w.there(alice)
	w.revoke("alice")
	began := time.Now()
	w.ended(alice)
	t.Logf("ended %s after the revocation", time.Since(began).Round(time.Millisecond))
	w.there(bob)
	if _, err := w.connect(shown); err == nil {
		t.Error("a revoked account is let in")
	}
}
