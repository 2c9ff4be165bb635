package cmd

import (
	"bufio"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/certs/ledger"
	"keyward/fault"
	"keyward/internal/secretfile"
)

func (e *env) ledgerCommand() *cli.Command {
	return &cli.Command{
		Name: "ledger", Category: certificates,
		Usage: "check, import and export what a CA keeps of its certificates",
		Description: "A CA's ledger notes what it issued, renewed and revoked, in root.ledger beside root.cert.pem. Each line has the hash of the one before it and is signed by the CA's key. " +
			"docs/ledger.md describes the format, and how to check it without keyward.",
		UsageText: "keyward ledger verify root.ledger --ca-certfile root.cert.pem",
		Subcommands: []*cli.Command{
			{
				Name: "verify", Usage: "check every line of a ledger", ArgsUsage: "[LEDGER]",
				Description: "Says which line was changed, inserted, swapped or is missing: exit code 11. That lines were cut off at the end is seen against a head that was saved before. " +
					"Where the ledger holds and the CA's revocation list B.crl.pem is behind it, the exit code is 10.",
				UsageText: "keyward ledger verify root.ledger --ca-certfile root.cert.pem\nkeyward ledger verify --ca-certfile root.cert.pem --head \"$(cat saved-head)\"",
				Flags: []cli.Flag{
					caCertFlag(),
					&cli.StringFlag{Name: "head", EnvVars: variable("head"), Usage: "the `HEAD` that `keyward ledger head` printed: it must still be in the ledger"},
					e.quietFlag(), e.jsonFlag(),
				},
				Action: e.ledgerVerify,
			},
			{
				Name: "head", Usage: "print the number and the hash of the last line", ArgsUsage: "LEDGER|CA-CERTFILE",
				Description: "Prints NUMBER:SHA256, to be kept where those who can write to the ledger cannot: ledger verify --head finds that something was cut off or written anew.",
				UsageText:   "keyward ledger head root.cert.pem > /mnt/elsewhere/saved-head",
				Flags:       []cli.Flag{e.quietFlag(), e.jsonFlag()},
				Action:      e.ledgerHead,
			},
			{
				Name: "import", Usage: "take over the index.txt of openssl ca or easy-rsa", ArgsUsage: "INDEX.TXT",
				Description: "Adds to the ledger what it lacks of the index: certificates, and what is revoked. A second import adds nothing. " +
					"The number in the file crlnumber beside the index is noted too: the next list has a higher one. " +
					"With --certs names and fingerprints come from the certificates themselves, in files named by their serial numbers (newcerts/01.pem, certs_by_serial/01.pem).",
				UsageText: "keyward ledger import demoCA/index.txt --certs demoCA/newcerts --ca-certfile demoCA/cacert.pem --ca-keyfile demoCA/private/cakey.pem",
				Flags: append(append([]cli.Flag{
					&cli.StringFlag{Name: "certs", EnvVars: variable("certs"), TakesFile: true, Usage: "the `FOLDER` with the certificates"},
				}, caFlags()...), e.quietFlag(), e.jsonFlag()),
				Action: e.ledgerImport,
			},
			{
				Name: "export", Usage: "print the ledger as another tool's database", ArgsUsage: "LEDGER|CA-CERTFILE",
				Description: "Prints an index.txt for openssl ca. Several certificates may have one subject there: put `unique_subject = no` into index.txt.attr. " +
					"The reasons privilegeWithdrawn and aACompromise, for which OpenSSL has no words, are left out.",
				UsageText: "keyward ledger export root.cert.pem --format openssl > index.txt",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "format", EnvVars: variable("ledger-format"), Value: "openssl", Usage: "`openssl`, which is all there is"},
					e.quietFlag(),
				},
				Action: e.ledgerExport,
			},
		},
	}
}

func caCertFlag() cli.Flag {
	return &cli.StringFlag{Name: "ca-certfile", EnvVars: variable("ca-certfile"), TakesFile: true, Usage: "the CA's certificate in `FILE`"}
}

// oneLedger is the one argument that a command of ledgers takes.
func oneLedger(c *cli.Context) (string, error) {
	if c.NArg() != 1 {
		return "", fault.New(fault.Usage, "name it: keyward ledger "+c.Command.Name+" root.ledger", "ledger %s takes one ledger, and got %d", c.Command.Name, c.NArg())
	}
	return c.Args().First(), nil
}

// headInfo is a ledger's head in JSON.
type headInfo struct {
	Ledger string `json:"ledger"`
	Lines  int64  `json:"lines"`
	Head   string `json:"head"`
}

func (e *env) ledgerHead(c *cli.Context) error {
	file, err := oneLedger(c)
	if err != nil {
		return err
	}
	book, place, err := openLedger(file)
	if err != nil {
		return err
	}
	defer func() { _ = book.Close() }()
	if err := notEmpty(book, place); err != nil {
		return err
	}
	return e.print(headInfo{place, book.Head.Seq, book.Head.String()}, book.Head.String()+"\n")
}

func notEmpty(book *ledger.Book, place string) error {
	if book.Head.Seq > 0 {
		return nil
	}
	return fault.New(fault.NotFound, "it begins when the CA signs something", "%s is empty", place)
}

