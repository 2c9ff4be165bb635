package cmd

import (
	"cmp"
	"crypto"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/certs/export"
	"keyward/fault"
	"keyward/internal/durable"
	"keyward/internal/term"
)

func (e *env) exportCertCommand() *cli.Command {
	return &cli.Command{
		Name: "export-cert", Category: certificates, ArgsUsage: "CERTFILE",
		Usage: "write a certificate in the forms that other programs read",
		Description: "Reads the certificate in CERTFILE, which may be the basename of its files, and writes all the formats that --to names, or none: " +
			"fullchain (B.fullchain.pem: the certificate and its intermediates), chain (B.chain.pem: the intermediates), " +
			"pkeycert (B.pkeycert.pem: fullchain and the key, for a Micronets peer), pkcs12 (B.p12), " +
			"pkcs12-legacy (B.legacy.p12, with the weak ciphers that Java before 12, Windows before 2019 and macOS before 15 read), " +
			"truststore (B.truststore.p12: the root, or what else the chain ends at, for Java to trust; any password opens it, and there is no key in it), " +
			"der (B.cert.der) and k8s (B.k8s.yaml: a Kubernetes Secret of the type kubernetes.io/tls). " +
			"The chain is that of CERTFILE and of the files of --ca-certfile, in any order; roots get only into PKCS#12, the trust store and the Secret's ca.crt. " +
			"The key is that of --key, else of B.key.pem, else the one in CERTFILE. An encrypted key stays encrypted in pkeycert, with its own password, and is plain in k8s. " +
			"The key of a CA goes into no format unless --ca-key says so: who is to trust the CA needs its certificate alone. " +
			"PKCS#12 gets a password of its own, from --password-file or asked for twice.",
		UsageText: "keyward export-cert web --to fullchain,pkcs12 --ca-certfile inter.cert.pem --password-file p12.password\n" +
			"keyward export-cert web.cert.pem --to k8s --namespace shop --ca-certfile inter.cert.pem --ca-certfile root.cert.pem --out - | kubectl apply -f -",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "to", EnvVars: variable("to"), Usage: "the `FORMATS`, with commas between them: " + strings.ReplaceAll(joined(export.Formats()), "|", ", ")},
			&cli.StringFlag{Name: "key", EnvVars: variable("key"), TakesFile: true, Usage: "the certificate's private key in PEM `FILE`", DefaultText: "B.key.pem, or CERTFILE"},
			&cli.BoolFlag{Name: "ca-key", EnvVars: variable("ca-key"), Usage: "let a format hold the private key of a CA"},
			keyPasswordFlag("the password of an encrypted key is the first line of `FILE`, - is stdin", "asked at the terminal"),
			&cli.StringSliceFlag{Name: "ca-certfile", EnvVars: variable("ca-certfile"), TakesFile: true, Usage: "the certificates of its issuers in PEM `FILE`; repeatable"},
			&cli.StringFlag{Name: "cert-basename", EnvVars: variable("cert-basename"), TakesFile: true, Usage: "the files are `B`.fullchain.pem and so on", DefaultText: "CERTFILE without its ending"},
			&cli.StringFlag{Name: "password-file", EnvVars: variable("password-file"), TakesFile: true, Usage: "the password to set on PKCS#12 is the first line of `FILE`, - is stdin", DefaultText: "asked at the terminal"},
			&cli.BoolFlag{Name: "empty-password", EnvVars: variable("empty-password"), Usage: "set the empty password on PKCS#12: who has the file has the key"},
			&cli.StringFlag{Name: "namespace", EnvVars: variable("namespace"), Usage: "the `NAMESPACE` of the Kubernetes Secret", DefaultText: "the one it is applied in"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, EnvVars: variable("out"), Usage: "`-` writes one format to stdout, and no file"},
			dryRunFlag("check everything, say what would be written, and write nothing"),
			overwriteFlag(), e.quietFlag(), e.jsonFlag(),
		},
		Action: e.exportCert,
	}
}

func (e *env) exportCert(c *cli.Context) error {
	formats, err := exportFormats(c)
	if err != nil {
		return err
	}
	x, err := e.exported(c, formats)
	if err != nil {
		return err
	}
	base := cmp.Or(c.String("cert-basename"), x.base)
	files, err := e.exportFiles(c, x, formats, base)
	if err != nil {
		return err
	}
	if c.String("out") == "-" {
		return e.exportTo(files[0])
	}
	placing := certs.Placing{DryRun: c.Bool("dry-run")}
	paths, err := e.placing(c, "a file of "+printable(base), placing, func(p certs.Placing) ([]string, error) {
		return certs.WriteFiles(c.Context, base, files, p)
	})
	if err != nil {
		return err
	}
	e.noteFiles(placing.DryRun, paths)
	if !e.json {
		return nil
	}
	return e.print(struct {
		DryRun bool     `json:"dry_run,omitempty"` // then they would be written
		Files  []string `json:"files"`
	}{placing.DryRun, paths}, "")
}

