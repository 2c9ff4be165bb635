package registry

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"keyward/keys"
	"keyward/registry/wire"
	"keyward/store"
)

// maxKeys is how many keys a user may register: each is tried in a key login.
const maxKeys = 100

var (
	errServerKey = refuse(http.StatusUnprocessableEntity, wire.CodePolicy,
		"this is the server's own key", "register the public key of the user's own pair")
	errManyKeys = refuse(http.StatusUnprocessableEntity, wire.CodePolicy,
		fmt.Sprintf("the user has %d keys, the most there may be", maxKeys), "delete one first")
)

func noKey(user, fingerprint string) error {
	return refuse(http.StatusNotFound, wire.CodeNotFound,
		fmt.Sprintf("user %.80q has no key %.80q", user, fingerprint), "`keyward listkeys` shows the keys")
}

func keyThere(k store.Key) error {
	return refuse(http.StatusConflict, wire.CodeExists,
		fmt.Sprintf("user %.80q already has the key %s", k.User, k.Public.Fingerprint()),
		"`keyward listkeys` shows the keys; with --if-missing that is fine")
}

func (s *Server) serverKey(c *call) error {
	return c.answer(http.StatusOK, wire.ServerKey{Key: s.cfg.Key.Public.String(), Fingerprint: s.cfg.Key.Public.Fingerprint()})
}

func (s *Server) userKeys(c *call) error {
	list, err := s.cfg.Store.Keys(c.r.Context(), c.user)
	if err != nil {
		return instead(err, store.ErrNotFound, noUser(c.user))
	}
	out := wire.Keys{Keys: make([]wire.Key, len(list))}
	for i, k := range list {
		out.Keys[i] = wireKey(k)
	}
	return c.answer(http.StatusOK, out)
}

func wireKey(k store.Key) wire.Key {
	return wire.Key{
		User:        k.User,
		Key:         k.Public.String(),
		Fingerprint: k.Public.Fingerprint(),
		Description: k.Description,
		Created:     k.Created.UTC().Format(time.RFC3339),
	}
}

// allKeys streams a wire.Keys as the store gives it: there may be millions.
func (s *Server) allKeys(c *call) error {
	out := json.NewEncoder(c)
	separator := `{"keys":[`
	for k, err := range s.cfg.Store.AllKeys(c.r.Context()) {
		if err != nil {
			return err
		}
		if c.status == 0 {
			c.begin(http.StatusOK)
		}
		_, _ = io.WriteString(c, separator)
		separator = ","
		if err := out.Encode(wireKey(k)); err != nil {
			return err
		}
	}
	if c.status == 0 {
		return c.answer(http.StatusOK, wire.Keys{Keys: []wire.Key{}})
	}
	_, err := io.WriteString(c, "]}")
	return err
}

func (s *Server) addKey(c *call) error {
	var in wire.NewKey
	if err := c.decode(&in); err != nil {
		return err
	}
	public, err := keys.ParsePublic(in.Key)
	if err != nil {
		return policy(err)
	}
	if public == s.cfg.Key.Public {
		return errServerKey
	}
	if err := store.ValidDescription(in.Description); err != nil {
		return policy(err)
	}
	k := store.Key{User: c.user, Public: public, Description: in.Description, Created: s.cfg.Now()}
	if err := s.register(c, k); err != nil {
		return err
	}
	return c.answer(http.StatusCreated, wireKey(k))
}

// register adds a key that its user does not have, up to maxKeys.
func (s *Server) register(c *call, k store.Key) error {
	s.changes.Lock()
	defer s.changes.Unlock()
	have, err := s.cfg.Store.Keys(c.r.Context(), k.User)
	if err != nil {
		return instead(err, store.ErrNotFound, noUser(c.user))
	}
	there := func(h store.Key) bool { return h.Public == k.Public }
	if len(have) >= maxKeys && !slices.ContainsFunc(have, there) {
		return errManyKeys
	}
	return instead(s.cfg.Store.AddKey(c.r.Context(), k), store.ErrExists, keyThere(k))
}

// deleteKey keeps the key from later logins. The tokens that it was used for, and one of a
// login that is under way, hold until they expire, Config.TokenLife at most: a token does not
// say which key it is of. To end them at once the password is changed.
func (s *Server) deleteKey(c *call) error {
	fingerprint := c.r.PathValue("fingerprint")
	if err := s.cfg.Store.DeleteKey(c.r.Context(), c.user, fingerprint); err != nil {
		return instead(err, store.ErrNotFound, noKey(c.user, fingerprint))
	}
	return c.done()
}
