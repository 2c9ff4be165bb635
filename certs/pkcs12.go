package certs

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"  //nolint:gosec // what others wrote is read
	"crypto/sha1" //nolint:gosec // as above
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"unicode/utf16"

	"keyward/internal/fault"
)

// contentInfo is that of RFC 2315 section 7.
type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"tag:0,explicit,optional"`
}

// parsePKCS12 finds the certificates of a PFX (RFC 7292). ask is called where they are encrypted. The
// keys are counted and never decrypted, and the MAC is not looked at, since what is only shown needs
// no trust; so a file's cost is that of its certificates, which is bounded. The library that writes
// PKCS#12 would take any cost, and reads no file without a key.
func parsePKCS12(data []byte, ask func() ([]byte, error)) (Contents, error) {
	found, err := openPKCS12(data, ask)
	if kind := fault.KindOf(err); err != nil && (kind == fault.InvalidFile || kind == fault.Policy) {
		err = fault.New(kind, "see what OpenSSL says: openssl pkcs12 -info -nokeys -in FILE", "PKCS#12: %w", err)
	}
	return found, err
}

func openPKCS12(data []byte, ask func() ([]byte, error)) (found Contents, err error) {
	safes, err := pkcs12Safes(data)
	if err != nil {
		return found, err
	}
	var plain [][]byte
	var encrypted []sealed
	for _, safe := range safes {
		switch safe.Type.String() {
		case "1.2.840.113549.1.7.1":
			var text []byte
			if _, err := asn1.Unmarshal(safe.Content.Bytes, &text); err != nil {
				return found, unknown("it does not parse")
			}
			plain = append(plain, text)
		case "1.2.840.113549.1.7.6":
			part, err := parseSafe(safe.Content.Bytes)
			if err != nil {
				return found, err
			}
			encrypted = append(encrypted, part)
		default:
			return found, unknown("a part of it is for the holder of another key")
		}
	}
	if rounds := totalRounds(encrypted); rounds > maxIterations {
		return found, tooCostly("%d rounds in %d parts are more than %d", rounds, len(encrypted), maxIterations)
	}
	opened, err := openSafes(encrypted, ask)
	if err != nil {
		return found, err
	}
	for _, text := range append(opened, plain...) {
		if err := found.addBags(text); err != nil {
			return found, err
		}
	}
	if len(found.Certs) == 0 {
		return found, unknown("%w", ErrNoCertificate)
	}
	return found, nil
}

// pkcs12Safes are the parts of a PFX.
func pkcs12Safes(data []byte) (safes []contentInfo, err error) {
	var pfx struct {
		Version  int
		AuthSafe contentInfo
		Mac      asn1.RawValue `asn1:"optional"`
	}
	var text []byte
	if _, err := asn1.Unmarshal(data, &pfx); err != nil {
		return nil, unknown("it does not parse")
	}
	if oid := pfx.AuthSafe.Type.String(); oid != "1.2.840.113549.1.7.1" {
		return nil, unknown("it is signed with a key, and not with a password")
	}
	if _, err := asn1.Unmarshal(pfx.AuthSafe.Content.Bytes, &text); err != nil {
		return nil, unknown("it does not parse")
	}
	if _, err := asn1.Unmarshal(text, &safes); err != nil {
		return nil, unknown("it does not parse")
	}
	return safes, nil
}

// parseSafe reads an EncryptedData of RFC 2315 section 13.
func parseSafe(der []byte) (sealed, error) {
	var safe struct {
		Version int
		Content struct {
			Type      asn1.ObjectIdentifier
			Algorithm pkix.AlgorithmIdentifier
			Data      []byte `asn1:"tag:0,optional"`
		}
	}
	if _, err := asn1.Unmarshal(der, &safe); err != nil {
		return sealed{}, unknown("it does not parse")
	}
	c := safe.Content
	switch c.Algorithm.Algorithm.String() {
	case "1.2.840.113549.1.12.1.3":
		return parsePBE(c.Algorithm, c.Data, 24, des.NewTripleDESCipher)
	case "1.2.840.113549.1.12.1.5":
		return parsePBE(c.Algorithm, c.Data, 16, newRC2)
	case "1.2.840.113549.1.12.1.6":
		return parsePBE(c.Algorithm, c.Data, 5, newRC2)
	}
	return parsePBES2(c.Algorithm, c.Data)
}

// parsePBE reads the parameters of RFC 7292 appendix C. Its ciphers have blocks of eight bytes.
func parsePBE(algorithm pkix.AlgorithmIdentifier, data []byte, keySize int, newCipher func([]byte) (cipher.Block, error)) (s sealed, err error) {
	const blockSize = 8
	var params struct {
		Salt       []byte
		Iterations int
	}
	if _, err := asn1.Unmarshal(algorithm.Parameters.FullBytes, &params); err != nil || params.Iterations < 1 || len(params.Salt) > 1024 {
		return s, unknown("its parameters are not sound")
	}
	if err := checkRounds(params.Iterations); err != nil {
		return s, err
	}
	if len(data) == 0 || len(data)%blockSize != 0 {
		return s, unknown("it is cut off")
	}
	return sealed{data, params.Iterations, func(password []byte) (cipher.BlockMode, error) {
		block, err := newCipher(pkcs12Key(password, params.Salt, params.Iterations, 1, keySize))
		if err != nil {
			return nil, err
		}
		return cipher.NewCBCDecrypter(block, pkcs12Key(password, params.Salt, params.Iterations, 2, blockSize)), nil
	}}, nil
}

// pkcs12Key is the key derivation of RFC 7292 appendix B.2 with SHA-1, for size bytes: of a key with the id 1, of an IV with 2.
func pkcs12Key(password, salt []byte, iterations int, id byte, size int) []byte {
	const block = 64 // of SHA-1
	input := append(repeated(salt, block), repeated(bmpString(string(password)), block)...)
	var key []byte
	for len(key) < size {
		sum := sha1.Sum(append(bytes.Repeat([]byte{id}, block), input...)) //nolint:gosec // as the format has it
		for range iterations - 1 {
			sum = sha1.Sum(sum[:]) //nolint:gosec // as above
		}
		key = append(key, sum[:]...)
		for start := 0; start < len(input); start += block {
			addOne(input[start:start+block], sum[:])
		}
	}
	return key[:size]
}

// addOne adds what sum makes when repeated, and one, to a big-endian number, without its carry.
func addOne(number, sum []byte) {
	carry := 1
	for i := len(number) - 1; i >= 0; i-- {
		carry += int(number[i]) + int(sum[i%len(sum)])
		number[i] = byte(carry)
		carry >>= 8
	}
}

// repeated is data as often as it takes to fill whole blocks; none for no data.
func repeated(data []byte, block int) []byte {
	if len(data) == 0 {
		return nil
	}
	size := (len(data) + block - 1) / block * block
	return bytes.Repeat(data, size/len(data)+1)[:size]
}

// bmpString is a password in two bytes a character with a zero at its end, as appendix B.1 has it.
func bmpString(password string) []byte {
	var text []byte
	for _, unit := range utf16.Encode([]rune(password)) {
		text = append(text, byte(unit>>8), byte(unit))
	}
	return append(text, 0, 0)
}

// openSafes tries the empty password before it asks for one.
func openSafes(encrypted []sealed, ask func() ([]byte, error)) ([][]byte, error) {
	opened, err := openWith(nil, encrypted)
	if !errors.Is(err, fault.LoginRefused) {
		return opened, err
	}
	password, err := ask()
	if err != nil {
		return nil, err
	}
	return openWith(password, encrypted)
}

func openWith(password []byte, encrypted []sealed) (opened [][]byte, err error) {
	for _, part := range encrypted {
		text, err := part.open(password)
		if err != nil {
			return nil, err
		}
		if _, err := parseBags(text); err != nil { // a wrong password passes for the right one once in 256 times
			return nil, wrongPassword()
		}
		opened = append(opened, text)
	}
	return opened, nil
}

// totalRounds is what all parts cost together: some programs encrypt each certificate by itself.
func totalRounds(parts []sealed) (sum int) {
	for _, part := range parts {
		sum += part.rounds
	}
	return sum
}

// safeBag is that of RFC 7292 section 4.2.
type safeBag struct {
	ID         asn1.ObjectIdentifier
	Value      asn1.RawValue   `asn1:"tag:0,explicit"`
	Attributes []asn1.RawValue `asn1:"set,optional"`
}

func parseBags(der []byte) (bags []safeBag, err error) {
	if rest, err := asn1.Unmarshal(der, &bags); err != nil || len(rest) > 0 {
		return nil, unknown("it does not parse")
	}
	return bags, nil
}

// addBags adds what a SafeContents holds.
func (c *Contents) addBags(der []byte) error {
	bags, err := parseBags(der)
	if err != nil {
		return err
	}
	for _, bag := range bags {
		switch bag.ID.String() {
		case "1.2.840.113549.1.12.10.1.1", "1.2.840.113549.1.12.10.1.2":
			c.Keys++
		case "1.2.840.113549.1.12.10.1.3":
			var held struct {
				ID   asn1.ObjectIdentifier
				Cert []byte `asn1:"tag:0,explicit"`
			}
			if _, err := asn1.Unmarshal(bag.Value.Bytes, &held); err != nil {
				return unknown("it does not parse")
			}
			cert, err := x509.ParseCertificate(held.Cert)
			if err != nil {
				return unknown("certificate %d does not parse: %w", len(c.Certs)+1, err)
			}
			c.Certs = append(c.Certs, cert)
		}
	}
	return nil
}
