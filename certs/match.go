package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/asn1"

	"keyward/fault"
)

// ReadKey reads the private key in the PEM text of a file, whose password unlock gives. One that does not parse, or is
// not the key of cert where that is not nil, is fault.InvalidFile; one that is encrypted and has no unlock is ErrLocked.
// Unlike LoadKey it looks at nothing but the text.
func ReadKey(file string, text []byte, cert *x509.Certificate, unlock Unlock) (crypto.Signer, error) {
	key, err := parseFile(file, text, unlock.parserOf(file))
	if err == nil && cert != nil && !SameKey(key, cert.PublicKey) {
		err = fault.New(fault.InvalidFile, "", "%s: it is not the key of the certificate %s", file, label(cert))
	}
	return key, err
}

// NamesKeyOf tells whether a PEM text is a plain key on an elliptic curve in PKCS#8 that ends with the public key of
// cert (RFC 5915 section 3), as OpenSSL and we write it. That the private half fits is not looked at: to
// derive the one from the other takes longer than to read the certificate.
func NamesKeyOf(text []byte, cert *x509.Certificate) bool {
	pub, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return false
	}
	block, err := keyPEM(text)
	if err != nil || block.Type != "PRIVATE KEY" || isEncrypted(block) {
		return false
	}
	var whole asn1.RawValue
	rest, err := asn1.Unmarshal(block.Bytes, &whole)
	if err != nil || len(rest) > 0 {
		return false
	}
	point, err := pub.Bytes()
	return err == nil && bytes.HasSuffix(whole.Bytes, point)
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
