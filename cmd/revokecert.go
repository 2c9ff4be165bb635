package cmd

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/certs/ledger"
	"keyward/fault"
)

func (e *env) revokeCertCommand() *cli.Command {
	return &cli.Command{
		Name: "revoke-cert", Category: certificates, ArgsUsage: "SERIAL|NAME|FILE",
		Usage: "revoke a certificate, and sign the list that says so",
		Description: "Finds the certificate in the CA's ledger by its serial number in hex, by a name (or the subject's CN or O) of those that have not ended, or by its file, which may be one that the ledger does not know. " +
			"Notes in the ledger that it is revoked, and writes the CA's revocation list anew, as gen-crl does. " +
			"Other certificates with the same key are told of, and --same-key revokes them with it: a stolen key is in all of them. " +
			"At a terminal it asks; elsewhere --yes says so. What is revoked stays so; only a certificateHold is taken back, by --release. " +
			"A kill between the two leaves the list behind the ledger: the next gen-crl or revoke-cert makes it right, and `keyward ledger verify` tells of it.",
		UsageText: "keyward revoke-cert web.example.org --reason keyCompromise " + issuerFiles + "\n" +
			"keyward revoke-cert web.cert.pem --reason keyCompromise --same-key " + issuerFiles + "\n" +
			"keyward revoke-cert 5f:3a:09 --reason superseded --yes " + issuerFiles + "\n" +
			"keyward revoke-cert laptop.cert.pem --reason certificateHold " + issuerFiles + "\n" +
			"keyward revoke-cert laptop.cert.pem --release " + issuerFiles,
		Flags: append(append([]cli.Flag{
			&cli.StringFlag{Name: "reason", EnvVars: variable("reason"), Value: string(ledger.Reasons()[0]), Usage: "why, as RFC 5280 has it: `" + joined(ledger.Reasons()) + "`"},
			&cli.BoolFlag{Name: "release", Usage: "end a certificateHold"},
			&cli.BoolFlag{Name: "all", Usage: "all certificates of that name"},
			&cli.BoolFlag{Name: "same-key", Usage: "all certificates with its key besides, in the same list"},
			&cli.BoolFlag{Name: "if-missing", Usage: "succeed where it is revoked already; the list is written all the same"},
			dryRunFlag("say what would be revoked, and write nothing"),
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask"},
		}, caFlags()...), append(crlFlags(), e.quietFlag(), e.jsonFlag())...),
		Action: e.revokeCert,
	}
}

func (e *env) revokeCert(c *cli.Context) error {
	if c.NArg() != 1 {
		return fault.New(fault.Usage, "name one by its serial number, name or file", "revoke-cert takes one certificate, and got %d", c.NArg())
	}
	reason, err := ledger.ParseReason(c.String("reason"))
	if err != nil {
		return err
	}
	if c.Bool("release") && c.Bool("same-key") {
		return fault.New(fault.Usage, "end each hold by its serial number", "--same-key revokes, and --release does not")
	}
	ca, err := e.ledgerCA(c)
	if err == nil {
		err = ledger.MayList(ca.Chain[0])
	}
	if err != nil {
		return err
	}
	r := revoking{ledgerCA: ca, what: c.Args().First(), reason: reason, release: c.Bool("release"), sameKey: c.Bool("same-key"), ifMissing: c.Bool("if-missing")}
	found, err := r.find(c.Bool("all"))
	if err != nil {
		return err
	}
	if c.Bool("dry-run") {
		return r.tell(nil, "would "+r.verb())
	}
	if len(r.changed) > 0 {
		if err := e.agree(c.Bool("yes"), r.question()); err != nil {
			return err
		}
	}
	err = ledger.Update(c.Context, ca.ledger, ca.Issuer, r.book, e.dated(), func(b *ledger.Book) ([]ledger.Entry, error) { return r.entries(b, found) })
	if err != nil {
		return err
	}
	list, err := ca.writeCRL(c, r.book)
	if err != nil {
		return fault.New(fault.KindOf(err), "it is noted in the ledger, and `keyward gen-crl` writes the list; "+fault.HintOf(err), "%w", err)
	}
	return r.tell(list, r.verb()+"d")
}

