package cmd

import (
	"cmp"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/fault"
)

const issuerFiles = "--ca-certfile root.cert.pem --ca-keyfile root.key.pem"

func (e *env) genRootCertCommand() *cli.Command {
	return e.genCertCommand(certs.Root, &cli.Command{
		Name:  "gen-root-cert",
		Usage: "make a root certificate and its key",
		Description: "Writes B.key.pem, B.cert.pem and B.cert.der, where B is the basename: a CA that signs itself, for ten years where nothing is said. " +
			"Its key is worth a password: --encrypt-key asks for one. " +
			"Name constraints limit what it and the CAs below it may sign.",
		UsageText: "keyward gen-root-cert --cert-basename root --subject-org-name \"Example Root\"\n" +
			"keyward gen-root-cert --permit-dns corp.example --permit-ip 10.0.0.0/8 --days 5y",
	})
}

func (e *env) genIntermediateCertCommand() *cli.Command {
	return e.genCertCommand(certs.Intermediate, &cli.Command{
		Name:        "gen-intermediate-cert",
		Usage:       "make an intermediate certificate and its key",
		Description: "Writes B.key.pem, B.cert.pem and B.cert.der, where B is the basename: a CA signed by another, for five years where nothing is said.",
		UsageText:   "keyward gen-intermediate-cert --path-len 0 " + issuerFiles,
	})
}

func (e *env) genLeafCertCommand() *cli.Command {
	return e.genCertCommand(certs.Leaf, &cli.Command{
		Name:  "gen-leaf-cert",
		Usage: "make a leaf certificate and its key: for a server, a client or a peer",
		Description: "Writes B.key.pem, B.cert.pem and B.cert.der, where B is the basename, for 90 days where nothing is said. " +
			"--pkeycert adds B.pkeycert.pem: the certificate, the intermediates and the key in one file, ready for a peer. " +
			"--account makes the certificate of an account of the bus, for a client where no --profile is given. " +
			"What a verifier would refuse is not signed. The profile micronets makes what the Micronets scripts make, extension for extension.",
		UsageText: "keyward gen-leaf-cert --san web.example.org --san 192.0.2.7 " + issuerFiles + "\n" +
			"keyward gen-leaf-cert --profile client --san alice@example.org --key-type ed25519 --pkeycert " + issuerFiles + "\n" +
			"keyward gen-leaf-cert --account orders --trust-domain example.org --cert-basename orders " + issuerFiles,
	})
}

// scriptLifetime is that of the Micronets scripts.
const scriptLifetime = "500d"

// genCertCommand adds to c what the three have in common.
func (e *env) genCertCommand(role certs.Role, c *cli.Command) *cli.Command {
	if e.script {
		c.Description = "Does what the Micronets script of this name does, with its files, defaults, output and exit codes. The other flags are keyward's."
		c.UsageText = c.Name + " --cert-basename gateway --subject-org-name Gateway --expiration-in-days 3650"
		if role != certs.Root {
			c.UsageText += " " + issuerFiles
		}
	}
	c.Category = certificates
	c.Flags = e.genCertFlags(role)
	c.Action = func(c *cli.Context) error { return e.genCert(c, role) }
	return c
}

