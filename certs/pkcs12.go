package certs

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"

	"software.sslmate.com/src/go-pkcs12"

	"keyward/fault"
)

var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidEncryptedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
	oidPBMAC1        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 14}
	oidKeyBag        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 1}
	oidShroudedBag   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
	oidCertBag       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}
)

// contentInfo is that of RFC 2315 section 7.
type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"tag:0,explicit,optional"`
}

// dataInfo is a contentInfo of the type data.
type dataInfo struct {
	Type    asn1.ObjectIdentifier
	Content []byte `asn1:"tag:0,explicit"`
}

// safeBag is that of RFC 7292 section 4.2, without its attributes.
type safeBag struct {
	ID    asn1.ObjectIdentifier
	Value asn1.RawValue `asn1:"tag:0,explicit"`
}

// parsePKCS12 finds the certificates of a PFX (RFC 7292). ask is called where they are encrypted. The
// keys are counted and never decrypted, and the MAC is not looked at, since what is only shown needs
// no trust; so a file's cost is that of its certificates, which is bounded.
func parsePKCS12(data []byte, ask func() ([]byte, error)) (Contents, error) {
	found, err := openPKCS12(data, ask)
	if kind := fault.KindOf(err); err != nil && (kind == fault.InvalidFile || kind == fault.Policy) {
		err = fault.New(kind, "see what OpenSSL says: openssl pkcs12 -info -nokeys -in FILE", "PKCS#12: %w", err)
	}
	return found, err
}

func openPKCS12(data []byte, ask func() ([]byte, error)) (found Contents, err error) {
	parts, err := pkcs12Parts(data)
	if err != nil {
		return found, err
	}
	var encrypted []contentInfo
	total := 0 // rounds: some programs encrypt each certificate by itself
	for _, part := range parts {
		switch {
		case part.Type.Equal(oidData):
			err = found.addBags(part.Content.Bytes)
		case part.Type.Equal(oidEncryptedData):
			rounds, partErr := partRounds(part.Content.Bytes)
			total, err = total+rounds, partErr
			encrypted = append(encrypted, part)
		default:
			err = unknown("a part of it is for the holder of another key")
		}
		if err != nil {
			return found, err
		}
	}
	if err := checkRounds(total); err != nil {
		return found, err
	}
	opened, err := openParts(encrypted, ask)
	if err != nil {
		return found, err
	}
	if found.Certs = append(opened, found.Certs...); len(found.Certs) == 0 {
		return found, unknown("%w", ErrNoCertificate)
	}
	return found, nil
}

// pkcs12Parts are the parts of a PFX: each is encrypted, or plain with the keys in it encrypted.
func pkcs12Parts(data []byte) (parts []contentInfo, err error) {
	var pfx struct {
		Version  int
		AuthSafe contentInfo
	}
	var text []byte
	if _, err := asn1.Unmarshal(data, &pfx); err != nil {
		return nil, unknown("it does not parse")
	}
	if !pfx.AuthSafe.Type.Equal(oidData) {
		return nil, unknown("it is signed with a key, and not with a password")
	}
	if _, err := asn1.Unmarshal(pfx.AuthSafe.Content.Bytes, &text); err != nil {
		return nil, unknown("it does not parse")
	}
	if _, err := asn1.Unmarshal(text, &parts); err != nil {
		return nil, unknown("it does not parse")
	}
	return parts, nil
}

// partRounds is how many rounds of hashing it takes to open an EncryptedData (RFC 2315 section 13) with what the library knows:
// PBES2 with PBKDF2, or the ciphers of RFC 7292 appendix C.
func partRounds(der []byte) (int, error) {
	var part struct {
		Version int
		Content struct {
			Type      asn1.ObjectIdentifier
			Algorithm pkix.AlgorithmIdentifier
		}
	}
	var pbes2 struct {
		KDF algorithm[pbkdf2Params]
	}
	var pbe struct {
		Salt       []byte
		Iterations int
	}
	if _, err := asn1.Unmarshal(der, &part); err != nil {
		return 0, unknown("it does not parse")
	}
	rounds, params := &pbe.Iterations, any(&pbe)
	if part.Content.Algorithm.Algorithm.Equal(oidPBES2) {
		rounds, params = &pbes2.KDF.Parameters.Iterations, &pbes2
	}
	if _, err := asn1.Unmarshal(part.Content.Algorithm.Parameters.FullBytes, params); err != nil || *rounds < 1 {
		return 0, unknown("the parameters of its encryption are not sound")
	}
	return *rounds, checkRounds(*rounds)
}

// openParts tries the empty password before it asks for one.
func openParts(encrypted []contentInfo, ask func() ([]byte, error)) ([]*x509.Certificate, error) {
	found, err := openWith("", encrypted)
	if !errors.Is(err, fault.LoginRefused) {
		return found, err
	}
	password, err := ask()
	if err != nil {
		return nil, err
	}
	return openWith(string(password), encrypted)
}

func openWith(password string, encrypted []contentInfo) (found []*x509.Certificate, err error) {
	for _, part := range encrypted {
		file, err := alone(part, password)
		if err != nil {
			return nil, fault.New(fault.Failed, "", "PKCS#12: %w", err)
		}
		_, cert, more, err := pkcs12.DecodeChain(file, password)
		if err != nil {
			return nil, notOpened(err)
		}
		found = append(append(found, cert), more...)
	}
	return found, nil
}

// notOpened tells a wrong password, which leaves bytes that are no ASN.1, from what the library does not read.
func notOpened(err error) error {
	_, syntax := errors.AsType[asn1.SyntaxError](err)
	_, structure := errors.AsType[asn1.StructuralError](err)
	if syntax || structure || errors.Is(err, pkcs12.ErrDecryption) || errors.Is(err, pkcs12.ErrIncorrectPassword) {
		return wrongPassword()
	}
	return unknown("%w", err)
}

// alone is a PFX with one part of another. The library opens whole files, each with one key that it
// decrypts at any cost. So this one begins with a key that is plain, and nobody's: at another key, which may
// hide in the part, the library gives up before it decrypts it.
func alone(part contentInfo, password string) ([]byte, error) {
	key, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		return nil, err
	}
	value := asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: key}
	bags, err := asn1.Marshal([]safeBag{{oidKeyBag, value}})
	if err != nil {
		return nil, err
	}
	parts, err := asn1.Marshal(struct {
		Key  dataInfo
		Part contentInfo
	}{dataInfo{oidData, bags}, part})
	if err != nil {
		return nil, err
	}
	mac, err := macOf(parts, password)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(struct {
		Version int
		Parts   dataInfo
		MAC     macData
	}{3, dataInfo{oidData, parts}, mac})
}

// macData is that of RFC 7292 section 4 with PBMAC1 (RFC 9579).
type macData struct {
	MAC struct {
		Algorithm algorithm[pbmac1Params]
		Digest    []byte
	}
	Salt []byte // none: PBMAC1 has its own
}

// pbmac1Params are those of RFC 8018 appendix A.5.
type pbmac1Params struct {
	KDF algorithm[pbkdf2Params]
	MAC pkix.AlgorithmIdentifier
}

// macOf is a MAC that costs one round, for a file that nobody else sees.
func macOf(text []byte, password string) (m macData, err error) {
	kdf := pbkdf2Params{Iterations: 1, KeyLength: sha256.Size, PRF: hmacSHA256()}
	key, err := pbkdf2.Key(sha256.New, password, kdf.Salt, kdf.Iterations, kdf.KeyLength)
	if err != nil {
		return m, err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(text)
	m.MAC.Algorithm = algorithm[pbmac1Params]{oidPBMAC1, pbmac1Params{algorithm[pbkdf2Params]{oidPBKDF2, kdf}, hmacSHA256()}}
	m.MAC.Digest = mac.Sum(nil)
	return m, nil
}

// addBags adds what a plain part holds.
func (c *Contents) addBags(der []byte) error {
	var text []byte
	var bags []safeBag
	if _, err := asn1.Unmarshal(der, &text); err != nil {
		return unknown("it does not parse")
	}
	if _, err := asn1.Unmarshal(text, &bags); err != nil {
		return unknown("it does not parse")
	}
	for _, bag := range bags {
		switch {
		case bag.ID.Equal(oidKeyBag) || bag.ID.Equal(oidShroudedBag):
			c.Keys++
		case bag.ID.Equal(oidCertBag):
			var held dataInfo
			if _, err := asn1.Unmarshal(bag.Value.Bytes, &held); err != nil {
				return unknown("it does not parse")
			}
			cert, err := x509.ParseCertificate(held.Content)
			if err != nil {
				return unknown("certificate %d does not parse: %w", len(c.Certs)+1, err)
			}
			c.Certs = append(c.Certs, cert)
		}
	}
	return nil
}
