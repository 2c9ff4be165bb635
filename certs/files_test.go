package certs_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keyward/certs"
	"keyward/fault"
)

func TestWriteMakesTheSet(t *testing.T) {
	f := issueFamily(t, certs.Peer, certs.P256)
	base := filepath.Join(t.TempDir(), "svc")
	paths, err := certs.Write(t.Context(), base, f.leaf, certs.Placing{PKeyCert: true})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{base + ".key.pem", base + ".cert.pem", base + ".cert.der", base + ".pkeycert.pem"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Error(diff)
	}
	for i, mode := range []os.FileMode{0o600, 0o644, 0o644, 0o600} {
		info, err := os.Stat(paths[i])
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode() != mode {
			t.Errorf("%s: %v, want %v", paths[i], info.Mode(), mode)
		}
	}
	if diff := cmp.Diff([]string{"CERTIFICATE Leaf", "CERTIFICATE Intermediate", "PRIVATE KEY"}, blocks(t, paths[3])); diff != "" {
		t.Errorf("bundle: %s", diff)
	}
	cert, key, err := certs.Load(t.Context(), base)
	if err != nil || !cert.Equal(f.leaf.Cert) || !key.Public().(*ecdsa.PublicKey).Equal(cert.PublicKey) {
		t.Errorf("Load: %v, %v", cert, err)
	}
}

// blocks lists a PEM file's blocks, certificates with their organization.
func blocks(t *testing.T, path string) (list []string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		name := block.Type
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
			name += " " + cert.Subject.Organization[0]
		}
		list = append(list, name)
	}
	return list
}

func TestBundleKeepsARootsNamesake(t *testing.T) {
	root := issue(t, certs.Request{Role: certs.Root, Organization: "Same"}, nil)
	below := issue(t, certs.Request{Role: certs.Intermediate, Organization: "Same"}, root.Issuer())
	chain := issue(t, leaf("a.test"), below.Issuer()).ChainPEM()
	if n := strings.Count(string(chain), "BEGIN CERTIFICATE"); n != 2 {
		t.Errorf("%d certificates, want the leaf and its intermediate", n)
	}
}

func TestWriteReplacesOnlyWhenTold(t *testing.T) {
	f := issueFamily(t, certs.Peer, certs.P256)
	base := filepath.Join(t.TempDir(), "svc")
	put := func(issued *certs.Issued, pkeycert, replace bool) error {
		_, err := certs.Write(t.Context(), base, issued, certs.Placing{PKeyCert: pkeycert, Replace: replace})
		return err
	}
	if err := put(f.leaf, true, false); err != nil {
		t.Fatal(err)
	}
	before := contents(t, base)
	again := issue(t, leaf("a.test"), f.intermediate.Issuer())
	if err := put(again, false, false); fault.KindOf(err) != fault.Exists {
		t.Errorf("without replace: %v", err)
	}
	if diff := cmp.Diff(before, contents(t, base)); diff != "" {
		t.Error("a refused Write changed something")
	}
	if err := put(again, false, true); err != nil {
		t.Fatal(err)
	}
	if cert, _, err := certs.Load(t.Context(), base); err != nil || !cert.Equal(again.Cert) {
		t.Errorf("with replace: %v", err)
	}
	if bundle := contents(t, base)["svc.pkeycert.pem"]; !strings.HasPrefix(bundle, string(again.CertPEM())) {
		t.Error("the bundle still has the old certificate")
	}
	for _, bad := range []string{"", ".", "..", t.TempDir() + "/"} {
		if _, err := certs.Write(t.Context(), bad, again, certs.Placing{Replace: true}); fault.KindOf(err) != fault.Usage {
			t.Errorf("basename %q: %v", bad, err)
		}
	}
}

func contents(t *testing.T, base string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(base))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(filepath.Dir(base), entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[entry.Name()] = string(data)
	}
	return all
}

