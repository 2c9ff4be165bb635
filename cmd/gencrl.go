package cmd

import (
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/certs/ledger"
	"keyward/fault"
)

func (e *env) genCRLCommand() *cli.Command {
	return &cli.Command{
		Name: "gen-crl", Category: certificates,
		Usage: "sign a list of the certificates that a CA revoked",
		Description: "Writes B.crl.pem and B.crl.der beside the CA's certificate B.cert.pem: the serial numbers that its ledger says are revoked, with times and reasons, a number that grows, and when the next list is due. " +
			"The list in its place is replaced. revoke-cert does this too; run gen-crl besides before the next list is due. " +
			"What has ended stays on the list until one that was made after its end had it.",
		UsageText: "keyward gen-crl " + issuerFiles + "\nkeyward gen-crl --days 7 --out /srv/www/root.crl.der " + issuerFiles,
		Flags:     append(append(caFlags(), crlFlags()...), e.quietFlag(), e.jsonFlag()),
		Action:    e.genCRL,
	}
}

func crlFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "days", EnvVars: variable("crl-days"), Value: "30d", Usage: "the next list is due in this `TIME`: 30 or 30d, 12w, 1y, or on 2027-01-01"},
		&cli.StringFlag{Name: "out", EnvVars: variable("crl-out"), TakesFile: true, Usage: "write the list to `FILE`, as DER if it ends in .der, else as PEM", DefaultText: "B.crl.pem and B.crl.der beside the CA"},
	}
}

func (e *env) genCRL(c *cli.Context) error {
	ca, err := e.ledgerCA(c)
	if err != nil {
		return err
	}
	list, err := ca.writeCRL(c, nil)
	if err != nil {
		return err
	}
	list.note()
	return e.printJSON(list)
}

// printJSON prints v with --json alone.
func (e *env) printJSON(v any) error {
	if !e.json {
		return nil
	}
	return e.print(v, "")
}

// ledgerCA is a CA that signs, with its ledger and when its next CRL is due.
type ledgerCA struct {
	*env
	*certs.Issuer
	ledger string
	next   time.Time
}

// ledgerCA loads the CA of the commands that cannot do without a ledger.
func (e *env) ledgerCA(c *cli.Context) (*ledgerCA, error) {
	issuer, err := e.issuer(c, certs.Leaf)
	if err != nil {
		return nil, err
	}
	path := ledgerPath(c, c.String("ca-certfile"))
	if path == "" {
		return nil, fault.New(fault.Usage, "name the ledger with --ledger, or leave it out", "%s works on a ledger", c.Command.Name)
	}
	ca := &ledgerCA{env: e, Issuer: issuer, ledger: path}
	if days := c.String("days"); days != "" {
		ca.next, err = certs.ParseDays(days, e.dated())
	}
	return ca, err
}

// crlInfo is a new CRL in JSON.
type crlInfo struct {
	env *env

	Number     string    `json:"number"`
	ThisUpdate time.Time `json:"this_update"`
	NextUpdate time.Time `json:"next_update"`
	Revoked    int       `json:"revoked"` // how many are on it
	Files      []string  `json:"files"`
}

func (ca *ledgerCA) writeCRL(c *cli.Context, known *ledger.Book) (*crlInfo, error) {
	out := c.String("out")
	if out == "" {
		out = ledger.CRLPath(c.String("ca-certfile"))
	}
	list, files, err := ledger.WriteCRL(c.Context, ca.ledger, out, ca.Issuer, known, ca.dated(), ca.next)
	if err != nil {
		return nil, err
	}
	return &crlInfo{ca.env, list.Number.String(), list.ThisUpdate, list.NextUpdate, len(list.RevokedCertificateEntries), files}, nil
}

func (l *crlInfo) note() {
	l.env.note("wrote %s: CRL number %s, %d revoked, the next is due by %s", strings.Join(l.Files, ", "), l.Number, l.Revoked, stamp(l.NextUpdate))
}
