package cmd

import (
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/certs"
)

func (e *env) showCertCommand() *cli.Command {
	return &cli.Command{
		Name: "show-cert", Category: certificates, ArgsUsage: "TARGET...",
		Usage: "show the certificates and CRLs in a file or of a server",
		Description: "A TARGET is a file in PEM, DER or PKCS#12, - for stdin, or a server as host:port, with which nothing but a TLS handshake is held. " +
			"Prints a page of the certificate; where there are several, those of their chain as a tree; and a few lines of each CRL. It only looks, and trusts nothing: an expired or unknown certificate is shown as any other. " +
			"Private keys in the file are told of and never shown. What cannot be read does not hide the rest. " +
			"With --json an array of objects with subject, issuer, serial, sans and so on, and role, days_left, issuer_known and source; a CRL has the role crl, issuer, number, this_update, next_update and revoked, which is how many are.",
		UsageText: "keyward show-cert root.cert.pem\nkeyward show-cert --json example.org:443\nkeyward show-cert --text - < chain.pem",
		Flags: e.targetFlags(
			&cli.BoolFlag{Name: "text", EnvVars: variable("text"), Usage: "print everything that is in each, as openssl does; of a CRL what is revoked"},
			&cli.BoolFlag{Name: "pem", EnvVars: variable("pem"), Usage: "print the certificates and CRLs as PEM"},
		),
		Action: e.showCert,
	}
}

// shownCert is a certificate in the JSON of show-cert.
type shownCert struct {
	certs.Info
	Role        string `json:"role"`
	DaysLeft    int    `json:"days_left"`    // whole days; negative once it is over
	IssuerKnown bool   `json:"issuer_known"` // it is there too, or signed itself
	Source      string `json:"source"`       // the argument it was found by
}

func (e *env) showCert(c *cli.Context) error {
	list, err := targets(c)
	if err != nil {
		return err
	}
	format, err := e.choice(c, "json", "text", "pem")
	if err != nil {
		return err
	}
	e.json = format == "json" // the variable of another format does not count
	now := e.now()
	var out strings.Builder
	var faults []error
	shown := []any{}
	for _, target := range list {
		found, err := e.readTarget(c, target)
		if err != nil && (len(found.CRLs) == 0 || !errors.Is(err, certs.ErrNoCertificate)) {
			faults = append(faults, err)
		}
		if found.Keys > 0 && len(found.Certs) > 0 {
			e.note("note: %s holds a private key, which is not shown", printable(target))
		}
		switch {
		case len(found.Certs) == 0 && len(found.CRLs) == 0:
		case format == "json":
			shown = append(shown, describeAll(found, target, now)...)
		case format != "":
			writeAll(&out, found, format, now)
		default:
			if len(list) > 1 {
				fmt.Fprintf(&out, "%s== %s\n", between(&out), printable(target))
			}
			if len(found.Certs) > 0 {
				writePage(&out, found.Certs, now)
			}
			for i, list := range found.CRLs {
				if i > 0 || len(found.Certs) > 0 {
					out.WriteString("\n")
				}
				writeCRL(&out, list, now)
			}
		}
	}
	if len(shown) > 0 || out.Len() > 0 {
		if err := e.print(shown, out.String()); err != nil {
			return err
		}
	}
	return unread(faults)
}

// between is the empty line before what is not the first.
func between(out *strings.Builder) string {
	if out.Len() == 0 {
		return ""
	}
	return "\n"
}

func describeAll(found certs.Contents, source string, now time.Time) []any {
	var all []any
	for _, n := range certs.Trees(found.Certs) {
		all = append(all, shownCert{certs.Describe(n.Cert), n.Role.String(), daysLeft(n.Cert.NotAfter, now), n.IssuerKnown(), source})
	}
	for _, list := range found.CRLs {
		info := describeCRL(list)
		info.Source = source
		all = append(all, info)
	}
	return all
}

const crlRole = "crl"

// shownCRL is a CRL in the JSON of show-cert.
type shownCRL struct {
	Role        string    `json:"role"` // crl
	Issuer      string    `json:"issuer"`
	Number      string    `json:"number"` // decimal; empty where it has none
	ThisUpdate  time.Time `json:"this_update"`
	NextUpdate  time.Time `json:"next_update,omitzero"`
	Revoked     int       `json:"revoked"`     // how many certificates
	Fingerprint string    `json:"fingerprint"` // "sha256:" and 64 hex digits
	Source      string    `json:"source"`
}

func describeCRL(list *x509.RevocationList) shownCRL {
	sum := sha256.Sum256(list.Raw)
	info := shownCRL{
		Role: crlRole, Issuer: list.Issuer.String(), ThisUpdate: list.ThisUpdate.UTC(), NextUpdate: list.NextUpdate.UTC(),
		Revoked: len(list.RevokedCertificateEntries), Fingerprint: "sha256:" + hex.EncodeToString(sum[:]),
	}
	if list.Number != nil {
		info.Number = list.Number.String()
	}
	return info
}

