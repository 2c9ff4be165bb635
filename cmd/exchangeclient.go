package cmd

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"slices"
	"sync"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/fault"
	"keyward/keyexchange"
)

// exchangeClientFlags are of who gets the keys from an exchange: whom to trust, and what to show.
func exchangeClientFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "cert", Aliases: []string{"certificate"}, EnvVars: variable("cert"), TakesFile: true, Usage: "trust the exchange's certificate, or its root, in this PEM `FILE` and no other", DefaultText: "the system's roots"},
		&cli.StringFlag{Name: "server-name", EnvVars: variable("server-name"), Usage: "the exchange's certificate has to have this `NAME`", DefaultText: "none with --cert, else the host's"},
		&cli.StringFlag{Name: "client-cert", EnvVars: variable("client-cert"), TakesFile: true, Usage: "show the exchange the certificate in PEM `FILE`, with its intermediates and key", DefaultText: "none is shown"},
		&cli.StringFlag{Name: "client-key", EnvVars: variable("client-key"), TakesFile: true, Usage: "its private key in PEM `FILE`", DefaultText: "in --client-cert"},
		&cli.StringFlag{Name: "client-key-password-file", EnvVars: variable("client-key-password-file"), TakesFile: true, Usage: "the password of an encrypted key is the first line of `FILE`, - is stdin", DefaultText: "asked at the terminal"},
	}
}

// holdsCA says whether one of a file's certificates may sign others.
func holdsCA(file string) bool {
	found, err := certs.ReadFile(file)
	return err == nil && slices.ContainsFunc(found.Certs, func(cert *x509.Certificate) bool { return cert.IsCA })
}

// exchangeClient is the client that the flags describe.
func (e *env) exchangeClient(c *cli.Context, address string) (*keyexchange.Client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.String("server-name"), Time: e.now}
	if file := c.String("cert"); file != "" {
		given, err := rootsFrom(file)
		if err != nil {
			return nil, fault.New(fault.KindOf(err), "give --cert the exchange's certificate, or its root, in PEM", "%w", err)
		}
		config.RootCAs = given.RootCAs
		if config.ServerName == "" && holdsCA(file) {
			e.note("note: every certificate below the CA in %s is taken for the exchange's; --server-name demands a name", file)
		}
	}
	if file := c.String("client-cert"); file != "" {
		shown := &clientFiles{env: e, cert: file, key: cmp.Or(c.String("client-key"), file), unlock: e.unlock(c, "client-key-password-file")}
		if err := shown.read(); err != nil {
			return nil, err
		}
		var one sync.Mutex // two connections may come at once
		config.GetClientCertificate = func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			one.Lock()
			defer one.Unlock()
			return shown.show(r)
		}
	} else if e.call.given["client-key"] {
		return nil, fault.New(fault.Usage, "give --client-cert the certificate that it is of", "--client-key has no certificate")
	}
	return &keyexchange.Client{Address: address, TLS: config, Log: e.noteLog()}, nil
}
