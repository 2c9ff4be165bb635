package cmd

import (
	"cmp"
	"crypto"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/fault"
)

func (e *env) genCSRCommand() *cli.Command {
	return &cli.Command{
		Name: "gen-csr", Category: certificates,
		Usage: "make a key and a certificate signing request for a CA elsewhere",
		Description: "Writes B.key.pem and B.csr.pem, where B is the basename: the key stays here, the request goes to whoever has the CA, for sign-csr or another program. " +
			"With --key the request is for a key that is there already, and B.csr.pem alone is written.",
		UsageText: "keyward gen-csr --cert-basename web --san web.example.org --subject-org-name \"Example Web\"\n" +
			"keyward gen-csr --cert-basename web --san web.example.org --key web.key.pem --force\n" +
			"keyward gen-csr --cert-basename orders --account orders --trust-domain example.org",
		Flags: append(accountFlags(),
			basenameFlag(certs.Leaf, certs.Peer), organizationFlag(certs.DefaultOrganization("B", certs.Leaf)), sanFlag("a `NAME` to ask for: DNS, IP, URI or e-mail, told apart by form; repeatable"),
			keyTypeFlag(),
			&cli.StringFlag{Name: "key", EnvVars: variable("key"), TakesFile: true, Usage: "ask with the private key in PEM `FILE`, and make none"},
			keyPasswordFlag("encrypt the new key with the first line of `FILE`, or open that of --key; - is stdin", "a plain key; an encrypted one is asked about"),
			encryptKeyFlag(),
			dryRunFlag("check everything, say what would be written, and write nothing"),
			overwriteFlag(), e.quietFlag(), e.jsonFlag(),
		),
		Action: e.genCSR,
	}
}

func (e *env) genCSR(c *cli.Context) error {
	sans, err := e.certNames(c)
	if err != nil {
		return err
	}
	key, made, err := e.requestKey(c)
	if err != nil {
		return err
	}
	base := cmp.Or(c.String("cert-basename"), defaultBasename(certs.Leaf, certs.Peer))
	organization := cmp.Or(c.String("subject-org-name"), certs.DefaultOrganization(filepath.Base(base), certs.Leaf))
	csr, err := certs.NewCSR(organization, sans, key)
	if err != nil {
		return err
	}
	password, err := e.csrKeyPassword(c, base, made)
	if err != nil {
		return err
	}
	if !made {
		key = nil // it is in its file
	}
	placing := certs.Placing{Password: password, DryRun: c.Bool("dry-run")}
	files, err := e.placing(c, "a key or request "+base, placing, func(p certs.Placing) ([]string, error) {
		return certs.WriteCSR(c.Context, base, csr, key, p)
	})
	if err != nil {
		return err
	}
	e.noteFiles(placing.DryRun, files)
	if !e.json {
		return nil
	}
	return e.print(struct {
		Subject string   `json:"subject"` // RFC 2253
		KeyType string   `json:"key_type"`
		SANs    []string `json:"sans"` // never null
		Pin     string   `json:"pin"`  // as the certificate's will be
		DryRun  bool     `json:"dry_run,omitempty"`
		Files   []string `json:"files"`
	}{csr.Subject, csr.KeyType(), csr.SANs(), csr.Pin(), placing.DryRun, files}, "")
}

// csrKeyPassword is what the new key is encrypted with, where one was made.
func (e *env) csrKeyPassword(c *cli.Context, base string, made bool) ([]byte, error) {
	if !made {
		return nil, nil
	}
	password, err := e.keyPassword(c, base+".key.pem")
	if err == nil {
		e.warnOfPlain(base+".key.pem", password)
	}
	return password, err
}

// requestKey is the key that --key names, or a new one.
func (e *env) requestKey(c *cli.Context) (key crypto.Signer, made bool, err error) {
	file := c.String("key")
	if file == "" || e.call.given["key-type"] && !e.call.given["key"] { // a flag goes before a variable
		keyType, err := certs.ParseKeyType(c.String("key-type"))
		if err != nil {
			return nil, false, err
		}
		key, err := certs.NewKey(keyType)
		return key, true, err
	}
	if e.call.given["key-type"] && e.call.given["key"] {
		return nil, false, fault.New(fault.Usage, "leave out --key-type", "--key and --key-type do not go together: the key has its type")
	}
	if e.call.given["encrypt-key"] {
		return nil, false, fault.New(fault.Usage, "leave out --encrypt-key", "--key and --encrypt-key do not go together: the key stays as it is")
	}
	key, warnings, err := certs.LoadKey(c.Context, file, e.unlock(c, "key-password-file"))
	for _, warning := range warnings {
		e.note("warning: %s", warning)
	}
	return key, false, err
}
