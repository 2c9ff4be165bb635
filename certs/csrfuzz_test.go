package certs_test

import (
	"crypto/elliptic"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"
	"unicode"

	"keyward/certs"
	"keyward/fault"
)

// FuzzCSR reads arbitrary bytes as a request.
func FuzzCSR(f *testing.F) {
	for _, tt := range hostile(f) {
		if len(tt.data) < 8<<10 {
			f.Add(tt.data)
		}
	}
	f.Add(forged{attributes: named(f, name(2, "a.test"))}.der(f))
	root := issue(f, certs.Request{Role: certs.Root, Organization: "Root"}, nil).Issuer()
	f.Fuzz(func(t *testing.T, data []byte) { consider(t, data, root) })
}

// FuzzSignedCSR signs arbitrary bytes as a request's subject and attributes, since those of FuzzCSR that are
// changed fail with their signature.
func FuzzSignedCSR(f *testing.F) {
	subject := marshal(f, pkix.Name{Organization: []string{"Example"}, CommonName: "a.test"}.ToRDNSequence())
	extension := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Critical: true, Value: []byte{0x30, 3, 1, 1, 0xff}}
	for _, attributes := range [][]byte{
		nil, asking(f, extension), attribute(challenge, marshal(f, "secret")),
		named(f, name(2, "a.test"), name(1, "u@a.test"), name(6, "urn:a:b"), name(7, "1234")),
		named(f, name(6, "spiffe://a.test/x"), name(0, ""), name(8, "*"), name(7, "1234567890123456")),
		slices.Concat(asking(f, extension), asking(f, extension)),
	} {
		f.Add(subject, attributes)
	}
	key := generate(f, elliptic.P256())
	root := issue(f, certs.Request{Role: certs.Root, Organization: "Root"}, nil).Issuer()
	f.Fuzz(func(t *testing.T, subject, attributes []byte) {
		if len(subject) > 0 {
			consider(t, forged{key: key, subject: subject, attributes: attributes}.der(t), root)
		}
	})
}

// consider holds that a request is signed, or refused with a reason, and that what it shows is fit for a terminal.
func consider(t *testing.T, data []byte, root *certs.Issuer) {
	csr, err := certs.ParseCSR(data)
	if err != nil {
		if kind := fault.KindOf(err); kind != fault.InvalidFile && kind != fault.Policy || fault.HintOf(err) == "" {
			t.Fatal(err)
		}
		return
	}
	shown := csr.Subject + csr.KeyType()
	for _, asked := range csr.Asked {
		shown += asked.String()
	}
	if strings.IndexFunc(shown, unicode.IsControl) >= 0 {
		t.Fatalf("%q", shown)
	}
	if _, err := csr.Organization(); err != nil && fault.HintOf(err) == "" {
		t.Fatal(err)
	}
	names, err := csr.Names()
	if err != nil {
		if fault.KindOf(err) != fault.Policy {
			t.Fatal(err)
		}
		return
	}
	issued, err := certs.Issue(certs.Request{Role: certs.Leaf, Organization: "Example", SANs: names, PublicKey: csr.PublicKey}, root, now)
	if err != nil {
		t.Fatal(err)
	}
	if !certs.HasNames(issued.Cert, names) || issued.Cert.IsCA {
		t.Fatalf("%q became %q", names, certs.Describe(issued.Cert).SANs)
	}
}

// FuzzAllow holds that what a pattern covers is a name, and that it covers no such name under another domain.
func FuzzAllow(f *testing.F) {
	for _, seed := range [][2]string{{".a.test", "b.a.test"}, {"*.a.test", "b.a.test"}, {"@a.test", "u@a.test"}, {"10.0.0.0/8", "10.1.1.1"},
		{"https://a.test/x", "https://a.test/x/y"}, {"urn:a:b:", "urn:a:b:c"}, {"spiffe://a.test", "spiffe://a.test/../x"}, {"a.test", "A.test"}} {
		f.Add(seed[0], seed[1])
	}
	const elsewhere = ".evil.invalid"
	f.Fuzz(func(t *testing.T, pattern, name string) {
		allow, err := certs.ParseAllow([]string{pattern})
		if err != nil {
			if fault.KindOf(err) != fault.Usage || fault.HintOf(err) == "" {
				t.Fatal(err)
			}
			return
		}
		if err := allow.Check([]string{name}); err != nil {
			if fault.KindOf(err) != fault.Policy {
				t.Fatal(err)
			}
			return
		}
		if err := certs.CheckName(name); err != nil {
			t.Fatal(err)
		}
		isURI := strings.Contains(name, ":")
		if !isURI && !strings.HasSuffix(pattern, "invalid") && allow.Check([]string{name + elsewhere}) == nil {
			t.Fatalf("%q covers %q", pattern, name+elsewhere)
		}
	})
}
