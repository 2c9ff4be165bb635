package certs

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des" //nolint:gosec // what others wrote is read
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // as above
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"hash"
	"math"
	"strings"

	"github.com/youmark/pkcs8"
	"golang.org/x/crypto/scrypt"

	"keyward/internal/fault"
	"keyward/internal/secretfile"
)

// keyIterations is what OWASP asks of PBKDF2-HMAC-SHA256: about a tenth of a second at each use of the key.
// Of the functions that derive keys, it is the one that OpenSSL, GnuTLS and Java all read.
const keyIterations = 600_000

// The most that is spent on the password of a file that anybody may have made: a few seconds, and 256 MiB.
const (
	maxIterations   = 10_000_000
	maxScryptMemory = 256 << 20 // bytes
	maxScryptWork   = 1 << 30   // bytes that are mixed, over all its lanes
)

// encryptKey is the private key as PKCS#8 encrypted with PBES2 (RFC 8018): AES-256-CBC, and PBKDF2 with HMAC-SHA256.
func encryptKey(key crypto.Signer, password []byte) ([]byte, error) {
	der, err := pkcs8.MarshalPrivateKey(key, password, &pkcs8.Opts{
		Cipher:  pkcs8.AES256CBC,
		KDFOpts: pkcs8.PBKDF2Opts{SaltSize: 16, IterationCount: keyIterations, HMACHash: crypto.SHA256},
	})
	return keyBlock(encryptedType, der, err)
}

const encryptedType = "ENCRYPTED PRIVATE KEY"

func isEncrypted(block *pem.Block) bool {
	return block.Type == encryptedType || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED")
}

// KeyIsEncrypted tells whether there is a private key in a PEM file, and it is encrypted.
func KeyIsEncrypted(file string) bool {
	data, _, err := secretfile.Read(file, maxKeyFile)
	if err != nil {
		return false
	}
	block, err := keyPEM(data)
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
	scheme, err := parsePBES2(block.Bytes)
	if err != nil {
		return nil, err
	}
	password, err := ask()
	if err != nil {
		return nil, err
	}
	der, err := scheme.decrypt(password)
	return &pem.Block{Type: "PRIVATE KEY", Bytes: der}, err
}

func wrongPassword() error {
	return fault.New(fault.LoginRefused, "give the password that it was encrypted with", "wrong password, or the file is damaged")
}

// pbes2 is an encrypted message of RFC 8018 section 6.2, which can be decrypted at a cost within the bounds.
type pbes2 struct {
	derive    func(password []byte) ([]byte, error)
	newCipher func(key []byte) (cipher.Block, error)
	iv        []byte
	encrypted []byte
}

// pbes2Cipher is a cipher in CBC mode, with its sizes in bytes.
type pbes2Cipher struct {
	keySize, blockSize int
	new                func(key []byte) (cipher.Block, error)
}

func pbes2Ciphers(oid asn1.ObjectIdentifier) (c pbes2Cipher, known bool) {
	switch oid.String() {
	case "2.16.840.1.101.3.4.1.2":
		return pbes2Cipher{16, aes.BlockSize, aes.NewCipher}, true
	case "2.16.840.1.101.3.4.1.22":
		return pbes2Cipher{24, aes.BlockSize, aes.NewCipher}, true
	case "2.16.840.1.101.3.4.1.42":
		return pbes2Cipher{32, aes.BlockSize, aes.NewCipher}, true
	case "1.2.840.113549.3.7":
		return pbes2Cipher{24, des.BlockSize, des.NewTripleDESCipher}, true
	}
	return c, false
}

// pbkdf2Hash is the hash of an HMAC; none is SHA-1, as RFC 8018 has it.
func pbkdf2Hash(oid asn1.ObjectIdentifier) func() hash.Hash {
	switch oid.String() {
	case "", "1.2.840.113549.2.7":
		return sha1.New
	case "1.2.840.113549.2.8":
		return sha256.New224
	case "1.2.840.113549.2.9":
		return sha256.New
	case "1.2.840.113549.2.10":
		return sha512.New384
	case "1.2.840.113549.2.11":
		return sha512.New
	}
	return nil
}