// revoking is one call of revoke-cert.
type revoking struct {
	*ledgerCA
	what      string
	reason    ledger.Reason
	release   bool
	sameKey   bool
	ifMissing bool

	book    *ledger.Book         // as it was read first; nil where there was none
	changed []ledger.Certificate // those whose state changes
	left    []ledger.Certificate // those with the key of one of them that stay as they are
}

func (r *revoking) verb() string {
	if r.release {
		return "release"
	}
	return "revoke"
}

func (r *revoking) question() string {
	var words []string
	for _, cert := range r.changed {
		words = append(words, summed(cert))
	}
	question := r.verb() + " " + strings.Join(words, "; ")
	if !r.release {
		question += fmt.Sprintf(", for the reason %s", r.reason)
	}
	if len(r.left) > 0 && r.reason == ledger.KeyCompromise {
		question += " (" + r.leftBehind() + ")"
	}
	return strings.ToUpper(question[:1]) + question[1:] + "?"
}

func summed(cert ledger.Certificate) string {
	return fmt.Sprintf("%s (serial %s, until %s)", called(cert), cert.Serial, stamp(cert.NotAfter))
}

// find looks for what is to be revoked, and refuses what cannot be before anybody is asked.
func (r *revoking) find(all bool) ([]ledger.Certificate, error) {
	cert, err := r.certificate()
	if err != nil {
		return nil, err
	}
	book, err := ledger.Open(r.ledger, r.Chain[0])
	if cert != nil && errors.Is(err, fault.NotFound) {
		r.changed = []ledger.Certificate{ledger.Unlisted(cert)} // the ledger begins with it
		return r.changed, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = book.Close() }()
	r.book = book
	found, err := r.search(book, cert, all)
	if err != nil {
		return nil, err
	}
	others, err := r.others(book, found)
	if err != nil {
		return nil, err
	}
	if r.sameKey && len(others) > 0 {
		found, r.ifMissing = append(found, others...), true // what is revoked already is no reason to leave the others
	} else {
		r.left = others
	}
	_, err = r.entries(book, found)
	if errors.Is(err, fault.Exists) && len(r.left) > 0 {
		return nil, fault.New(fault.Exists, r.leftBehind(), "%w", err)
	}
	return found, err
}

// others are the certificates that have a key of those found, and that this call could revoke too.
func (r *revoking) others(book *ledger.Book, found []ledger.Certificate) ([]ledger.Certificate, error) {
	serials, pins := map[string]bool{}, map[string]bool{}
	for _, cert := range found {
		serials[cert.Serial] = true
		pins[cert.Pin] = cert.Pin != "" // of an imported one the key may not be known
	}
	if r.release || !slices.Contains(slices.Collect(maps.Values(pins)), true) {
		return nil, nil
	}
	var others []ledger.Certificate
	now := r.now()
	for x, err := range book.Certificates(now) {
		if err != nil {
			return nil, err
		}
		if !pins[x.Pin] || serials[x.Serial] || now.After(x.NotAfter) {
			continue
		}
		if _, err := book.Revocation(x, r.reason); err == nil {
			others = append(others, x)
		}
	}
	return others, nil
}

// leftBehind says which certificates have the key of those that are revoked.
func (r *revoking) leftBehind() string {
	var words []string
	for _, x := range r.left {
		words = append(words, x.Serial+" "+called(x))
	}
	have, them := "certificate has", "it"
	if len(words) > 1 {
		have, them = "certificates have", "them"
	}
	return fmt.Sprintf("%d more %s the same key: %s; --same-key revokes %s too", len(words), have, strings.Join(words, "; "), them)
}

// certificate is the one in the file that the argument names; nil where it names none.
func (r *revoking) certificate() (*x509.Certificate, error) {
	if info, err := os.Stat(r.what); err != nil || !info.Mode().IsRegular() {
		return nil, nil //nolint:nilerr // it is no file's name
	}
	found, err := certs.ReadFile(r.what)
	if err != nil {
		return nil, err
	}
	cert, ca := found.Certs[0], r.Chain[0]
	if !bytes.Equal(cert.RawIssuer, ca.RawSubject) || ca.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) != nil {
		return nil, fault.New(fault.Policy, "give --ca-certfile and --ca-keyfile of the CA that signed it", "%s was not signed by %q", r.what, ca.Subject)
	}
	return cert, nil
}

