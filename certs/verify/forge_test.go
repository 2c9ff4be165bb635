package verify_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"

	"keyward/certs/verify"
)

// noon is the time at which the forged certificates are verified.
var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// spec is a certificate to forge: field by field, so that each can be wrong.
type spec struct {
	version         int64
	serial          *big.Int
	algorithm       []byte // inside the signed part
	outer           []byte // beside the signature; nil for the same
	issuer, subject []byte // names in DER
	begin, end      []byte // times in DER
	spki            []byte
	uniqueID        bool
	extensions      []pkix.Extension
	sign            func(tbs []byte) []byte
	key             crypto.Signer
}

// made is a forged certificate; parse is what crypto/x509 says of it.
type made struct {
	spec
	cert  *x509.Certificate
	parse error
}

type change func(*spec)

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func marshal(v any) []byte {
	b, err := asn1.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

var (
	ecdsaSHA256 = marshal(pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}})
	ecdsaSHA1   = marshal(pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}})
	ecdsaNull   = marshal(pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, Parameters: asn1.NullRawValue})
	emptyDER    = []byte{0x30, 0}
)

func name(commonName string) []byte {
	return marshal(pkix.Name{CommonName: commonName}.ToRDNSequence())
}

func signWith(t testing.TB, key crypto.Signer, hash crypto.Hash) func([]byte) []byte {
	return func(tbs []byte) []byte {
		digest := sha256.Sum256(tbs)
		sum := digest[:]
		if hash == crypto.SHA1 {
			old := sha1.Sum(tbs)
			sum = old[:]
		}
		signature, err := key.Sign(rand.Reader, sum, hash)
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
}

func spkiOf(t testing.TB, key crypto.PublicKey) []byte {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return spki
}

func keyID(spki []byte) []byte {
	sum := sha256.Sum256(spki)
	return sum[:20]
}

// forge makes a certificate below parent, or one that signs itself.
func forge(t testing.TB, parent *made, s spec, changes []change) *made {
	t.Helper()
	if s.key == nil {
		s.key = ecKey(t)
	}
	s.version, s.algorithm, s.spki = 3, ecdsaSHA256, spkiOf(t, s.key.Public())
	serial := make([]byte, 16)
	_, _ = rand.Read(serial)
	s.serial = new(big.Int).SetBytes(append([]byte{1}, serial...))
	s.begin, s.end = utc("260101000000Z"), utc("270101000000Z")
	s.issuer, s.sign = s.subject, signWith(t, s.key, crypto.SHA256)
	if parent != nil {
		s.issuer, s.sign = parent.subject, signWith(t, parent.key, crypto.SHA256)
		with(authority(keyID(parent.spki)))(&s)
	}
	with(subjectID(keyID(s.spki)))(&s)
	for _, change := range changes {
		change(&s)
	}
	if s.outer == nil {
		s.outer = s.algorithm
	}
	tbs := s.tbs()
	var b cryptobyte.Builder
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes(s.outer)
		b.AddASN1BitString(s.sign(tbs))
	})
	m := &made{spec: s}
	m.cert, m.parse = x509.ParseCertificate(b.BytesOrPanic())
	return m
}

func (s *spec) tbs() []byte {
	var b cryptobyte.Builder
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		if s.version > 1 {
			b.AddASN1(der.Tag(0).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) { b.AddASN1Int64(s.version - 1) })
		}
		b.AddASN1BigInt(s.serial)
		b.AddBytes(s.algorithm)
		b.AddBytes(s.issuer)
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(s.begin); b.AddBytes(s.end) })
		b.AddBytes(s.subject)
		b.AddBytes(s.spki)
		if s.uniqueID {
			b.AddASN1(der.Tag(1).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes([]byte{0, 1}) })
		}
		if len(s.extensions) > 0 {
			b.AddASN1(der.Tag(3).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(marshal(s.extensions)) })
		}
	})
	return b.BytesOrPanic()
}

func utc(text string) []byte { return append([]byte{0x17, byte(len(text))}, text...) }

func generalized(text string) []byte { return append([]byte{0x18, byte(len(text))}, text...) }

// with puts an extension in, in the place of one with its id.
func with(ext pkix.Extension) change {
	return func(s *spec) {
		s.extensions = slices.DeleteFunc(slices.Clone(s.extensions), func(e pkix.Extension) bool { return e.Id.Equal(ext.Id) })
		s.extensions = append(s.extensions, ext)
	}
}

// also puts an extension in, whatever is there.
func also(ext pkix.Extension) change {
	return func(s *spec) { s.extensions = append(slices.Clone(s.extensions), ext) }
}

func without(arc int) change {
	return func(s *spec) {
		s.extensions = slices.DeleteFunc(slices.Clone(s.extensions), func(e pkix.Extension) bool { return e.Id.Equal(ce(arc)) })
	}
}

func subject(raw []byte) change { return func(s *spec) { s.subject = raw } }

// named gives a certificate another name, as its issuer too.
func named(raw []byte) change { return func(s *spec) { s.subject, s.issuer = raw, raw } }

func lives(begin, end string) change {
	return func(s *spec) { s.begin, s.end = utc(begin), utc(end) }
}

func ce(arc int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 29, arc} }

func extension(arc int, critical bool, value []byte) pkix.Extension {
	return pkix.Extension{Id: ce(arc), Critical: critical, Value: value}
}

func critical(ext pkix.Extension, is bool) pkix.Extension {
	ext.Critical = is
	return ext
}

