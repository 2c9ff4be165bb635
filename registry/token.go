package registry

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"

	"keyward/store"
)

const tokenType = "Bearer"

// tokenSize is the size of a token's random bytes. The client has them in base64url;
// the store keeps their SHA-256, which needs no salt: there is no guessing 256 bits.
const tokenSize = 32

// newToken makes a token: the client's text and what the store keeps.
func (s *Server) newToken(user string, fromKey bool) (text string, t store.Token) {
	var b [tokenSize]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:]),
		store.Token{Hash: sha256.Sum256(b[:]), User: user, FromKey: fromKey, Expires: s.cfg.Now().Add(s.cfg.TokenLife)}
}

// parseAuthorization finds the token's hash in the header: "Bearer TOKEN" as in
// RFC 6750, or "Bearer:TOKEN" as Altair's clients send it.
func parseAuthorization(header string) (hash [32]byte, ok bool) {
	i := strings.IndexAny(header, " :")
	if i < 0 || !strings.EqualFold(header[:i], tokenType) {
		return hash, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(strings.TrimLeft(header[i+1:], " "))
	if err != nil || len(b) != tokenSize {
		return hash, false
	}
	return sha256.Sum256(b), true
}

// authenticate finds the call's token and whose it is.
func (s *Server) authenticate(c *call) error {
	hash, ok := parseAuthorization(c.r.Header.Get("Authorization"))
	if !ok {
		return errRefused
	}
	token, user, err := s.cfg.Store.Token(c.r.Context(), hash)
	if err != nil {
		return instead(err, store.ErrNotFound, errRefused)
	}
	if !s.cfg.Now().Before(token.Expires) {
		return errRefused
	}
	c.token, c.caller = token, user
	return nil
}

// revoke forgets the token of the call. Another call may have done so just now.
func (s *Server) revoke(c *call) error {
	err := s.cfg.Store.DeleteToken(c.r.Context(), c.token.Hash)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return c.done()
}
