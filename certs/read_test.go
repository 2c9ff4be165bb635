package certs_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keyward/certs"
	"keyward/fault"
)

func TestParse(t *testing.T) {
	f := issueFamily(t, certs.Peer, certs.P256)
	root, leaf := f.root.CertPEM(), f.leaf.CertPEM()
	key, err := f.leaf.KeyPEM(nil)
	if err != nil {
		t.Fatal(err)
	}
	list := revocationList(t, f.root)
	listBlock, _ := pem.Decode(list)
	broken := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{0x30, 0}})
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, []byte("\n# between\n")) }
	tests := []struct {
		name  string
		data  []byte
		certs int
		keys  int
		want  string // what the error says; empty for none
	}{
		{"one", root, 1, 0, ""},
		{"DER", f.root.Cert.Raw, 1, 0, ""},
		{"key first", join(key, leaf, root), 2, 1, ""},
		{"the same twice", join(root, root), 2, 0, ""},
		{"Windows", append([]byte("\xef\xbb\xbf"), bytes.ReplaceAll(root, []byte("\n"), []byte("\r\n"))...), 1, 0, ""},
		{"old header", bytes.ReplaceAll(root, []byte(" CERT"), []byte(" X509 CERT")), 1, 0, ""},
		{"one broken of three", join(root, broken, leaf), 2, 0, "1 of 3 certificates do not parse"},
		{"cut off", join(root, leaf[:len(leaf)-40]), 1, 0, "1 of 2 certificates are not sound PEM"},
		{"damaged base64", join(bytes.Replace(root, []byte("MII"), []byte("M!I"), 1), leaf), 1, 0, "1 of 2 certificates are not sound PEM"},
		{"a key alone", key, 0, 1, "no certificate, but a private key"},
		{"a request", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: []byte{1}}), 0, 0, "no certificate, but a certificate request"},
		{"a CRL", list, 0, 0, "no certificate, but a CRL"},
		{"a CRL in DER", listBlock.Bytes, 0, 0, "no certificate, but a CRL"},
		{"a CRL and its CA", join(list, root), 1, 0, ""},
		{"a broken CRL", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: listBlock.Bytes[:20]}), 0, 0, "a CRL does not parse"},
		{"parameters", pem.EncodeToMemory(&pem.Block{Type: "DH PARAMETERS", Bytes: []byte{1}}), 0, 0, `no certificate, but PEM of another type: "DH PARAMETERS"`},
		{"nothing", nil, 0, 0, "not a certificate"},
		{"text", []byte("hello"), 0, 0, "not a certificate"},
		{"a begin alone", []byte("-----BEGIN "), 0, 0, "neither PEM that can be read nor DER"},
		{"cut DER", f.root.Cert.Raw[:100], 0, 0, "does not parse as a certificate"},
		{"DER and more", append(slices.Clone(f.root.Cert.Raw), 0), 0, 0, "trailing data"},
		{"PKCS#12", []byte{0x30, 0x82, 0x10, 0, 0x02, 0x01, 0x03, 0x30}, 0, 0, "PKCS#12"},
		{"PKCS#12 in BER", []byte{0x30, 0x80, 0x02, 0x01, 0x03, 0x30}, 0, 0, "PKCS#12"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found, err := certs.Parse(tt.data)
			if len(found.Certs) != tt.certs || found.Keys != tt.keys {
				t.Errorf("%d certificates and %d keys, want %d and %d", len(found.Certs), found.Keys, tt.certs, tt.keys)
			}
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (fault.KindOf(err) != fault.InvalidFile || fault.HintOf(err) == "" || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want an invalid file and %q", err, tt.want)
			}
			if nothing := strings.HasPrefix(tt.want, "no certificate"); errors.Is(err, certs.ErrNoCertificate) != nothing {
				t.Errorf("%v: is ErrNoCertificate: want %v", err, nothing)
			}
		})
	}
}

// revocationList is a list of nothing, in PEM.
func revocationList(t testing.TB, ca *certs.Issued) []byte {
	t.Helper()
	template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: ca.Cert.NotBefore, NextUpdate: ca.Cert.NotAfter}
	der, err := x509.CreateRevocationList(rand.Reader, template, ca.Cert, ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

func TestReadFileBounds(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.pem")
	f, err := os.Create(large)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(16<<20+1), f.Close()); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		file string
		kind fault.Kind
	}{{large, fault.InvalidFile}, {dir, fault.InvalidFile}, {filepath.Join(dir, "none"), fault.NotFound}, {os.DevNull, fault.InvalidFile}}
	for _, tt := range tests {
		if _, err := certs.ReadFile(tt.file); fault.KindOf(err) != tt.kind || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", tt.file, err)
		}
	}
	if _, err := certs.Unlock(nil).Read("stdin", endless{}); fault.KindOf(err) != fault.InvalidFile {
		t.Errorf("endless stdin: %v", err)
	}
	if _, err := certs.ReadFile(large + "\x00"); err == nil {
		t.Error("a name with a zero byte was read")
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.pem", "b.CRT", "deep/er/c.cer", "deep/d.der", "a.key.pem", "privkey.pem", "notes.txt", ".hidden.pem", ".git/e.pem", "pem"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	links := map[string]string{"link.pem": "notes.txt", "loop": ".", "folder.pem": "deep", "gone.pem": "nowhere"}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
	}
	var got []string
	for file, err := range certs.Files(dir) {
		if err != nil {
			t.Error(err)
		}
		rel, _ := filepath.Rel(dir, file)
		got = append(got, filepath.ToSlash(rel))
	}
	want := []string{"a.pem", "b.CRT", "deep/d.der", "deep/er/c.cer", "gone.pem", "link.pem"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for range certs.Files(dir) {
		break // and nothing more is asked for
	}
	for file, err := range certs.Files(filepath.Join(dir, "none")) {
		if err == nil {
			t.Errorf("%s: no error", file)
		}
	}
}
