package keys

import (
	"crypto/rand"
	"fmt"
	"strings"

	"golang.org/x/crypto/nacl/box"

	"keyward/fault"
)

// handoverLine is what a handover begins with; a login and a sealed file begin with something else.
const handoverLine = "keyward server key handover v1\n"

// SealHandover vouches for a server's next key: a key string of the 24-byte nonce and a NaCl box, from the old server key
// to the user's, of a type line and the 32 bytes of the next public key. shared is what the old server key
// and the user's have in common, so it tells the user alone, and the user could have made it as well.
func SealHandover(shared *SharedKey, next PublicKey) string {
	var nonce [nonceSize]byte
	rand.Read(nonce[:]) // never fails
	message := append([]byte(handoverLine), next[:]...)
	return EncodeString(box.SealAfterPrecomputation(nonce[:], message, &nonce, (*[32]byte)(shared)))
}

// OpenHandover returns the next key of a server that vouches for it with the old one, by which the user knows it.
// What does not is fault.NotTrusted: not sealed with these keys, no handover, or for no key.
func OpenHandover(user Pair, old PublicKey, handover string) (PublicKey, error) {
	shared, err := user.SharedKey(old)
	if err != nil {
		return PublicKey{}, fmt.Errorf("open a handover: %w", err)
	}
	sealed, err := DecodeString(handover, maxLogin)
	if err != nil || len(sealed) < nonceSize {
		return PublicKey{}, noHandover("it is no box")
	}
	message, ok := box.OpenAfterPrecomputation(nil, sealed[nonceSize:], (*[nonceSize]byte)(sealed), (*[32]byte)(shared))
	if !ok {
		return PublicKey{}, noHandover("it is not sealed with the server's key")
	}
	key, ok := strings.CutPrefix(string(message), handoverLine)
	if !ok || len(key) != Size {
		return PublicKey{}, noHandover("the box holds something else")
	}
	next := PublicKey([]byte(key))
	if err := next.check(); err != nil {
		return PublicKey{}, noHandover(err.Error())
	}
	return next, nil
}

func noHandover(why string) error {
	return fault.New(fault.NotTrusted, "ask the server's administrator", "the server vouches wrongly for its next key: %s", why)
}
