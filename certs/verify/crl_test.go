package verify_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keyward/certs/verify"
	"keyward/fault"
)

func revokes(m *made, reason int, more ...pkix.Extension) []x509.RevocationListEntry {
	return []x509.RevocationListEntry{{SerialNumber: m.serial, RevocationTime: noon.Add(-24 * time.Hour), ReasonCode: reason, ExtraExtensions: more}}
}

func others(n int) []x509.RevocationListEntry {
	var list []x509.RevocationListEntry
	for i := range n {
		list = append(list, x509.RevocationListEntry{SerialNumber: big.NewInt(int64(1000 + i)), RevocationTime: noon.Add(-time.Hour)})
	}
	return list
}

// TestCRL answers limbo's cases of CRLs, and more. The graph is root -> ca -> leaf; both CAs' CRLs are at hand.
func TestCRL(t *testing.T) {
	private := pkix.Extension{Id: private, Value: []byte{5, 0}}
	delta := extension(27, true, []byte{2, 1, 1})
	idp := func(parts ...[]byte) x509.RevocationList {
		return x509.RevocationList{ExtraExtensions: []pkix.Extension{extension(28, true, sequence(parts...))}}
	}
	inner := func(value []byte) []byte {
		return marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: value})
	}
	after := noon.Add(48 * time.Hour)
	for _, c := range []struct {
		id       string
		ofCA     x509.RevocationList
		ofRoot   *x509.RevocationList // nil for none
		byOther  bool                 // another key signs the CA's
		usage    x509.KeyUsage        // of the CA, 0 for the usual
		all      bool                 // --crl-check-all
		lax      bool                 // without --strict
		why      string
		twoLists bool // the stale one and a good one
		entry    func(leaf *made) []x509.RevocationListEntry
	}{
		{id: "rfc5280::crl::certificate-not-on-crl", ofCA: x509.RevocationList{RevokedCertificateEntries: others(2)}},
		{id: "rfc5280::crl::revoked-certificate-with-crl", entry: func(m *made) []x509.RevocationListEntry { return revokes(m, 1) }, why: "revoked it on 2026-05-31 12:00:00 UTC: key compromised"},
		{id: "no reason", entry: func(m *made) []x509.RevocationListEntry { return revokes(m, 0) }, why: "no reason given"},
		{id: "on hold", entry: func(m *made) []x509.RevocationListEntry { return revokes(m, 6) }, why: "on hold"},
		{id: "removed from the CRL", entry: func(m *made) []x509.RevocationListEntry { return revokes(m, 8) }, why: "only a delta CRL"},
		{id: "rfc5280::crl::crlnumber-critical", ofCA: x509.RevocationList{ExtraExtensions: []pkix.Extension{extension(20, true, []byte{2, 1, 9})}}, why: "the extension 2.5.29.20 twice"},
		{id: "rfc5280::crl::issuer-missing-crlsign", usage: x509.KeyUsageCertSign, why: "its key usage does not let it"},
		{id: "rfc5280::crl::issuer-valid-crlsign-and-keycertsign", usage: signsAll},
		{id: "rfc5280::crl::crl-invalid-signature", byOther: true, why: "its key did not make the signature"},
		{id: "rfc5280::crl::crl-empty"},
		{id: "rfc5280::crl::crl-very-large", ofCA: x509.RevocationList{RevokedCertificateEntries: others(10_000)}},
		{id: "rfc5280::crl::crl-unknown-critical-extension", ofCA: x509.RevocationList{ExtraExtensions: []pkix.Extension{critical(private, true)}}, why: "is not known"},
		{id: "rfc5280::crl::crl-unknown-noncritical-extension", ofCA: x509.RevocationList{ExtraExtensions: []pkix.Extension{private}}},
		{id: "rfc5280::crl::entry-unknown-critical-extension", entry: func(m *made) []x509.RevocationListEntry { return revokes(m, 0, critical(private, true)) }, why: "an entry of it has the critical extension"},
		{id: "rfc5280::crl::entry-unknown-noncritical-extension", entry: func(m *made) []x509.RevocationListEntry { return revokes(m, 0, private) }, why: "revoked it"},
		{id: "rfc5280::crl::this-update-in-future", ofCA: x509.RevocationList{ThisUpdate: after, NextUpdate: after.Add(time.Hour)}, why: "is not valid before 2026-06-03"},
		{id: "rfc5280::crl::next-update-in-past", ofCA: x509.RevocationList{ThisUpdate: noon.Add(-48 * time.Hour), NextUpdate: noon.Add(-24 * time.Hour)}, why: "too old: the next one was due on 2026-05-31"},
		{id: "an old one beside a good one", ofCA: x509.RevocationList{ThisUpdate: noon.Add(-48 * time.Hour), NextUpdate: noon.Add(-24 * time.Hour)}, twoLists: true},
		{id: "an old one that revokes it", ofCA: x509.RevocationList{ThisUpdate: noon.Add(-48 * time.Hour), NextUpdate: noon.Add(-24 * time.Hour)}, twoLists: true,
			entry: func(m *made) []x509.RevocationListEntry { return revokes(m, 4) }, why: "superseded"},
		{id: "rfc5280::crl::revocation-date-in-future", entry: func(m *made) []x509.RevocationListEntry {
			list := revokes(m, 0)
			list[0].RevocationTime = after
			return list
		}, why: "revoked it on 2026-06-03"},
		{id: "crl::structure::crl-duplicate-revoked-serial", ofCA: x509.RevocationList{RevokedCertificateEntries: append(others(1), others(1)...)}, why: "twice, and verifiers differ on which entry counts"},
		{id: "the same without --strict", lax: true, ofCA: x509.RevocationList{RevokedCertificateEntries: append(others(1), others(1)...)}},
		{id: "delta", ofCA: x509.RevocationList{ExtraExtensions: []pkix.Extension{delta}}, why: "it is a delta CRL"},
		{id: "a delta that lists it beside a good one", ofCA: x509.RevocationList{ExtraExtensions: []pkix.Extension{delta}}, twoLists: true,
			entry: func(m *made) []x509.RevocationListEntry { return revokes(m, 1) }, why: "it is a delta CRL"},
		{id: "a delta that does not, beside a good one", ofCA: x509.RevocationList{ExtraExtensions: []pkix.Extension{delta}}, twoLists: true},
		// Of crl::idp and crl::cabf limbo has one valid case, idp-cdp-scope-match; we refuse every partial CRL.
		{id: "crl::idp::idp-cdp-scope-match", ofCA: idp(inner(inner(general("uri:http://example.com/partition.crl")))), why: "issuing distribution point"},
		{id: "crl::idp::idp-only-contains-ca-certs-ee-target", ofCA: idp([]byte{0x82, 1, 0xff}), why: "issuing distribution point"},
		{id: "crl::idp::idp-only-contains-attribute-certs", ofCA: idp([]byte{0x85, 1, 0xff}), why: "issuing distribution point"},
		{id: "crl::cabf::idp-only-some-reasons-no-complete-crl", ofCA: idp([]byte{0x83, 2, 6, 0x40}), why: "issuing distribution point"},
		{id: "crl::cabf::idp-indirect-crl", ofCA: idp([]byte{0x84, 1, 0xff}), why: "issuing distribution point"},
		{id: "all, and the root's is missing", all: true, why: "there is no CRL of its issuer Forged Root"},
		{id: "all, and the root's is there", all: true, ofRoot: &x509.RevocationList{}},
		{id: "the CA is revoked by the root", ofRoot: &x509.RevocationList{RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(77), RevocationTime: noon}}}, why: "Forged Root revoked it"},
	} {
		t.Run(c.id, func(t *testing.T) {
			r := root(t)
			ofCA := ca(t, r, cn("Forged CA"), func(s *spec) {
				s.serial = big.NewInt(77)
				if c.usage != 0 {
					with(usage(c.usage))(s)
				}
			})
			m := leaf(t, ofCA)
			if c.entry != nil {
				c.ofCA.RevokedCertificateEntries = c.entry(m)
			}
			signer := ofCA
			if c.byOther {
				signer = leaf(t, r)
			}
			opts := verify.Options{At: noon, Strict: !c.lax, AllCRLs: c.all, CRLs: []*verify.CRL{crlOf(t, ofCA.cert, signer.key, c.ofCA)}}
			if c.twoLists {
				opts.CRLs = append(opts.CRLs, crlOf(t, ofCA.cert, ofCA.key, x509.RevocationList{}))
			}
			if c.ofRoot != nil {
				opts.CRLs = append(opts.CRLs, crlOf(t, r.cert, r.key, *c.ofRoot))
			}
			err := graph{leaf: m, inter: []*made{ofCA}, roots: []*made{r}}.verify(opts)
			if c.why == "" && err != nil || c.why != "" && (err == nil || !strings.Contains(err.Error(), c.why)) {
				t.Errorf("got %v, want %q", err, c.why)
			}
		})
	}
}