// exportFormats reads --to, and checks what does not go together.
func exportFormats(c *cli.Context) (formats []export.Format, err error) {
	if c.NArg() != 1 {
		return nil, fault.New(fault.Usage, "name one certificate's file, or its basename", "export-cert takes one certificate, and got %d", c.NArg())
	}
	if c.String("to") == "" {
		return nil, fault.New(fault.Usage, "name formats with --to, as in --to fullchain,pkcs12", "--to is missing")
	}
	for word := range strings.SplitSeq(c.String("to"), ",") {
		format, err := export.ParseFormat(strings.TrimSpace(word))
		if err != nil {
			return nil, err
		}
		formats = append(formats, format)
	}
	switch out := c.String("out"); {
	case c.String("password-file") != "" && c.Bool("empty-password"):
		return nil, fault.New(fault.Usage, "take one of them", "--password-file and --empty-password do not go together")
	case out == "":
	case out != "-":
		return nil, fault.New(fault.Usage, "name files with --cert-basename", "--out takes - for stdout, and nothing else")
	case len(formats) > 1:
		return nil, fault.New(fault.Usage, "leave out --out, and they go into files", "one format goes to stdout, and not %d", len(formats))
	case c.Bool("json") || c.Bool("dry-run"):
		return nil, fault.New(fault.Usage, "leave out --out", "--out does not go with --json or --dry-run: stdout is for the certificate")
	}
	return formats, nil
}

// exporting is what export-cert found.
type exporting struct {
	export.Source
	base        string // of the certificate's files
	keyPassword []byte // that the key is encrypted with; nil where it is plain
}

// exported reads the key, where a format takes it, and the certificate with its chain, after finishing or
// discarding what a killed command left of their set.
func (e *env) exported(c *cli.Context, formats []export.Format) (x exporting, err error) {
	file := c.Args().First()
	x.base, x.Namespace = withoutEnding(file), c.String("namespace")
	for _, base := range []string{x.base, file} {
		if err := durable.Settle(c.Context, filepath.Dir(base), filepath.Base(base)); err != nil {
			return x, err
		}
	}
	if isMissing(file) {
		x.base, file = file, file+".cert.pem"
		if isMissing(file) {
			return x, fault.New(fault.NotFound, "name a certificate's file, or the basename of its files", "there is neither %s nor %s", x.base, file)
		}
	}
	var found []*x509.Certificate
	for _, file := range append([]string{file}, c.StringSlice("ca-certfile")...) {
		contents, err := certs.ReadFile(file)
		if err != nil {
			return x, err
		}
		found = append(found, contents.Certs...)
	}
	if i := slices.IndexFunc(formats, export.Format.TakesKey); i >= 0 {
		if certs.RoleOf(found[0]) != certs.Leaf && !c.Bool("ca-key") {
			return x, fault.New(fault.Policy, "take truststore for programs that are to trust it, or give its key away with --ca-key", "%q is a CA, and %s would hold its private key", found[0].Subject, formats[i])
		}
		keyFile := x.base + ".key.pem"
		if isMissing(keyFile) {
			keyFile = file
		}
		keyFile = cmp.Or(c.String("key"), keyFile)
		if x.Key, x.keyPassword, err = e.exportedKey(c, keyFile); err != nil {
			return x, err
		}
		x.SEC1 = certs.KeyIsSEC1(keyFile)
	}
	x.Chain, err = export.Order(found[0], found[1:])
	if end := found[0].NotAfter; end.Before(e.now()) {
		e.note("warning: the certificate expired on %s", stamp(end))
	}
	return x, err
}

func isMissing(file string) bool {
	_, err := os.Stat(file)
	return errors.Is(err, fs.ErrNotExist)
}

// exportedKey reads the key, and gives the password that it took.
func (e *env) exportedKey(c *cli.Context, file string) (key crypto.Signer, password []byte, err error) {
	key, warnings, err := certs.LoadKey(c.Context, file, func(file string) ([]byte, error) {
		var err error
		password, err = e.unlock(c, "key-password-file")(file)
		return password, err
	})
	for _, warning := range warnings {
		e.note("warning: %s", warning)
	}
	return key, password, err
}

// withoutEnding is the basename of a certificate's file.
func withoutEnding(file string) string {
	for _, ending := range []string{".cert.pem", ".cert.der", ".pkeycert.pem", ".fullchain.pem"} {
		if base, found := strings.CutSuffix(file, ending); found {
			return base
		}
	}
	return strings.TrimSuffix(file, filepath.Ext(file))
}

// exportFiles makes the formats, each with the password that is its own.
func (e *env) exportFiles(c *cli.Context, x exporting, formats []export.Format, base string) (files []durable.File, err error) {
	var password []byte
	if slices.ContainsFunc(formats, export.Format.TakesPassword) {
		if password, err = e.exportPassword(c, filepath.Base(base)+".p12"); err != nil {
			return nil, err
		}
	}
	for _, format := range formats {
		var own []byte
		switch {
		case format.TakesPassword():
			own = password
		case format == export.PKeyCert:
			own = x.keyPassword
		case format == export.Kubernetes && x.keyPassword != nil:
			e.note("note: the Kubernetes Secret holds the private key without its password")
		}
		file, err := export.File(format, base, x.Source, own)
		if err != nil {
			return nil, err
		}
		if format == export.Kubernetes && x.Root() == nil {
			e.note("note: the Kubernetes Secret has no ca.crt: give the root with --ca-certfile")
		}
		files = append(files, file)
	}
	return files, nil
}

// exportPassword is the one to set on PKCS#12.
func (e *env) exportPassword(c *cli.Context, name string) ([]byte, error) {
	if c.Bool("empty-password") {
		return nil, nil
	}
	password, err := e.newPassword(c.String("password-file"), "--password-file", printable(name))
	if err == nil && password == "" {
		err = fault.New(fault.Usage, "type one, or give --empty-password", "nothing was typed; nothing was written")
	}
	return []byte(password), err
}

// exportTo writes to stdout, which must not be a terminal where a key is in it.
func (e *env) exportTo(file durable.File) error {
	if file.Mode == 0o600 && term.IsTerminal(e.stdout) {
		return fault.New(fault.Policy, "redirect stdout, or leave out --out", "a private key is not written to a terminal")
	}
	_, err := e.stdout.Write(file.Data)
	return err
}
