package certs_test

import (
	"bytes"
	"crypto"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keyward/certs"
	"keyward/fault"
)

func password(text string) certs.Unlock {
	return func(string) ([]byte, error) { return []byte(text), nil }
}

func samePublic(a, b crypto.Signer) bool {
	return a.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(b.Public())
}

// TestEncryptedKeysOfOthers reads what OpenSSL and GnuTLS write, and what they would read of ours.
func TestEncryptedKeysOfOthers(t *testing.T) {
	tool(t, "openssl")
	dir := t.TempDir()
	plain, out := filepath.Join(dir, "plain.pem"), filepath.Join(dir, "out.pem")
	key, err := certs.NewKey(certs.P256)
	if err != nil {
		t.Fatal(err)
	}
	text, err := certs.KeyPEM(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(plain, text, 0o600); err != nil {
		t.Fatal(err)
	}
	pass := []string{"-passout", "pass:secret", "-in", plain, "-out", out}
	for _, args := range [][]string{
		{"openssl", "pkcs8", "-topk8"},
		{"openssl", "pkcs8", "-topk8", "-v2", "aes128"},
		{"openssl", "pkcs8", "-topk8", "-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA1"},
		{"openssl", "pkcs8", "-topk8", "-v2", "des3"},
		{"openssl", "pkcs8", "-topk8", "-v2", "aes256", "-v2prf", "hmacWithSHA512", "-iter", "5000"},
		{"openssl", "pkcs8", "-topk8", "-v2", "aes256", "-v2prf", "hmacWithSHA384"},
		{"openssl", "pkcs8", "-topk8", "-v2", "aes256", "-v2prf", "hmacWithSHA224"},
		{"openssl", "pkcs8", "-topk8", "-scrypt"},
		{"openssl", "pkcs8", "-topk8", "-scrypt", "-scrypt_N", "1024", "-scrypt_r", "4", "-scrypt_p", "3"},
		{"openssl", "pkey", "-aes256"},
		{"openssl", "ec", "-aes256"},
		{"openssl", "ec", "-des3"},
		{"certtool", "--to-p8", "--password", "secret", "--load-privkey", plain, "--outfile", out},
		{"certtool", "--to-p8", "--password", "secret", "--pkcs-cipher", "3des", "--load-privkey", plain, "--outfile", out},
	} {
		t.Run(strings.Join(args[:min(len(args), 6)], " "), func(t *testing.T) {
			if args[0] == "openssl" {
				args = append(args, pass...)
			}
			tool(t, args[0])
			run(t, args[0], args[1:]...)
			text, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(text, []byte("ENCRYPTED")) {
				t.Fatalf("not encrypted:\n%s", text)
			}
			if got, _, err := certs.LoadKey(t.Context(), out, password("secret")); err != nil || !samePublic(got, key) {
				t.Errorf("%v\n%s", err, text)
			}
			for _, wrong := range []string{"", "Secret", strings.Repeat("x", 5000)} {
				_, _, err := certs.LoadKey(t.Context(), out, password(wrong))
				if fault.KindOf(err) != fault.LoginRefused || fault.HintOf(err) == "" {
					t.Errorf("the password %.10q: %v", wrong, err)
				}
			}
		})
	}
}

func TestOwnEncryptedKeys(t *testing.T) {
	tool(t, "openssl")
	for _, keyType := range []certs.KeyType{certs.P256, certs.Ed25519, certs.RSA2048} {
		key, err := certs.NewKey(keyType)
		if err != nil {
			t.Fatal(err)
		}
		text, err := certs.KeyPEM(key, []byte("sécret €"))
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "key.pem")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, "openssl", "pkey", "-noout", "-in", file, "-passin", "pass:sécret €")
		if again, _, err := certs.LoadKey(t.Context(), file, password("sécret €")); err != nil || !samePublic(again, key) {
			t.Errorf("%s: %v", keyType, err)
		}
		if !certs.KeyIsEncrypted(file) || certs.KeyIsEncrypted(file+".none") {
			t.Error("it does not tell what is encrypted")
		}
	}
}
