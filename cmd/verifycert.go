package cmd

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/certs/verify"
	"keyward/fault"
)

func (e *env) verifyCertCommand() *cli.Command {
	return &cli.Command{
		Name: "verify-cert", Category: certificates, ArgsUsage: "TARGET...",
		Usage: "tell whether certificates can be trusted, and if not, why",
		Description: "A TARGET is a file in PEM, DER or PKCS#12, - for stdin, or a server as host:port, with which nothing but a TLS handshake is held. " +
			"Its first certificate is verified; the others may stand between it and a root, and so may those of --untrusted. " +
			"Roots are those of --ca-file, else the system's. A server must have the name that it is called by, if --name does not say another. " +
			"Each target is a line on stdout: ok with its chain, or bad with the certificate at fault and the reason; what else --strict finds stands below it, indented. " +
			"With --json an array of objects with target, ok, chain, until, and for what failed reason, message, hint, at_fault (subject, serial, depth: 0 is the target's own) and violations. " +
			"With --crl the certificate must be covered by a CRL of its issuer, and so must its whole chain with --crl-check-all; those above it are looked for too wherever their CRL is there. " +
			"A CRL counts if the issuer signed it, in its time; delta and partial CRLs are refused. Nothing is fetched. " +
			"--strict holds the whole chain, root included, against RFC 5280 and the CA/Browser Forum's Baseline Requirements where these go beyond what verifiers check. " +
			"It allows Ed25519 keys and lives of more than 398 days, which internal CAs have, and does not know which domains are public suffixes. " +
			"The exit code is 8 where a certificate is not trusted; else it is that of the first target that cannot be read: 11, or 4, 6 or 7 for missing, not permitted and unreachable.",
		UsageText: "keyward verify-cert --ca-file root.cert.pem web.pkeycert.pem\nkeyward verify-cert --ca-file root.cert.pem --untrusted inter.cert.pem --name web.example.org --for server web.cert.pem\n" +
			"keyward verify-cert --strict example.org:443\nkeyward verify-cert --ca-file root.cert.pem --crl root.crl.pem --json certs/*.cert.pem",
		Flags: e.targetFlags(
			&cli.StringSliceFlag{Name: "ca-file", EnvVars: variable("ca-file"), TakesFile: true, Usage: "trust the roots in this PEM `FILE` and no other; may be repeated"},
			&cli.StringSliceFlag{Name: "untrusted", EnvVars: variable("untrusted"), TakesFile: true, Usage: "a `FILE` with intermediates; may be repeated"},
			&cli.StringFlag{Name: "name", EnvVars: variable("name"), Usage: "the certificate must be for this `NAME`: a DNS name, IP address, e-mail address or URI"},
			&cli.StringFlag{Name: "for", EnvVars: variable("for"), Value: "any", Usage: "it must be for this `USE`: server, client or any"},
			&cli.StringFlag{Name: "at", EnvVars: variable("at"), Usage: "verify for this `TIME` and not for now: 2027-01-31 or 2027-01-31T12:00:00Z"},
			&cli.StringSliceFlag{Name: "crl", EnvVars: variable("crl"), TakesFile: true, Usage: "a `FILE` with CRLs, in PEM or one in DER; may be repeated"},
			&cli.BoolFlag{Name: "crl-check-all", EnvVars: variable("crl-check-all"), Usage: "each certificate of the chain must be covered by a CRL"},
			&cli.BoolFlag{Name: "strict", EnvVars: variable("strict"), Usage: "hold the rules that verifiers let pass"},
		),
		Action: e.verifyCert,
	}
}