func (e *env) genCertFlags(role certs.Role) []cli.Flag {
	profile, days := certs.Peer, lifetime(role)
	if e.script {
		profile, days = certs.Micronets, scriptLifetime
	}
	flags := []cli.Flag{basenameFlag(role, profile), organizationFlag(certs.DefaultOrganization("B", role))}
	if role == certs.Root {
		flags = append(flags, ledgerFlag("its own"))
	} else {
		flags = append(flags, issuerFlags()...)
	}
	flags = append(append(flags, profileFlags(profile, days)...), keyTypeFlag())
	flags = append(flags, keyPasswordFlags()...)
	if role == certs.Leaf {
		flags = append(append(flags, accountFlags()...),
			sanFlag("a `NAME` it can be checked by: DNS, IP, URI or e-mail, told apart by form; repeatable"),
			&cli.BoolFlag{Name: "pkeycert", EnvVars: variable("pkeycert"), Usage: "write certificate, intermediates and key in one file too"},
		)
	} else {
		flags = append(flags,
			&cli.IntFlag{Name: "path-len", EnvVars: variable("path-len"), Usage: "how many CAs may stand below it: `N`", DefaultText: "any number"},
			&cli.StringSliceFlag{Name: "permit-dns", EnvVars: variable("permit-dns"), Usage: "it may sign for this `DOMAIN` and what is under it; repeatable"},
			&cli.StringSliceFlag{Name: "permit-ip", EnvVars: variable("permit-ip"), Usage: "it may sign for the addresses in this `CIDR`; repeatable"},
		)
	}
	return append(flags, dryRunFlag("check everything, say what would be written, and write nothing"), overwriteFlag(), e.quietFlag(), e.jsonFlag())
}

func (e *env) genCert(c *cli.Context, role certs.Role) error {
	req, base, err := e.certRequest(c, role)
	if err != nil {
		return err
	}
	placing := certs.Placing{PKeyCert: c.Bool("pkeycert"), DryRun: c.Bool("dry-run")}
	what := "a key or certificate " + base
	if placing.Replace, err = e.mayReplace(c, what, base, placing); err != nil {
		return err
	}
	issuer, err := e.issuer(c, role)
	if err != nil {
		return err
	}
	issued, err := certs.Issue(req, issuer, e.dated())
	if err != nil {
		return err
	}
	password, err := e.keyPassword(c, base+".key.pem")
	if err != nil {
		return err
	}
	e.warnOfPlain(base+".key.pem", password)
	placing.Password, placing.Record = password, e.recordCert(c, issuer, issued, base)
	files, err := e.placing(c, what, placing, func(p certs.Placing) ([]string, error) {
		return certs.Write(c.Context, base, issued, p)
	})
	if err != nil {
		return err
	}
	for _, note := range issued.Notes {
		e.note("note: %s", note)
	}
	return e.printCert(issued, files, placing.DryRun)
}

// mayReplace asks about files that are there, before passwords are asked for that they would make vain.
func (e *env) mayReplace(c *cli.Context, what, base string, p certs.Placing) (replace bool, err error) {
	_, err = e.placing(c, what, p, func(p certs.Placing) ([]string, error) {
		replace = p.Replace
		return nil, certs.Vacant(c.Context, base, p)
	})
	return replace, err
}

// placing runs write as overwriting does, but asks nothing in a dry run.
func (e *env) placing(c *cli.Context, what string, p certs.Placing, write func(certs.Placing) ([]string, error)) (files []string, err error) {
	p.Replace = p.Replace || c.Bool("force-overwrite")
	if p.DryRun {
		return write(p)
	}
	_, err = e.overwriting(p.Replace, what, func(replace bool) (string, error) {
		p.Replace = replace
		var err error
		files, err = write(p)
		return "", err
	})
	return files, err
}

// certRequest reads the flags; base is the files' basename.
func (e *env) certRequest(c *cli.Context, role certs.Role) (req certs.Request, base string, err error) {
	profile, err := e.certProfile(c)
	if err != nil {
		return req, "", err
	}
	sans, err := e.certNames(c)
	if err != nil {
		return req, "", err
	}
	keyType, err := certs.ParseKeyType(c.String("key-type"))
	if err != nil {
		return req, "", err
	}
	end, err := e.certEnd(c)
	if err != nil {
		return req, "", err
	}
	base = cmp.Or(c.String("cert-basename"), defaultBasename(role, profile))
	req = certs.Request{
		Role: role, Profile: profile, KeyType: keyType, NotAfter: end, Clamp: c.Bool("clamp") || e.script,
		Organization: cmp.Or(c.String("subject-org-name"), certs.DefaultOrganization(filepath.Base(base), role)),
		SANs:         sans,
		StartNow:     c.String("account") != "", // an account that is made again refuses what is older
		PermitDNS:    c.StringSlice("permit-dns"),
		PermitIP:     c.StringSlice("permit-ip"),
	}
	if c.IsSet("path-len") {
		n := c.Int("path-len")
		req.PathLen = &n
	}
	return req, base, nil
}

