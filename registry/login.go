package registry

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"time"

	"keyward/internal/limit"
	"keyward/keys"
	"keyward/registry/wire"
	"keyward/store"
)

// loginWindow is how far the time of a key login may be off, either way.
const loginWindow = 2 * time.Minute

// loginMemory is how long after its time a used key login is remembered: past the
// window, so that setting the clock back a little revives nothing.
const loginMemory = 2 * loginWindow

// logIn grants a token for a password or for a sealed key login, or records that it was refused.
func (s *Server) logIn(c *call) error { return s.noteRefusal(c, s.tryLogin(c)) }

func (s *Server) tryLogin(c *call) error {
	form, err := c.form()
	if err != nil {
		return err
	}
	name := form.Get(wire.FieldUsername)
	if name == "" {
		return badRequest("the form has no " + wire.FieldUsername)
	}
	asked, err := parseScope(form.Get(wire.FieldScope))
	if err != nil {
		return err
	}
	switch form.Get(wire.FieldGrantType) {
	case "", wire.GrantPassword:
		c.grant = wire.GrantPassword
		return s.passwordLogin(c, name, form.Get(wire.FieldPassword), asked)
	case wire.GrantAPIKey:
		c.grant = wire.GrantAPIKey
		return s.keyLogin(c, name, form.Get(wire.FieldAPIKey), asked)
	}
	return badRequest("the " + wire.FieldGrantType + " is neither " + wire.GrantPassword + " nor " + wire.GrantAPIKey)
}

func (s *Server) passwordLogin(c *call, name, password string, asked store.Scopes) error {
	user, err := s.ofPassword(c, name, password)
	if err != nil {
		return err
	}
	may := store.ScopeRead | store.ScopeKeys
	if user.Admin {
		may |= store.ScopeAdmin
	}
	text, token := s.newToken(name)
	if token.Scopes, err = grantable(may, asked); err != nil {
		return err
	}
	if err := s.cfg.Store.AddToken(c.r.Context(), token); err != nil {
		return instead(err, store.ErrNotFound, errRefused)
	}
	if err := s.unchanged(c, user); err != nil {
		_ = s.cfg.Store.DeleteToken(c.r.Context(), token.Hash) // nobody was told it
		return err
	}
	return s.grant(c, text, token, "")
}

// ofPassword is the user of that name, if the password is theirs. It is hashed whether the user is there or not.
func (s *Server) ofPassword(c *call, name, password string) (store.User, error) {
	who := s.claim(c, name)
	if err := s.mayTry(c.r.Context(), who); err != nil {
		return store.User{}, err
	}
	if CheckPassword(password) != nil {
		return store.User{}, errRefused // nobody can have it
	}
	want := s.noHash
	user, err := s.cfg.Store.User(c.r.Context(), name)
	if err == nil {
		c.user = name
		want, err = parsePHC(user.Password)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.User{}, err
	}
	busy := s.hashing.do(c.r.Context(), limit.Source(c.r.RemoteAddr), func() { err = s.compare(c, who, want, password) })
	return user, cmp.Or(busy, err)
}

// compare counts a wrong password while it has its place at work, and looks before how many there are by now, so that
// guesses sent at once gain nothing. It does so for a caller that is gone too: a guess that was made counts.
func (s *Server) compare(c *call, who claim, want phc, password string) error {
	ctx := context.WithoutCancel(c.r.Context())
	if err := s.mayTry(ctx, who); err != nil {
		return err
	}
	if want.matches(password) {
		return s.rightPassword(ctx, who)
	}
	return cmp.Or(s.wrongPassword(ctx, who), errRefused)
}

// unchanged refuses a password that was changed while it was hashed: the tokens it
// had granted are forgotten by now, and the new one must not outlive them.
func (s *Server) unchanged(c *call, before store.User) error {
	now, err := s.cfg.Store.User(c.r.Context(), before.Name)
	if err == nil && now.Password != before.Password {
		return errRefused
	}
	return instead(err, store.ErrNotFound, errRefused)
}

