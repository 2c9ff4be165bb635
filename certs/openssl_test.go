package certs_test

import (
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keyward/certs"
)

// TestOpenSSLAcceptsEverything has OpenSSL and GnuTLS verify a CA of each key type and a leaf of each
// profile and key type, read the keys, and OpenSSL print the same text as we do.
func TestOpenSSLAcceptsEverything(t *testing.T) {
	tool(t, "openssl")
	tool(t, "certtool")
	for _, keyType := range []certs.KeyType{certs.P384, certs.Ed25519, certs.RSA2048} {
		t.Run("family "+string(keyType), func(t *testing.T) {
			acceptFamily(t, issueFamily(t, certs.Peer, keyType), certs.Peer)
		})
	}
	acceptFamily(t, issueFamily(t, certs.Micronets, certs.P256), certs.Micronets)

	for _, profile := range []certs.Profile{certs.Peer, certs.Server, certs.Client} {
		f := issueFamily(t, profile, certs.P256)
		for _, keyType := range certs.KeyTypes() {
			t.Run(fmt.Sprintf("leaf %s %s", profile, keyType), func(t *testing.T) {
				if testing.Short() && (keyType == certs.RSA3072 || keyType == certs.RSA4096) {
					t.Skip("RSA keys of this size take seconds to make")
				}
				f.leaf = issue(t, certs.Request{Role: certs.Leaf, Organization: "Leaf", Profile: profile, KeyType: keyType, SANs: sans}, f.intermediate.Issuer())
				acceptFamily(t, f, profile)
			})
		}
	}
}

func acceptFamily(t *testing.T, f family, profile certs.Profile) {
	t.Helper()
	dir := t.TempDir()
	root := write(t, dir, "root", f.root, false)
	intermediate := write(t, dir, "intermediate", f.intermediate, false)
	leaf := write(t, dir, "leaf", f.leaf, true)

	verify := []string{"verify", "-CAfile", root + ".cert.pem"}
	if profile != certs.Micronets { // whose leaf has no SKI, which -x509_strict asks for
		verify = append(verify, "-x509_strict")
	}
	run(t, "openssl", append(verify, intermediate+".cert.pem")...)
	for _, purpose := range purposes(profile) {
		run(t, "openssl", append(verify, "-purpose", purpose, "-untrusted", intermediate+".cert.pem", leaf+".cert.pem")...)
	}
	chain := filepath.Join(dir, "chain.pem")
	if err := os.WriteFile(chain, append(f.leaf.ChainPEM(), f.root.CertPEM()...), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "certtool", "--verify-chain", "--infile", chain)
	run(t, "openssl", "pkey", "-in", leaf+".pkeycert.pem", "-noout")
	acceptFiles(t, root, f.root)
	acceptFiles(t, intermediate, f.intermediate)
	acceptFiles(t, leaf, f.leaf)
}

func acceptFiles(t *testing.T, base string, issued *certs.Issued) {
	t.Helper()
	public := run(t, "openssl", "pkey", "-in", base+".key.pem", "-pubout")
	if want := run(t, "openssl", "x509", "-in", base+".cert.pem", "-noout", "-pubkey"); public != want {
		t.Errorf("%s: the key is not the certificate's", base)
	}
	run(t, "certtool", "--key-info", "--infile", base+".key.pem")
	want := run(t, "openssl", "x509", "-inform", "DER", "-in", base+".cert.der", "-noout", "-text")
	if diff := cmp.Diff(unspaced(want), unspaced(certs.Text(issued.Cert))); diff != "" {
		t.Errorf("%s: OpenSSL's text (-) and ours (+):\n%s", base, diff)
	}
}

// unspaced leaves out the space that some versions of OpenSSL put around the = of a name.
func unspaced(text string) []string {
	return strings.Split(strings.ReplaceAll(text, " = ", "="), "\n")
}

