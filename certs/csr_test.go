package certs_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
	"pgregory.net/rapid"

	"keyward/certs"
	"keyward/fault"
)

// forged is a request in parts, each as its DER, so that each can be spoilt. What is nil is sound.
type forged struct {
	version    int64
	key        crypto.Signer
	subject    []byte
	public     []byte
	attributes []byte // the contents of [0]
	behind     []byte // behind the attributes
	algorithm  []byte
	hash       crypto.Hash
	signature  []byte
	after      []byte // behind the signature
}

func generate(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	data, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (f forged) der(t testing.TB) []byte {
	t.Helper()
	if f.key == nil {
		f.key = generate(t, elliptic.P256())
	}
	if f.subject == nil {
		f.subject = marshal(t, pkix.Name{Organization: []string{"Example"}}.ToRDNSequence())
	}
	if f.public == nil {
		var err error
		if f.public, err = x509.MarshalPKIXPublicKey(f.key.Public()); err != nil {
			t.Fatal(err)
		}
	}
	if f.algorithm == nil {
		f.algorithm = marshal(t, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}})
	}
	var body cryptobyte.Builder
	body.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(f.version)
		b.AddBytes(f.subject)
		b.AddBytes(f.public)
		b.AddASN1(der.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(f.attributes) })
		b.AddBytes(f.behind)
	})
	if f.signature == nil {
		f.signature = f.sign(t, body.BytesOrPanic())
	}
	var request cryptobyte.Builder
	request.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(body.BytesOrPanic())
		b.AddBytes(f.algorithm)
		b.AddASN1BitString(f.signature)
		b.AddBytes(f.after)
	})
	return request.BytesOrPanic()
}

func (f forged) sign(t testing.TB, body []byte) []byte {
	t.Helper()
	digest, hash := body, f.hash
	switch _, isEd := f.key.(ed25519.PrivateKey); {
	case isEd:
	case hash == crypto.SHA1:
		sum := sha1.Sum(body)
		digest = sum[:]
	default:
		sum := sha256.Sum256(body)
		digest, hash = sum[:], crypto.SHA256
	}
	signature, err := f.key.Sign(rand.Reader, digest, hash)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// attribute is one of a request, with these values.
func attribute(id asn1.ObjectIdentifier, values ...[]byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(id)
		b.AddASN1(der.SET, func(b *cryptobyte.Builder) { b.AddBytes(slices.Concat(values...)) })
	})
	return b.BytesOrPanic()
}

var (
	extensionRequest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 14}
	challenge        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 7}
	subjectAltName   = asn1.ObjectIdentifier{2, 5, 29, 17}
)

// asking is the attribute that asks for extensions.
func asking(t testing.TB, extensions ...pkix.Extension) []byte {
	t.Helper()
	return attribute(extensionRequest, marshal(t, extensions))
}

// named asks for names, each a tag and its bytes.
func named(t testing.TB, list ...asn1.RawValue) []byte {
	t.Helper()
	return asking(t, pkix.Extension{Id: subjectAltName, Value: marshal(t, list)})
}

func name(tag int, value string) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: []byte(value)}
}

func publicRSA(t testing.TB, modulus *big.Int, exponent int64) []byte {
	t.Helper()
	key := marshal(t, struct {
		N *big.Int
		E int64
	}{modulus, exponent})
	return publicInfo(t, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, asn1.NullRawValue, key)
}

func publicInfo(t testing.TB, id asn1.ObjectIdentifier, parameters asn1.RawValue, key []byte) []byte {
	t.Helper()
	return marshal(t, struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}{pkix.AlgorithmIdentifier{Algorithm: id, Parameters: parameters}, asn1.BitString{Bytes: key, BitLength: 8 * len(key)}})
}

// onCurve is an EC key of a curve by its number.
func onCurve(t testing.TB, curve asn1.ObjectIdentifier, point []byte) []byte {
	t.Helper()
	return publicInfo(t, asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, asn1.RawValue{FullBytes: marshal(t, curve)}, point)
}

