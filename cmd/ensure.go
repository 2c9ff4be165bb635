package cmd

import (
	"path/filepath"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/certs/export"
	"keyward/certs/plan"
	"keyward/fault"
)

func (e *env) ensureCommand() *cli.Command {
	flags := append([]cli.Flag{basenameFlag(certs.Leaf, certs.Peer), organizationFlag(certs.DefaultOrganization("B", certs.Leaf))}, issuerFlags()...)
	flags = append(append(flags, profileFlags(certs.Peer, lifetime(certs.Leaf))...), keyTypeFlag(),
		sanFlag("a `NAME` it can be checked by: DNS, IP, URI or e-mail, told apart by form; repeatable"),
		&cli.StringFlag{Name: "renew-within", EnvVars: variable("renew-within"), Usage: "renew what ends in this `TIME`: 30 or 30d, 12w, 1y", DefaultText: "30 days, or a third of its lifetime if that is less"},
		&cli.BoolFlag{Name: "rekey", EnvVars: variable("rekey"), Usage: "make a new key at each renewal"},
		&cli.StringSliceFlag{Name: "output", EnvVars: variable("output"), Usage: "a file to make besides: `" + joined(export.Formats()) + "`; repeatable"},
		keyPasswordFlag("encrypt the key, and PKCS#12, with the first line of `FILE`, - is stdin", "a plain key"),
		dryRunFlag("say what would be done, and write nothing"), e.quietFlag(), e.jsonFlag(),
	)
	return &cli.Command{
		Name: "ensure", Category: certificates,
		Usage: "make, renew or leave one certificate, as it needs",
		Description: "As often as it runs, there is the leaf certificate that the flags describe in the end, with its key: it is made where it is missing, " +
			"renewed where it ends soon, re-issued where it is not as asked for, and else left alone. " +
			"For many at once see `keyward apply`. " +
			"The exit code is 0 where something was done and 12 where nothing was due; with --dry-run 10 or 12.",
		UsageText: "keyward ensure --cert-basename web --san web.example.org " + issuerFiles + "\n" +
			"keyward ensure --cert-basename web --san web.example.org --renew-within 20d --output pkeycert " + issuerFiles,
		Flags:  flags,
		Action: e.ensure,
	}
}

func (e *env) ensure(c *cli.Context) error {
	m, err := e.manifestOfOne(c)
	if err != nil {
		return err
	}
	if c.Bool("dry-run") {
		return e.showPlan(c, m, "do it without --dry-run")
	}
	done, err := e.apply(c, m)
	if err == nil && len(done.Steps) == 0 {
		err = fault.New(fault.NothingDue, "", "nothing was due")
	}
	return err
}

// manifestOfOne is a manifest that says what the flags do.
func (e *env) manifestOfOne(c *cli.Context) (*plan.Manifest, error) {
	const issuer = "the issuer"
	req, base, err := e.certRequest(c, certs.Leaf)
	if err != nil {
		return nil, err
	}
	if err := needIssuer(c); err != nil {
		return nil, err
	}
	entry := plan.Entry{
		Name: filepath.Base(base), Issuer: issuer, Role: certs.Leaf, Organization: req.Organization, SANs: req.SANs,
		Profile: req.Profile, KeyType: req.KeyType, NotAfter: req.NotAfter, Clamp: req.Clamp,
		Rekey: c.Bool("rekey"), PasswordFile: absolute(c.String("key-password-file")),
	}
	if within := c.String("renew-within"); within != "" {
		if entry.RenewWithin, err = plan.ParseSpan(within, e.dated()); err != nil {
			return nil, fault.New(fault.Usage, fault.HintOf(err), "--renew-within: %w", err)
		}
	}
	for _, name := range c.StringSlice("output") {
		format, err := export.ParseFormat(name)
		if err != nil {
			return nil, err
		}
		entry.Outputs = append(entry.Outputs, format)
	}
	outside := plan.Outside{Name: issuer, CertFile: absolute(c.String("ca-certfile")), KeyFile: absolute(c.String("ca-keyfile"))}
	outside.Ledger = absolute(ledgerPath(c, outside.CertFile))
	return plan.New(filepath.Dir(base), []plan.Outside{outside}, []plan.Entry{entry}, e.dated())
}

// absolute frees a path of the folder that it is read in.
func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil && path != "" && path != "-" {
		return full
	}
	return path
}
