package certs_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keyward/certs"
	"keyward/fault"
)

func TestHold(t *testing.T) {
	dir := t.TempDir()
	f := issueFamily(t, certs.Server, certs.P256)
	base := write(t, dir, "web", f.leaf, true)
	alone := filepath.Join(dir, "alone.crt")
	if err := os.WriteFile(alone, f.leaf.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("alone.crt", link); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][2]string{
		base:                   {base, base + ".cert.pem"},
		base + ".cert.pem":     {base, base + ".cert.pem"},
		base + ".cert.der":     {base, base + ".cert.pem"},
		base + ".pkeycert.pem": {base, base + ".cert.pem"},
		alone:                  {"", alone},
		link:                   {"", alone},
	} {
		h, err := certs.Hold(t.Context(), name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := [2]string{h.Base, h.File}; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]error{"none": fault.NotFound, "none.cert.pem": fault.NotFound, "web.key.pem": fault.InvalidFile} {
		if _, err := certs.Hold(t.Context(), filepath.Join(dir, name)); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
}

// Of two that renew at once the second sees that it comes too late.
func TestReplaceOnce(t *testing.T) {
	dir := t.TempDir()
	f := issueFamily(t, certs.Server, certs.P256)
	base := write(t, dir, "web", f.leaf, true)
	first, second := hold(t, base), hold(t, base)
	successor := renewed(t, f.leaf.Cert, f.leaf.Key, f.intermediate.Issuer())
	if _, _, err := first.Replace(t.Context(), successor, false, certs.Placing{}); err != nil {
		t.Fatal(err)
	}
	before := read(t, base+".cert.pem")
	recorded := false
	_, _, err := second.Replace(t.Context(), renewed(t, f.leaf.Cert, f.leaf.Key, f.intermediate.Issuer()), false, certs.Placing{Record: func() error { recorded = true; return nil }})
	if err == nil || !strings.Contains(err.Error(), "changed in the meantime") || recorded {
		t.Errorf("got %v, recorded %v", err, recorded)
	}
	if !bytes.Equal(before, read(t, base+".cert.pem")) {
		t.Error("the second replaced what the first had made")
	}
}

// A bundle gets the new certificate and its CAs as they are now, and keeps all else.
func TestReplaceInBundle(t *testing.T) {
	dir := t.TempDir()
	f := issueFamily(t, certs.Server, certs.P256)
	base := write(t, dir, "web", f.leaf, true)
	root := renewed(t, f.root.Cert, f.root.Key, nil)
	between := renewed(t, f.intermediate.Cert, f.intermediate.Key, root.Issuer())
	key, err := f.leaf.KeyPEM(nil)
	if err != nil {
		t.Fatal(err)
	}
	successor := renewed(t, f.leaf.Cert, f.leaf.Key, between.Issuer())
	paths, notes, err := hold(t, base).Replace(t.Context(), successor, false, certs.Placing{})
	if err != nil || len(notes) > 0 {
		t.Fatal(err, notes)
	}
	if diff := cmp.Diff([]string{base + ".cert.pem", base + ".cert.der", base + ".pkeycert.pem"}, paths); diff != "" {
		t.Error(diff)
	}
	want := string(successor.CertPEM()) + string(between.CertPEM()) + string(key)
	if diff := cmp.Diff(want, string(read(t, base+".pkeycert.pem"))); diff != "" {
		t.Error(diff)
	}

	other := issueFamily(t, certs.Server, certs.P256) // of the same names and other keys
	moved := renewed(t, successor.Cert, f.leaf.Key, other.intermediate.Issuer())
	if _, _, err := hold(t, base).Replace(t.Context(), moved, false, certs.Placing{}); err != nil {
		t.Fatal(err)
	}
	want = string(moved.CertPEM()) + string(other.intermediate.CertPEM()) + string(key)
	if diff := cmp.Diff(want, string(read(t, base+".pkeycert.pem"))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(string(moved.CertPEM()), string(read(t, base+".cert.pem"))); diff != "" {
		t.Error(diff)
	}
}

func hold(t *testing.T, name string) *certs.Held {
	t.Helper()
	h, err := certs.Hold(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