// hostile are requests of which none may be signed, whatever the caller allows.
func hostile(t testing.TB) []struct {
	what string
	kind fault.Kind
	data []byte
	says string
} {
	t.Helper()
	p256 := asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}
	sound := forged{}.der(t)
	asPEM := func(data []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: data})
	}
	keyUsage := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Value: []byte{3, 2, 2, 4}}
	modulus := func(bits uint) *big.Int {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		for n.SetBit(n, 0, 1); smallFactor(n); n.Add(n, big.NewInt(2)) {
		}
		return n
	}
	rsa1024, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	rsa2048, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edID := asn1.ObjectIdentifier{1, 3, 101, 112}
	edAlgorithm := marshal(t, pkix.AlgorithmIdentifier{Algorithm: edID})
	rsaWith := func(hash int) []byte {
		return marshal(t, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, hash}, Parameters: asn1.NullRawValue})
	}
	names := make([]asn1.RawValue, 101)
	for i := range names {
		names[i] = name(2, "a.test")
	}
	wishes := make([]pkix.Extension, 101)
	for i := range wishes {
		wishes[i] = pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, i}, Value: []byte{5, 0}}
	}
	outside := append([]byte{4}, bytes.Repeat([]byte{1}, 64)...)
	tests := []struct {
		what string
		kind fault.Kind
		data []byte
		says string // so that a weak key is not refused for its signature, which may be sound
	}{
		{"nothing", fault.InvalidFile, nil, ""},
		{"no PEM", fault.InvalidFile, []byte("hello"), ""},
		{"bytes without a sense", fault.InvalidFile, bytes.Repeat([]byte{0x30, 0x80}, 100), ""},
		{"a certificate", fault.InvalidFile, issue(t, certs.Request{Role: certs.Root, Organization: "Root"}, nil).CertPEM(), ""},
		{"too large", fault.InvalidFile, append(asPEM(sound), bytes.Repeat([]byte("\n"), 64<<10)...), ""},
		{"two requests", fault.InvalidFile, append(asPEM(sound), asPEM(sound)...), ""},
		{"a key before it", fault.InvalidFile, append([]byte("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"), asPEM(sound)...), ""},
		{"a broken one before it", fault.InvalidFile, append([]byte("-----BEGIN CERTIFICATE REQUEST-----\n"), asPEM(sound)...), ""},
		{"text behind it", fault.InvalidFile, append(asPEM(sound), "hello"...), ""},
		{"a byte behind it", fault.InvalidFile, append(sound[:len(sound):len(sound)], 0), ""},
		{"a byte behind it in PEM", fault.InvalidFile, asPEM(append(sound[:len(sound):len(sound)], 0)), ""},
		{"a field behind the signature", fault.InvalidFile, forged{after: asn1.NullBytes}.der(t), ""},
		{"a field behind the attributes", fault.InvalidFile, forged{behind: asn1.NullBytes}.der(t), ""},
		{"a version to come", fault.InvalidFile, forged{version: 1}.der(t), ""},

		{"another's signature", fault.Policy, forged{signature: forged{}.sign2(t)}.der(t), "signature"},
		{"an empty signature", fault.Policy, forged{signature: []byte{}}.der(t), "signature"},
		{"SHA-1", fault.Policy, forged{key: rsa2048, hash: crypto.SHA1, algorithm: rsaWith(5)}.der(t), "SHA1"},
		{"MD5", fault.Policy, forged{key: rsa2048, algorithm: rsaWith(4)}.der(t), "MD5"},
		{"an unknown hash", fault.Policy, forged{key: rsa2048, algorithm: rsaWith(99)}.der(t), "signed with"},
		{"an algorithm of another key", fault.Policy, forged{algorithm: rsaWith(11)}.der(t), "signature"},

		{"RSA of 1024 bits", fault.Policy, forged{key: rsa1024, algorithm: rsaWith(11)}.der(t), "bits"},
		{"RSA of 8193 bits", fault.Policy, forged{public: publicRSA(t, modulus(8193), 65537), algorithm: rsaWith(11)}.der(t), "bits"},
		{"RSA of 400000 bits", fault.Policy, forged{public: publicRSA(t, modulus(400000), 65537), algorithm: rsaWith(11)}.der(t), "bits"},
		{"RSA with an even modulus", fault.Policy, forged{public: publicRSA(t, new(big.Int).Lsh(big.NewInt(1), 2047), 65537), algorithm: rsaWith(11)}.der(t), "small factor"},
		{"RSA with a factor of 751", fault.Policy, forged{public: publicRSA(t, new(big.Int).Mul(modulus(2047), big.NewInt(751)), 65537), algorithm: rsaWith(11)}.der(t), "small factor"},
		{"RSA with the exponent 1", fault.Policy, forged{public: publicRSA(t, rsa2048.N, 1), algorithm: rsaWith(11)}.der(t), "with the exponent"},
		{"RSA with the exponent 3", fault.Policy, forged{public: publicRSA(t, rsa2048.N, 3), algorithm: rsaWith(11)}.der(t), "with the exponent"},
		{"RSA with an even exponent", fault.Policy, forged{public: publicRSA(t, rsa2048.N, 65538), algorithm: rsaWith(11)}.der(t), "with the exponent"},
		{"RSA with a huge exponent", fault.Policy, forged{public: publicRSA(t, rsa2048.N, 1<<40+1), algorithm: rsaWith(11)}.der(t), "with the exponent"},
		{"RSA with a negative modulus", fault.InvalidFile, forged{public: publicRSA(t, new(big.Int).Neg(rsa2048.N), 65537), algorithm: rsaWith(11)}.der(t), ""},
		{"P-224", fault.Policy, forged{key: generate(t, elliptic.P224())}.der(t), "curve P-224"},
		{"P-521", fault.Policy, forged{key: generate(t, elliptic.P521())}.der(t), "curve P-521"},
		{"secp256k1", fault.InvalidFile, forged{public: onCurve(t, asn1.ObjectIdentifier{1, 3, 132, 0, 10}, outside)}.der(t), "curve"},
		{"a point off the curve", fault.InvalidFile, forged{public: onCurve(t, p256, outside)}.der(t), "point"},
		{"the point at infinity", fault.InvalidFile, forged{public: onCurve(t, p256, []byte{0})}.der(t), ""},
		{"Ed448", fault.Policy, forged{public: publicInfo(t, asn1.ObjectIdentifier{1, 3, 101, 113}, asn1.RawValue{}, make([]byte, 57))}.der(t), "algorithm"},
		{"X25519", fault.Policy, forged{public: publicInfo(t, asn1.ObjectIdentifier{1, 3, 101, 110}, asn1.RawValue{}, bytes.Repeat([]byte{9}, 32))}.der(t), "algorithm"},
		{"DSA", fault.Policy, forged{public: publicInfo(t, asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1},
			asn1.RawValue{FullBytes: marshal(t, []int{23, 11, 2})}, marshal(t, 3))}.der(t), "algorithm"},
		{"Ed25519, another's signature", fault.Policy, forged{key: ed, signature: make([]byte, 64), algorithm: edAlgorithm}.der(t), "signature"},

		{"an extension twice", fault.InvalidFile, forged{attributes: asking(t, keyUsage, keyUsage)}.der(t), "duplicate"},
		{"two requests for extensions", fault.InvalidFile, forged{attributes: slices.Concat(asking(t, keyUsage), asking(t))}.der(t), ""},
		{"two lists of extensions", fault.InvalidFile, forged{attributes: attribute(extensionRequest, marshal(t, []pkix.Extension{keyUsage}), marshal(t, []pkix.Extension{keyUsage}))}.der(t), ""},
		{"an attribute twice", fault.InvalidFile, forged{attributes: slices.Concat(attribute(challenge, asn1.NullBytes), attribute(challenge, asn1.NullBytes))}.der(t), ""},
		{"an attribute without a value", fault.InvalidFile, forged{attributes: attribute(challenge)}.der(t), ""},
		{"an attribute that is none", fault.InvalidFile, forged{attributes: asn1.NullBytes}.der(t), ""},
		{"extensions that are none", fault.InvalidFile, forged{attributes: attribute(extensionRequest, asn1.NullBytes)}.der(t), ""},
		{"a field behind an extension's value", fault.InvalidFile, forged{attributes: attribute(extensionRequest, marshal(t, []any{[]any{keyUsage.Id, keyUsage.Value, true}}))}.der(t), ""},
		{"names that are none", fault.InvalidFile, forged{attributes: asking(t, pkix.Extension{Id: subjectAltName, Value: []byte{4, 0}})}.der(t), ""},
		{"bytes behind the names", fault.InvalidFile, forged{attributes: asking(t, pkix.Extension{Id: subjectAltName, Value: []byte{0x30, 0, 5, 0}})}.der(t), ""},
		{"a name in ISO 8859-1", fault.InvalidFile, forged{attributes: named(t, name(2, "b\xfccher.test"))}.der(t), ""},
		{"a name in UTF-8", fault.InvalidFile, forged{attributes: named(t, name(2, "bücher.test"))}.der(t), ""},
		{"an address of 5 bytes", fault.InvalidFile, forged{attributes: named(t, name(7, "12345"))}.der(t), ""},
		{"a name with a tag that is none", fault.InvalidFile, forged{attributes: named(t, name(9, "a.test"))}.der(t), ""},
		{"a URI that does not parse", fault.InvalidFile, forged{attributes: named(t, name(6, "http://a b/%"))}.der(t), ""},
		{"101 names", fault.Policy, forged{attributes: named(t, names...)}.der(t), "101 names"},
		{"101 extensions", fault.Policy, forged{attributes: asking(t, wishes...)}.der(t), "101 other"},
	}
	for _, point := range lowOrder(t) {
		tests = append(tests, struct {
			what string
			kind fault.Kind
			data []byte
			says string
		}{"Ed25519 of low order", fault.Policy, forged{key: ed, public: publicInfo(t, edID, asn1.RawValue{}, point), algorithm: edAlgorithm}.der(t), "low order"})
	}
	return tests
}