func TestOpenSSLAcceptsConstraints(t *testing.T) {
	tool(t, "openssl")
	tool(t, "certtool")
	limit := 1
	var f family
	f.root = issue(t, certs.Request{Role: certs.Root, Organization: "Root", PathLen: &limit,
		PermitDNS: []string{".corp.test", "lab.test"}, PermitIP: []string{"10.0.0.0/8"}}, nil)
	f.intermediate = issue(t, certs.Request{Role: certs.Intermediate, Organization: "Intermediate", PermitDNS: []string{"a.corp.test"}}, f.root.Issuer())
	f.leaf = issue(t, leaf("x.a.corp.test", "*.a.corp.test", "10.1.2.3"), f.intermediate.Issuer())
	acceptFamily(t, f, certs.Peer)
}

func purposes(profile certs.Profile) []string {
	switch profile {
	case certs.Server:
		return []string{"sslserver"}
	case certs.Client:
		return []string{"sslclient"}
	}
	return []string{"sslserver", "sslclient"}
}

// TestMicronetsExtensionsAreOpenSSLs signs the same keys with OpenSSL and the scripts'
// configuration, and compares the extensions line for line, their order and criticality included.
func TestMicronetsExtensionsAreOpenSSLs(t *testing.T) {
	tool(t, "openssl")
	f := issueFamily(t, certs.Micronets, certs.P256)
	dir := t.TempDir()
	for _, tt := range []struct {
		section    string
		own, above *certs.Issued
	}{
		{"root", f.root, nil},
		{"intermediate", f.intermediate, f.root},
		{"leaf", f.leaf, f.intermediate},
	} {
		t.Run(tt.section, func(t *testing.T) {
			base := write(t, dir, tt.section, tt.own, false)
			csr, theirs := base+".csr", base+".openssl"
			run(t, "openssl", "req", "-new", "-sha256", "-batch", "-key", base+".key.pem", "-subj", "/O="+tt.own.Cert.Subject.Organization[0], "-out", csr)
			sign := []string{"x509", "-req", "-in", csr, "-out", theirs, "-days", "500", "-extfile", "testdata/micronets.cnf", "-extensions", tt.section}
			if tt.above == nil {
				sign = append(sign, "-signkey", base+".key.pem")
			} else {
				above := filepath.Join(dir, tt.above.Cert.Subject.Organization[0])
				if err := os.WriteFile(above, slices.Concat(tt.above.CertPEM(), keyPEM(t, tt.above)), 0o600); err != nil {
					t.Fatal(err)
				}
				sign = append(sign, "-CA", above, "-CAkey", above, "-CAcreateserial")
			}
			run(t, "openssl", sign...)
			ours := run(t, "openssl", "x509", "-noout", "-text", "-in", base+".cert.pem")
			if diff := cmp.Diff(lasting(run(t, "openssl", "x509", "-noout", "-text", "-in", theirs)), lasting(ours)); diff != "" {
				t.Errorf("OpenSSL's (-) and ours (+):\n%s", diff)
			}
		})
	}
}

func keyPEM(t *testing.T, issued *certs.Issued) []byte {
	t.Helper()
	data, err := issued.KeyPEM(nil)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// lasting leaves out what differs between any two certificates: serial number, times and signature.
func lasting(text string) []string {
	text, _, _ = strings.Cut(text, "Signature Value:")
	text = regexp.MustCompile(`(?s)Serial Number:.*?Signature Algorithm`).ReplaceAllString(text, "Signature Algorithm")
	text = regexp.MustCompile(`Not (Before|After ): .*`).ReplaceAllString(text, "")
	return strings.Split(text, "\n")
}

func TestMicronetsKeyIsSEC1(t *testing.T) {
	for profile, want := range map[certs.Profile]string{certs.Micronets: "EC PRIVATE KEY", certs.Peer: "PRIVATE KEY"} {
		root := issue(t, certs.Request{Role: certs.Root, Organization: "Root", Profile: profile}, nil)
		if block, _ := pem.Decode(keyPEM(t, root)); block == nil || block.Type != want {
			t.Errorf("%s: %v, want %s", profile, block, want)
		}
	}
}
