package cmd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
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

// serverCertificate is what the registry shows: that of --tls-cert, or its own, made
// at the first start, when the names change, and when its end is near.
func (e *env) serverCertificate(ctx context.Context, c *cli.Context, dir string, names []string) (tls.Certificate, error) {
	certFile, keyFile := c.String("tls-cert"), c.String("tls-key")
	if certFile == "" {
		if err := e.ownCertificate(ctx, dir, names); err != nil {
			return tls.Certificate{}, err
		}
		base := filepath.Join(dir, serverBasename)
		certFile, keyFile = base+".cert.pem", base+".key.pem"
	} else if exposed := secretfile.Exposed(keyFile); exposed != nil {
		e.note("warning: %v (%s)", exposed, fault.HintOf(exposed))
	}
	certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return certificate, fault.New(fault.InvalidFile, "--tls-cert and --tls-key take a certificate chain and its key in PEM", "the server's certificate: %w", err)
	}
	return certificate, nil
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

// ownCertificate makes dir's root and server certificate where they are missing or not what is wanted.
func (e *env) ownCertificate(ctx context.Context, dir string, names []string) error {
	ca, err := e.ownCA(ctx, filepath.Join(dir, caBasename))
	if err != nil {
		return err
	}
	base := filepath.Join(dir, serverBasename)
	old, key, err := certs.Load(ctx, base)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	if err == nil && e.stillGood(old, ca, names) {
		return nil
	}
	issued, err := certs.Issue(certs.Request{
		Role: certs.Leaf, Profile: certs.Server, Organization: "keyward registry", SANs: names, Key: key,
		NotAfter: e.now().AddDate(1, 0, 0), Clamp: true,
	}, ca, e.now())
	if err != nil {
		return err
	}
	_, err = certs.Write(ctx, base, issued, false, true)
	return err
}

func (e *env) ownCA(ctx context.Context, base string) (*certs.Issuer, error) {
	ca, _, err := certs.LoadIssuer(ctx, base+".cert.pem", base+".key.pem", false)
	if !errors.Is(err, fault.NotFound) {
		return ca, err
	}
	none := 0
	issued, err := certs.Issue(certs.Request{Role: certs.Root, Organization: "keyward registry root", PathLen: &none}, nil, e.now())
	if err != nil {
		return nil, err
	}
	if _, err := certs.Write(ctx, base, issued, false, false); err != nil {
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
