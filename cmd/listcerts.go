package cmd

import (
	"bufio"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/certs/ledger"
	"keyward/fault"
)

func (e *env) listCertsCommand() *cli.Command {
	return &cli.Command{
		Name: "list-certs", Category: certificates, ArgsUsage: "LEDGER|CA-CERTFILE...",
		Usage: "list what a CA issued, and what has become of it",
		Description: "Reads the ledger that lies beside a CA's certificate, or the ledger itself. Prints a table in the order of issue: the state, the last day, the serial number, the names. " +
			"A certificate is revoked, expired, superseded (renewed, while the old one is still taken) or valid; the first that fits counts. " +
			"The ledger is checked while it is read: every line follows from the one before it. Its signatures are checked where the CA's certificate is named.",
		UsageText: "keyward list-certs root.cert.pem\nkeyward list-certs --state valid --within 30d root.ledger inter.ledger\nkeyward list-certs --name '*.example.org' --json root.cert.pem",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "state", EnvVars: variable("state"), Usage: "only those that are `" + joined(ledger.States()) + "`; repeatable"},
			&cli.StringFlag{Name: "within", EnvVars: variable("within"), Usage: "only those that end in this `TIME` and have not ended: 30 or 30d, 12w, 1y, until 2027-01-01"},
			&cli.StringFlag{Name: "name", EnvVars: variable("name"), Usage: "only those with a name, or a subject's CN or O, like this `GLOB`"},
			&cli.StringFlag{Name: "serial", Usage: "only the one with this serial `NUMBER` in hex"},
			&cli.StringFlag{Name: "since", EnvVars: variable("since"), Usage: "only those issued since this `DAY`: 2026-11-22"},
			e.quietFlag(), e.jsonFlag(),
		},
		Action: e.listCerts,
	}
}

func (e *env) listCerts(c *cli.Context) error {
	if c.NArg() == 0 {
		return fault.New(fault.Usage, "name a ledger, or its CA's certificate", "list-certs of what?")
	}
	wanted, err := e.certFilter(c)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(e.stdout)
	rows := &rows{out: out, json: e.json}
	for _, file := range c.Args().Slice() {
		if err = e.listLedger(file, wanted, rows); err != nil {
			break
		}
	}
	rows.end()
	return errors.Join(err, out.Flush())
}

func (e *env) listLedger(file string, wanted func(ledger.Certificate) bool, rows *rows) error {
	book, place, err := openLedger(file)
	if err != nil {
		return err
	}
	defer func() { _ = book.Close() }()
	for cert, err := range book.Certificates(e.now()) {
		if err != nil {
			return err
		}
		if !wanted(cert) {
			continue
		}
		if err := rows.add(place, cert); err != nil {
			return err
		}
	}
	return nil
}

// openLedger opens the ledger that file is, or that lies beside the CA's certificate that file is.
func openLedger(file string) (book *ledger.Book, place string, err error) {
	ca, err := caOf(file)
	if err != nil {
		return nil, "", err
	}
	place = file
	if ca != nil {
		place = ledger.Path(file)
	}
	book, err = ledger.Open(place, ca)
	return book, place, err
}

// caOf is the certificate in file; nil where it is a ledger, which begins as JSON does.
func caOf(file string) (*x509.Certificate, error) {
	if strings.HasSuffix(file, ".ledger") || beginsWith(file, '{') {
		return nil, nil
	}
	found, err := certs.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return found.Certs[0], nil
}

func beginsWith(file string, first byte) bool {
	if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	var b [1]byte
	_, err = io.ReadFull(f, b[:])
	return err == nil && b[0] == first
}

// certFilter is what the flags ask for.
func (e *env) certFilter(c *cli.Context) (func(ledger.Certificate) bool, error) {
	var all []func(ledger.Certificate) bool
	now := e.now()
	if words := c.StringSlice("state"); len(words) > 0 {
		for _, word := range words {
			if !slices.Contains(ledger.States(), ledger.State(word)) {
				return nil, fault.New(fault.Usage, "use one of "+strings.ReplaceAll(joined(ledger.States()), "|", ", "), "unknown state %q", word)
			}
		}
		all = append(all, func(x ledger.Certificate) bool { return slices.Contains(words, string(x.State)) })
	}
	if within := c.String("within"); within != "" {
		limit, err := windowEnd(within, now)
		if err != nil {
			return nil, err
		}
		all = append(all, func(x ledger.Certificate) bool { return !x.NotAfter.After(limit) && x.NotAfter.After(now) })
	}
	if glob := strings.ToLower(c.String("name")); glob != "" {
		if _, err := path.Match(glob, ""); err != nil {
			return nil, fault.New(fault.Usage, "write it as for the shell: *, ?, [a-z]", "--name %q: %w", glob, err)
		}
		all = append(all, func(x ledger.Certificate) bool {
			return x.Named(func(name string) bool {
				like, _ := path.Match(glob, strings.ToLower(name))
				return like
			})
		})
	}
	if c.String("serial") != "" {
		serial, ok := ledger.ParseSerial(c.String("serial"))
		if !ok {
			return nil, fault.New(fault.Usage, "give it in hex, as list-certs prints it", "--serial %q is not a serial number", c.String("serial"))
		}
		all = append(all, func(x ledger.Certificate) bool { return x.Serial == serial })
	}
	if since := c.String("since"); since != "" {
		day, err := time.Parse(time.DateOnly, since)
		if err != nil {
			return nil, fault.New(fault.Usage, "give a day as 2026-11-22", "--since %q is not a day", since)
		}
		all = append(all, func(x ledger.Certificate) bool { return !x.Issued.Before(day) })
	}
	return func(x ledger.Certificate) bool {
		return !slices.ContainsFunc(all, func(has func(ledger.Certificate) bool) bool { return !has(x) })
	}, nil
}

// rows prints certificates as they come, however many there are.
type rows struct {
	out  *bufio.Writer
	json bool
	n    int
}

func (r *rows) add(place string, cert ledger.Certificate) error {
	r.n++
	if !r.json {
		if r.n == 1 {
			r.line("STATE", "ENDS", "SERIAL", "NAMES")
		}
		r.line(string(cert.State), cert.NotAfter.Format(time.DateOnly), cert.Serial, short(called(cert)))
		return nil
	}
	separator := ",\n"
	if r.n == 1 {
		separator = "[\n"
	}
	_, _ = r.out.WriteString(separator)
	return writeJSON(r.out, struct {
		Ledger string `json:"ledger"`
		ledger.Certificate
	}{place, cert})
}

func (r *rows) line(state, ends, serial, names string) {
	_, _ = fmt.Fprintf(r.out, "%-10s  %-10s  %-40s  %s\n", state, ends, serial, names)
}

func (r *rows) end() {
	switch {
	case r.json && r.n == 0:
		_, _ = r.out.WriteString("[]\n")
	case r.json:
		_, _ = r.out.WriteString("\n]\n")
	}
}

// called is what people call a certificate by: its names, else its subject.
func called(cert ledger.Certificate) string {
	if len(cert.Names) > 0 {
		return printable(strings.Join(cert.Names, ", "))
	}
	return printable(cert.Subject)
}