func authority(id []byte) pkix.Extension {
	return extension(35, false, marshal(struct {
		ID []byte `asn1:"optional,tag:0"`
	}{id}))
}

func subjectID(id []byte) pkix.Extension { return extension(14, false, marshal(id)) }

func basic(ca bool, pathLen int) pkix.Extension {
	return extension(19, true, marshal(struct {
		CA      bool `asn1:"optional"`
		PathLen int  `asn1:"optional,default:-1"`
	}{ca, pathLen}))
}

// usage writes a key usage; its bits are crypto/x509's, which count from the left.
func usage(bits x509.KeyUsage) pkix.Extension {
	var b [2]byte
	length := 0
	for i := range 9 {
		if bits&(1<<i) != 0 {
			b[i/8] |= 0x80 >> (i % 8)
			length = i + 1
		}
	}
	return extension(15, true, marshal(asn1.BitString{Bytes: b[:(length+7)/8], BitLength: length}))
}

var (
	serverAuth = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1}
	clientAuth = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2}
	anyUsage   = asn1.ObjectIdentifier{2, 5, 29, 37, 0}
)

func extended(ids ...asn1.ObjectIdentifier) pkix.Extension { return extension(37, false, marshal(ids)) }

// general is a GeneralName: a DNS name, address, network, "mail:…", "uri:…", "dn:CN" or "other:".
func general(s string) []byte {
	tagged := func(tag int, value []byte) []byte {
		return marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: value})
	}
	if _, network, err := net.ParseCIDR(s); err == nil {
		return tagged(7, append(slices.Clone(network.IP), network.Mask...))
	}
	if ip := net.ParseIP(s); ip != nil {
		if four := ip.To4(); four != nil {
			ip = four
		}
		return tagged(7, ip)
	}
	kind, value, _ := strings.Cut(s, ":")
	switch kind {
	case "mail":
		return tagged(1, []byte(value))
	case "uri":
		return tagged(6, []byte(value))
	case "text": // a DNS name whatever it looks like
		return tagged(2, []byte(value))
	case "dn":
		return marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: name(value)})
	case "other":
		return marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true,
			Bytes: append(marshal(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55738, 666, 3}), 0xa0, 2, 5, 0)})
	}
	return tagged(2, []byte(s))
}

func sequence(parts ...[]byte) []byte {
	return marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: bytes.Join(parts, nil)})
}

func alternative(names ...string) pkix.Extension {
	var all [][]byte
	for _, n := range names {
		all = append(all, general(n))
	}
	return extension(17, false, sequence(all...))
}

// constraints are name constraints.
func constraints(permitted, excluded []string) pkix.Extension {
	part := func(tag int, names []string) []byte {
		var all [][]byte
		for _, n := range names {
			all = append(all, sequence(general(n)))
		}
		if len(all) == 0 {
			return nil
		}
		return marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: true, Bytes: bytes.Join(all, nil)})
	}
	return extension(30, true, sequence(part(0, permitted), part(1, excluded)))
}

const signsAll = x509.KeyUsageCertSign | x509.KeyUsageCRLSign

func root(t testing.TB, changes ...change) *made {
	return forge(t, nil, spec{subject: name("Forged Root"), extensions: []pkix.Extension{basic(true, -1), usage(signsAll)}}, changes)
}

func ca(t testing.TB, parent *made, changes ...change) *made {
	return forge(t, parent, spec{subject: name("Forged CA " + parent.serial.Text(62)), extensions: []pkix.Extension{basic(true, -1), usage(signsAll)}}, changes)
}

func leaf(t testing.TB, parent *made, changes ...change) *made {
	return forge(t, parent, spec{subject: name("example.com"), extensions: []pkix.Extension{
		usage(x509.KeyUsageDigitalSignature), extended(serverAuth), alternative("example.com"),
	}}, changes)
}

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := keptRSA(bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var rsaKeys sync.Map

// keptRSA makes one key of a size: it takes long.
func keptRSA(bits int) (*rsa.PrivateKey, error) {
	if key, ok := rsaKeys.Load(bits); ok {
		return key.(*rsa.PrivateKey), nil
	}
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err == nil {
		rsaKeys.Store(bits, key)
	}
	return key, err
}

// holds gives a certificate another public key.
func holds(spki []byte) change {
	return func(s *spec) {
		s.spki = spki
		with(subjectID(keyID(spki)))(s)
	}
}

// crlOf makes a CRL as issuer's.
func crlOf(t testing.TB, issuer *x509.Certificate, key crypto.Signer, list x509.RevocationList) *verify.CRL {
	t.Helper()
	if list.ThisUpdate.IsZero() {
		list.ThisUpdate, list.NextUpdate = noon.Add(-time.Hour), noon.Add(time.Hour)
	}
	if list.Number == nil {
		list.Number = big.NewInt(7)
	}
	signer := *issuer
	signer.KeyUsage |= x509.KeyUsageCRLSign // CreateRevocationList refuses what is to be refused here,
	signer.PublicKey = key.Public()         // and a key that is not the issuer's
	raw, err := x509.CreateRevocationList(rand.Reader, &list, &signer, key)
	if err != nil {
		t.Fatal(err)
	}
	all, err := verify.ParseCRLs(raw)
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

func certsOf(all []*made) []*x509.Certificate {
	list := []*x509.Certificate{}
	for _, m := range all {
		list = append(list, m.cert)
	}
	return list
}

var rng = rand.Reader
