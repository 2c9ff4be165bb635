package certs

import (
	"bytes"
	"crypto/x509"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"keyward/fault"
)

// FuzzPEM reads arbitrary bytes as certificates and as a key. What reads is written and read again; its text
// never holds what a terminal would obey.
func FuzzPEM(f *testing.F) {
	for _, profile := range []Profile{Peer, Micronets} {
		root, err := Issue(Request{Role: Root, Organization: "Root", Profile: profile}, nil, time.Now())
		if err != nil {
			f.Fatal(err)
		}
		key, err := root.KeyPEM(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(root.CertPEM())
		f.Add(key)
		f.Add(append(root.CertPEM(), key...))
		f.Add(root.Cert.Raw)
	}
	config, err := os.ReadFile("testdata/micronets.cnf")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(config)
	f.Add([]byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n"))
	f.Add([]byte("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nMAA=\n-----END EC PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := parseCertificates(data)
		if (err == nil) != (len(found) > 0) || err != nil && fault.KindOf(err) != fault.InvalidFile {
			t.Fatalf("%d certificates, %v", len(found), err)
		}
		for _, cert := range found {
			reread(t, cert)
		}
		key, err := Unlock(nil).parserOf("FILE")(data)
		if err != nil {
			if kind := fault.KindOf(err); kind != fault.InvalidFile && kind != fault.Policy && !errors.Is(err, ErrLocked) || fault.HintOf(err) == "" {
				t.Fatal(err)
			}
			return
		}
		encoded, err := encodeKey(key, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parseKey(encoded, nil); err != nil || !SameKey(again, key.Public()) {
			t.Fatalf("a key did not survive: %v", err)
		}
	})
}

func reread(t *testing.T, cert *x509.Certificate) {
	again, err := parseCertificates((&Issued{Cert: cert}).CertPEM())
	if err != nil || len(again) != 1 || !bytes.Equal(again[0].Raw, cert.Raw) {
		t.Fatalf("a certificate did not survive: %v", err)
	}
	control := func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f }
	if text := Text(cert); strings.IndexFunc(text, control) >= 0 {
		t.Fatalf("%q", text)
	}
	if info := Describe(cert); info.SANs == nil || len(info.Fingerprint) != len(info.Pin) {
		t.Fatalf("%+v", info)
	}
}

// FuzzNames issues a leaf for whatever passes as a name: it is in the certificate once, and crypto/x509 can match it.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"a.test", "*.corp.test", "10.0.0.1", "::1", "u@a.test", "mailto:u@a.test", "spiffe://a.test/x", "urn:a:b",
		"https://u:p@a.test:1/?q#f", "foo bar", "a_b", "1.2.3.4:5", "[::1]", "10.0.0.0/8", "fe80::1%a", "xn--a.test", "é.test", "https://[::1]/"} {
		f.Add(s)
	}
	root, err := Issue(Request{Role: Root, Organization: "Root"}, nil, time.Now())
	if err != nil {
		f.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(root.Cert)
	f.Fuzz(func(t *testing.T, s string) {
		issued, err := Issue(Request{Role: Leaf, Organization: "Leaf", SANs: []string{s, s}}, root.Issuer(), time.Now())
		if err != nil {
			if fault.KindOf(err) != fault.Policy || fault.HintOf(err) == "" {
				t.Fatal(err)
			}
			return
		}
		names := sanList(issued.Cert)
		if len(names) != 1 || !HasNames(issued.Cert, []string{s}) {
			t.Fatalf("%q became %q", s, names)
		}
		opts := x509.VerifyOptions{Roots: roots}
		switch names[0].form {
		case "DNS":
			opts.DNSName = strings.Replace(names[0].value, "*", "a", 1)
		case "IP Address":
			opts.DNSName = names[0].value
		}
		if _, err := issued.Cert.Verify(opts); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
	})
}
