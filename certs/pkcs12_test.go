package certs

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keyward/fault"
)

// The files in testdata/pkcs12 hold a leaf, its intermediate and mostly the leaf's key, with the password
// "secret". OpenSSL and GnuTLS wrote them; their counts are low, so that they can be fuzzed.
func pkcs12Seeds(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/pkcs12/*.p12")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	seeds := map[string][]byte{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		seeds[filepath.Base(file)] = text
	}
	return seeds
}

func TestPKCS12OfOthers(t *testing.T) {
	for name, data := range pkcs12Seeds(t) {
		t.Run(name, func(t *testing.T) {
			if !isPKCS12(data) {
				t.Fatal("it is not known as PKCS#12")
			}
			found, err := parsePKCS12(data, secret)
			if err != nil || len(found.Certs) != 2 || strings.Contains(name, "nokey") != (found.Keys == 0) {
				t.Fatalf("%d certificates and %d keys, %v", len(found.Certs), found.Keys, err)
			}
			_, err = parsePKCS12(data, func() ([]byte, error) { return []byte("wrong"), nil })
			if open := strings.HasPrefix(name, "open"); open != (err == nil) || !open && fault.KindOf(err) != fault.LoginRefused {
				t.Errorf("with a wrong password: %v", err)
			}
			_, err = Parse(data)
			if open := strings.HasPrefix(name, "open"); open != (err == nil) || !open && !errors.Is(err, ErrLocked) {
				t.Errorf("without a password: %v", err)
			}
		})
	}
}

// pfx has parts that are each encrypted with these parameters, and hold nothing.
func pfx(t testing.TB, parts int, oid asn1.ObjectIdentifier, params any, data []byte) []byte {
	t.Helper()
	explicit := func(v any) asn1.RawValue {
		return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: derOf(t, v).FullBytes}
	}
	type info struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue
	}
	type content struct {
		Type      asn1.ObjectIdentifier
		Algorithm pkix.AlgorithmIdentifier
		Data      asn1.RawValue
	}
	safe := info{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}, explicit(struct {
		Version int
		Content content
	}{0, content{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}, pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: derOf(t, params)},
		asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, Bytes: data}}})}
	var safes []info
	for range parts {
		safes = append(safes, safe)
	}
	return derOf(t, struct {
		Version int
		Auth    info
	}{3, info{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}, explicit(derOf(t, safes).FullBytes)}}).FullBytes
}

type encryptedInfo struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

// hiddenKey is a part whose password is "secret", with a key in it that would take years to decrypt.
func hiddenKey(t testing.TB) (part encryptedInfo) {
	t.Helper()
	pbe := derOf(t, counted{[]byte("salt"), 1 << 60})
	key := derOf(t, encryptedInfo{pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}, Parameters: pbe}, make([]byte, 16)})
	value := asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: key.FullBytes}
	der, err := sealPKCS8(derOf(t, []safeBag{{oidShroudedBag, value}}).FullBytes, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := asn1.Unmarshal(der, &part); err != nil {
		t.Fatal(err)
	}
	return part
}

func TestHostilePKCS12(t *testing.T) {
	des3 := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}
	pbes2 := func(rounds int) any {
		return struct{ KDF, Cipher pkix.AlgorithmIdentifier }{
			pkix.AlgorithmIdentifier{Algorithm: oidPBKDF2, Parameters: derOf(t, counted{[]byte("salt"), rounds})},
			pkix.AlgorithmIdentifier{Algorithm: oidAES128, Parameters: derOf(t, make([]byte, 16))},
		}
	}
	scrypt := struct{ KDF, Cipher pkix.AlgorithmIdentifier }{
		pkix.AlgorithmIdentifier{Algorithm: oidScrypt, Parameters: derOf(t, scryptParams{[]byte("salt"), 1 << 20, 1 << 20, 1 << 20})},
		pkix.AlgorithmIdentifier{Algorithm: oidAES128, Parameters: derOf(t, make([]byte, 16))},
	}
	hidden := hiddenKey(t)
	data, salt := make([]byte, 16), []byte("salt")
	for _, tt := range []struct {
		name string
		file []byte
		kind fault.Kind
		says string
	}{
		{"rounds", pfx(t, 1, des3, counted{salt, 1 << 40}, data), fault.Policy, "rounds"},
		{"rounds of PBKDF2", pfx(t, 1, oidPBES2, pbes2(1<<40), data), fault.Policy, "rounds"},
		{"parts", pfx(t, 1000, des3, counted{salt, 100_000}, data), fault.Policy, "100000000 rounds"},
		{"no round", pfx(t, 1, des3, counted{salt, 0}, data), fault.InvalidFile, "not sound"},
		{"no parameters", pfx(t, 1, des3, "x", data), fault.InvalidFile, "not sound"},
		{"much salt", pfx(t, 1, des3, counted{make([]byte, 1<<20), 1}, data), fault.LoginRefused, "wrong password"},
		{"half a block", pfx(t, 1, des3, counted{salt, 1}, data[:7]), fault.InvalidFile, "not a multiple of the block size"},
		{"nothing in it", pfx(t, 1, des3, counted{salt, 1}, nil), fault.InvalidFile, "empty"},
		{"another cipher", pfx(t, 1, oidAES128, counted{salt, 1}, data), fault.InvalidFile, "not supported"},
		{"scrypt", pfx(t, 1, oidPBES2, scrypt, data), fault.InvalidFile, "not supported"},
		{"a costly key in a part", pfx(t, 1, hidden.Algorithm.Algorithm, hidden.Algorithm.Parameters, hidden.Data), fault.InvalidFile, "exactly one key"},
		{"no part", pfx(t, 0, des3, counted{salt, 1}, data), fault.InvalidFile, "no certificate"},
		{"no password", pfx(t, 1, des3, counted{salt, 1}, data), fault.LoginRefused, "wrong password"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found, err := parsePKCS12(tt.file, secret)
			if len(found.Certs) > 0 || fault.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.says) || fault.HintOf(err) == "" {
				t.Errorf("%v (%s), want %v and %q", err, fault.HintOf(err), tt.kind, tt.says)
			}
		})
	}
}

// FuzzPKCS12 reads arbitrary bytes as PKCS#12, with a password where they cost little.
func FuzzPKCS12(f *testing.F) {
	for _, data := range pkcs12Seeds(f) {
		f.Add(data)
	}
	f.Add(pfx(f, 2, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 6}, counted{[]byte("salt"), 2}, make([]byte, 16)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 8192 || costly(data) {
			return
		}
		found, err := parsePKCS12(data, secret)
		kind := fault.KindOf(err)
		if err == nil && len(found.Certs) == 0 || err != nil && (fault.HintOf(err) == "" || kind != fault.InvalidFile && kind != fault.Policy && kind != fault.LoginRefused) {
			t.Fatalf("%d certificates, %v", len(found.Certs), err)
		}
	})
}

// costly finds an integer of more than two bytes, which may be a count.
func costly(data []byte) bool {
	for i := range len(data) - 1 {
		if data[i] == 2 && (data[i+1] == 3 || data[i+1] == 4) {
			return true
		}
	}
	return false
}
