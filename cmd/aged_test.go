package cmd_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"os"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"keyward/certs"
)

// cmdAged makes a set's certificate older by days, signed by the CA that signed it: aged root web 60. Its bundles stay as they are.
func cmdAged(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: aged CA BASENAME DAYS")
	}
	ca, key, err := certs.Load(context.Background(), ts.MkAbs(args[0]))
	ts.Check(err)
	base := ts.MkAbs(args[1])
	cert, _, err := certs.Load(context.Background(), base)
	ts.Check(err)
	days, err := strconv.Atoi(args[2])
	ts.Check(err)
	cert.NotBefore, cert.NotAfter = cert.NotBefore.AddDate(0, 0, -days), cert.NotAfter.AddDate(0, 0, -days)
	cert.SignatureAlgorithm = x509.UnknownSignatureAlgorithm // as the CA's key has it
	der, err := x509.CreateCertificate(rand.Reader, cert, ca, cert.PublicKey, key)
	ts.Check(err)
	old, err := x509.ParseCertificate(der)
	ts.Check(err)
	ts.Check(os.WriteFile(base+".cert.pem", certs.CertificatePEM(old), 0o600))
	ts.Check(os.Chmod(base+".cert.pem", 0o644))
	ts.Check(os.WriteFile(base+".cert.der", der, 0o600))
	ts.Check(os.Chmod(base+".cert.der", 0o644))
}
