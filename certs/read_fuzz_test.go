package certs_test

import (
	"encoding/pem"
	"strings"
	"testing"

	"keyward/certs"
	"keyward/fault"
)

// FuzzParse reads arbitrary bytes: every certificate comes out as it went in, stands in the trees once,
// and neither it nor an error holds what a terminal would obey.
func FuzzParse(f *testing.F) {
	family := issueFamily(f, certs.Peer, certs.Ed25519)
	key, err := family.leaf.KeyPEM(nil)
	if err != nil {
		f.Fatal(err)
	}
	chain := string(family.leaf.CertPEM()) + string(family.intermediate.CertPEM()) + string(family.root.CertPEM())
	for _, seed := range []string{
		string(revocationList(f, family.root)),
		chain, chain + string(key), chain[:len(chain)-50], strings.ReplaceAll(chain, "\n", "\r\n"), "\ufeff" + chain,
		string(family.leaf.Cert.Raw), string(family.leaf.Cert.Raw[:200]), string(key), "",
		"0\x80\x02\x01\x03", "0\x82\x01\x00\x02\x01\x03", "0\xff", "-----BEGIN ",
		"-----BEGIN \x1b[2J-----\nMA==\n-----END \x1b[2J-----\n",
		"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := certs.Parse(data)
		if err == nil && len(found.Certs) == 0 || err != nil && (fault.KindOf(err) != fault.InvalidFile || fault.HintOf(err) == "") {
			t.Fatalf("%d certificates, %v", len(found.Certs), err)
		}
		if err != nil && strings.ContainsFunc(err.Error(), control) {
			t.Fatalf("%q", err)
		}
		different := map[string]bool{}
		var again []byte
		for _, cert := range found.Certs {
			different[string(cert.Raw)] = true
			again = append(again, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
			if certs.Purpose(cert) == "" || certs.RoleOf(cert) == 0 {
				t.Fatal("no purpose or role")
			}
		}
		if reread, err := certs.Parse(again); len(found.Certs) > 0 && (err != nil || len(reread.Certs) != len(found.Certs)) {
			t.Fatalf("%d certificates of %d, %v", len(reread.Certs), len(found.Certs), err)
		}
		nodes := certs.Trees(found.Certs)
		below := 0
		for _, n := range nodes {
			below += len(n.Signed)
			if n.Issuer == nil {
				below++
			}
		}
		if len(nodes) != len(different) || below != len(nodes) {
			t.Fatalf("%d nodes, %d of them in trees, for %d certificates", len(nodes), below, len(different))
		}
	})
}

func control(r rune) bool { return r < ' ' || r == 0x7f }
