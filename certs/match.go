package certs

import (
	"crypto"
	"crypto/x509"
	"errors"

	"keyward/internal/fault"
)

// errLocked ends the reading of a key where its password would be asked for.
var errLocked = errors.New("locked")

// ReadKey reads the private key in a PEM text; nil where it is encrypted, since it is not opened.
// One that does not parse, or is not the key of cert where that is not nil, is fault.InvalidFile.
func ReadKey(text []byte, cert *x509.Certificate) (crypto.Signer, error) {
	key, err := parseKey(text, func() ([]byte, error) { return nil, errLocked })
	switch {
	case errors.Is(err, errLocked):
		return nil, nil
	case err != nil:
		return nil, err
	case cert != nil && !sameKey(key, cert.PublicKey):
		return nil, fault.New(fault.InvalidFile, "", "it is not the key of the certificate %s", label(cert))
	}
	return key, nil
}

// KeyTypeOf is a public key's type in the words of KeyType, which other sizes extend: p521, rsa1024.
func KeyTypeOf(pub crypto.PublicKey) KeyType { return KeyType(keyTypeOf(pub)) }

// DefaultOrganization is the subject's O of a certificate for which none is given: the last part of
// its basename and what the Micronets scripts put behind it.
func DefaultOrganization(basename string, role Role) string {
	switch role {
	case Root:
		return basename + "-RootCA"
	case Intermediate:
		return basename + "-IntermediateCA"
	}
	return basename + "-Leaf"
}
