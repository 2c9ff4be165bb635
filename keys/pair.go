package keys

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"time"

	"keyward/fault"
)

// Size is the length of every key in bytes.
const Size = 32

// PublicKey is a point of Curve25519, little endian (RFC 7748).
type PublicKey [Size]byte

// PrivateKey is a Curve25519 scalar as NaCl keeps it, not clamped. Printed or logged in
// any way it shows nothing of itself; Encode gives it away.
type PrivateKey [Size]byte

// Pair is a private key with its public key.
type Pair struct {
	Private PrivateKey
	Public  PublicKey
	Created time.Time // UTC, whole seconds; zero where the file does not say
}

// Generate makes a pair from the system's random source.
func Generate() (Pair, error) {
	private, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("make a key pair: %w", err)
	}
	return Pair{Private: PrivateKey(private.Bytes()), Public: PublicKey(private.PublicKey().Bytes())}, nil
}

// ParsePublic reads a public key string. It refuses non-canonical points and low-order
// ones, with which anybody could open what is sealed. The kind is fault.InvalidFile.
func ParsePublic(s string) (PublicKey, error) {
	b, err := decodeKey(s)
	if err != nil {
		return PublicKey{}, err
	}
	k := PublicKey(b)
	return k, k.check()
}

// ParsePrivate reads a private key string. It refuses the key of all zeros, which is no
// key but an emptied one. The kind is fault.InvalidFile.
func ParsePrivate(s string) (PrivateKey, error) {
	b, err := decodeKey(s)
	if err != nil {
		return PrivateKey{}, err
	}
	k := PrivateKey(b)
	return k, k.check()
}

func decodeKey(s string) ([]byte, error) {
	b, err := DecodeString(s, Size)
	if err != nil {
		return nil, err
	}
	if len(b) != Size {
		return nil, malformed("a key has %d bytes, this has %d", Size, len(b))
	}
	return b, nil
}

// String is the key string, "32:...".
func (k PublicKey) String() string { return EncodeString(k[:]) }

// Fingerprint is "sha256:" and the 64 hexadecimal digits of the key's SHA-256.
func (k PublicKey) Fingerprint() string {
	sum := sha256.Sum256(k[:])
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (k PublicKey) check() error {
	const hint = "ask whoever gave you the key for the right one"
	if !k.canonical() {
		return fault.New(fault.InvalidFile, hint, "public key: not a canonical Curve25519 point")
	}
	if _, err := sharedKey(probe(), k); err != nil {
		return fault.New(fault.InvalidFile, hint, "public key: a low-order point, with which anybody can open what is sealed")
	}
	return nil
}

// canonical says whether k is below 2^255-19. At or above it, or with the top bit set, it
// is another spelling of a smaller point.
func (k PublicKey) canonical() bool {
	if k[31] != 0x7f {
		return k[31] < 0x7f
	}
	for _, b := range k[1:31] {
		if b != 0xff {
			return true
		}
	}
	return k[0] < 0xed
}

// probe is any private key: a low-order point gives zero with all of them.
func probe() *ecdh.PrivateKey { return PrivateKey{1}.ecdh() }

// Encode is the key string, "32:...": the secret itself.
func (k PrivateKey) Encode() string { return EncodeString(k[:]) }

// Public derives the public key.
func (k PrivateKey) Public() PublicKey { return PublicKey(k.ecdh().PublicKey().Bytes()) }

func (k PrivateKey) ecdh() *ecdh.PrivateKey {
	private, err := ecdh.X25519().NewPrivateKey(k[:])
	if err != nil {
		panic(err) // only a wrong length is refused, and the length is the type's
	}
	return private
}

func (k PrivateKey) check() error {
	if k == (PrivateKey{}) {
		return fault.New(fault.InvalidFile, "make a new pair with `keyward keygen`", "private key: all zeros")
	}
	return nil
}

const redacted = "[private key]"

// String hides the key.
func (PrivateKey) String() string { return redacted }

// GoString hides the key from %#v.
func (PrivateKey) GoString() string { return redacted }

// Format hides the key from every verb.
func (PrivateKey) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue hides the key from slog.
func (PrivateKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the key from JSON.
func (PrivateKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

func (p Pair) check() error {
	if err := p.Private.check(); err != nil {
		return err
	}
	if p.Private.Public() == p.Public {
		return nil
	}
	if err := p.Public.check(); err != nil {
		return err
	}
	return fault.New(fault.InvalidFile, "restore the file, or make a new pair with `keyward keygen --force`",
		"the public key is not the private key's")
}