// TestCRLOfAnother is rfc5280::crl::certificate-serial-on-crl-different-issuer, and that the certificate's own is needed.
func TestCRLOfAnother(t *testing.T) {
	one, two := root(t), root(t, named(name("Another Root")))
	m := leaf(t, one)
	own, foreign := crlOf(t, one.cert, one.key, x509.RevocationList{}), crlOf(t, two.cert, two.key, x509.RevocationList{RevokedCertificateEntries: revokes(m, 1)})
	g := graph{leaf: m, roots: []*made{one, two}}
	if err := g.verify(verify.Options{At: noon, CRLs: []*verify.CRL{own, foreign}}); err != nil {
		t.Error(err)
	}
	err := g.verify(verify.Options{At: noon, CRLs: []*verify.CRL{foreign}})
	if err == nil || !strings.Contains(err.Error(), "there is no CRL of its issuer Forged Root") {
		t.Errorf("got %v", err)
	}
}

// TestAt asks one Verifier at several times, in any order.
func TestAt(t *testing.T) {
	one := root(t)
	m := leaf(t, one)
	v, err := verify.New(verify.Options{At: noon, Roots: []*x509.Certificate{one.cert}, CRLs: []*verify.CRL{crlOf(t, one.cert, one.key, x509.RevocationList{})}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after time.Duration
		why   string
	}{{2 * time.Hour, "is too old"}, {0, ""}, {-2 * time.Hour, "is not valid before"}, {100 * 365 * 24 * time.Hour, "expired"}, {59 * time.Minute, ""}} {
		_, err := v.At(noon.Add(c.after)).Chain(m.cert)
		if c.why == "" && err != nil || c.why != "" && (err == nil || !strings.Contains(err.Error(), c.why)) {
			t.Errorf("after %v: %v, want %q", c.after, err, c.why)
		}
	}
	if _, err := v.Chain(m.cert); err != nil {
		t.Error(err)
	}
}

func TestReadCRLs(t *testing.T) {
	r := root(t)
	raw, err := x509.CreateRevocationList(rng, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: noon, NextUpdate: noon.Add(time.Hour)}, r.cert, r.key)
	if err != nil {
		t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: raw})
	dir := t.TempDir()
	for _, c := range []struct {
		name  string
		data  []byte
		count int
		why   string
	}{
		{"der", raw, 1, ""},
		{"pem", block, 1, ""},
		{"two", append(append([]byte("words\n"), block...), block...), 2, ""},
		{"trailing", append(bytes.Clone(raw), 0), 0, "1 bytes follow it"},
		{"cut", append(bytes.Clone(block), block[:100]...), 0, "1 of 2 CRLs are not sound PEM"},
		{"empty", nil, 0, "not a CRL"},
		{"certificate", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.cert.Raw}), 0, "no CRL"},
		{"bad", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: raw[1:]}), 0, "does not parse"},
		{"large", make([]byte, 16<<20+1), 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(dir, c.name)
			if err := os.WriteFile(file, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			list, err := verify.ReadCRLs(file)
			if len(list) != c.count || (c.count == 0) != (err != nil) || err != nil && !strings.Contains(err.Error(), c.why) {
				t.Errorf("%d CRLs, %v", len(list), err)
			}
			if err != nil && fault.KindOf(err) != fault.InvalidFile {
				t.Errorf("kind %v", fault.KindOf(err))
			}
		})
	}
}

func FuzzParseCRLs(f *testing.F) {
	r := root(f)
	raw, err := x509.CreateRevocationList(rng, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: noon, NextUpdate: noon.Add(time.Hour), RevokedCertificateEntries: others(3)}, r.cert, r.key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: raw}))
	f.Add([]byte("-----BEGIN X509 CRL-----\n"))
	m := leaf(f, r)
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := verify.ParseCRLs(data)
		if err != nil || len(list) > 10 {
			return
		}
		_, _ = verify.Chain(m.cert, verify.Options{Roots: certsOf([]*made{r}), At: noon, CRLs: list, Strict: true})
	})
}
