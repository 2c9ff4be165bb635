package registry

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"keyward/store"
)

const tokenType = "Bearer"

// A token is the time of its login and 32 random bytes; the client has them in base64url.
// The store keeps their SHA-256 with the time in front. It needs no salt: there is no
// guessing 256 bits.
const (
	stampSize = 6
	tokenSize = stampSize + 32
)

// stamp is a time as UUIDv7 begins with it: 48 bits of milliseconds (RFC 9562, section 5.7).
// What the store is to find by a hash begins with one, so that what comes at the same
// time lies together there. That halves the cost of writing it.
func stamp(t time.Time) [stampSize]byte {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(t.UnixMilli()))
	return [stampSize]byte(ms[8-stampSize:])
}

// stamped puts the stamp in place of the first bytes of a hash; 208 bits of it are left.
func stamped(at [stampSize]byte, hash [32]byte) [32]byte {
	copy(hash[:], at[:])
	return hash
}

// newToken makes a token: the client's text and what the store keeps. It is of no key and of no scope yet.
func (s *Server) newToken(user string) (text string, t store.Token) {
	now := s.cfg.Now()
	at := stamp(now)
	var b [tokenSize]byte
	copy(b[:], at[:])
	rand.Read(b[stampSize:])
	return base64.RawURLEncoding.EncodeToString(b[:]),
		store.Token{Hash: stamped(at, sha256.Sum256(b[:])), User: user, Expires: now.Add(s.cfg.TokenLife)}
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
	return stamped([stampSize]byte(b), sha256.Sum256(b)), true
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
