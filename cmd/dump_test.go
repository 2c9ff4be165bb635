package cmd_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"keyward/fault"
	"keyward/internal/pgtest"
	"keyward/keys"
	"keyward/registry/wire"
	"keyward/restclient"
)

// TestDumpLogsNobodyIn takes what a thief could: the database's files, pg_dump's output, a backup. No secret is in them, and
// what is in them logs nobody in.
func TestDumpLogsNobodyIn(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		s := newServed(t)
		dumpLogsNobodyIn(t, s, func() map[string][]byte {
			var all []byte
			for _, suffix := range []string{"", "-wal"} {
				all = append(all, read(t, filepath.Join(s.dir, "data", "registry.db"+suffix))...)
			}
			return map[string][]byte{"files": all, "backup": backupOf(t, s, "--data-dir", "data")}
		})
	})
	t.Run("postgres", func(t *testing.T) {
		url := pgtest.Database(t)
		s := newServed(t, "--store", url)
		dumpLogsNobodyIn(t, s, func() map[string][]byte {
			dump, err := exec.Command("pg_dump", "--dbname", url).Output()
			if err != nil {
				t.Fatal(err)
			}
			return map[string][]byte{"pg_dump": dump, "backup": backupOf(t, s, "--store", url)}
		})
	})
}

func backupOf(t *testing.T, s *served, args ...string) []byte {
	t.Helper()
	text, err := command(s.dir, append([]string{"backup", "-"}, args...)).Output()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func dumpLogsNobodyIn(t *testing.T, s *served, dumps func() map[string][]byte) {
	s.start()
	const password = "battery staple horse"
	ctx, c := t.Context(), s.client()
	admin, err := c.LoginPassword(ctx, "admin", loadPassword)
	check(t, err)
	check(t, c.AddUser(ctx, admin, wire.NewUser{Name: "alice", Password: password}))
	own, err := c.LoginPassword(ctx, "alice", password)
	check(t, err)
	pair, err := keys.Generate()
	check(t, err)
	check(t, c.AddKey(ctx, own, "alice", wire.NewKey{Key: pair.Public.String()}))
	server, err := keys.Load(ctx, filepath.Join(s.dir, "data", "serverkey"))
	check(t, err)
	byKey, err := c.LoginKey(ctx, "alice", pair, server.Public)
	check(t, err)
	_, err = c.Keys(ctx, byKey, "alice")
	check(t, err)

	secrets := map[string][]byte{
		"the server's private key": server.Private[:], "alice's private key": pair.Private[:], "the audit key": auditSeed(t, s),
		"the admin's password": []byte(loadPassword), "alice's password": []byte(password),
	}
	for name, token := range map[string]restclient.Token{"the admin's": admin, "alice's": own, "her key's": byKey} {
		secrets[name+" token"] = []byte(token.Access)
		secrets[name+" token's bytes"] = tokenBytes(t, token)
	}
	hash := sha256.Sum256(tokenBytes(t, byKey))
	copy(hash[:stampSize], tokenBytes(t, byKey))
	for name, dump := range dumps() {
		for what, secret := range secrets {
			if spelt(dump, secret) {
				t.Errorf("%s: %s is in it", name, what)
			}
		}
		if !spelt(dump, pair.Public[:]) || !spelt(dump, server.Public[:]) {
			t.Errorf("%s: no public key is found in it, so nothing is", name)
		}
		if hasHash := spelt(dump, hash[:]); hasHash != (name != "backup") {
			t.Errorf("%s: the hash of a token is in it: %v", name, hasHash)
		}
		phcs := regexp.MustCompile(`\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}`).FindAll(dump, -1)
		if len(phcs) < 2 {
			t.Errorf("%s: %d password hashes are found in it", name, len(phcs))
		}
		if name == "backup" {
			for _, user := range []string{"admin", "alice"} { // few: wrong passwords have to wait
				_, err := c.LoginPassword(ctx, user, string(phcs[0]))
				refusedLogin(t, err, "a password hash as the password of "+user)
				phcs = phcs[1:]
			}
		}
	}
	for _, text := range spellings(hash[:])[1:] { // raw bytes go into no header
		_, err := c.Keys(ctx, restclient.Token{Access: text}, "alice")
		refusedLogin(t, err, "the hash of a token as the token")
	}
	thief, err := keys.Generate()
	check(t, err)
	for name, forged := range map[string]keys.Pair{
		"a pair of the thief's":                  thief,
		"the thief's key with alice's public":    {Private: thief.Private, Public: pair.Public},
		"her public key as the private one":      {Private: keys.PrivateKey(pair.Public), Public: pair.Public},
		"the server's public key as private one": {Private: keys.PrivateKey(server.Public), Public: pair.Public},
		"the hash of a token as the private key": {Private: keys.PrivateKey(hash), Public: pair.Public},
	} {
		for _, sealedFor := range []keys.PublicKey{server.Public, pair.Public, thief.Public} {
			_, err := c.LoginKey(ctx, "alice", forged, sealedFor)
			refusedLogin(t, err, name)
		}
	}
	// As long as it is the thief that is refused, and not everybody.
	_, err = c.LoginKey(ctx, "alice", pair, server.Public)
	check(t, err)
	_, err = c.Keys(ctx, byKey, "alice")
	check(t, err)
}

// stampSize is how much of a token's hash is its time, in bytes.
const stampSize = 6

func tokenBytes(t *testing.T, token restclient.Token) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(token.Access)
	check(t, err)
	return b
}

func refusedLogin(t *testing.T, err error, what string) {
	t.Helper()
	if fault.KindOf(err) != fault.LoginRefused {
		t.Errorf("%s: %v", what, err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// auditSeed is the secret half of the audit key.
func auditSeed(t *testing.T, s *served) []byte {
	t.Helper()
	block, _ := pem.Decode(read(t, filepath.Join(s.dir, "data", "audit-key")))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	check(t, err)
	return key.(ed25519.PrivateKey).Seed()
}

// spellings are the ways in which bytes are written.
func spellings(b []byte) []string {
	return []string{string(b), hex.EncodeToString(b), base64.RawStdEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b), base64.StdEncoding.EncodeToString(b)}
}

// spelt tells whether bytes are in a dump, however they are written there.
func spelt(dump, b []byte) bool {
	for _, text := range spellings(b) {
		if bytes.Contains(dump, []byte(text)) {
			return true
		}
	}
	return false
}
