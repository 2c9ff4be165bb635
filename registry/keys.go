package registry

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"time"

	"keyward/keys"
	"keyward/registry/wire"
	"keyward/store"
	"keyward/store/audit"
)

var (
	errServerKey = refuse(http.StatusUnprocessableEntity, wire.CodePolicy,
		"this is the server's own key", "register the public key of the user's own pair")
	errExpired = refuse(http.StatusUnprocessableEntity, wire.CodePolicy,
		"the key's expiry is over already", "give a time to come")
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

func (s *Server) userKeys(c *call) error {
	list, err := s.cfg.Store.Keys(c.r.Context(), c.user)
	if err != nil {
		return instead(err, store.ErrNotFound, noUser(c.user))
	}
	return c.answer(http.StatusOK, wireKeys(list))
}

func wireKeys(list []store.Key) wire.Keys {
	out := wire.Keys{Keys: make([]wire.Key, len(list))}
	for i, k := range list {
		out.Keys[i] = wireKey(k)
	}
	return out
}

func wireKey(k store.Key) wire.Key {
	return wire.Key{
		User:        k.User,
		Key:         k.Public.String(),
		Fingerprint: k.Public.Fingerprint(),
		Description: k.Description,
		Created:     wire.Time(k.Created),
		Labels:      k.Labels,
		Expires:     wire.Time(k.Expires),
		LastUsed:    wire.Time(k.LastUsed),
		LastFrom:    k.LastFrom,
	}
}

// parseTime reads what wire.Time writes, in any zone.
func parseTime(field, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		return time.Time{}, badRequest("the field " + field + " is not a time as in RFC 3339")
	}
	return t.UTC(), nil
}

// allKeys streams a wire.Keys as the store gives it: there may be millions.
func (s *Server) allKeys(c *call) error {
	return stream(c, `{"keys":[`, s.cfg.Store.AllKeys(c.r.Context()), wireKey)
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
	if s.isOwn(public) {
		return errServerKey
	}
	if err := store.ValidDescription(in.Description); err != nil {
		return policy(err)
	}
	if err := store.ValidLabels(in.Labels); err != nil {
		return policy(err)
	}
	expires, err := parseTime("expires", in.Expires)
	if err != nil {
		return err
	}
	if s.over(expires) {
		return errExpired
	}
	k := store.Key{User: c.user, Public: public, Description: in.Description, Labels: in.Labels, Created: s.cfg.Now(), Expires: expires}
	act := s.act(c, audit.KeyAdded)
	act.Key, act.Note = public.Fingerprint(), in.Description
	switch err := s.cfg.Store.AddKey(c.r.Context(), k, act); {
	case errors.Is(err, store.ErrExists):
		return keyThere(k)
	case errors.Is(err, store.ErrNotFound):
		return noUser(c.user)
	case errors.Is(err, store.ErrFull):
		return policy(store.ErrFull)
	case err != nil:
		return err
	}
	return c.answer(http.StatusCreated, wireKey(k))
}

// over tells whether an expiry is over; the zero time is none.
func (s *Server) over(expires time.Time) bool {
	return !expires.IsZero() && !s.cfg.Now().Before(expires)
}

// changeKey sets when a key ends. One that is over ends it at once.
func (s *Server) changeKey(c *call) error {
	var in wire.KeyChange
	if err := c.decode(&in); err != nil {
		return err
	}
	expires, err := parseTime("expires", in.Expires)
	if err != nil {
		return err
	}
	fingerprint := c.r.PathValue("fingerprint")
	act := s.act(c, audit.KeyExpiry)
	act.Key, act.Note = fingerprint, cmp.Or(in.Expires, "none")
	if err := s.cfg.Store.ExpireKey(c.r.Context(), c.user, fingerprint, expires, act); err != nil {
		return instead(err, store.ErrNotFound, noKey(c.user, fingerprint))
	}
	return c.done()
}

// pruneKeys deletes the keys whose expiry is over.
func (s *Server) pruneKeys(c *call) error {
	var in wire.Prune
	if err := c.decode(&in); err != nil {
		return err
	}
	before, err := parseTime("before", in.Before)
	if err != nil {
		return err
	}
	if now := s.cfg.Now(); before.IsZero() || before.After(now) {
		before = now
	}
	gone, err := s.cfg.Store.PruneKeys(c.r.Context(), before, s.act(c, audit.KeyPruned))
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, wireKeys(gone))
}

// directory tells any user the keys of another that count now.
func (s *Server) directory(c *call) error {
	list, err := s.cfg.Store.Keys(c.r.Context(), c.user)
	if err != nil {
		return instead(err, store.ErrNotFound, noUser(c.user))
	}
	out := wire.Directory{User: c.user, Keys: []wire.DirectoryKey{}}
	for _, k := range list {
		if !s.over(k.Expires) {
			out.Keys = append(out.Keys, wire.DirectoryKey{
				Key: k.Public.String(), Fingerprint: k.Public.Fingerprint(), Created: wire.Time(k.Created), Expires: wire.Time(k.Expires),
			})
		}
	}
	return c.answer(http.StatusOK, out)
}

// deleteKey keeps the key from later logins, and ends the tokens it was granted.
func (s *Server) deleteKey(c *call) error {
	fingerprint := c.r.PathValue("fingerprint")
	act := s.act(c, audit.KeyDeleted)
	act.Key = fingerprint
	if err := s.cfg.Store.DeleteKey(c.r.Context(), c.user, fingerprint, act); err != nil {
		return instead(err, store.ErrNotFound, noKey(c.user, fingerprint))
	}
	return c.done()
}
