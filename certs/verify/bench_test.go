package verify_test

import (
	"crypto/x509"
	"fmt"
	"slices"
	"testing"
	"time"

	"keyward/certs"
	"keyward/certs/verify"
)

// leaves are 10,000 leaves below one intermediate, of a few keys: what is verified are their signatures.
func leaves(b *testing.B) (root, inter *x509.Certificate, all []*x509.Certificate) {
	b.Helper()
	family := family(b, certs.Peer, certs.P256)
	for i := range 10_000 {
		issued, err := certs.Issue(certs.Request{Role: certs.Leaf, Organization: "Leaf", Key: family[2].Key, SANs: []string{fmt.Sprintf("h%d.corp.test", i)}}, family[1].Issuer(), noon)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, issued.Cert)
	}
	return family[0].Cert, family[1].Cert, all
}

// BenchmarkVerify10000 verifies 10,000 leaves by x509.Certificate.Verify and by Verifiers, in turns of 100, so that what
// else the machine does falls on all alike. Its metrics are the ratios of their times: "ours/bare" is what verify-cert
// costs, "bundles/bare" where each leaf brings its intermediate, "strict/bare" with --strict.
func BenchmarkVerify10000(b *testing.B) {
	root, inter, all := leaves(b)
	opts := verify.Options{Roots: []*x509.Certificate{root}, Intermediates: []*x509.Certificate{inter}, At: noon}
	bundles, strict := opts, opts
	bundles.Intermediates, strict.Strict = nil, true
	bare := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: noon, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	bare.Roots.AddCert(root)
	bare.Intermediates.AddCert(inter)
	ways := []struct {
		name   string
		verify func(*x509.Certificate) error
		took   time.Duration
	}{
		{name: "bare", verify: func(cert *x509.Certificate) error { _, err := cert.Verify(bare); return err }},
		{name: "ours", verify: chainOf(b, opts)},
		{name: "bundles", verify: chainOf(b, bundles, inter)},
		{name: "strict", verify: chainOf(b, strict)},
	}
	for b.Loop() {
		for turn := range slices.Chunk(all, 100) {
			for i := range ways {
				start := time.Now()
				for _, cert := range turn {
					if err := ways[i].verify(cert); err != nil {
						b.Fatal(err)
					}
				}
				ways[i].took += time.Since(start)
			}
		}
	}
	for _, way := range ways[1:] {
		b.ReportMetric(float64(way.took)/float64(ways[0].took), way.name+"/bare")
	}
}

func chainOf(b *testing.B, opts verify.Options, with ...*x509.Certificate) func(*x509.Certificate) error {
	v, err := verify.New(opts)
	if err != nil {
		b.Fatal(err)
	}
	return func(cert *x509.Certificate) error { _, err := v.Chain(cert, with...); return err }
}