func (l shownCRL) title() string {
	return printable("CRL of " + cmp.Or(l.Issuer, "a CA without a name"))
}

// writeAll writes the certificates one by one, in the file's order, and then the CRLs.
func writeAll(out *strings.Builder, found certs.Contents, format string, now time.Time) {
	for _, cert := range found.Certs {
		if format == "text" {
			out.WriteString(certs.Text(cert))
			continue
		}
		_ = pem.Encode(out, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}) // a strings.Builder does not fail
	}
	for _, list := range found.CRLs {
		if format == "pem" {
			_ = pem.Encode(out, &pem.Block{Type: "X509 CRL", Bytes: list.Raw})
			continue
		}
		writeCRL(out, list, now)
		for _, entry := range list.RevokedCertificateEntries {
			fmt.Fprintf(out, "    %x %s\n", entry.SerialNumber, stamp(entry.RevocationTime))
		}
	}
}

// writeCRL sums a CRL up.
func writeCRL(out *strings.Builder, list *x509.RevocationList, now time.Time) {
	info := describeCRL(list)
	valid := "from " + stamp(info.ThisUpdate) + ", without an end"
	if !info.NextUpdate.IsZero() {
		valid = period(info.ThisUpdate, info.NextUpdate, now)
	}
	fmt.Fprintf(out, "%s\n  number    %s\n  valid     %s\n  revoked   %d\n  sha256    %s\n",
		info.title(), cmp.Or(info.Number, "none"), valid, info.Revoked, strings.TrimPrefix(info.Fingerprint, "sha256:"))
}

// writePage sums up the certificate that a file begins with, where it is one of its own or a leaf with
// its chain, and then shows how several hang together.
func writePage(out *strings.Builder, found []*x509.Certificate, now time.Time) {
	nodes := certs.Trees(found)
	if len(nodes) == 1 || nodes[0].Role == certs.Leaf {
		writeSummary(out, nodes[0], now)
	}
	if len(nodes) == 1 {
		return
	}
	if nodes[0].Role == certs.Leaf {
		out.WriteString("\n")
	}
	for _, n := range nodes {
		if n.Issuer == nil {
			writeTree(out, n, 0, now)
		}
	}
}

func writeSummary(out *strings.Builder, n *certs.Node, now time.Time) {
	info := certs.Describe(n.Cert)
	line := func(name, value string) { fmt.Fprintf(out, "  %-9s %s\n", name, printable(value)) }
	fmt.Fprintf(out, "%s\n", title(n.Cert))
	line("role", n.Role.String())
	line("subject", cmp.Or(info.Subject, "none"))
	line("names", cmp.Or(strings.Join(info.SANs, ", "), "none"))
	line("for", certs.Purpose(n.Cert))
	line("valid", period(n.Cert.NotBefore, n.Cert.NotAfter, now))
	line("issuer", issuerWords(n, info))
	line("key", info.KeyType)
	line("serial", info.Serial)
	line("sha256", strings.TrimPrefix(info.Fingerprint, "sha256:"))
	line("pin", info.Pin)
}

// period is when something is valid, in words.
func period(start, end, now time.Time) string {
	const minutes = "2006-01-02 15:04"
	words := remaining(end, now)
	if now.Before(start) {
		words = "not yet valid"
	}
	return fmt.Sprintf("%s to %s UTC, %s", start.UTC().Format(minutes), end.UTC().Format(minutes), words)
}

func issuerWords(n *certs.Node, info certs.Info) string {
	switch {
	case n.Issuer != nil:
		return info.Issuer
	case n.IssuerKnown():
		return "itself"
	}
	return cmp.Or(info.Issuer, "without a name") + ", which is not here"
}

// maxIndent keeps a chain that is made too deep on the screen.
const maxIndent = 20

// writeTree writes n with those that it signed below it.
func writeTree(out *strings.Builder, n *certs.Node, depth int, now time.Time) {
	indent, branch := strings.Repeat("   ", min(depth, maxIndent)), ""
	if depth > 0 {
		indent, branch = indent[3:], "+- "
	}
	fmt.Fprintf(out, "%s%s%s\n", indent, branch, title(n.Cert))
	indent += strings.Repeat(" ", len(branch)) + "  "
	fmt.Fprintf(out, "%s%v, %s, until %s, %s\n", indent, n.Role, certs.Describe(n.Cert).KeyType, n.Cert.NotAfter.UTC().Format(time.DateOnly), remaining(n.Cert.NotAfter, now))
	if !n.IssuerKnown() {
		fmt.Fprintf(out, "%sits issuer is not here: %s\n", indent, printable(cmp.Or(n.Cert.Issuer.String(), "without a name")))
	}
	for _, signed := range n.Signed {
		writeTree(out, signed, depth+1, now)
	}
}
