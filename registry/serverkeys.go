package registry

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"keyward/keys"
	"keyward/registry/wire"
)

// OtherKey is one more pair of the server's that key logins may be sealed for.
type OtherKey struct {
	keys.Pair
	Until time.Time // when that ends, for a pair that was replaced; zero for one that is to come
}

// ownKey is a pair of the server's, and what was computed with it.
type ownKey struct {
	*keys.Server
	public  keys.PublicKey
	private keys.PrivateKey // hides the names that failed logins were for
	shared  sharedKeys      // with registered keys
	decoys  sharedKeys      // with keys that nobody has
}

// acceptedKey is an ownKey and how long it is accepted.
type acceptedKey struct {
	*ownKey
	until time.Time // zero where that does not end
}

// SetKeys replaces the server's pairs while it serves: the current one, and the others that key logins may be sealed for.
// Where it fails nothing changed.
func (s *Server) SetKeys(current keys.Pair, others []OtherKey) error {
	var before []acceptedKey
	if was := s.accepted.Load(); was != nil {
		before = *was
	}
	list := make([]acceptedKey, 0, 1+len(others))
	for _, k := range append([]OtherKey{{Pair: current}}, others...) {
		own, err := own(before, k.Pair)
		if err != nil {
			return fmt.Errorf("registry: the server's key: %w", err)
		}
		list = append(list, acceptedKey{own, k.Until})
	}
	s.accepted.Store(&list)
	return nil
}

// own is the pair with what was computed with it before.
func own(before []acceptedKey, pair keys.Pair) (*ownKey, error) {
	server, err := keys.NewServer(pair)
	if err != nil {
		return nil, err
	}
	same := func(k acceptedKey) bool { return k.public == pair.Public }
	if i := slices.IndexFunc(before, same); i >= 0 {
		return before[i].ownKey, nil
	}
	return &ownKey{Server: server, public: pair.Public, private: pair.Private}, nil
}

// current is the key that the server tells.
func (s *Server) current() *ownKey { return (*s.accepted.Load())[0].ownKey }

// accepts are the keys that logins may be sealed for now, the current one first.
func (s *Server) accepts() []acceptedKey {
	all := *s.accepted.Load()
	over := func(k acceptedKey) bool { return s.over(k.until) }
	if !slices.ContainsFunc(all, over) {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), over)
}

// handover vouches for the current key, in the answer to a login that was sealed for one that was replaced.
func (s *Server) handover(sealedFor acceptedKey, shared *keys.SharedKey) string {
	current := s.current()
	if sealedFor.until.IsZero() || sealedFor.public == current.public {
		return ""
	}
	return keys.SealHandover(shared, current.public)
}

// isOwn tells whether a key is one of the server's, whoever has it.
func (s *Server) isOwn(public keys.PublicKey) bool {
	return slices.ContainsFunc(*s.accepted.Load(), func(k acceptedKey) bool { return k.public == public })
}

// serverKey tells the others too, those to come included: who knows one of them by another server of the
// same registry finds it here.
func (s *Server) serverKey(c *call) error {
	all := s.accepts()
	answer := wire.ServerKey{Key: all[0].public.String(), Fingerprint: all[0].public.Fingerprint()}
	for _, k := range all[1:] {
		answer.Others = append(answer.Others, k.public.String())
	}
	return c.answer(http.StatusOK, answer)
}
