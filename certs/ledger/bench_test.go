package ledger_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"keyward/certs"
	"keyward/certs/ledger"
)

func many(n int) []ledger.Entry {
	var entries []ledger.Entry
	for i := range n {
		entries = append(entries, ledger.Entry{
			Op: ledger.Issue, Serial: fmt.Sprintf("%040x", i), Subject: "O=web-Leaf", Names: []string{fmt.Sprintf("web%d.example.org", i)},
			NotBefore: now, NotAfter: now.AddDate(0, 3, 0), Fingerprint: "sha256:" + fmt.Sprintf("%064x", i), Pin: "sha256:" + fmt.Sprintf("%064x", i),
		})
	}
	return entries
}

func BenchmarkAppend(b *testing.B) {
	ca := newCA(b, certs.P256)
	for _, n := range []int{1, 1000} {
		entries := many(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "root.ledger")
			for b.Loop() {
				appendTo(b, path, ca, entries...)
			}
		})
	}
}

// BenchmarkEntries checks a ledger of 50,000 lines.
func BenchmarkEntries(b *testing.B) {
	ca := newCA(b, certs.P256)
	path := filepath.Join(b.TempDir(), "root.ledger")
	appendTo(b, path, ca, many(50_000)...)
	text, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	for name, cert := range map[string]*certs.Issuer{"signatures": ca, "chain": {Chain: append(ca.Chain[:0:0], nil)}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range ledger.Entries(bytes.NewReader(text), cert.Chain[0]) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