// sign2 is a sound signature, of something else.
func (f forged) sign2(t testing.TB) []byte {
	t.Helper()
	f.key = generate(t, elliptic.P256())
	return f.sign(t, []byte("something else"))
}

func smallFactor(n *big.Int) bool {
	for _, p := range []int64{3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97} {
		if new(big.Int).Mod(n, big.NewInt(p)).Sign() == 0 {
			return true
		}
	}
	return false
}

// lowOrder are points of Ed25519 of order 1, 2, 4 and 8, and some of them in more bytes than one.
func lowOrder(t testing.TB) [][]byte {
	t.Helper()
	var points [][]byte
	for _, s := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000080",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	} {
		n, ok := new(big.Int).SetString(s, 16)
		if !ok {
			t.Fatal(s)
		}
		points = append(points, n.FillBytes(make([]byte, 32)))
	}
	return points
}

func TestHostileRequestsAreRefused(t *testing.T) {
	for _, tt := range hostile(t) {
		t.Run(tt.what, func(t *testing.T) {
			_, err := certs.ParseCSR(tt.data)
			if err == nil || fault.KindOf(err) != tt.kind || fault.HintOf(err) == "" || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v (hint %q), want %v, saying %q", err, fault.HintOf(err), tt.kind, tt.says)
			}
		})
	}
}