// parsePBES2 reads an EncryptedPrivateKeyInfo of RFC 5958 section 3. What is none is fault.InvalidFile, as is
// an algorithm that is not known; one that would cost too much is fault.Policy. The library that
// writes keys reads them too, but takes any cost, and panics at some that are damaged.
func parsePBES2(der []byte) (*pbes2, error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Encrypted []byte
	}
	var params struct{ KDF, Cipher pkix.AlgorithmIdentifier }
	var iv []byte
	if rest, err := asn1.Unmarshal(der, &info); err != nil || len(rest) > 0 {
		return nil, notPBES2("it does not parse")
	}
	if oid := info.Algorithm.Algorithm.String(); oid != "1.2.840.113549.1.5.13" {
		return nil, notPBES2("it is encrypted with %s and not with PBES2", oid)
	}
	if _, err := asn1.Unmarshal(info.Algorithm.Parameters.FullBytes, &params); err != nil {
		return nil, notPBES2("its parameters do not parse")
	}
	c, known := pbes2Ciphers(params.Cipher.Algorithm)
	if !known {
		return nil, notPBES2("its cipher %v is not known", params.Cipher.Algorithm)
	}
	if _, err := asn1.Unmarshal(params.Cipher.Parameters.FullBytes, &iv); err != nil || len(iv) != c.blockSize {
		return nil, notPBES2("its initialization vector is not one of the cipher's")
	}
	if len(info.Encrypted) == 0 || len(info.Encrypted)%c.blockSize != 0 {
		return nil, notPBES2("it is cut off")
	}
	derive, err := parseKDF(params.KDF, c.keySize)
	return &pbes2{derive, c.new, iv, info.Encrypted}, err
}

// parseKDF gives the function that makes a key of size bytes from a password.
func parseKDF(kdf pkix.AlgorithmIdentifier, size int) (func(password []byte) ([]byte, error), error) {
	switch oid := kdf.Algorithm.String(); oid {
	case "1.2.840.113549.1.5.12":
		return parsePBKDF2(kdf.Parameters.FullBytes, size)
	case "1.3.6.1.4.1.11591.4.11":
		return parseScrypt(kdf.Parameters.FullBytes, size)
	default:
		return nil, notPBES2("its key derivation %s is not known", oid)
	}
}

func parsePBKDF2(der []byte, size int) (func(password []byte) ([]byte, error), error) {
	var p struct {
		Salt       []byte
		Iterations int
		KeyLength  int                      `asn1:"optional"`
		PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
	}
	if _, err := asn1.Unmarshal(der, &p); err != nil || p.Iterations < 1 || p.KeyLength != 0 && p.KeyLength != size {
		return nil, notPBES2("the parameters of PBKDF2 are not sound")
	}
	newHash := pbkdf2Hash(p.PRF.Algorithm)
	if newHash == nil {
		return nil, notPBES2("the hash %v of PBKDF2 is not known", p.PRF.Algorithm)
	}
	if p.Iterations > maxIterations {
		return nil, tooCostly("%d rounds of PBKDF2 are more than %d", p.Iterations, maxIterations)
	}
	return func(password []byte) ([]byte, error) {
		return pbkdf2.Key(newHash, string(password), p.Salt, p.Iterations, size)
	}, nil
}

// parseScrypt reads the parameters of RFC 7914 section 7.
func parseScrypt(der []byte, size int) (func(password []byte) ([]byte, error), error) {
	var p struct {
		Salt               []byte
		Cost, Block, Lanes int
		KeyLength          int `asn1:"optional"`
	}
	_, err := asn1.Unmarshal(der, &p)
	if err != nil || p.Cost < 2 || p.Cost&(p.Cost-1) != 0 || p.Block < 1 || p.Lanes < 1 || p.KeyLength != 0 && p.KeyLength != size {
		return nil, notPBES2("the parameters of scrypt are not sound")
	}
	const most = math.MaxInt32 // so that nothing overflows
	memory := 128 * float64(p.Block) * (float64(p.Cost) + float64(p.Lanes))
	work := 128 * float64(p.Block) * float64(p.Cost) * float64(p.Lanes)
	if p.Cost > most || memory > maxScryptMemory || work > maxScryptWork {
		return nil, tooCostly("scrypt with N=%d, r=%d and p=%d takes more than %d MiB or mixes more than %d MiB",
			p.Cost, p.Block, p.Lanes, maxScryptMemory>>20, maxScryptWork>>20)
	}
	return func(password []byte) ([]byte, error) {
		return scrypt.Key(password, p.Salt, p.Cost, p.Block, p.Lanes, size)
	}, nil
}

func notPBES2(format string, args ...any) error {
	return fault.New(fault.InvalidFile, "encrypt it anew: openssl pkcs8 -topk8 -v2 aes256 -in FILE", "the encrypted private key: "+format, args...)
}

func tooCostly(format string, args ...any) error {
	return fault.New(fault.Policy, "encrypt it anew with fewer: openssl pkcs8 -topk8 -v2 aes256 -iter 600000 -in FILE", "the encrypted private key costs too much to open: "+format, args...)
}

func (s *pbes2) decrypt(password []byte) ([]byte, error) {
	key, err := s.derive(password)
	if err != nil {
		return nil, fault.New(fault.Failed, "", "derive a key from the password: %w", err)
	}
	block, err := s.newCipher(key)
	if err != nil {
		return nil, fault.New(fault.Failed, "", "decrypt the private key: %w", err)
	}
	plain := make([]byte, len(s.encrypted))
	cipher.NewCBCDecrypter(block, s.iv).CryptBlocks(plain, s.encrypted)
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > block.BlockSize() || !bytes.HasSuffix(plain, bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, wrongPassword()
	}
	return plain[:len(plain)-pad], nil
}