// verified is a target in the JSON of verify-cert.
type verified struct {
	Target     string      `json:"target"`
	OK         bool        `json:"ok"`
	Reason     string      `json:"reason,omitempty"` // a stable code, as verify.Reason
	Message    string      `json:"message,omitempty"`
	Hint       string      `json:"hint,omitempty"`
	AtFault    *linkInfo   `json:"at_fault,omitempty"`
	Violations []violation `json:"violations,omitempty"` // of --strict
	Chain      []linkInfo  `json:"chain"`                // from the target's own up; as far as it could be built
	Until      *time.Time  `json:"until,omitempty"`      // when the first of the chain ends

	err error // the target could not be read: it is in no output but the error
}

type linkInfo struct {
	Depth    int       `json:"depth"`
	Subject  string    `json:"subject"`
	Serial   string    `json:"serial"`
	NotAfter time.Time `json:"not_after"`
	title    string
}

type violation struct {
	Depth   int    `json:"depth"`
	Section string `json:"section"`
	Message string `json:"message"`
}

func (e *env) verifyCert(c *cli.Context) error {
	list, err := targets(c)
	if err != nil {
		return err
	}
	if first := slices.Index(list, "-"); first >= 0 && slices.Contains(list[first+1:], "-") {
		return fault.New(fault.Usage, "name it once", "stdin can be read only once")
	}
	opts, err := e.verifyOptions(c)
	if err != nil {
		return err
	}
	verifier, err := verify.New(opts)
	if err != nil {
		return err
	}
	all := e.verifyAll(c, list, opts, verifier)
	shown := []verified{}
	var out strings.Builder
	var faults []error
	for _, r := range all {
		if r.err != nil {
			faults = append(faults, r.err)
			continue
		}
		shown = append(shown, r)
		out.WriteString(r.lines())
	}
	if len(shown) > 0 {
		if err := e.print(shown, out.String()); err != nil {
			return err
		}
	}
	return trust(shown, faults)
}

// trust is the exit code: what is not trusted goes before what could not be read.
func trust(shown []verified, faults []error) error {
	bad := 0
	hint := ""
	for _, r := range shown {
		if !r.OK {
			bad++
			hint = cmp.Or(hint, r.Hint)
		}
	}
	failed := unread(faults)
	if bad == 0 {
		return failed
	}
	words := fmt.Sprintf("%d of %d certificates are not trusted", bad, len(shown))
	if len(shown) == 1 {
		words = printable(shown[0].Target) + " is not trusted: " + printable(shown[0].Message)
	}
	if failed != nil {
		return fault.New(fault.NotTrusted, hint, "%s; and %w", words, failed)
	}
	return fault.New(fault.NotTrusted, hint, "%s", words)
}

func (e *env) verifyOptions(c *cli.Context) (verify.Options, error) {
	opts := verify.Options{At: e.now(), Name: c.String("name"), AllCRLs: c.Bool("crl-check-all"), Strict: c.Bool("strict")}
	var err error
	if opts.Purpose, err = verify.ParsePurpose(c.String("for")); err != nil {
		return opts, fault.New(fault.KindOf(err), fault.HintOf(err), "--for: %w", err)
	}
	if at := c.String("at"); at != "" || e.call.given["at"] {
		if opts.At, err = parseTime(at); err != nil {
			return opts, err
		}
	}
	if opts.Name != "" || e.call.given["name"] {
		if err := certs.CheckName(opts.Name); err != nil {
			return opts, fault.New(fault.Usage, "write it as it stands in the certificate: host.example.com, 10.0.0.1, user@example.com or scheme://host/path", "--name: %w", err)
		}
	}
	if opts.Roots, err = readAll(c.StringSlice("ca-file")); err != nil {
		return opts, err
	}
	if opts.Intermediates, err = readAll(c.StringSlice("untrusted")); err != nil {
		return opts, err
	}
	for _, file := range c.StringSlice("crl") {
		crls, err := verify.ReadCRLs(file)
		if err != nil {
			return opts, err
		}
		opts.CRLs = append(opts.CRLs, crls...)
	}
	return opts, nil
}

