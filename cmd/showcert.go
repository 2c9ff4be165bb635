package cmd

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/certs"
)

func (e *env) showCertCommand() *cli.Command {
	return &cli.Command{
		Name: "show-cert", Category: certificates, ArgsUsage: "TARGET...",
		Usage: "show the certificates in a file or of a server",
		Description: "A TARGET is a file in PEM, DER or PKCS#12, - for stdin, or a server as host:port, with which nothing but a TLS handshake is held. " +
			"Prints a page of the certificate; where there are several, those of their chain as a tree. It only looks, and trusts nothing: an expired or unknown certificate is shown as any other. " +
			"Private keys in the file are told of and never shown. What cannot be read does not hide the rest. " +
			"With --json an array of objects with subject, issuer, serial, sans and so on, and role, days_left, issuer_known and source.",
		UsageText: "keyward show-cert root.cert.pem\nkeyward show-cert --json example.org:443\nkeyward show-cert --text - < chain.pem",
		Flags: e.targetFlags(
			&cli.BoolFlag{Name: "text", EnvVars: variable("text"), Usage: "print everything that is in each, as openssl does"},
			&cli.BoolFlag{Name: "pem", EnvVars: variable("pem"), Usage: "print the certificates as PEM"},
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
	shown := []shownCert{}
	for _, target := range list {
		found, err := e.readTarget(c, target)
		if err != nil {
			faults = append(faults, err)
		}
		if found.Keys > 0 && len(found.Certs) > 0 {
			e.note("note: %s holds a private key, which is not shown", printable(target))
		}
		switch {
		case len(found.Certs) == 0:
		case format == "json":
			shown = append(shown, describeAll(found.Certs, target, now)...)
		case format != "":
			writeAll(&out, found.Certs, format)
		default:
			if len(list) > 1 {
				fmt.Fprintf(&out, "%s== %s\n", between(&out), printable(target))
			}
			writePage(&out, found.Certs, now)
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

func describeAll(found []*x509.Certificate, source string, now time.Time) []shownCert {
	var all []shownCert
	for _, n := range certs.Trees(found) {
		all = append(all, shownCert{certs.Describe(n.Cert), n.Role.String(), daysLeft(n.Cert.NotAfter, now), n.IssuerKnown(), source})
	}
	return all
}

// writeAll writes the certificates one by one, in the file's order.
func writeAll(out *strings.Builder, found []*x509.Certificate, format string) {
	for _, cert := range found {
		if format == "text" {
			out.WriteString(certs.Text(cert))
			continue
		}
		_ = pem.Encode(out, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}) // a strings.Builder does not fail
	}
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
	line("valid", validity(n.Cert, now))
	line("issuer", issuerWords(n, info))
	line("key", info.KeyType)
	line("serial", info.Serial)
	line("sha256", strings.TrimPrefix(info.Fingerprint, "sha256:"))
	line("pin", info.Pin)
}

func validity(cert *x509.Certificate, now time.Time) string {
	const minutes = "2006-01-02 15:04"
	words := remaining(cert.NotAfter, now)
	if now.Before(cert.NotBefore) {
		words = "not yet valid"
	}
	return fmt.Sprintf("%s to %s UTC, %s", cert.NotBefore.UTC().Format(minutes), cert.NotAfter.UTC().Format(minutes), words)
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
