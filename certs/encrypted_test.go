package certs

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keyward/fault"
)

var (
	oidScrypt = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
	oidAES128 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 2}
)

func secret() ([]byte, error) { return []byte("secret"), nil }

func derOf(t testing.TB, v any) asn1.RawValue {
	t.Helper()
	text, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return asn1.RawValue{FullBytes: text}
}

// pbes2Block is an encrypted key with these parameters, whose content is nothing.
func pbes2Block(t testing.TB, kdf asn1.ObjectIdentifier, kdfParams any, cipher asn1.ObjectIdentifier, iv, data []byte) []byte {
	params := struct{ KDF, Cipher pkix.AlgorithmIdentifier }{
		pkix.AlgorithmIdentifier{Algorithm: kdf, Parameters: derOf(t, kdfParams)},
		pkix.AlgorithmIdentifier{Algorithm: cipher, Parameters: derOf(t, iv)},
	}
	info := struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}{pkix.AlgorithmIdentifier{Algorithm: oidPBES2, Parameters: derOf(t, params)}, data}
	return pem.EncodeToMemory(&pem.Block{Type: encryptedType, Bytes: derOf(t, info).FullBytes})
}

// counted are the parameters of PBKDF2 and of PBE.
type counted struct {
	Salt       []byte
	Iterations int
}

type scryptParams struct {
	Salt    []byte
	N, R, P int
}

// TestHostileKeys holds that a file which would cost minutes or gigabytes, or a panic, is refused before
// anybody is asked for its password.
func TestHostileKeys(t *testing.T) {
	iv, data, salt := make([]byte, 16), make([]byte, 16), []byte("saltsalt")
	for _, tt := range []struct {
		name string
		text []byte
		kind fault.Kind
		says string
	}{
		{"rounds", pbes2Block(t, oidPBKDF2, counted{salt, 1 << 40}, oidAES128, iv, data), fault.Policy, "rounds"},
		{"no round", pbes2Block(t, oidPBKDF2, counted{salt, 0}, oidAES128, iv, data), fault.InvalidFile, "not sound"},
		{"fewer", pbes2Block(t, oidPBKDF2, counted{salt, -1}, oidAES128, iv, data), fault.InvalidFile, "not sound"},
		{"memory of scrypt", pbes2Block(t, oidScrypt, scryptParams{salt, 1 << 22, 8, 1}, oidAES128, iv, data), fault.Policy, "scrypt"},
		{"cost of scrypt", pbes2Block(t, oidScrypt, scryptParams{salt, 1 << 14, 8, 1 << 14}, oidAES128, iv, data), fault.Policy, "scrypt"},
		{"scrypt overflows", pbes2Block(t, oidScrypt, scryptParams{salt, 1 << 62, 1 << 62, 1 << 62}, oidAES128, iv, data), fault.Policy, "scrypt"},
		{"blocks of scrypt", pbes2Block(t, oidScrypt, scryptParams{salt, 2, 1 << 40, 1}, oidAES128, iv, data), fault.Policy, "scrypt"},
		{"scrypt with an odd cost", pbes2Block(t, oidScrypt, scryptParams{salt, 3, 8, 1}, oidAES128, iv, data), fault.InvalidFile, "not sound"},
		{"short vector", pbes2Block(t, oidPBKDF2, counted{salt, 1}, oidAES128, iv[:8], data), fault.InvalidFile, "vector"},
		{"half a block", pbes2Block(t, oidPBKDF2, counted{salt, 1}, oidAES128, iv, data[:15]), fault.InvalidFile, "cut off"},
		{"nothing in it", pbes2Block(t, oidPBKDF2, counted{salt, 1}, oidAES128, iv, nil), fault.InvalidFile, "cut off"},
		{"another cipher", pbes2Block(t, oidPBKDF2, counted{salt, 1}, oidPBKDF2, iv, data), fault.InvalidFile, "cipher"},
		{"another derivation", pbes2Block(t, oidAES128, counted{salt, 1}, oidAES128, iv, data), fault.InvalidFile, "derivation"},
		{"text for parameters", pbes2Block(t, oidPBKDF2, "x", oidAES128, iv, data), fault.InvalidFile, "not sound"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked := false
			_, err := parseKey(tt.text, func() ([]byte, error) { asked = true; return []byte("secret"), nil })
			if asked || fault.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.says) || fault.HintOf(err) == "" {
				t.Errorf("%v, asked %v, want %v and %q", err, asked, tt.kind, tt.says)
			}
		})
	}
}

// FuzzEncryptedKey opens arbitrary encrypted keys with a password, those that cost little.
func FuzzEncryptedKey(f *testing.F) {
	files, err := filepath.Glob("testdata/encrypted/*.pem")
	if err != nil || len(files) < 4 {
		f.Fatalf("%d seeds: %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if _, err := parseKey(text, secret); err != nil {
			f.Fatalf("%s: %v", file, err)
		}
		block, _ := pem.Decode(text)
		f.Add(block.Bytes)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		if len(der) > 4096 {
			return
		}
		var cost struct {
			Algorithm struct {
				ID     asn1.ObjectIdentifier
				Params struct {
					KDF struct {
						ID     asn1.ObjectIdentifier
						Params struct {
							Salt []byte
							N    int
							R, P int `asn1:"optional"`
						}
					}
				}
			}
		}
		if _, err := asn1.Unmarshal(der, &cost); err == nil {
			if c := cost.Algorithm.Params.KDF.Params; c.N > 2048 || c.R > 64 || c.P > 8 {
				return
			}
		}
		key, err := parseKey(pem.EncodeToMemory(&pem.Block{Type: encryptedType, Bytes: der}), secret)
		if kind := fault.KindOf(err); err != nil && (fault.HintOf(err) == "" || kind != fault.InvalidFile && kind != fault.Policy && kind != fault.LoginRefused) || (key == nil) != (err != nil) {
			t.Fatalf("%v (%s)", err, fault.HintOf(err))
		}
	})
}