// parseTime reads a day, which begins at midnight UTC, or a time of RFC 3339.
func parseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, s); err == nil && !at.IsZero() {
			return at, nil
		}
	}
	return time.Time{}, fault.New(fault.Usage, "write it as 2027-01-31 or 2027-01-31T12:00:00Z", "--at: %q is no time", s)
}

// readAll are the certificates of all files; nil for no file.
func readAll(files []string) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for _, file := range files {
		found, err := certs.ReadFile(file)
		if err != nil {
			return nil, err
		}
		all = append(all, found.Certs...)
	}
	return all, nil
}

// verifyAll verifies the targets, several at a time since servers may keep one waiting, and keeps their order.
func (e *env) verifyAll(c *cli.Context, list []string, opts verify.Options, verifier *verify.Verifier) []verified {
	all := make([]verified, len(list))
	next := make(chan int)
	var working sync.WaitGroup
	for range min(max(runtime.GOMAXPROCS(0), maxAsked), len(list)) {
		working.Go(func() {
			for i := range next {
				all[i] = e.verifyTarget(c, list[i], opts, verifier)
			}
		})
	}
	for i := range list {
		next <- i
	}
	close(next)
	working.Wait()
	return all
}

func (e *env) verifyTarget(c *cli.Context, target string, opts verify.Options, verifier *verify.Verifier) verified {
	found, err := e.readTarget(c, target)
	if err != nil { // with one that does not parse, which is the first is not known
		return verified{err: err}
	}
	host := askedHost(target)
	if host != "" && opts.Name == "" {
		opts.Name = host
		if verifier, err = verify.New(opts); err != nil {
			return verified{err: err}
		}
	}
	chain, err := verifier.Chain(found.Certs[0], found.Certs[1:]...)
	r := judged(target, chain, err)
	if host != "" && r.Reason == string(verify.IssuerMissing) {
		r.Hint = "have the server send its intermediates too, or name them with --untrusted and the root with --ca-file"
	}
	return r
}

// askedHost is the host of a target that is a server; "" for another.
func askedHost(target string) string {
	if _, err := os.Stat(target); err == nil {
		return ""
	}
	_, host, _ := serverAddress(target)
	return host
}

func judged(target string, chain []*x509.Certificate, err error) verified {
	r := verified{Target: target, OK: err == nil, Chain: []linkInfo{}}
	why, failed := errors.AsType[*verify.Error](err)
	if failed {
		r.Reason, r.Message, r.Hint = string(why.Reason), why.Error(), fault.HintOf(err)
		chain = why.Chain
	}
	for depth, cert := range chain {
		r.Chain = append(r.Chain, describeLink(depth, cert))
	}
	if failed {
		r.AtFault = &r.Chain[why.Depth]
		for _, broken := range why.Violations {
			r.Violations = append(r.Violations, violation{broken.Depth, broken.Section, broken.Words})
		}
		return r
	}
	until := chain[0].NotAfter
	for _, cert := range chain {
		if cert.NotAfter.Before(until) {
			until = cert.NotAfter
		}
	}
	until = until.UTC()
	r.Until = &until
	return r
}

func describeLink(depth int, cert *x509.Certificate) linkInfo {
	info := certs.Describe(cert)
	return linkInfo{depth, info.Subject, info.Serial, info.NotAfter, printable(verify.NameOf(cert))}
}

// lines are a target on stdout.
func (r verified) lines() string {
	if !r.OK {
		bad := fmt.Sprintf("bad  %s  %s\n", printable(r.Target), printable(r.Message))
		for _, broken := range r.Violations[min(1, len(r.Violations)):] { // the first is the message
			bad += fmt.Sprintf("     %s: %s (%s)\n", r.Chain[broken.Depth].title, printable(broken.Message), broken.Section)
		}
		return bad
	}
	var names []string
	for _, link := range r.Chain {
		names = append(names, link.title)
	}
	return fmt.Sprintf("ok   %s  %s, until %s\n", printable(r.Target), strings.Join(names, " <- "), r.Until.Format(time.DateOnly))
}
