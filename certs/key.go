package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // names keys, as RFC 5280 and OpenSSL do; nothing rests on its strength
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/cloudflare/cfssl/csr"
	"github.com/cloudflare/cfssl/helpers/derhelpers"

	"keyward/fault"
)

// KeyType is an algorithm with its size.
type KeyType string

// The key types.
const (
	P256    KeyType = "p256" // the default
	P384    KeyType = "p384"
	Ed25519 KeyType = "ed25519"
	RSA2048 KeyType = "rsa2048"
	RSA3072 KeyType = "rsa3072"
	RSA4096 KeyType = "rsa4096"
)

// KeyTypes lists the key types, the default first.
func KeyTypes() []KeyType { return []KeyType{P256, P384, Ed25519, RSA2048, RSA3072, RSA4096} }

// ParseKeyType reads a key type's name. Another name is fault.Usage.
func ParseKeyType(s string) (KeyType, error) { return parseOneOf(s, "key type", KeyTypes()) }

var keyRequests = map[KeyType]csr.KeyRequest{
	P256:    {A: "ecdsa", S: 256},
	P384:    {A: "ecdsa", S: 384},
	Ed25519: {A: "ed25519", S: 256},
	RSA2048: {A: "rsa", S: 2048},
	RSA3072: {A: "rsa", S: 3072},
	RSA4096: {A: "rsa", S: 4096},
}

func (t KeyType) generate() (crypto.Signer, error) {
	request := keyRequests[t]
	key, err := request.Generate()
	if err != nil {
		return nil, fault.New(fault.Failed, "", "make a key of type %q: %w", t, err)
	}
	return key.(crypto.Signer), nil // all that cfssl makes are
}

// keyTypeOf is a public key's type in the words of KeyType, which other sizes extend ("p521", "rsa1024").
func keyTypeOf(pub crypto.PublicKey) string {
	switch pub := pub.(type) {
	case *ecdsa.PublicKey:
		return strings.ToLower(strings.ReplaceAll(pub.Params().Name, "-", ""))
	case *rsa.PublicKey:
		return fmt.Sprintf("rsa%d", pub.N.BitLen())
	case ed25519.PublicKey:
		return string(Ed25519)
	}
	return "unknown"
}

// KeyPEM is a private key as PKCS#8; with a password it is encrypted.
func KeyPEM(key crypto.Signer, password []byte) ([]byte, error) {
	return encodeKey(key, false, password)
}

// SEC1PEM is KeyPEM, but a plain elliptic curve key is SEC1, as Micronets peers have it.
func SEC1PEM(key crypto.Signer, password []byte) ([]byte, error) {
	return encodeKey(key, true, password)
}

// KeyIsSEC1 tells whether there is a private key in a PEM file, and it is SEC1.
func KeyIsSEC1(file string) bool {
	block, err := readFile(file, maxKeyFile, keyPEM)
	return err == nil && block.Type == sec1Type
}

const sec1Type = "EC PRIVATE KEY"