func (e *env) ledgerVerify(c *cli.Context) error {
	caFile := c.String("ca-certfile")
	if caFile == "" {
		return fault.New(fault.Usage, "give the CA's certificate, whose key signed the ledger", "--ca-certfile is missing")
	}
	path := ledger.Path(caFile)
	if c.NArg() > 0 {
		var err error
		if path, err = oneLedger(c); err != nil {
			return err
		}
	}
	found, err := certs.ReadFile(caFile)
	if err != nil {
		return err
	}
	crlPath := ledger.CRLPath(caFile)
	list, listErr := ledger.CRLAt(crlPath, found.Certs[0]) // before the ledger, to which others may add meanwhile
	book, err := openAgainst(path, found.Certs[0], c.String("head"))
	if err != nil {
		return err
	}
	defer func() { _ = book.Close() }()
	if err := notEmpty(book, path); err != nil {
		return err
	}
	if book.Torn {
		e.note("note: a line that was never finished stands at its end; the next one takes its place")
	}
	info := headInfo{path, book.Head.Seq, book.Head.String()}
	if err := e.print(info, fmt.Sprintf("%s: %d lines hold, its head is %s\n", printable(path), info.Lines, info.Head)); err != nil {
		return err
	}
	if listErr != nil {
		return listErr
	}
	return book.CheckCRL(list, crlPath)
}

// openAgainst opens a ledger that must have a head that was saved.
func openAgainst(path string, ca *x509.Certificate, saved string) (*ledger.Book, error) {
	if saved == "" {
		return ledger.Open(path, ca)
	}
	head, err := ledger.ParseHead(saved)
	if err != nil {
		return nil, err
	}
	return ledger.OpenAt(path, ca, head)
}

func (e *env) ledgerImport(c *cli.Context) error {
	file, err := oneLedger(c)
	if err != nil {
		return fault.New(fault.Usage, "name one index.txt", "ledger import takes one file, and got %d", c.NArg())
	}
	ca, err := e.ledgerCA(c)
	if err != nil {
		return err
	}
	number, err := crlNumberBeside(file)
	if err != nil {
		return err
	}
	index, err := os.Open(file)
	if err != nil {
		return fault.New(kindOf(err), "name the index.txt of `openssl ca` or easy-rsa", "cannot read the index: %w", err)
	}
	defer func() { _ = index.Close() }()
	var added int
	err = ledger.Update(c.Context, ca.ledger, ca.Issuer, nil, e.dated(), func(b *ledger.Book) ([]ledger.Entry, error) {
		entries, err := b.Import(index, e.now(), func(serial string) (ledger.Entry, error) { return ca.filed(c.String("certs"), serial) })
		entries = append(entries, b.ImportCRLNumber(number)...)
		added = len(entries)
		return entries, err
	})
	if err != nil {
		return fault.New(fault.KindOf(err), fault.HintOf(err), "%s: %w", file, err)
	}
	e.note("%d lines added to %s", added, ca.ledger)
	return e.printJSON(struct {
		Ledger string `json:"ledger"`
		Added  int    `json:"added"`
	}{ca.ledger, added})
}

// crlNumberBeside is what the file crlnumber says that `openssl ca` keeps beside its index; 0 where there is none.
func crlNumberBeside(index string) (int64, error) {
	const most = 64 // bytes; RFC 5280 section 5.2.3 has 40 digits at most
	file := filepath.Join(filepath.Dir(index), "crlnumber")
	text, _, err := secretfile.Read(file, most)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	number, err := ledger.ParseCRLNumber(text)
	if err != nil {
		return 0, fault.New(fault.KindOf(err), fault.HintOf(err), "%s: %w", file, err)
	}
	return number, nil
}

// filed is the entry of a certificate in a folder, in a file named by its serial number; the zero one where it is not there.
func (ca *ledgerCA) filed(folder, serial string) (ledger.Entry, error) {
	if folder == "" {
		return ledger.Entry{}, nil
	}
	file := filepath.Join(folder, strings.ToUpper(serial)+".pem")
	found, err := certs.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return ledger.Entry{}, nil
	}
	if err != nil {
		return ledger.Entry{}, err
	}
	cert := found.Certs[0]
	entry := ledger.Issued(cert)
	if entry.Serial != serial || ca.Chain[0].CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) != nil {
		return ledger.Entry{}, fault.New(fault.InvalidFile, "name the folder of this CA with --certs, or leave it out", "%s: not the certificate %s of this CA", file, serial)
	}
	return entry, nil
}

func (e *env) ledgerExport(c *cli.Context) error {
	file, err := oneLedger(c)
	if err != nil {
		return err
	}
	if format := c.String("format"); format != "openssl" {
		return fault.New(fault.Usage, "use openssl", "unknown format %q", format)
	}
	book, _, err := openLedger(file)
	if err != nil {
		return err
	}
	defer func() { _ = book.Close() }()
	out := bufio.NewWriter(e.stdout)
	for cert, err := range book.Certificates(e.now()) {
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, cert.Indexed()); err != nil {
			return err
		}
	}
	return out.Flush()
}