// TestNoByteOfARequestCanBeChanged flips each bit and cuts at each byte.
func TestNoByteOfARequestCanBeChanged(t *testing.T) {
	sound := forged{attributes: named(t, name(2, "a.test"))}.der(t)
	if _, err := certs.ParseCSR(sound); err != nil {
		t.Fatal(err)
	}
	for i := range sound {
		if _, err := certs.ParseCSR(sound[:i]); err == nil {
			t.Errorf("cut at %d, it passes", i)
		}
		for bit := range 8 {
			changed := bytes.Clone(sound)
			changed[i] ^= 1 << bit
			if _, err := certs.ParseCSR(changed); err == nil {
				t.Errorf("with bit %d of byte %d flipped, it passes", bit, i)
			}
		}
	}
}

func TestNamesThatAreNoneAreRefused(t *testing.T) {
	for what, n := range map[string]asn1.RawValue{
		"empty":                  {Class: asn1.ClassContextSpecific, Tag: 2, Bytes: []byte{}},
		"a space":                name(2, "foo bar"),
		"an underscore":          name(2, "a_b.test"),
		"a NUL":                  name(2, "a.test\x00.evil.test"),
		"a newline":              name(2, "a.test\nb.test"),
		"a dot at the end":       name(2, "a.test."),
		"two wildcards":          name(2, "*.*.test"),
		"an address as DNS":      name(2, "10.0.0.1"),
		"an e-mail as DNS":       name(2, "user@a.test"),
		"a URI as DNS":           name(2, "https://a.test/"),
		"DNS as an e-mail":       name(1, "a.test"),
		"DNS as a URI":           name(6, "a.test"),
		"a prefixed e-mail":      name(1, "mailto:user@"),
		"a URI without a host":   name(6, "https:///x"),
		"the kind directoryName": {Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: []byte{0x30, 0}},
		"the kind otherName":     {Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: []byte{6, 1, 42, 0xa0, 2, 5, 0}},
		"the kind registeredID":  name(8, "*"),
	} {
		t.Run(what, func(t *testing.T) {
			csr, err := certs.ParseCSR(forged{attributes: named(t, name(2, "good.test"), n)}.der(t))
			if err != nil {
				t.Fatal(err)
			}
			names, err := csr.Names()
			if fault.KindOf(err) != fault.Policy || fault.HintOf(err) == "" {
				t.Fatalf("%q, %v", names, err)
			}
			if kind, ok := strings.CutPrefix(what, "the kind "); ok && !strings.Contains(err.Error(), kind) {
				t.Errorf("%v does not say %s", err, kind)
			}
		})
	}
}