// TestLoadIssuerReads has CAs as other programs write them: each a file with certificates and one with the key, or one with both.
func TestLoadIssuerReads(t *testing.T) {
	f := issueFamily(t, certs.Peer, certs.P256)
	rsaRoot := issue(t, certs.Request{Role: certs.Root, Organization: "R", KeyType: certs.RSA2048}, nil)
	edRoot := issue(t, certs.Request{Role: certs.Root, Organization: "E", KeyType: certs.Ed25519}, nil)
	sec1, err := x509.MarshalECPrivateKey(f.intermediate.Key.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	ecKey := block("EC PRIVATE KEY", sec1)
	ecParameters := block("EC PARAMETERS", []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7})
	cert, rootCert := f.intermediate.CertPEM(), f.root.CertPEM()
	for _, tt := range []struct {
		name      string
		cert, key []byte
		length    int
	}{
		{"PKCS#8", cert, keyPEM(t, f.intermediate), 1},
		{"SEC1", cert, ecKey, 1},
		{"SEC1 behind its parameters", cert, slices.Concat(ecParameters, ecKey), 1},
		{"PKCS#1", rsaRoot.CertPEM(), block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaRoot.Key.(*rsa.PrivateKey))), 1},
		{"Ed25519", edRoot.CertPEM(), keyPEM(t, edRoot), 1},
		{"a chain", slices.Concat(cert, rootCert), ecKey, 2},
		{"all in one, certificates first", slices.Concat(cert, rootCert, ecParameters, ecKey), nil, 2},
		{"all in one, key first", slices.Concat(ecKey, cert, rootCert), nil, 2},
		{"DER", f.intermediate.Cert.Raw, ecKey, 1},
		{"text around it", slices.Concat([]byte("subject=O = Intermediate\n"), cert, []byte("\nend\n")), ecKey, 1},
		{"CRLF", []byte(strings.ReplaceAll(string(cert), "\n", "\r\n")), []byte(strings.ReplaceAll(string(ecKey), "\n", "\r\n")), 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			certFile := file(t, tt.cert, 0o600)
			keyFile := certFile
			if tt.key != nil {
				keyFile = file(t, tt.key, 0o600)
			}
			issuer, warnings, err := certs.LoadIssuer(t.Context(), certFile, keyFile, nil, false)
			if err != nil || len(warnings) > 0 || len(issuer.Chain) != tt.length {
				t.Fatalf("%v, %q, %v", issuer, warnings, err)
			}
			verify(t, issue(t, leaf("a.test"), issuer), issuer, now)
		})
	}
}

func block(blockType string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: der})
}

