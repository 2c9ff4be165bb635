package cmd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/internal/fault"
	"keyward/internal/secretfile"
)

// The registry's own certificates in the data folder: ca.cert.pem, server.cert.pem and their like.
const (
	caBasename     = "ca"
	serverBasename = "server"
)

// renewBefore is how long before its end the server's certificate is made anew at a start.
const renewBefore = 60 * 24 * time.Hour

// ownPair is the certificate of --tls-cert, the user's own; nil where there is none.
func (e *env) ownPair(c *cli.Context) (*tls.Certificate, error) {
	certFile, keyFile := c.String("tls-cert"), c.String("tls-key")
	if certFile == "" {
		return nil, nil
	}
	if exposed := secretfile.Exposed(keyFile); errors.Is(exposed, fault.Policy) {
		e.note("warning: %v (%s)", exposed, fault.HintOf(exposed))
	}
	pair, err := e.tlsPair(c, certFile, keyFile)
	if _, told := errors.AsType[*fault.Error](err); told {
		return nil, err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.New(fault.NotFound, "check the files that --tls-cert and --tls-key name", "the server's certificate: %w", err)
	case err != nil:
		return nil, fault.New(fault.InvalidFile, "--tls-cert and --tls-key take a certificate chain and its key in PEM", "the server's certificate: %w", err)
	}
	return &pair, nil
}

// tlsPair reads a certificate chain and its key, which may be encrypted.
func (e *env) tlsPair(c *cli.Context, certFile, keyFile string) (tls.Certificate, error) {
	if !certs.KeyIsEncrypted(keyFile) {
		return tls.LoadX509KeyPair(certFile, keyFile)
	}
	key, _, err := certs.LoadKey(c.Context, keyFile, e.unlock(c, "tls-key-password-file"))
	if err != nil {
		return tls.Certificate{}, err
	}
	keyText, err := certs.KeyPEM(key, nil)
	if err != nil {
		return tls.Certificate{}, err
	}
	certText, err := os.ReadFile(certFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(certText, keyText)
}

// serverNames are the names that the registry can be reached by: always those of this
// machine's loopback, beside them those of --name, else the listening host and the host name.
func serverNames(given []string, address net.Addr) []string {
	names := append([]string{"localhost", "127.0.0.1", "::1"}, given...)
	if len(given) > 0 {
		return names
	}
	if tcp, ok := address.(*net.TCPAddr); ok && !tcp.IP.IsUnspecified() {
		names = append(names, tcp.IP.String())
	}
	if host, err := os.Hostname(); err == nil && certs.CheckName(host) == nil {
		names = append(names, host)
	}
	return names
}

// ownCertificate is the registry's own: made at the first start, and anew for the same
// key when the names change or its end is near.
func (e *env) ownCertificate(ctx context.Context, dir string, names []string) (*tls.Certificate, error) {
	ca, err := e.ownCA(ctx, filepath.Join(dir, caBasename))
	if err != nil {
		return nil, err
	}
	base := filepath.Join(dir, serverBasename)
	cert, key, err := certs.Load(ctx, base)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return nil, err
	}
	if err != nil || !e.stillGood(cert, ca, names) {
		issued, err := certs.Issue(certs.Request{
			Role: certs.Leaf, Profile: certs.Server, Organization: "keyward registry", SANs: names, Key: key,
			NotAfter: e.now().AddDate(1, 0, 0), Clamp: true,
		}, ca, e.now())
		if err != nil {
			return nil, err
		}
		if _, err := certs.Write(ctx, base, issued, certs.Placing{Replace: true}); err != nil {
			return nil, err
		}
		cert, key = issued.Cert, issued.Key
	}
	return &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}, nil
}

func (e *env) ownCA(ctx context.Context, base string) (*certs.Issuer, error) {
	ca, _, err := certs.LoadIssuer(ctx, base+".cert.pem", base+".key.pem", nil, false)
	if !errors.Is(err, fault.NotFound) {
		return ca, err
	}
	none := 0
	issued, err := certs.Issue(certs.Request{Role: certs.Root, Organization: "keyward registry root", PathLen: &none}, nil, e.now())
	if err != nil {
		return nil, err
	}
	if _, err := certs.Write(ctx, base, issued, certs.Placing{}); err != nil {
		return nil, err
	}
	return issued.Issuer(), nil
}

// stillGood tells whether the certificate has these names, is the CA's, and does not end soon.
func (e *env) stillGood(cert *x509.Certificate, ca *certs.Issuer, names []string) bool {
	return certs.HasNames(cert, names) &&
		cert.CheckSignatureFrom(ca.Chain[0]) == nil &&
		cert.NotAfter.Sub(e.now()) > renewBefore
}
