package cmd

import (
	"errors"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/certs/ledger"
	"keyward/fault"
)

// noLedger is the value of --ledger for none.
const noLedger = "none"

func ledgerFlag(whose string) cli.Flag {
	return &cli.StringFlag{
		Name: "ledger", EnvVars: variable("ledger"), TakesFile: true,
		Usage: whose + " ledger `FILE`, which notes what is signed; none keeps none", DefaultText: "beside the CA's certificate: ca.ledger for ca.cert.pem",
	}
}

// ledgerPath is the ledger of the CA whose certificate is caCertFile; "" for none.
func ledgerPath(c *cli.Context, caCertFile string) string {
	switch path := c.String("ledger"); path {
	case "":
		return ledger.Path(caCertFile)
	case noLedger:
		return ""
	default:
		return path
	}
}

// record is what notes entries in the issuer's ledger just before the files of what it signed are placed: certs.Placing's Record.
func (e *env) record(c *cli.Context, issuer *certs.Issuer, entries ...ledger.Entry) func() error {
	path := ledgerPath(c, c.String("ca-certfile"))
	if path == "" {
		return nil
	}
	return func() error { return e.recorded(ledger.Append(c.Context, path, issuer, e.dated(), entries...)) }
}

// recordCert is record of a new certificate. A new CA begins its own ledger besides.
func (e *env) recordCert(c *cli.Context, issuer *certs.Issuer, issued *certs.Issued, base string) func() error {
	role := certs.RoleOf(issued.Cert)
	own := ledger.Path(base + ".cert.pem")
	start := func() error {
		return e.recorded(ledger.Start(c.Context, own, issued.Issuer(), e.dated()))
	}
	if role == certs.Root {
		if own = ledgerPath(c, own); own == "" {
			return nil
		}
		return start
	}
	inIssuer := e.record(c, issuer, ledger.Issued(issued.Cert))
	if role != certs.Intermediate || inIssuer == nil {
		return inIssuer
	}
	return func() error {
		if err := inIssuer(); err != nil {
			return err
		}
		return start()
	}
}

// recorded makes a ledger that cannot be written to a warning under the scripts' names, which knew none.
func (e *env) recorded(err error) error {
	if e.script && errors.Is(err, fault.NotPermitted) {
		e.note("warning: not noted: %v", err)
		return nil
	}
	return err
}
