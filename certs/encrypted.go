package certs

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"strings"

	"keyward/fault"
)

// encryptKey is the private key as PKCS#8 encrypted with PBES2 (RFC 8018): AES-256-CBC, and PBKDF2 with HMAC-SHA256.
func encryptKey(key crypto.Signer, password []byte) ([]byte, error) {
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return keyBlock(encryptedType, nil, err)
	}
	der, err := sealPKCS8(plain, password)
	return keyBlock(encryptedType, der, err)
}

const encryptedType = "ENCRYPTED PRIVATE KEY"

func isEncrypted(block *pem.Block) bool {
	return block.Type == encryptedType || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED")
}

// KeyIsEncrypted tells whether there is a private key in a PEM file, and it is encrypted.
func KeyIsEncrypted(file string) bool {
	block, err := readFile(file, maxKeyFile, keyPEM)
	return err == nil && isEncrypted(block)
}

// decryptKey is an encrypted block as a plain one: PBES2, or what OpenSSL 1 wrote with its own
// headers. ask is called once the block is known to be one that can be decrypted in reasonable time. A
// wrong password is fault.LoginRefused, a block that costs too much fault.Policy.
func decryptKey(block *pem.Block, ask func() ([]byte, error)) (*pem.Block, error) {
	if block.Type != encryptedType {
		password, err := ask()
		if err != nil {
			return nil, err
		}
		// MD5 and no more: it is read so that it can be made better, and never written.
		der, err := x509.DecryptPEMBlock(block, password) //nolint:staticcheck // there is no other way to read it
		if err != nil {
			return nil, wrongPassword()
		}
		return &pem.Block{Type: block.Type, Bytes: der}, nil
	}
	plain, err := openPKCS8(block.Bytes, ask)
	if kind := fault.KindOf(err); kind == fault.InvalidFile || kind == fault.Policy {
		err = fault.New(kind, "encrypt it anew: openssl pkcs8 -topk8 -v2 aes256 -in FILE", "the encrypted private key: %w", err)
	}
	return &pem.Block{Type: "PRIVATE KEY", Bytes: plain}, err
}

// openPKCS8 decrypts an EncryptedPrivateKeyInfo.
func openPKCS8(der []byte, ask func() ([]byte, error)) ([]byte, error) {
	sealed, err := parseSealed(der)
	if err != nil {
		return nil, err
	}
	password, err := ask()
	if err != nil {
		return nil, err
	}
	return sealed.open(password)
}

func wrongPassword() error {
	return fault.New(fault.LoginRefused, "give the password that it was encrypted with", "wrong password, or the file is damaged")
}

func unknown(format string, args ...any) error {
	return fault.New(fault.InvalidFile, "", format, args...)
}

func tooCostly(format string, args ...any) error {
	return fault.New(fault.Policy, "", "it costs too much to open: "+format, args...)
}
