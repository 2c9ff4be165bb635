package ledger_test

import (
	"bytes"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keyward/certs"
	"keyward/certs/ledger"
)

var now = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

func newCA(t testing.TB, keyType certs.KeyType) *certs.Issuer {
	t.Helper()
	root, err := certs.Issue(certs.Request{Role: certs.Root, Organization: "Root", KeyType: keyType}, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	return root.Issuer()
}

func newLeaf(t testing.TB, ca *certs.Issuer, name string) *x509.Certificate {
	t.Helper()
	leaf, err := certs.Issue(certs.Request{Role: certs.Leaf, Organization: name, SANs: []string{name}}, ca, now)
	if err != nil {
		t.Fatal(err)
	}
	return leaf.Cert
}

func appendTo(t testing.TB, path string, ca *certs.Issuer, entries ...ledger.Entry) {
	t.Helper()
	if err := ledger.Append(t.Context(), path, ca, now, entries...); err != nil {
		t.Fatal(err)
	}
}

// read gives the entries of a ledger that holds.
func read(t testing.TB, path string, ca *certs.Issuer) []ledger.Entry {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []ledger.Entry
	for entry, err := range ledger.Entries(bytes.NewReader(text), ca.Chain[0]) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, entry)
	}
	if want := strings.Count(string(text), "\n"); len(all) != want {
		t.Fatalf("%d entries of %d lines", len(all), want)
	}
	return all
}

func TestAppend(t *testing.T) {
	for _, keyType := range certs.KeyTypes() {
		t.Run(string(keyType), func(t *testing.T) {
			ca := newCA(t, keyType)
			path := filepath.Join(t.TempDir(), "root.ledger")
			web := newLeaf(t, ca, "web.example.org")
			appendTo(t, path, ca, ledger.Issued(web))
			appendTo(t, path, ca, ledger.Renewed(newLeaf(t, ca, "web.example.org"), web), ledger.Issued(newLeaf(t, ca, "db.example.org")))
			all := read(t, path, ca)
			var ops []string
			for i, entry := range all {
				ops = append(ops, string(entry.Op))
				if entry.Seq != int64(i+1) {
					t.Errorf("line %d has number %d", i+1, entry.Seq)
				}
			}
			if got := strings.Join(ops, " "); got != "begin issue renew issue" {
				t.Error(got)
			}
			if all[2].Replaces != all[1].Serial {
				t.Errorf("%+v", all[2])
			}
		})
	}
}
