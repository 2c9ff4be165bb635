package cmd

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/fault"
)

// targetFlags are those of the commands that look at certificates wherever they are.
func (e *env) targetFlags(more ...cli.Flag) []cli.Flag {
	return append(more,
		&cli.StringFlag{Name: "password-file", EnvVars: variable("password-file"), TakesFile: true, Usage: "the password of PKCS#12 is the first line of `FILE`, - is stdin", DefaultText: "asked at the terminal"},
		&cli.DurationFlag{Name: "timeout", EnvVars: variable("timeout"), Value: 10 * time.Second, Usage: "give a server up after this `TIME`"},
		e.quietFlag(), e.jsonFlag(),
	)
}

// targets are the command's arguments.
func targets(c *cli.Context) ([]string, error) {
	if c.Args().Len() == 0 {
		return nil, fault.New(fault.Usage, "name files, - for stdin, or servers as host:port", "%s of what?", c.Command.Name)
	}
	if c.Duration("timeout") <= 0 {
		return nil, fault.New(fault.Usage, "give a time as 10s", "--timeout is not more than nothing")
	}
	return c.Args().Slice(), nil
}

// readTarget finds the certificates in a file, on stdin, or that a server shows. Certificates may
// come with an error that is about others.
func (e *env) readTarget(c *cli.Context, target string) (certs.Contents, error) {
	if target == "-" {
		found, err := e.unlock(c, "password-file").Read("stdin", e.stdin)
		if err != nil {
			err = fault.New(fault.KindOf(err), fault.HintOf(err), "stdin: %w", err)
		}
		return found, err
	}
	_, err := os.Stat(target)
	if address, host, ok := serverAddress(target); ok && err != nil {
		chain, err := handshake(c.Context, address, host, c.Duration("timeout"))
		return certs.Contents{Certs: chain}, err
	}
	found, err := e.unlock(c, "password-file").ReadFile(target)
	if errors.Is(err, fault.NotFound) {
		err = fault.New(fault.NotFound, "check the path; a server is host:port, as example.org:443", "%w", err)
	}
	return found, err
}

// serverAddress takes host:port apart, or the URL of an https server. A host alone is none: it could be a file's name.
func serverAddress(target string) (address, host string, ok bool) {
	rest, isURL := strings.CutPrefix(target, "https://")
	if isURL {
		rest, _, _ = strings.Cut(rest, "/")
		if _, _, err := net.SplitHostPort(rest); err != nil {
			rest = net.JoinHostPort(strings.Trim(rest, "[]"), "443")
		}
	}
	host, port, err := net.SplitHostPort(rest)
	if err != nil || host == "" {
		return "", "", false
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", "", false
	}
	return rest, host, true
}

// allSuites are the cipher suites that Go has, the broken ones too.
func allSuites() []uint16 {
	var all []uint16
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		all = append(all, suite.ID)
	}
	return all
}

// handshake fetches the certificates that a server shows for a name. It only looks: it trusts and checks
// nothing, and sends nothing but the handshake, so that an expired or unknown certificate can be seen.
func handshake(ctx context.Context, address, host string, timeout time.Duration) ([]*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var chain []*x509.Certificate
	dialer := tls.Dialer{Config: &tls.Config{
		ServerName:         host,
		MinVersion:         tls.VersionTLS10, // old servers are those to look at,
		CipherSuites:       allSuites(),      // with what they speak
		InsecureSkipVerify: true,             //nolint:gosec // nothing is sent, and nothing is believed
		VerifyConnection: func(state tls.ConnectionState) error {
			chain = state.PeerCertificates
			return nil
		},
	}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if conn != nil {
		_ = conn.Close()
	}
	switch record, notTLS := errors.AsType[tls.RecordHeaderError](err); {
	case len(chain) > 0: // whatever came after, as a server that asks for a certificate
		return chain, nil
	case notTLS:
		return nil, fault.New(fault.Unreachable, "name a port that speaks TLS from the start", "%s does not speak TLS: %s", address, record.Msg)
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fault.New(fault.Unreachable, "check the address, or wait longer with --timeout", "%s does not answer within %v", address, timeout)
	case err != nil:
		return nil, fault.New(fault.Unreachable, "check the host and the port", "%s shows no certificate: %w", address, err)
	}
	return nil, fault.New(fault.Unreachable, "check the host and the port", "%s shows no certificate", address)
}

// unread makes one error of those of several targets: its kind is that of the first.
func unread(faults []error) error {
	if len(faults) == 0 {
		return nil
	}
	words := printable(faults[0].Error())
	if len(faults) > 1 {
		words = fmt.Sprintf("%d things could not be read:", len(faults))
		for _, err := range faults {
			words += "\n  " + printable(err.Error())
		}
	}
	return fault.New(kindOf(faults[0]), fault.HintOf(faults[0]), "%s", words)
}

// choice is the one of the formats that is asked for, "" for none. A flag goes before the variables of others.
func (e *env) choice(c *cli.Context, formats ...string) (string, error) {
	var given, set string
	for _, format := range formats {
		if e.call.given[format] && c.Bool(format) {
			if given != "" {
				return "", fault.New(fault.Usage, "take one of them", "--%s and --%s do not go together", given, format)
			}
			given = format
		}
		if c.Bool(format) {
			set = cmp.Or(set, format)
		}
	}
	return cmp.Or(given, set), nil
}

// title names a certificate by what people know it by: a leaf's first name, else the subject.
func title(cert *x509.Certificate) string {
	info := certs.Describe(cert)
	if info.IsCA || len(info.SANs) == 0 {
		return printable(cmp.Or(cert.Subject.CommonName, info.Subject, "serial "+info.Serial))
	}
	return printable(info.SANs[0])
}

// daysLeft counts whole days of 24 hours until end; negative once it is over.
func daysLeft(end, now time.Time) int {
	left := end.Sub(now)
	days := int(left / (24 * time.Hour))
	if left < 0 && left%(24*time.Hour) != 0 {
		days--
	}
	return days
}

// remaining is daysLeft in words.
func remaining(end, now time.Time) string {
	switch days := daysLeft(end, now); {
	case days == -2:
		return "expired 1 day ago"
	case days < -1:
		return fmt.Sprintf("expired %d days ago", -days-1)
	case days < 0:
		return "expired less than a day ago"
	case days == 0:
		return "less than a day left"
	case days == 1:
		return "1 day left"
	default:
		return fmt.Sprintf("%d days left", days)
	}
}