func TestOrganizationOfARequest(t *testing.T) {
	for _, tt := range []struct {
		what    string
		subject pkix.Name
		kind    fault.Kind
	}{
		{"none", pkix.Name{}, fault.Usage},
		{"a common name alone", pkix.Name{CommonName: "a.test"}, fault.Usage},
		{"two", pkix.Name{Organization: []string{"One", "Two"}}, fault.Policy},
		{"65 characters", pkix.Name{Organization: []string{strings.Repeat("o", 65)}}, fault.Policy},
		{"a control character", pkix.Name{Organization: []string{"a\x1b[2Jb"}}, fault.Policy},
		{"text from right to left", pkix.Name{Organization: []string{"a\u202eb"}}, fault.Policy},
	} {
		csr, err := certs.ParseCSR(forged{subject: marshal(t, tt.subject.ToRDNSequence())}.der(t))
		if err != nil {
			t.Fatal(err)
		}
		if organization, err := csr.Organization(); fault.KindOf(err) != tt.kind || fault.HintOf(err) == "" {
			t.Errorf("%s: %q, %v, want %v", tt.what, organization, err, tt.kind)
		}
		if strings.ContainsAny(csr.Subject, "\x1b\u202e") {
			t.Errorf("%q goes to terminals", csr.Subject)
		}
	}
}

// TestNothingButNamesIsTaken signs a request that asks for everything, for a key that is here and for one that is not.
func TestNothingButNamesIsTaken(t *testing.T) {
	root := issue(t, certs.Request{Role: certs.Root, Organization: "Root"}, nil)
	key := generate(t, elliptic.P256())
	subject := pkix.Name{Organization: []string{"Example"}, CommonName: "cn.test", OrganizationalUnit: []string{"a\x07b"}}
	csr, err := certs.ParseCSR(forged{
		key: key, subject: marshal(t, subject.ToRDNSequence()),
		attributes: slices.Concat(attribute(challenge, marshal(t, "secret")), asking(t,
			pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Critical: true, Value: []byte{0x30, 3, 1, 1, 0xff}},
			pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Value: []byte{3, 2, 2, 4}},
			pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Value: marshal(t, []asn1.ObjectIdentifier{{2, 5, 29, 37, 0}})},
			pkix.Extension{Id: subjectAltName, Value: marshal(t, []asn1.RawValue{name(2, "A.test"), name(7, "\x0a\x00\x00\x01")})},
			pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 30}, Critical: true, Value: []byte{0x30, 0}},
			pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: []byte{5, 0}},
		)),
	}.der(t))
	if err != nil {
		t.Fatal(err)
	}
	want := []certs.Asked{
		{Kind: "subject", Name: "OU", OID: "2.5.4.11", Value: `a\ab`},
		{Kind: "subject", Name: "CN", OID: "2.5.4.3", Value: "cn.test"},
		{Kind: "attribute", Name: "challengePassword", OID: "1.2.840.113549.1.9.7"},
		{Kind: "extension", Name: "basicConstraints", OID: "2.5.29.19", Critical: true},
		{Kind: "extension", Name: "keyUsage", OID: "2.5.29.15"},
		{Kind: "extension", Name: "extKeyUsage", OID: "2.5.29.37"},
		{Kind: "extension", Name: "nameConstraints", OID: "2.5.29.30", Critical: true},
		{Kind: "extension", OID: "1.2.3"},
	}
	if diff := cmp.Diff(want, csr.Asked); diff != "" {
		t.Error(diff)
	}
	names, err := csr.Names()
	if err != nil {
		t.Fatal(err)
	}
	req := certs.Request{Role: certs.Leaf, Organization: "Example", SANs: names, PublicKey: csr.PublicKey}
	issued := issue(t, req, root.Issuer())
	req.PublicKey, req.Key = nil, key
	own := issue(t, req, root.Issuer())
	if issued.Key != nil || !key.PublicKey.Equal(issued.Cert.PublicKey) {
		t.Errorf("the key %v", issued.Key)
	}
	if diff := cmp.Diff(own.Cert.Extensions, issued.Cert.Extensions); diff != "" {
		t.Errorf("as for an own key (-) and signed (+):\n%s", diff)
	}
	if got := issued.Cert.Subject.String(); got != "O=Example" || issued.Cert.IsCA || issued.Cert.DNSNames[0] != "a.test" {
		t.Errorf("%s, CA %t, %q", got, issued.Cert.IsCA, issued.Cert.DNSNames)
	}
}