// keyLogin takes a sealed login whose seal is right, whose time is now, and which was
// not used before.
func (s *Server) keyLogin(c *call, name, apikey string, asked store.Scopes) error {
	began := s.beats.count()                    // now that the body is here: a late one must not use up the wait
	ctx := context.WithoutCancel(c.r.Context()) // to watch for its end would cost more than what is watched
	accepted := s.accepts()
	sealed, err := s.unseal(ctx, c, name, apikey, accepted)
	if errors.Is(err, errRefused) {
		c.release = began + 1 + int64(len(accepted)) // as all of them were tried
	}
	if err != nil {
		return err
	}
	now := s.cfg.Now()
	if off := now.Sub(sealed.at); off <= -loginWindow || off >= loginWindow {
		return errTime(now)
	}
	text, token := s.newToken(name)
	if token.Scopes, err = grantable(store.ScopeRead, asked); err != nil {
		return err
	}
	token.Key = sealed.key.Public.Fingerprint()
	if end := sealed.key.Expires; !end.IsZero() && end.Before(token.Expires) {
		token.Expires = end
	}
	login := store.Login{ID: stamped(stamp(sealed.at), sealed.id), Until: sealed.at.Add(loginMemory), At: now, From: address(c.r.RemoteAddr)}
	err = s.cfg.Store.AddLogin(ctx, login, token)
	if errors.Is(err, store.ErrExists) {
		return errReplay
	}
	if err != nil {
		return instead(err, store.ErrNotFound, errRefused)
	}
	return s.grant(c, text, token, s.handover(sealed.by, sealed.shared))
}

// unsealed is a key login that was opened.
type unsealed struct {
	id     [32]byte
	at     time.Time
	key    store.Key       // of the user
	by     acceptedKey     // of the server
	shared *keys.SharedKey // of both
}

// unseal opens the login with each key of the user that counts and each of the server's. For a
// user without keys, or none at all, it does the same with a decoy.
func (s *Server) unseal(ctx context.Context, c *call, name, apikey string, accepted []acceptedKey) (unsealed, error) {
	sealed, err := keys.ParseLogin(apikey)
	if err != nil {
		return unsealed{}, errRefused
	}
	list, err := s.cfg.Store.Keys(ctx, name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return unsealed{}, err
	}
	if err == nil {
		c.user = name
	}
	list = slices.DeleteFunc(list, func(k store.Key) bool { return s.over(k.Expires) })
	cache := func(by acceptedKey) *sharedKeys { return &by.shared }
	if len(list) == 0 {
		cache = func(by acceptedKey) *sharedKeys { return &by.decoys }
		list = []store.Key{{Public: s.decoyKey(name)}}
	}
	for _, by := range accepted {
		for _, k := range list {
			shared, err := cache(by).get(by.Server, k.Public)
			if err != nil {
				return unsealed{}, err
			}
			at, err := sealed.Open(shared)
			if errors.Is(err, keys.ErrTime) {
				err = errTime(s.cfg.Now())
			}
			if !errors.Is(err, keys.ErrSeal) {
				return unsealed{sealed.ID(), at, k, by, shared}, err
			}
		}
	}
	return unsealed{}, errRefused
}

// decoyKey is the public key of a user who has none: always the same for a name, and
// nobody knows the private key. X25519 takes any 32 bytes.
func (s *Server) decoyKey(name string) keys.PublicKey {
	mac := hmac.New(sha256.New, s.secret[:])
	mac.Write([]byte(name))
	return keys.PublicKey(mac.Sum(nil))
}

func (s *Server) grant(c *call, text string, t store.Token, handover string) error {
	return c.answer(http.StatusOK, wire.Token{
		Handover:    handover,
		AccessToken: text, TokenType: tokenType, Scope: scopeText(t.Scopes),
		ExpiresIn: max(1, int(t.Expires.Sub(s.cfg.Now()).Seconds())),
	})
}

var errReplay = refuse(http.StatusUnauthorized, wire.CodeLoginReplay, "this key login was used before", "seal a new one")

// errTime tells the holder of a right key what time it is here.
func errTime(now time.Time) error {
	return &refusal{status: http.StatusUnauthorized, body: wire.Error{
		Error:      wire.CodeLoginTime,
		Message:    "the time of the key login is missing or more than two minutes off",
		Hint:       "set the clock",
		ServerTime: float64(now.UnixMicro()) / 1e6,
	}}
}
