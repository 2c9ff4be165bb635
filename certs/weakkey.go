package certs

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"math/big"
	"slices"

	"keyward/fault"
)

// The sizes in bits of RSA keys that others made: below the first factoring is within reach, above
// the last TLS peers (Go's among them) refuse to spend the time.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// checkPublicKey refuses, as fault.Policy, a key that is weak or that verifiers refuse. It costs
// microseconds whatever the key is, so it goes before any signature is checked with it.
func checkPublicKey(pub crypto.PublicKey) error {
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		return checkRSA(pub)
	case *ecdsa.PublicKey:
		if pub.Curve == elliptic.P256() || pub.Curve == elliptic.P384() {
			return nil
		}
		return weak("use P-256 or P-384, which every verifier takes", "a key on the curve %s", pub.Params().Name)
	case ed25519.PublicKey:
		if lowOrder(pub) {
			return weak("make another key", "an Ed25519 key of low order, for which anybody can sign")
		}
		return nil
	}
	return weak("use a P-256, P-384, Ed25519 or RSA key", "a key of an algorithm that is not one for certificates here")
}

func weak(hint, format string, args ...any) error {
	return fault.New(fault.Policy, hint, format+" is refused", args...)
}

// checkRSA asks for what the CA/Browser Forum's baseline requirements, section 6.1.6, do, and for an
// exponent as in FIPS 186-5.
func checkRSA(pub *rsa.PublicKey) error {
	const another = "make an RSA key of 2048 to 8192 bits with the exponent 65537"
	bits := pub.N.BitLen()
	switch {
	case bits < minRSABits, bits > maxRSABits:
		return weak(another, "an RSA key of %d bits", bits)
	case pub.E < 65537, pub.E%2 == 0, pub.E > 1<<31-1:
		return weak(another, "an RSA key with the exponent %d", pub.E)
	case smallFactor(pub.N):
		return weak(another, "an RSA key whose modulus has a small factor")
	}
	return nil
}

// smallFactor tells whether a number below 752 divides n, as those requirements ask.
func smallFactor(n *big.Int) bool {
	if n.Bit(0) == 0 {
		return true
	}
	for divisor := int64(3); divisor < 752; divisor += 2 {
		if new(big.Int).Mod(n, big.NewInt(divisor)).Sign() == 0 {
			return true
		}
	}
	return false
}

// lowOrder tells whether an Ed25519 key is one of the few points of order 8 or less. It maps the
// point to Curve25519, u = (1+y)/(1-y) (RFC 7748 section 4.1), where crypto/ecdh refuses such points.
func lowOrder(pub ed25519.PublicKey) bool {
	bytes := slices.Clone(pub)
	bytes[31] &= 0x7f // the sign of x
	slices.Reverse(bytes)
	one, prime := big.NewInt(1), new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	y := new(big.Int).SetBytes(bytes)
	inverse := new(big.Int).Sub(one, y)
	if inverse.ModInverse(inverse.Mod(inverse, prime), prime) == nil {
		return true // y is 1: the neutral point
	}
	u := new(big.Int).Add(one, y)
	u.Mod(u.Mul(u, inverse), prime)
	point := u.FillBytes(make([]byte, 32))
	slices.Reverse(point)
	peer, err := ecdh.X25519().NewPublicKey(point)
	if err != nil {
		return true
	}
	scalar, err := ecdh.X25519().NewPrivateKey(append([]byte{1}, make([]byte, 31)...))
	if err != nil {
		return true
	}
	_, err = scalar.ECDH(peer)
	return err != nil
}