func TestIssueRefusesPublicKeys(t *testing.T) {
	root := issue(t, certs.Request{Role: certs.Root, Organization: "Root"}, nil)
	inter := issue(t, certs.Request{Role: certs.Intermediate, Organization: "Intermediate"}, root.Issuer())
	weak := generate(t, elliptic.P224())
	for _, tt := range []struct {
		what   string
		req    certs.Request
		issuer *certs.Issuer
		kind   fault.Kind
	}{
		{"the CA's own", certs.Request{Role: certs.Leaf, PublicKey: inter.Key.Public()}, inter.Issuer(), fault.Policy},
		{"that of the CA above", certs.Request{Role: certs.Leaf, PublicKey: root.Key.Public()}, inter.Issuer(), fault.Policy},
		{"the CA's own whole", certs.Request{Role: certs.Leaf, Key: inter.Key}, inter.Issuer(), fault.Policy},
		{"a weak one", certs.Request{Role: certs.Leaf, PublicKey: weak.Public()}, inter.Issuer(), fault.Policy},
		{"a root's", certs.Request{Role: certs.Root, PublicKey: generate(t, elliptic.P256()).Public()}, nil, fault.Usage},
	} {
		tt.req.Organization = "Example"
		if _, err := certs.Issue(tt.req, tt.issuer, now); fault.KindOf(err) != tt.kind || fault.HintOf(err) == "" {
			t.Errorf("%s: %v, want %v", tt.what, err, tt.kind)
		}
	}
}

func TestNewCSR(t *testing.T) {
	for _, keyType := range []certs.KeyType{certs.P256, certs.P384, certs.Ed25519, certs.RSA2048} {
		key, err := certs.NewKey(keyType)
		if err != nil {
			t.Fatal(err)
		}
		csr, err := certs.NewCSR("Example", sans, key)
		if err != nil {
			t.Fatal(err)
		}
		names, err := csr.Names()
		slices.Sort(names)
		want := slices.Sorted(slices.Values(sans))
		if organization, e := csr.Organization(); err != nil || e != nil || organization != "Example" || !slices.Equal(names, want) || len(csr.Asked) > 0 {
			t.Errorf("%s: %q for %q, %v, %v", keyType, organization, names, csr.Asked, err)
		}
		if got := csr.KeyType(); got != string(keyType) {
			t.Errorf("%s is a %s", keyType, got)
		}
	}
	many := make([]string, 101)
	for i := range many {
		many[i] = string(rune('a'+i/26)) + string(rune('a'+i%26)) + ".test"
	}
	sound := generate(t, elliptic.P256())
	for what, try := range map[string]func() (*certs.CSR, error){
		"a weak key":      func() (*certs.CSR, error) { return certs.NewCSR("Example", nil, generate(t, elliptic.P224())) },
		"no name":         func() (*certs.CSR, error) { return certs.NewCSR("Example", []string{"foo bar"}, sound) },
		"101 names":       func() (*certs.CSR, error) { return certs.NewCSR("Example", many, sound) },
		"no organization": func() (*certs.CSR, error) { return certs.NewCSR("", nil, sound) },
	} {
		if _, err := try(); err == nil {
			t.Errorf("%s passes", what)
		}
	}
}

