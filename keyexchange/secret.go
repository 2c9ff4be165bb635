package keyexchange

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
)

const (
	keySize   = 32 // bytes of each key
	verifyHex = 2 * keySize
)

// BoxKey is the key of a SecretBox: who has it reads all messages. Printed or logged in any way it shows nothing of itself.
type BoxKey [keySize]byte

// VerifyKey is an Ed25519 public key. It is no secret.
type VerifyKey [keySize]byte

// String is the key in lower-case hexadecimal, as it goes over the wire.
func (k VerifyKey) String() string { return hex.EncodeToString(k[:]) }

// Seed is an Ed25519 private key as RFC 8032 has it. It hides itself as BoxKey does.
type Seed [keySize]byte

const redacted = "[secret key]"

// Format hides the key from every verb.
func (BoxKey) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// MarshalText hides the key from JSON and slog.
func (BoxKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Format hides the key from every verb.
func (Seed) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// MarshalText hides the key from JSON and slog.
func (Seed) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// OpenKeys open sealed messages. They are what a client of the exchange gets. Printed in any way they show the VerifyKey alone.
type OpenKeys struct {
	Box    BoxKey
	Verify VerifyKey
}

// Format hides the key that is secret from every verb.
func (k OpenKeys) Format(f fmt.State, _ rune) { io.WriteString(f, "[keys "+k.Verify.String()+"]") }

// MarshalText hides it from JSON and slog.
func (k OpenKeys) MarshalText() ([]byte, error) { return fmt.Append(nil, k), nil }

// SealKeys seal messages. They hide themselves as OpenKeys do. NewSealKeys or GenerateSealKeys makes them.
type SealKeys struct {
	OpenKeys
	sign ed25519.PrivateKey
}

func (k *SealKeys) seed() Seed { return Seed(k.sign.Seed()) }

// NewSealKeys puts keys together that are there already.
func NewSealKeys(box BoxKey, seed Seed) *SealKeys {
	sign := ed25519.NewKeyFromSeed(seed[:])
	return &SealKeys{OpenKeys{box, VerifyKey(sign[ed25519.SeedSize:])}, sign}
}

// GenerateSealKeys makes keys from the system's random source.
func GenerateSealKeys() *SealKeys {
	var box BoxKey
	var seed Seed
	rand.Read(box[:]) // never fails
	rand.Read(seed[:])
	return NewSealKeys(box, seed)
}
