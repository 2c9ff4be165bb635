package keyexchange

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"iter"
	"slices"

	"filippo.io/edwards25519"
)

const (
	minBatch = 4  // fewer signatures gain little together
	maxBatch = 64 // more gain little, and where one is bad so many are verified again
)

// OpenAll opens messages as Open does, one after the other, and gives what each holds, until the next, or its error. Their
// signatures are verified together, 64 at a time, which takes a quarter of the time. Where that fails each is verified alone.
func OpenAll(messages [][]byte, keys *OpenKeys, maxSize int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var plaintext []byte
		for batch := range slices.Chunk(messages, maxBatch) {
			signed := allSigned(&keys.Verify, sized(batch, maxSize))
			for _, m := range batch {
				var err error
				plaintext, err = open(plaintext[:0], m, keys, maxSize, signed)
				if !yield(plaintext, err) {
					return
				}
			}
		}
	}
}

// sized are the messages that are neither too short nor too long.
func sized(messages [][]byte, maxSize int) [][]byte {
	return slices.DeleteFunc(slices.Clone(messages), func(m []byte) bool { return checkSize(m, maxSize) != nil })
}

// allSigned says whether the key signed all of the messages, each of which has a signature's length at least. Where it does not
// say so nothing is known of any.
//
// A signature (R, s) is good where sB = R + kA, with the base point B, the key A, and the hash k of R, A and the message. For
// all at once it looks whether
//
//	Σz·R + (Σz·k)·A - (Σz·s)·B = 0
//
// with a random z of 128 bits for each, which nobody can know before. What is forged passes with a chance of 2^-128, as
// one forged signature does by guessing. What is properly signed with a proper key passes.
//
// Who has the private key, and nobody else, can make what ed25519.Verify refuses and what passes here by chance: it adds a
// point of small order to R. It gains nothing, since it could as well have signed the same properly.
func allSigned(key *VerifyKey, messages [][]byte) bool {
	a, ok := decodeKey(key)
	if !ok || len(messages) < minBatch {
		return false
	}
	random := make([]byte, 16*len(messages))
	rand.Read(random) // never fails
	zs, zk := edwards25519.NewScalar(), edwards25519.NewScalar()
	scalars := []*edwards25519.Scalar{zs, zk}
	points := []*edwards25519.Point{edwards25519.NewGeneratorPoint(), a}
	for i, m := range messages {
		r, s, ok := decodeSignature(m)
		if !ok {
			return false
		}
		z := shortScalar([16]byte(random[16*i:]))
		zs.MultiplyAdd(z, s, zs)
		zk.MultiplyAdd(z, challenge(key, m), zk)
		scalars, points = append(scalars, z), append(points, r)
	}
	zs.Negate(zs)
	return isIdentity(edwards25519.NewIdentityPoint().VarTimeMultiScalarMult(scalars, points))
}

// decodeKey takes no key of small order: with one anybody can sign.
func decodeKey(key *VerifyKey) (a *edwards25519.Point, ok bool) {
	a, err := new(edwards25519.Point).SetBytes(key[:])
	if err != nil {
		return nil, false
	}
	return a, !isIdentity(new(edwards25519.Point).MultByCofactor(a))
}

// decodeSignature takes apart the signature of a message. As ed25519.Verify it takes the one proper encoding alone of each half.
func decodeSignature(message []byte) (r *edwards25519.Point, s *edwards25519.Scalar, ok bool) {
	r, err := new(edwards25519.Point).SetBytes(message[:32])
	if err != nil {
		return nil, nil, false
	}
	x, y, _, _ := r.ExtendedCoordinates() // affine as they are, since r was just decoded
	encoding := y.Bytes()
	encoding[31] |= byte(x.IsNegative() << 7)
	if !bytes.Equal(encoding, message[:32]) {
		return nil, nil, false
	}
	s, err = edwards25519.NewScalar().SetCanonicalBytes(message[32:ed25519.SignatureSize])
	return r, s, err == nil
}

// challenge is the hash that a signature of a message answers.
func challenge(key *VerifyKey, message []byte) *edwards25519.Scalar {
	h := sha512.New()
	h.Write(message[:32])
	h.Write(key[:])
	h.Write(message[ed25519.SignatureSize:])
	k, err := edwards25519.NewScalar().SetUniformBytes(h.Sum(nil))
	if err != nil {
		panic(err) // of another length alone
	}
	return k
}

func shortScalar(b [16]byte) *edwards25519.Scalar {
	var wide [32]byte
	copy(wide[:], b[:])
	s, err := edwards25519.NewScalar().SetCanonicalBytes(wide[:])
	if err != nil {
		panic(err) // of what is larger alone
	}
	return s
}

func isIdentity(p *edwards25519.Point) bool {
	return p.Equal(edwards25519.NewIdentityPoint()) == 1
}