func TestRequestsAndCertificatesInFiles(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	base := filepath.Join(dir, "web")
	root := issue(t, certs.Request{Role: certs.Root, Organization: "Root"}, nil)
	key, other := generate(t, elliptic.P256()), generate(t, elliptic.P256())
	csr, err := certs.NewCSR("Example", []string{"a.test"}, key)
	if err != nil {
		t.Fatal(err)
	}
	signed := issue(t, certs.Request{Role: certs.Leaf, Organization: "Example", PublicKey: csr.PublicKey}, root.Issuer())
	foreign := issue(t, certs.Request{Role: certs.Leaf, Organization: "Example", PublicKey: other.Public()}, root.Issuer())
	expect := func(what string, want fault.Kind, err error) {
		t.Helper()
		if (err == nil) != (want == 0) || err != nil && fault.KindOf(err) != want {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	writeCSR := func(key crypto.Signer, replace bool) error {
		_, err := certs.WriteCSR(ctx, base, csr, key, certs.Placing{Replace: replace})
		return err
	}
	writeSigned := func(issued *certs.Issued, replace bool) error {
		_, err := certs.WriteSigned(ctx, base, issued, certs.Placing{Replace: replace})
		return err
	}
	expect("the first", 0, writeCSR(key, false))
	expect("over them", fault.Exists, writeCSR(key, false))
	expect("over the request", fault.Exists, writeCSR(nil, false))
	expect("over the request, forced", 0, writeCSR(nil, true))
	expect("over both, forced", 0, writeCSR(key, true))
	expect("beside another key", fault.Policy, writeSigned(foreign, true))
	expect("beside its key", 0, writeSigned(signed, false))
	expect("over a certificate", fault.Exists, writeSigned(signed, false))
	expect("over it, forced", 0, writeSigned(signed, true))
	expect("a new key under a certificate", fault.Policy, writeCSR(other, true))
	if _, _, err := certs.Load(ctx, base); err != nil {
		t.Errorf("key and certificate do not belong together: %v", err)
	}
	if loaded, err := certs.LoadCSR(ctx, base+".csr.pem"); err != nil || !bytes.Equal(loaded.Raw, csr.Raw) {
		t.Errorf("%v, %v", loaded, err)
	}
	if err := os.WriteFile(base+".pkeycert.pem", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expect("beside a bundle", fault.Policy, writeSigned(signed, true))
	_, err = certs.WriteCSR(ctx, dir+"/", csr, nil, certs.Placing{})
	expect("no basename", fault.Usage, err)
}

func TestAllow(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		in, out []string
	}{
		{"a.test", []string{"a.test", "A.TEST"}, []string{"b.a.test", "*.a.test", "a.test.evil.test", "xa.test"}},
		{"*.a.test", []string{"x.a.test", "*.a.test"}, []string{"a.test", "y.x.a.test", "*.x.a.test", "xa.test", "x.a.test.evil.test"}},
		{".a.test", []string{"x.a.test", "y.x.a.test", "*.a.test", "*.x.a.test"}, []string{"a.test", "xa.test", "x.a.test.evil.test"}},
		{"*.internal", []string{"x.internal"}, []string{"y.x.internal"}},
		{"10.0.0.1", []string{"10.0.0.1", "::ffff:10.0.0.1"}, []string{"10.0.0.2", "::10.0.0.1"}},
		{"10.0.0.0/8", []string{"10.1.2.3"}, []string{"11.0.0.0", "::ffff:11.0.0.1"}},
		{"0.0.0.0/0", []string{"1.2.3.4"}, []string{"2001:db8::1", "a.test"}},
		{"2001:db8::/32", []string{"2001:db8::1"}, []string{"2001:db9::1", "10.0.0.1"}},
		{"u@a.test", []string{"u@a.test", "u@A.test"}, []string{"U@a.test", "v@a.test", "u@b.a.test", "a.test"}},
		{"@a.test", []string{"u@a.test", "v@a.test"}, []string{"u@b.a.test", "u@a.test.evil.test", "a.test"}},
		{"https://a.test", []string{"https://a.test", "https://a.test/", "https://A.test/x"}, []string{"http://a.test/", "https://a.test.evil.test/", "https://a.test:8443/",
			"https://u@a.test/", "https://a.test/?q", "https://a.test/#f", "https://a.test@evil.test/"}},
		{"spiffe://a.test/ns", []string{"spiffe://a.test/ns", "spiffe://a.test/ns/x"}, []string{"spiffe://a.test/nsx", "spiffe://a.test/", "spiffe://b.test/ns/x",
			"spiffe://a.test/ns/../x", "spiffe://a.test/ns/%2e%2e/x", "spiffe://a.test/ns%2fx", "spiffe://a.test/ns/./x", "spiffe://a.test/ns/a%2f..%2f../x", `spiffe://a.test/ns/..%5cx`}},
		{"spiffe://a.test/ns/", []string{"spiffe://a.test/ns/x"}, []string{"spiffe://a.test/nsx"}},
		{"urn:example:a:", []string{"urn:example:a:b"}, []string{"urn:example:ab", "urn:other:a:b"}},
		{"urn:example:a", []string{"urn:example:a"}, []string{"urn:example:a:b", "urn:example:ab"}},
	} {
		allow, err := certs.ParseAllow([]string{tt.pattern})
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
		}
		for _, s := range tt.in {
			if err := allow.Check([]string{s}); err != nil {
				t.Errorf("%s does not cover %s: %v", tt.pattern, s, err)
			}
		}
		for _, s := range tt.out {
			if err := allow.Check([]string{s}); fault.KindOf(err) != fault.Policy {
				t.Errorf("%s covers %s: %v", tt.pattern, s, err)
			}
		}
	}
	if err := (certs.Allow{}).Check([]string{"a.test"}); fault.KindOf(err) != fault.Policy {
		t.Errorf("nothing covers a.test: %v", err)
	}
	for _, s := range []string{"", "*", ".", "*.", "@", "*.*.test", "a.*.test", "..a.test", "a b", "ä.test", "10.0.0.1/8", "10.0.0.0/33", "::ffff:10.0.0.0/104", "u@", "https://", "*@a.test", "a_b.test", "[::1]", "a.test:443"} {
		if _, err := certs.ParseAllow([]string{s}); fault.KindOf(err) != fault.Usage || fault.HintOf(err) == "" {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// TestSignedNamesAreAllowed draws names and patterns that are near each other, and holds each certificate against
// the patterns once more in another way.
func TestSignedNamesAreAllowed(t *testing.T) {
	root := issue(t, certs.Request{Role: certs.Root, Organization: "Root"}, nil)
	key := generate(t, elliptic.P256())
	domain := rapid.SampledFrom([]string{"a.test", "b.a.test", "c.b.a.test", "ba.test", "a.test.b"})
	var signed, refused int
	rapid.Check(t, func(t *rapid.T) {
		patterns := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			return rapid.SampledFrom([]string{"", ".", "*.", "@", "u@"}).Draw(t, "prefix") + domain.Draw(t, "domain")
		}), 1, 6).Draw(t, "patterns")
		allow, err := certs.ParseAllow(append(patterns, "10.0.0.0/31"))
		if err != nil {
			t.Fatal(err)
		}
		asked := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			return rapid.SampledFrom([]string{"", "*.", "u@", "v@"}).Draw(t, "prefix") + domain.Draw(t, "domain")
		}), 1, 2).Draw(t, "names")
		if rapid.IntRange(0, 3).Draw(t, "address") == 0 {
			asked = append(asked, net.IPv4(10, 0, 0, byte(rapid.IntRange(0, 3).Draw(t, "last"))).String())
		}
		csr, err := certs.NewCSR("Example", asked, key)
		if err != nil {
			t.Fatal(err)
		}
		names, err := csr.Names()
		if err != nil {
			t.Fatal(err)
		}
		if err := allow.Check(names); err != nil {
			refused++
			return
		}
		issued, err := certs.Issue(certs.Request{Role: certs.Leaf, Organization: "Example", SANs: names, PublicKey: csr.PublicKey}, root.Issuer(), now)
		if err != nil {
			t.Fatal(err)
		}
		signed++
		for _, name := range slices.Concat(issued.Cert.DNSNames, issued.Cert.EmailAddresses) {
			if !slices.ContainsFunc(patterns, func(p string) bool { return matches(p, name) }) {
				t.Fatalf("%s is outside %q", name, patterns)
			}
		}
		for _, ip := range issued.Cert.IPAddresses {
			if ip[3] > 1 {
				t.Fatalf("%v is outside 10.0.0.0/31", ip)
			}
		}
	})
	t.Logf("%d signed, %d refused", signed, refused)
	if signed == 0 || refused == 0 {
		t.Error("the property was never put to the test")
	}
}

func matches(pattern, name string) bool {
	expression := regexp.QuoteMeta(pattern)
	switch {
	case strings.HasPrefix(pattern, "*."):
		expression = `[^.@]+` + regexp.QuoteMeta(pattern[1:])
	case strings.HasPrefix(pattern, "."):
		expression = `[^@]+` + expression
	case strings.HasPrefix(pattern, "@"):
		expression = `[^@]+` + expression
	}
	return regexp.MustCompile("^" + expression + "$").MatchString(name)
}
