package keys

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/nacl/box"
	"golang.org/x/crypto/salsa20/salsa" //nolint:staticcheck // deprecated for new designs; NaCl's box is made of it

	"keyward/fault"
)

const (
	loginPrefix = "VOV API Key Client Auth "
	nonceSize   = 24
	maxLogin    = 256     // bytes of nonce and box; Altair's clients send about 83
	maxTime     = 1 << 40 // unix seconds: beyond any clock, and in microseconds still an int64
)

// What SealedLogin.Open returns. Both are of kind fault.LoginRefused.
var (
	// ErrSeal: the login was not sealed by that key for this server, or was changed on its way.
	ErrSeal = fault.New(fault.LoginRefused, "", "sealed login: the seal is not right")
	// ErrTime: the seal is right, and what it holds is not a login message with a time.
	ErrTime = fault.New(fault.LoginRefused, "send \"VOV API Key Client Auth \" and the unix time in seconds",
		"sealed login: no time in it")
)

// SharedKey is what box.Precompute gives for a pair of keys: a secret of both ends.
type SharedKey [32]byte

// Format hides the key from every verb.
func (SharedKey) Format(f fmt.State, _ rune) { io.WriteString(f, "[shared key]") }

// MarshalText hides the key from JSON and slog.
func (SharedKey) MarshalText() ([]byte, error) { return []byte("[shared key]"), nil }

// Server opens logins that are sealed to its public key. It is safe for concurrent use.
type Server struct{ private *ecdh.PrivateKey }

// NewServer takes the server's pair; the error of kind fault.InvalidFile says that it is none.
func NewServer(pair Pair) (*Server, error) {
	if err := pair.check(); err != nil {
		return nil, fmt.Errorf("server key: %w", err)
	}
	return &Server{pair.Private.ecdh()}, nil
}

// SharedKey computes the key that logins of a user's public key are opened with. It is
// the costly part of a login and always the same, so callers keep it. A low-order key is
// refused with fault.InvalidFile.
func (s *Server) SharedKey(user PublicKey) (*SharedKey, error) { return sharedKey(s.private, user) }

// SharedKey computes the key of the boxes between p and somebody's public key, the same at both ends. A pair that
// is none and a low-order key are refused with fault.InvalidFile.
func (p Pair) SharedKey(other PublicKey) (*SharedKey, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	return sharedKey(p.Private.ecdh(), other)
}

// sharedKey is box.Precompute on crypto/ecdh, which is faster with a kept private key and
// refuses low-order points: X25519, then HSalsa20 over a block of zeros.
func sharedKey(private *ecdh.PrivateKey, public PublicKey) (*SharedKey, error) {
	point, err := ecdh.X25519().NewPublicKey(public[:])
	if err != nil {
		return nil, fault.New(fault.InvalidFile, "", "public key: %w", err)
	}
	secret, err := private.ECDH(point)
	if err != nil {
		return nil, fault.New(fault.InvalidFile, "", "public key: %w", err)
	}
	var key SharedKey
	salsa.HSalsa20((*[32]byte)(&key), new([16]byte), (*[32]byte)(secret), &salsa.Sigma)
	return &key, nil
}

// SealLogin makes the apikey that proves to the server, at that time, that user has its
// private key. It holds for one login. A low-order server key is refused with fault.InvalidFile.
func SealLogin(user Pair, server PublicKey, at time.Time) (apikey string, err error) {
	key, err := sharedKey(user.Private.ecdh(), server)
	if err != nil {
		return "", fmt.Errorf("seal a login: %w", err)
	}
	var nonce [nonceSize]byte
	rand.Read(nonce[:]) // never fails
	message := fmt.Sprintf("%s%d.%06d", loginPrefix, at.Unix(), at.Nanosecond()/1000)
	return EncodeString(box.SealAfterPrecomputation(nonce[:], []byte(message), &nonce, (*[32]byte)(key))), nil
}

// SealedLogin is an apikey that was parsed and not yet opened.
type SealedLogin struct {
	nonce [nonceSize]byte
	box   []byte
	id    [32]byte
}

// ParseLogin reads an apikey, at most 256 bytes of nonce and box. The error's kind is fault.InvalidFile.
func ParseLogin(apikey string) (SealedLogin, error) {
	sealed, err := DecodeString(apikey, maxLogin)
	if err != nil {
		return SealedLogin{}, fmt.Errorf("sealed login: %w", err)
	}
	if len(sealed) < nonceSize+box.Overhead {
		return SealedLogin{}, fault.New(fault.InvalidFile, "send the 24-byte nonce before the box",
			"sealed login: %d bytes are too few for a nonce and a box", len(sealed))
	}
	return SealedLogin{[nonceSize]byte(sealed), sealed[nonceSize:], sha256.Sum256(sealed)}, nil
}

// ID is the SHA-256 of nonce and box. Nobody without the key can give the same message
// another ID, so a server refuses a replay by it.
func (l SealedLogin) ID() [32]byte { return l.id }

// Open returns the time that was sealed, to the microsecond. It is ErrSeal where k is not
// the key that sealed it, ErrTime where the seal is right and holds no time.
func (l SealedLogin) Open(k *SharedKey) (at time.Time, err error) {
	message, ok := box.OpenAfterPrecomputation(nil, l.box, &l.nonce, (*[32]byte)(k))
	if !ok {
		return time.Time{}, ErrSeal
	}
	text, ok := strings.CutPrefix(string(message), loginPrefix)
	seconds, err := strconv.ParseFloat(text, 64)
	if !ok || err != nil || !(seconds >= 0 && seconds < maxTime) { // the negation catches NaN
		return time.Time{}, ErrTime
	}
	return time.UnixMicro(int64(math.Round(seconds * 1e6))).UTC(), nil
}
