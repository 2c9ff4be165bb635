package certs

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des" //nolint:gosec // what others wrote is read
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // as above
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"hash"
	"math"

	"golang.org/x/crypto/scrypt"

	"keyward/fault"
)

// keyIterations is what OWASP asks of PBKDF2-HMAC-SHA256: about a seventh of a second at each use of the
// key. GnuTLS writes as many. Of the functions that derive keys it is the one that OpenSSL, GnuTLS and Java all read.
const keyIterations = 600_000

// The most that is spent on the password of a file that anybody may have made: a few seconds, and 256 MiB.
const (
	maxIterations   = 10_000_000
	maxScryptMemory = 256 << 20 // bytes
	maxScryptWork   = 1 << 30   // bytes that are mixed, over all its lanes
)

var (
	oidPBES2      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidHMACSHA256 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	oidAES256CBC  = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
)

// algorithm is an AlgorithmIdentifier whose parameters are known.
type algorithm[P any] struct {
	ID         asn1.ObjectIdentifier
	Parameters P
}

// pbkdf2Params are those of RFC 8018 appendix A.2.
type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"` // bytes
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

func hmacSHA256() pkix.AlgorithmIdentifier {
	return pkix.AlgorithmIdentifier{Algorithm: oidHMACSHA256, Parameters: asn1.NullRawValue}
}

// sealPKCS8 makes an EncryptedPrivateKeyInfo (RFC 5958 section 3) of a PrivateKeyInfo.
func sealPKCS8(plain, password []byte) ([]byte, error) {
	const keySize = 32 // bytes
	salt, iv := make([]byte, 16), make([]byte, aes.BlockSize)
	rand.Read(salt)
	rand.Read(iv)
	key, err := pbkdf2.Key(sha256.New, string(password), salt, keyIterations, keySize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	data := append(bytes.Clone(plain), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)

	type pbes2Params struct {
		KDF    algorithm[pbkdf2Params]
		Cipher algorithm[[]byte] // with its initialization vector
	}
	kdf := pbkdf2Params{Salt: salt, Iterations: keyIterations, PRF: hmacSHA256()}
	return asn1.Marshal(struct {
		Algorithm algorithm[pbes2Params]
		Data      []byte
	}{algorithm[pbes2Params]{oidPBES2, pbes2Params{
		algorithm[pbkdf2Params]{oidPBKDF2, kdf},
		algorithm[[]byte]{oidAES256CBC, iv},
	}}, data})
}

// sealed is a PrivateKeyInfo encrypted in CBC mode with a password, which can be decrypted at a cost within the bounds.
type sealed struct {
	data, iv []byte // the data are whole blocks, at least one
	cipher   pbes2Cipher
	derive   keyDerivation
}

// open decrypts the data and takes its padding off (RFC 8018 section 6.1.1).
func (s sealed) open(password []byte) ([]byte, error) {
	key, err := s.derive(password)
	if err != nil {
		return nil, fault.New(fault.Failed, "", "derive a key from the password: %w", err)
	}
	block, err := s.cipher.new(key)
	if err != nil {
		return nil, fault.New(fault.Failed, "", "derive a key from the password: %w", err)
	}
	plain := make([]byte, len(s.data))
	cipher.NewCBCDecrypter(block, s.iv).CryptBlocks(plain, s.data)
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > block.BlockSize() || !bytes.HasSuffix(plain, bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, wrongPassword()
	}
	return plain[:len(plain)-pad], nil
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
	case oidAES256CBC.String():
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
	case oidHMACSHA256.String():
		return sha256.New
	case "1.2.840.113549.2.10":
		return sha512.New384
	case "1.2.840.113549.2.11":
		return sha512.New
	}
	return nil
}

// parseSealed reads an EncryptedPrivateKeyInfo of RFC 5958 section 3 with the parameters of RFC 8018 section 6.2. What does
// not parse, or is not known, is fault.InvalidFile; what would cost too much is fault.Policy.
func parseSealed(der []byte) (s sealed, err error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	var params struct{ KDF, Cipher pkix.AlgorithmIdentifier }
	if rest, err := asn1.Unmarshal(der, &info); err != nil || len(rest) > 0 {
		return s, unknown("it does not parse")
	}
	if !info.Algorithm.Algorithm.Equal(oidPBES2) {
		return s, unknown("it is encrypted with %v and not with PBES2", info.Algorithm.Algorithm)
	}
	if _, err := asn1.Unmarshal(info.Algorithm.Parameters.FullBytes, &params); err != nil {
		return s, unknown("its parameters do not parse")
	}
	c, known := pbes2Ciphers(params.Cipher.Algorithm)
	if !known {
		return s, unknown("its cipher %v is not known", params.Cipher.Algorithm)
	}
	s = sealed{data: info.Data, cipher: c}
	if _, err := asn1.Unmarshal(params.Cipher.Parameters.FullBytes, &s.iv); err != nil || len(s.iv) != c.blockSize {
		return s, unknown("its initialization vector is not one of the cipher's")
	}
	if len(s.data) == 0 || len(s.data)%c.blockSize != 0 {
		return s, unknown("it is cut off")
	}
	switch params.KDF.Algorithm.String() {
	case oidPBKDF2.String():
		s.derive, err = parsePBKDF2(params.KDF.Parameters.FullBytes, c.keySize)
	case "1.3.6.1.4.1.11591.4.11":
		s.derive, err = parseScrypt(params.KDF.Parameters.FullBytes, c.keySize)
	default:
		err = unknown("its key derivation %v is not known", params.KDF.Algorithm)
	}
	return s, err
}

// keyDerivation makes a key from a password.
type keyDerivation func(password []byte) ([]byte, error)

func parsePBKDF2(der []byte, size int) (keyDerivation, error) {
	var p pbkdf2Params
	if _, err := asn1.Unmarshal(der, &p); err != nil || p.Iterations < 1 || p.KeyLength != 0 && p.KeyLength != size {
		return nil, unknown("the parameters of PBKDF2 are not sound")
	}
	newHash := pbkdf2Hash(p.PRF.Algorithm)
	if newHash == nil {
		return nil, unknown("the hash %v of PBKDF2 is not known", p.PRF.Algorithm)
	}
	return func(password []byte) ([]byte, error) {
		return pbkdf2.Key(newHash, string(password), p.Salt, p.Iterations, size)
	}, checkRounds(p.Iterations)
}

func checkRounds(rounds int) error {
	if rounds > maxIterations {
		return tooCostly("%d rounds are more than %d", rounds, maxIterations)
	}
	return nil
}

// parseScrypt reads the parameters of RFC 7914 section 7.
func parseScrypt(der []byte, size int) (keyDerivation, error) {
	var p struct {
		Salt               []byte
		Cost, Block, Lanes int
		KeyLength          int `asn1:"optional"`
	}
	_, err := asn1.Unmarshal(der, &p)
	if err != nil || p.Cost < 2 || p.Cost&(p.Cost-1) != 0 || p.Block < 1 || p.Lanes < 1 || p.KeyLength != 0 && p.KeyLength != size {
		return nil, unknown("the parameters of scrypt are not sound")
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
