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

// kinds is every profile with every key type it takes. The RSA sizes differ only in size, so that
// all profiles have one and one profile has all.
func kinds() map[certs.Profile][]certs.KeyType {
	most := []certs.KeyType{certs.P256, certs.P384, certs.Ed25519, certs.RSA2048}
	return map[certs.Profile][]certs.KeyType{
		certs.Peer:      certs.KeyTypes(),
		certs.Server:    most,
		certs.Client:    most,
		certs.Micronets: {certs.P256},
	}
}

func TestOpenSSLAcceptsEverything(t *testing.T) {
	tool(t, "openssl")
	tool(t, "certtool")
	for profile, keyTypes := range kinds() {
		for _, keyType := range keyTypes {
			t.Run(fmt.Sprintf("%s %s", profile, keyType), func(t *testing.T) {
				if testing.Short() && keyType == certs.RSA4096 {
					t.Skip("RSA keys of this size take seconds")
				}
				acceptFamily(t, issueFamily(t, profile, keyType), profile)
			})
		}
	}
}

func acceptFamily(t *testing.T, f family, profile certs.Profile) {
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
	for _, name := range []string{root, intermediate, leaf} {
		public := run(t, "openssl", "pkey", "-in", name+".key.pem", "-pubout")
		if want := run(t, "openssl", "x509", "-in", name+".cert.pem", "-noout", "-pubkey"); public != want {
			t.Errorf("%s: the key is not the certificate's", name)
		}
		run(t, "openssl", "x509", "-inform", "DER", "-in", name+".cert.der", "-noout")
		run(t, "certtool", "--key-info", "--infile", name+".key.pem")
	}
	chain := filepath.Join(dir, "chain.pem")
	if err := os.WriteFile(chain, append(f.leaf.ChainPEM(), f.root.CertPEM()...), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "certtool", "--verify-chain", "--infile", chain)
	run(t, "openssl", "pkey", "-in", leaf+".pkeycert.pem", "-noout")
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
			if diff := cmp.Diff(comparable(run(t, "openssl", "x509", "-noout", "-text", "-in", theirs)), comparable(ours)); diff != "" {
				t.Errorf("OpenSSL's (-) and ours (+):\n%s", diff)
			}
		})
	}
}

func keyPEM(t *testing.T, issued *certs.Issued) []byte {
	t.Helper()
	data, err := issued.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// comparable leaves out what differs between any two certificates: serial number, times and signature.
func comparable(text string) []string {
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

// TestTextIsOpenSSLs compares with what OpenSSL prints, but for the space that some of its versions put around the = of a name.
func TestTextIsOpenSSLs(t *testing.T) {
	tool(t, "openssl")
	limit := 1
	constrained := issue(t, certs.Request{Role: certs.Root, Organization: "Constrained", PathLen: &limit, PermitDNS: []string{".corp.test", "lab.test"}, PermitIP: []string{"10.0.0.0/8"}}, nil)
	samples := map[string]*certs.Issued{"constrained": constrained}
	for profile, keyTypes := range kinds() {
		for _, keyType := range keyTypes {
			if keyType == certs.RSA3072 || keyType == certs.RSA4096 {
				continue
			}
			f := issueFamily(t, profile, keyType)
			name := fmt.Sprintf("%s %s", profile, keyType)
			samples[name+" root"], samples[name+" intermediate"], samples[name+" leaf"] = f.root, f.intermediate, f.leaf
		}
	}
	unspaced := func(s string) []string {
		return strings.Split(strings.ReplaceAll(s, " = ", "="), "\n")
	}
	for name, issued := range samples {
		t.Run(name, func(t *testing.T) {
			file := write(t, t.TempDir(), "sample", issued, false) + ".cert.pem"
			want := run(t, "openssl", "x509", "-noout", "-text", "-in", file)
			if diff := cmp.Diff(unspaced(want), unspaced(certs.Text(issued.Cert))); diff != "" {
				t.Errorf("OpenSSL's (-) and ours (+):\n%s", diff)
			}
		})
	}
}
