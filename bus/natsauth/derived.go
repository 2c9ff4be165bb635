package natsauth

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"sync"

	"github.com/nats-io/nkeys"
	"golang.org/x/crypto/nacl/box"
)

// nkeys derives a key from its seed each time that it is used, and a shared key for each message. An authorizer does nothing else
// all day: two thirds of an answer would go there. So both are derived once here.

// signer is a key pair that signs with a key that was derived.
type signer struct {
	nkeys.KeyPair
	public  string
	private ed25519.PrivateKey
}

func newSigner(pair nkeys.KeyPair) (*signer, error) {
	public, err := pair.PublicKey()
	if err != nil {
		return nil, err
	}
	raw, err := rawSeed(pair)
	if err != nil {
		return nil, err
	}
	return &signer{pair, public, ed25519.NewKeyFromSeed(raw)}, nil
}

func (s *signer) PublicKey() (string, error) { return s.public, nil }

func (s *signer) Sign(data []byte) ([]byte, error) { return ed25519.Sign(s.private, data), nil }

// What is encrypted is "xkv1", a nonce of 24 bytes, and a NaCl box: nkeys, xkeys.go.
const (
	boxVersion = nkeys.XKeyVersionV1
	nonceSize  = 24
	maxShared  = 256 // servers whose shared keys are kept
)

// boxer is a key pair for NaCl boxes that keeps the keys that it shares.
type boxer struct {
	nkeys.KeyPair
	private [32]byte

	mu     sync.Mutex
	shared map[string]*[32]byte // by the public key of the other
}

func newBoxer(pair nkeys.KeyPair) (*boxer, error) {
	raw, err := rawSeed(pair)
	if err != nil {
		return nil, err
	}
	return &boxer{KeyPair: pair, private: [32]byte(raw), shared: make(map[string]*[32]byte)}, nil
}

func (b *boxer) Seal(text []byte, to string) ([]byte, error) {
	key, err := b.with(to)
	if err != nil {
		return nil, nkeys.ErrInvalidRecipient
	}
	var nonce [nonceSize]byte
	_, _ = rand.Read(nonce[:]) // it never fails
	return box.SealAfterPrecomputation(append([]byte(boxVersion), nonce[:]...), text, &nonce, key), nil
}

func (b *boxer) Open(data []byte, from string) ([]byte, error) {
	data, ok := bytes.CutPrefix(data, []byte(boxVersion))
	if !ok || len(data) < nonceSize {
		return nil, nkeys.ErrInvalidEncrypted
	}
	key, err := b.with(from)
	if err != nil {
		return nil, nkeys.ErrInvalidSender
	}
	text, ok := box.OpenAfterPrecomputation(nil, data[nonceSize:], (*[nonceSize]byte)(data), key)
	if !ok {
		return nil, nkeys.ErrCouldNotDecrypt
	}
	return text, nil
}

// with is the key shared with another.
func (b *boxer) with(other string) (*[32]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if key := b.shared[other]; key != nil {
		return key, nil
	}
	raw, err := nkeys.Decode(nkeys.PrefixByteCurve, []byte(other))
	if err != nil {
		return nil, err
	}
	if len(raw) != 32 {
		return nil, nkeys.ErrInvalidCurveKey
	}
	if len(b.shared) == maxShared {
		clear(b.shared)
	}
	key := new([32]byte)
	box.Precompute(key, (*[32]byte)(raw), &b.private)
	b.shared[other] = key
	return key, nil
}

func rawSeed(pair nkeys.KeyPair) ([]byte, error) {
	seed, err := pair.Seed()
	if err != nil {
		return nil, err
	}
	_, raw, err := nkeys.DecodeSeed(seed)
	return raw, err
}