// encodeKey is the private key as PEM: SEC1 (RFC 5915) as the Micronets scripts have it, else PKCS#8 (RFC 5958).
// With a password it is encrypted PKCS#8, since SEC1 has no sound encryption.
func encodeKey(key crypto.Signer, sec1 bool, password []byte) ([]byte, error) {
	if len(password) > 0 {
		return encryptKey(key, password)
	}
	if ec, ok := key.(*ecdsa.PrivateKey); ok && sec1 {
		der, err := x509.MarshalECPrivateKey(ec)
		return keyBlock(sec1Type, der, err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return keyBlock("PRIVATE KEY", der, err)
}

func keyBlock(blockType string, der []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, fault.New(fault.Failed, "", "encode the private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: der}), nil
}

// parseKey finds the one private key among data's PEM blocks: PKCS#8, SEC1 or PKCS#1.
// EC PARAMETERS and certificates may stand before and after it. Where there is none, more
// than one, or one that does not parse, the error is fault.InvalidFile. ask gives the password of
// one that is encrypted; its errors are returned, and else those of decryptKey.
func parseKey(data []byte, ask func() ([]byte, error)) (crypto.Signer, error) {
	block, err := keyPEM(data)
	if err != nil {
		return nil, err
	}
	encrypted := isEncrypted(block)
	if encrypted {
		if block, err = decryptKey(block, ask); err != nil {
			return nil, err
		}
	}
	key, err := derhelpers.ParsePrivateKeyDER(block.Bytes)
	switch {
	case err != nil && encrypted: // a wrong password passes for the right one once in 256 times
		return nil, wrongPassword()
	case err != nil:
		return nil, fault.New(fault.InvalidFile, "see what OpenSSL says: openssl pkey -noout -in FILE", "the private key does not parse: %w", err)
	}
	return key, nil
}

// keyPEM is the one block of a private key in data.
func keyPEM(data []byte) (*pem.Block, error) {
	var found *pem.Block
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if found != nil {
			return nil, fault.New(fault.InvalidFile, "keep one key in the file", "more than one private key")
		}
		found = block
	}
	if found == nil {
		return nil, fault.New(fault.InvalidFile, "name the PEM file that holds the private key", "no private key in PEM form")
	}
	return found, nil
}

// Unlock gives the password of a file with an encrypted private key, or of a PKCS#12 file. It is called for what is
// encrypted, and for nothing else. A nil Unlock has none, which is fault.Usage.
type Unlock func(file string) ([]byte, error)

// ErrLocked says that something is encrypted, and that there is no password for it.
var ErrLocked = errors.New("it is encrypted, and there is no password for it")

// of asks for the password of one file.
func (u Unlock) of(file string) func() ([]byte, error) {
	return func() ([]byte, error) {
		if u == nil {
			return nil, fault.New(fault.Usage, "decrypt it first", "%w", ErrLocked)
		}
		return u(file)
	}
}

func (u Unlock) parserOf(file string) func([]byte) (crypto.Signer, error) {
	return func(data []byte) (crypto.Signer, error) { return parseKey(data, u.of(file)) }
}

// parseCertificates reads data's certificates: all that are there as PEM, or one as DER. A private
// key beside them does not matter. Where there is none, or a broken one, the error is fault.InvalidFile.
func parseCertificates(data []byte) ([]*x509.Certificate, error) {
	if block, _ := pem.Decode(data); block == nil && bytes.HasPrefix(data, []byte{0x30}) {
		data = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: data})
	}
	var found []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" && block.Type != "X509 CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fault.New(fault.InvalidFile, "see what OpenSSL says: openssl x509 -noout -text -in FILE", "certificate %d does not parse: %w", len(found)+1, err)
		}
		found = append(found, cert)
	}
	if len(found) == 0 {
		return nil, fault.New(fault.InvalidFile, "name the PEM file that holds the certificate", "no certificate in PEM form")
	}
	return found, nil
}

// keyID names a public key: the SHA-1 of its bits, method 1 of RFC 5280 section 4.2.1.2.
func keyID(pub crypto.PublicKey) ([]byte, error) {
	bits, err := keyBits(pub)
	if err != nil {
		return nil, fault.New(fault.Failed, "", "encode the public key: %w", err)
	}
	id := sha1.Sum(bits) //nolint:gosec // as above
	return id[:], nil
}

// keyBits is the public key in a SubjectPublicKeyInfo, without its algorithm.
func keyBits(pub crypto.PublicKey) ([]byte, error) {
	switch pub := pub.(type) {
	case *ecdsa.PublicKey:
		return pub.Bytes()
	case ed25519.PublicKey:
		return pub, nil
	case *rsa.PublicKey:
		return x509.MarshalPKCS1PublicKey(pub), nil
	}
	return nil, fmt.Errorf("a key of the type %T", pub)
}

// SameKey tells whether private is the other half of public.
func SameKey(private crypto.Signer, public crypto.PublicKey) bool {
	return equalKeys(private.Public(), public)
}

func equalKeys(a, b crypto.PublicKey) bool {
	own, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && own.Equal(b)
}