func file(t *testing.T, data []byte, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

func TestLoadIssuerRefuses(t *testing.T) {
	f := issueFamily(t, certs.Peer, certs.P256)
	other := issue(t, certs.Request{Role: certs.Root, Organization: "Root"}, nil)                       // the root's name, another key
	renamed := issue(t, certs.Request{Role: certs.Root, Organization: "Renamed", Key: f.root.Key}, nil) // the root's key, another name
	cert, key := f.intermediate.CertPEM(), keyPEM(t, f.intermediate)
	broken := block("CERTIFICATE", f.root.Cert.Raw[:100])
	for _, tt := range []struct {
		name      string
		cert, key []byte
		kind      fault.Kind
		says      string
	}{
		{"key of another", cert, keyPEM(t, f.root), fault.Policy, "--ca-keyfile"},
		{"no certificate", key, key, fault.InvalidFile, "no certificate"},
		{"no key", cert, cert, fault.InvalidFile, "no private key"},
		{"empty", nil, key, fault.InvalidFile, "no certificate"},
		{"two keys", cert, slices.Concat(key, keyPEM(t, f.root)), fault.InvalidFile, "more than one"},
		{"broken certificate", broken, key, fault.InvalidFile, "certificate 1"},
		{"broken certificate behind a good one", slices.Concat(cert, broken), key, fault.InvalidFile, "certificate 2"},
		{"broken DER", f.root.Cert.Raw[:100], key, fault.InvalidFile, "openssl x509"},
		{"broken key", cert, block("PRIVATE KEY", []byte{0x30, 0}), fault.InvalidFile, "openssl pkey"},
		{"encrypted PKCS#8", cert, block("ENCRYPTED PRIVATE KEY", []byte{0x30, 0}), fault.InvalidFile, "encrypted"},
		{"encrypted by OpenSSL of old", cert, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY",
			Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}, Bytes: []byte{1}}), fault.Usage, "encrypted"},
		{"chain upside down", slices.Concat(f.root.CertPEM(), cert), keyPEM(t, f.root), fault.InvalidFile, "CA first"},
		{"chain with a namesake", slices.Concat(cert, other.CertPEM()), key, fault.InvalidFile, "did not sign"},
		{"chain with the right key under another name", slices.Concat(cert, renamed.CertPEM()), key, fault.InvalidFile, "not the issuer"},
		{"large", slices.Concat(cert, make([]byte, 2<<20)), key, fault.InvalidFile, "larger"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := certs.LoadIssuer(t.Context(), file(t, tt.cert, 0o600), file(t, tt.key, 0o600), nil, false)
			if err == nil || fault.KindOf(err) != tt.kind || fault.HintOf(err) == "" {
				t.Fatalf("%v (%s), want %v and a hint", err, fault.HintOf(err), tt.kind)
			}
			if all := err.Error() + " " + fault.HintOf(err); !strings.Contains(all, tt.says) || strings.Contains(all, "FILE ") {
				t.Errorf("%q does not say %q", all, tt.says)
			}
		})
	}
	missing := filepath.Join(t.TempDir(), "none")
	for _, pair := range [][2]string{{missing, file(t, key, 0o600)}, {file(t, cert, 0o600), missing}} {
		if _, _, err := certs.LoadIssuer(t.Context(), pair[0], pair[1], nil, false); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%v: %v", pair, err)
		}
	}
}

func TestExposedKeyFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes say nothing here")
	}
	root := issue(t, certs.Request{Role: certs.Root, Organization: "Root"}, nil)
	certFile, keyFile := file(t, root.CertPEM(), 0o644), file(t, keyPEM(t, root), 0o644)
	if _, _, err := certs.LoadIssuer(t.Context(), certFile, keyFile, nil, false); fault.KindOf(err) != fault.Policy || !strings.Contains(fault.HintOf(err), "chmod") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
	issuer, warnings, err := certs.LoadIssuer(t.Context(), certFile, keyFile, nil, true)
	if err != nil || issuer == nil || len(warnings) != 1 || !strings.Contains(warnings[0], "chmod") {
		t.Errorf("%v, %q, %v", issuer, warnings, err)
	}
	if err := os.Chmod(filepath.Dir(keyFile), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, warnings, err := certs.LoadIssuer(t.Context(), certFile, keyFile, nil, true); err != nil || len(warnings) != 2 {
		t.Errorf("%q, %v", warnings, err)
	}
}

func TestNewIssuerNeedsACertificate(t *testing.T) {
	if _, err := certs.NewIssuer(nil, crypto.Signer(nil)); fault.KindOf(err) != fault.InvalidFile {
		t.Error(err)
	}
}

func TestLoadRefusesAMixedSet(t *testing.T) {
	dir := t.TempDir()
	a := issue(t, certs.Request{Role: certs.Root, Organization: "A"}, nil)
	b := issue(t, certs.Request{Role: certs.Root, Organization: "B"}, nil)
	base := write(t, dir, "a", a, false)
	if err := os.WriteFile(base+".key.pem", keyPEM(t, b), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := certs.Load(t.Context(), base); fault.KindOf(err) != fault.InvalidFile {
		t.Error(err)
	}
}
