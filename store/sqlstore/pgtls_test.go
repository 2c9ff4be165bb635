package sqlstore_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"keyward/fault"
	"keyward/internal/pgtest"
	"keyward/store/sqlstore"
)

// TestPostgresTLS holds that only a server whose certificate is trusted is told a password.
func TestPostgresTLS(t *testing.T) {
	server := pgtest.Start(t)
	certificate, key := selfSigned(t)
	put := func(file, text string) {
		query(t, server.URL("postgres"), fmt.Sprintf(`DO $$ BEGIN
			COPY (SELECT unnest(string_to_array('%s', E'\n'))) TO PROGRAM 'umask 077; cat >%s';
		END $$`, text, file))
	}
	put("server.crt", certificate)
	put("server.key", key)
	query(t, server.URL("postgres"), "ALTER SYSTEM SET ssl = on")
	query(t, server.URL("postgres"), "CREATE ROLE keyward LOGIN PASSWORD 'right'")
	query(t, server.URL("postgres"), "CREATE DATABASE keyward OWNER keyward")
	if err := server.Stop(pgtest.Fast); err != nil {
		t.Fatal(err)
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	other, _ := selfSigned(t)
	for _, tt := range []struct {
		name, root string
		ok         bool
	}{{"its own", certificate, true}, {"another", other, false}} {
		root := filepath.Join(t.TempDir(), "root.pem")
		if err := os.WriteFile(root, []byte(tt.root), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := sqlstore.OpenPostgres(t.Context(), "postgres://keyward:right@"+server.Address()+"/keyward?sslmode=verify-full&sslrootcert="+root, nil)
		if err == nil {
			s.Close()
		}
		if tt.ok && err != nil || !tt.ok && fault.KindOf(err) != fault.NotTrusted {
			t.Errorf("trusting %s: %v", tt.name, err)
		}
	}
}

// selfSigned makes a certificate for loopback and its key, in PEM.
func selfSigned(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}
