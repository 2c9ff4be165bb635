package keyexchange

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"

	"golang.org/x/crypto/nacl/secretbox"

	"keyward/fault"
)

const (
	nonceSize = 24
	// Overhead is how many bytes a sealed message is longer than what it holds.
	Overhead = ed25519.SignatureSize + nonceSize + secretbox.Overhead
	// DefaultMaxMessage is how many bytes a sealed message may have where a caller does not say: 1 MiB.
	DefaultMaxMessage = 1 << 20
)

// What Open returns. None of them is worth a second try with the same keys.
var (
	// ErrShort is of a message that is shorter than Overhead. Its kind is fault.InvalidFile, as are the next two.
	ErrShort = fault.New(fault.InvalidFile, "", "the message is too short to be sealed")
	// ErrLong is of a message that is longer than its reader takes.
	ErrLong = fault.New(fault.InvalidFile, "", "the message is too long")
	// ErrDamaged is of a message that the right key signed, and that these keys cannot decrypt.
	ErrDamaged = fault.New(fault.InvalidFile, "", "the message is signed, and does not decrypt")
	// ErrNotSigned is of a message that this key did not sign, or that was changed on its way: fault.NotTrusted. The keys may
	// have changed since they were got.
	ErrNotSigned = fault.New(fault.NotTrusted, "", "the message is not signed by this key")
)

// Seal appends the sealed message to dst, Overhead bytes longer than the plaintext. The two must not overlap.
func Seal(dst, plaintext []byte, keys *SealKeys) []byte {
	var nonce [nonceSize]byte
	rand.Read(nonce[:]) // never fails
	return seal(dst, plaintext, keys, &nonce)
}

func seal(dst, plaintext []byte, keys *SealKeys, nonce *[nonceSize]byte) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, ed25519.SignatureSize)...)
	dst = append(dst, nonce[:]...)
	dst = secretbox.Seal(dst, plaintext, nonce, (*[keySize]byte)(&keys.Box))
	copy(dst[start:], ed25519.Sign(keys.sign, dst[start+ed25519.SignatureSize:]))
	return dst
}

// Open verifies a sealed message of at most maxSize bytes (DefaultMaxMessage where it is 0), then decrypts it, and appends the
// plaintext to dst. The two must not overlap. The error is ErrShort, ErrLong, ErrNotSigned or ErrDamaged, and dst is then what
// it was.
func Open(dst, message []byte, keys *OpenKeys, maxSize int) ([]byte, error) {
	return open(dst, message, keys, maxSize, false)
}

// open is Open. Where the signature is known to be good it does not look at it.
func open(dst, message []byte, keys *OpenKeys, maxSize int, signed bool) ([]byte, error) {
	if err := checkSize(message, maxSize); err != nil {
		return dst, err
	}
	signature, rest := message[:ed25519.SignatureSize], message[ed25519.SignatureSize:]
	if !signed && !ed25519.Verify(keys.Verify[:], rest, signature) {
		return dst, ErrNotSigned
	}
	nonce := (*[nonceSize]byte)(rest)
	plaintext, ok := secretbox.Open(dst, rest[nonceSize:], nonce, (*[keySize]byte)(&keys.Box))
	if !ok {
		return dst, ErrDamaged
	}
	return plaintext, nil
}

func checkSize(message []byte, maxSize int) error {
	if len(message) < Overhead {
		return ErrShort
	}
	if len(message) > cmp.Or(maxSize, DefaultMaxMessage) {
		return ErrLong
	}
	return nil
}