// search goes through the ledger: for the file's certificate, else for a serial number, else for a name.
func (r *revoking) search(book *ledger.Book, cert *x509.Certificate, all bool) ([]ledger.Certificate, error) {
	serial, isSerial := ledger.ParseSerial(r.what)
	if cert != nil {
		serial, isSerial = certs.Describe(cert).Serial, true
	}
	var numbered, named, revoked []ledger.Certificate
	for x, err := range book.Certificates(r.now()) {
		switch {
		case err != nil:
			return nil, err
		case isSerial && x.Serial == serial:
			numbered = []ledger.Certificate{x}
		case cert != nil || !x.Named(func(name string) bool { return strings.EqualFold(name, r.what) }):
		case x.State == ledger.StateRevoked && x.Reason != ledger.Hold:
			revoked = append(revoked, x)
		case r.release && x.State == ledger.StateRevoked, !r.release && x.State != ledger.StateExpired:
			named = append(named, x)
		}
	}
	switch {
	case len(numbered) > 0 && len(named) > 0:
		return nil, fault.New(fault.Usage, "give the serial number of the one that is meant with 0x before it, or its file", "%q is the serial number of %s, and a name of %s", r.what, summed(numbered[0]), summed(named[0]))
	case len(numbered) > 0:
		return numbered, nil
	case cert != nil:
		return []ledger.Certificate{ledger.Unlisted(cert)}, nil
	case len(named) == 0 && len(revoked) == 0:
		return nil, fault.New(fault.NotFound, "`keyward list-certs` lists them; a certificate that the ledger does not know is named by its file", "no certificate with the serial number or name %q is to be %sd", r.what, r.verb())
	case len(named) == 0:
		return revoked, nil // which says so
	case len(named) > 1 && !all:
		var lines strings.Builder
		for _, x := range slices.Backward(named) {
			fmt.Fprintf(&lines, "\n  %s  %-10s  issued %s  %s", x.Serial, x.State, stamp(x.Issued), called(x))
		}
		return nil, fault.New(fault.Usage, "give a serial number, or --all", "%d certificates have the name %q:%s", len(named), r.what, lines.String())
	}
	return named, nil
}

// entries are what goes into the ledger, as it is by now.
func (r *revoking) entries(b *ledger.Book, found []ledger.Certificate) ([]ledger.Entry, error) {
	var all []ledger.Entry
	r.changed = nil
	for _, cert := range found {
		entry, err := b.Revocation(cert, r.reason)
		if r.release {
			entry, err = b.Released(cert)
		}
		if r.ifMissing && errors.Is(err, fault.Exists) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all, r.changed = append(all, entry), append(r.changed, cert)
	}
	return all, nil
}

// tell prints what was done.
func (r *revoking) tell(list *crlInfo, done string) error {
	serials := []string{}
	for _, cert := range r.changed {
		r.note("%s %s", done, summed(cert))
		serials = append(serials, cert.Serial)
	}
	left := []string{}
	for _, x := range r.left {
		left = append(left, x.Serial)
	}
	if len(left) > 0 {
		r.note("note: %s", r.leftBehind())
	}
	if list != nil {
		list.note()
	}
	return r.printJSON(struct {
		Serials []string      `json:"serials"`
		SameKey []string      `json:"same_key,omitempty"` // those that have the key too, and stay valid
		Release bool          `json:"release,omitempty"`
		Reason  ledger.Reason `json:"reason,omitempty"`
		DryRun  bool          `json:"dry_run,omitempty"`
		CRL     *crlInfo      `json:"crl,omitempty"`
	}{serials, left, r.release, r.reasonGiven(), list == nil, list})
}

func (r *revoking) reasonGiven() ledger.Reason {
	if r.release {
		return ""
	}
	return r.reason
}