// certEnd is the end that --days or --expiration-in-days gives; zero for the default. A flag goes before a variable.
func (e *env) certEnd(c *cli.Context) (time.Time, error) {
	const days, scripts = "days", "expiration-in-days"
	if e.call.given[days] && e.call.given[scripts] {
		return time.Time{}, fault.New(fault.Usage, "take one of them", "--days and --expiration-in-days do not go together")
	}
	if e.call.given[scripts] || c.IsSet(scripts) && !e.call.given[days] {
		return certs.ParseDays(strconv.Itoa(c.Int(scripts)), e.dated())
	}
	switch {
	case c.IsSet(days):
		return certs.ParseDays(c.String(days), e.dated())
	case e.script:
		return certs.ParseDays(scriptLifetime, e.dated())
	default:
		return time.Time{}, nil
	}
}

// needIssuer refuses a call that does not name the CA's files.
func needIssuer(c *cli.Context) error {
	for _, flag := range []string{"ca-certfile", "ca-keyfile"} {
		if c.String(flag) == "" {
			return fault.New(fault.Usage, "give the issuer with --ca-certfile and --ca-keyfile", "--%s is missing", flag)
		}
	}
	return nil
}

// issuer loads the CA that signs; a root has none. Under the scripts' names a key that others can read is a warning.
func (e *env) issuer(c *cli.Context, role certs.Role) (*certs.Issuer, error) {
	if role == certs.Root {
		return nil, nil
	}
	if err := needIssuer(c); err != nil {
		return nil, err
	}
	issuer, warnings, err := certs.LoadIssuer(c.Context, c.String("ca-certfile"), c.String("ca-keyfile"), e.unlock(c, "ca-key-password-file"), e.script)
	for _, warning := range warnings {
		e.note("warning: %s", warning)
	}
	return issuer, err
}

// noteFiles tells which files were written, or would be.
func (e *env) noteFiles(dryRun bool, files []string) {
	done := "wrote"
	if dryRun {
		done = "would write"
	}
	e.note("%s %s", done, strings.Join(files, ", "))
}

// printCert prints what was made, or would be: the text under the scripts' names, JSON with --json, else nothing.
func (e *env) printCert(issued *certs.Issued, files []string, dryRun bool) error {
	info := certs.Describe(issued.Cert)
	if dryRun {
		info.Serial, info.Fingerprint, info.Pin = "", "", "" // nobody will see them again
	}
	switch {
	case e.json:
		return e.print(struct {
			certs.Info
			DryRun bool     `json:"dry_run,omitempty"` // then the files would be written, and serial number, fingerprint and pin are empty
			Files  []string `json:"files"`
			Notes  []string `json:"notes,omitempty"`
		}{info, dryRun, files, issued.Notes}, "")
	case e.script && !dryRun:
		return e.print(nil, certs.Text(issued.Cert))
	default:
		e.noteFiles(dryRun, files)
	}
	return nil
}

// defaultBasename is the scripts' in their profile.
func defaultBasename(role certs.Role, profile certs.Profile) string {
	if profile != certs.Micronets {
		return role.String()
	}
	switch role {
	case certs.Root:
		return "ocf_root_ca"
	case certs.Intermediate:
		return "ocf_intermediate_ca"
	default:
		return "ocf_dev"
	}
}

// lifetime is how long a certificate lives where nothing is said, for the help.
func lifetime(role certs.Role) string {
	switch role {
	case certs.Root:
		return "10y"
	case certs.Intermediate:
		return "5y"
	default:
		return "90d"
	}
}

// joined is a list of choices, as the help shows it and the completions take it.
func joined[T ~string](choices []T) string {
	var words []string
	for _, choice := range choices {
		words = append(words, string(choice))
	}
	return strings.Join(words, "|")
}
