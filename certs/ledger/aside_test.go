package ledger_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keyward/certs"
	"keyward/certs/ledger"
	"keyward/fault"
)

func start(t *testing.T, path string, ca *certs.Issuer) {
	t.Helper()
	if err := ledger.Start(t.Context(), path, ca, now); err != nil {
		t.Fatal(err)
	}
}

// aside is where the ledger of a CA lies while another's has its place.
func aside(path string, ca *certs.Issuer) string {
	pin := strings.TrimPrefix(certs.Describe(ca.Chain[0]).Pin, "sha256:")
	return strings.TrimSuffix(path, ".ledger") + "." + pin[:16] + ".ledger"
}

// TestNewKey has a CA made anew with another key: the old ledger stays, and comes back with the old CA.
func TestNewKey(t *testing.T) {
	first, second := newCA(t, certs.P256), newCA(t, certs.P256)
	path := filepath.Join(t.TempDir(), "root.ledger")
	start(t, path, first)
	appendTo(t, path, first, ledger.Issued(newLeaf(t, first, "a.example.org")))
	start(t, path, second)
	read(t, path, second)
	if got := len(read(t, aside(path, first), first)); got != 2 {
		t.Errorf("%d lines are kept", got)
	}

	// A kill before the second CA was placed: the first signs on.
	appendTo(t, path, first, ledger.Issued(newLeaf(t, first, "b.example.org")))
	if got := len(read(t, path, first)); got != 3 {
		t.Errorf("%d lines", got)
	}
	read(t, aside(path, second), second)

	// A stranger's ledger is never taken for its own.
	err := ledger.Append(t.Context(), path, newCA(t, certs.P256), now)
	if !errors.Is(err, fault.InvalidFile) {
		t.Errorf("got %v", err)
	}
	read(t, path, first)
}

// TestRenewedCA has a CA renewed for the same key: its ledger goes on.
func TestRenewedCA(t *testing.T) {
	old := newCA(t, certs.P256)
	path := filepath.Join(t.TempDir(), "root.ledger")
	start(t, path, old)
	again, err := certs.Issue(certs.Request{Role: certs.Root, Organization: "Root", Key: old.Key}, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	start(t, path, again.Issuer())
	appendTo(t, path, again.Issuer(), ledger.Issued(newLeaf(t, again.Issuer(), "a.example.org")))
	for _, ca := range []*certs.Issuer{old, again.Issuer()} {
		if got := len(read(t, path, ca)); got != 2 {
			t.Errorf("%d lines", got)
		}
	}
}

// TestKilledStart has the ledger of the old CA moved away, and that of the new one not begun, or not to the end.
func TestKilledStart(t *testing.T) {
	for name, begun := range map[string]func(path string) error{
		"moved":     func(string) error { return nil },
		"empty":     func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"half done": func(path string) error { return os.WriteFile(path, []byte(`{"seq":1,`), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			ca := newCA(t, certs.P256)
			path := filepath.Join(t.TempDir(), "root.ledger")
			start(t, path, ca)
			if err := errors.Join(os.Rename(path, aside(path, ca)), begun(path)); err != nil {
				t.Fatal(err)
			}
			appendTo(t, path, ca, ledger.Issued(newLeaf(t, ca, "a.example.org")))
			if got := len(read(t, path, ca)); got != 2 {
				t.Errorf("%d lines", got)
			}
		})
	}
}

func TestPath(t *testing.T) {
	for file, want := range map[string]string{
		"root.cert.pem": "root.ledger", "root.cert.der": "root.ledger", "ca.crt": "ca.ledger", "ca": "ca.ledger", "ca.pem": "ca.ledger",
		"dir.d/ca": "dir.d/ca.ledger", "/etc/a.b.crt": "/etc/a.b.ledger", ".pem": ".pem.ledger", ".cert.pem": ".cert.ledger",
	} {
		if got := ledger.Path(filepath.FromSlash(file)); got != filepath.FromSlash(want) {
			t.Errorf("%s: %s, want %s", file, got, want)
		}
	}
}
