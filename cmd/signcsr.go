package cmd

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/certs/ledger"
	"keyward/fault"
)

func (e *env) signCSRCommand() *cli.Command {
	return &cli.Command{
		Name: "sign-csr", Category: certificates, ArgsUsage: "CSRFILE",
		Usage: "sign somebody else's request: the names that are allowed, no more",
		Description: "Writes B.cert.pem and B.cert.der, where B is the basename. CSRFILE is PEM or DER, - is stdin. " +
			"Of the request only the key, the organization and the names are taken, and the names only if --allow covers each of them; --san and --account set other names instead. " +
			"Without either they are asked about at a terminal, and refused elsewhere. " +
			"Usages, CA rights and all other extensions come from the profile: what the request wants of them is told, and never copied. A common name is not made a name. " +
			"Requests with a weak key, a broken hash or a wrong signature are refused.",
		UsageText: "keyward sign-csr web.csr.pem --cert-basename web --allow *.example.org " + issuerFiles + "\n" +
			"keyward sign-csr - --cert-basename db --san db.example.org --profile server --days 30 " + issuerFiles + " < db.csr\n" +
			"keyward sign-csr orders.csr.pem --cert-basename orders --account orders --trust-domain example.org " + issuerFiles + "\n" +
			"keyward sign-csr web.csr.pem --dry-run --allow .example.org --allow 10.0.0.0/8 --allow @example.org " + issuerFiles,
		Flags: slices.Concat([]cli.Flag{
			basenameFlag(certs.Leaf, certs.Peer), organizationFlag("the request's, or B-Leaf where it has none"),
			&cli.StringSliceFlag{Name: "allow", EnvVars: variable("allow"),
				Usage: "sign names as this `PATTERN` says: a name, *.example.org (one label), .example.org (any), an IP or CIDR, an e-mail address or @example.org, a URI and what is below; repeatable"},
			sanFlag("sign this `NAME` instead of those of the request; repeatable"),
		}, accountFlags(), issuerFlags(), profileFlags(certs.Peer, lifetime(certs.Leaf)), []cli.Flag{
			dryRunFlag("check everything, say what would be signed, and write nothing"),
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "sign all names of the request, without a question"},
			overwriteFlag(), e.quietFlag(), e.jsonFlag(),
		}),
		Action: e.signCSR,
	}
}

func (e *env) signCSR(c *cli.Context) error {
	csr, err := e.readCSR(c)
	if err != nil {
		return err
	}
	issuer, err := e.issuer(c, certs.Leaf)
	if err != nil {
		return err
	}
	s := signing{env: e, csr: csr, NotTaken: csr.Asked}
	req, err := s.request(c)
	if err != nil {
		return err
	}
	issued, err := certs.Issue(req, issuer, e.dated())
	if err != nil {
		return err
	}
	s.Info, s.DryRun = certs.Describe(issued.Cert), c.Bool("dry-run")
	s.Notes = append(s.Notes, issued.Notes...)
	base := csrBase(c)
	placing := certs.Placing{DryRun: s.DryRun, Record: e.record(c, issuer, ledger.Issued(issued.Cert))}
	s.Files, err = e.placing(c, "a certificate "+base, placing, func(p certs.Placing) ([]string, error) {
		return certs.WriteSigned(c.Context, base, issued, p)
	})
	if err != nil {
		return err
	}
	if s.DryRun {
		s.Serial, s.Fingerprint = "", "" // nobody will see them again
		return s.tell("would sign " + s.words())
	}
	return s.tell("wrote " + strings.Join(s.Files, ", "))
}

// readCSR reads the argument's file, or stdin for "-".
func (e *env) readCSR(c *cli.Context) (*certs.CSR, error) {
	if c.NArg() != 1 {
		return nil, fault.New(fault.Usage, "name one file, or - for stdin", "sign-csr takes one request, and got %d", c.NArg())
	}
	if file := c.Args().First(); file != "-" {
		return certs.LoadCSR(c.Context, file)
	}
	const more = 128 << 10 // than a request may be
	data, err := io.ReadAll(io.LimitReader(e.stdin, more))
	if err != nil {
		return nil, fault.New(fault.Failed, "", "cannot read the request from stdin: %w", err)
	}
	return certs.ParseCSR(data)
}

// signing is what becomes of a request, as --json prints it.
type signing struct {
	env *env
	csr *certs.CSR

	certs.Info
	DryRun   bool          `json:"dry_run,omitempty"`   // then the serial number and fingerprint are empty
	Files    []string      `json:"files,omitempty"`     // in a dry run those that would be written
	Notes    []string      `json:"notes,omitempty"`     // sentences for people
	NotTaken []certs.Asked `json:"not_taken,omitempty"` // what the request asked for and did not get
}

// request is what to issue: the request's key, its organization, and the names that the caller lets it have.
func (s *signing) request(c *cli.Context) (certs.Request, error) {
	profile, err := s.env.certProfile(c)
	if err != nil {
		return certs.Request{}, err
	}
	end, err := s.env.certEnd(c)
	if err != nil {
		return certs.Request{}, err
	}
	s.show()
	organization, err := s.organization(c)
	if err != nil {
		return certs.Request{}, err
	}
	sans, err := s.names(c, organization)
	return certs.Request{
		Role: certs.Leaf, Profile: profile, Organization: organization, SANs: sans,
		PublicKey: s.csr.PublicKey, NotAfter: end, Clamp: c.Bool("clamp"), StartNow: c.String("account") != "",
	}, err
}

// csrBase is the basename of the files.
func csrBase(c *cli.Context) string {
	return cmp.Or(c.String("cert-basename"), defaultBasename(certs.Leaf, certs.Peer))
}

// organization is the caller's, or else the request's, or that of gen-leaf-cert where the request has none.
func (s *signing) organization(c *cli.Context) (string, error) {
	organization := c.String("subject-org-name")
	if organization != "" {
		s.leaveOrganizations(organization)
		return organization, nil
	}
	if len(s.csr.Organizations()) == 0 {
		organization = certs.DefaultOrganization(filepath.Base(csrBase(c)), certs.Leaf)
		s.Notes = append(s.Notes, fmt.Sprintf("the request has no organization, and gets O=%s: --subject-org-name sets another", printable(organization)))
		return organization, nil
	}
	return s.csr.Organization()
}

// leaveOrganizations tells of those of the request that the caller's replaces.
func (s *signing) leaveOrganizations(taken string) {
	for _, asked := range s.csr.Organizations() {
		if asked == taken {
			continue
		}
		left := certs.Asked{Kind: "subject", Name: "O", OID: "2.5.4.10", Value: printable(asked)}
		s.NotTaken = append(s.NotTaken, left)
		s.env.note("not taken: %s", left)
	}
}

// show tells what the request is before anything is decided about it.
func (s *signing) show() {
	s.env.note("the request: subject %s, key %s, names %s", s.csr.Subject, s.csr.KeyType(), list(s.csr.SANs()))
	for _, asked := range s.NotTaken {
		s.env.note("not taken: %s", asked)
	}
	if name := s.csr.CommonName(); name != "" && len(s.csr.SANs()) == 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("its common name %q is not made a name: set it with %s if it is to be one", name, s.sanFlag()))
	}
}

// sanFlag is the flag that sets the names, with the common name where it reads as one.
func (s *signing) sanFlag() string {
	return strings.TrimSpace("--san " + s.csr.NameInSubject())
}

// names are those that the caller sets, or those of the request if the caller lets it have them all.
func (s *signing) names(c *cli.Context, organization string) ([]string, error) {
	given := s.env.call.given
	if given["allow"] && (given["san"] || given["account"]) {
		return nil, fault.New(fault.Usage, "take one of them", "--allow does not go with --san or --account: their names are all that is signed")
	}
	sans, err := s.env.certNames(c)
	if err != nil {
		return nil, err
	}
	if len(sans) > 0 && !given["allow"] { // a flag goes before a variable
		s.ignoreNames()
		return sans, nil
	}
	allow, err := certs.ParseAllow(c.StringSlice("allow"))
	if err != nil {
		return nil, err
	}
	if sans, err = s.csr.Names(); err != nil {
		return nil, err
	}
	if len(c.StringSlice("allow")) > 0 {
		return sans, allow.Check(sans)
	}
	return sans, s.agree(c, fmt.Sprintf("Sign O=%s, for the names %s?", organization, list(sans)))
}

func (s *signing) ignoreNames() {
	for _, name := range s.csr.SANs() {
		s.NotTaken = append(s.NotTaken, certs.Asked{Kind: "name", Value: printable(name)})
	}
	if len(s.csr.SANs()) > 0 {
		s.Notes = append(s.Notes, "the names of the request are not taken, since others are set")
	}
}

// agree asks about names that no flag decides on.
func (s *signing) agree(c *cli.Context, question string) error {
	terminal := s.env.terminal()
	switch {
	case c.Bool("yes"):
		return nil
	case terminal == nil && len(s.csr.SANs()) == 0:
		return fault.New(fault.Policy, "set its names with "+s.sanFlag()+", or give --yes if it is to have none", "the request asks for no name")
	case terminal == nil:
		return fault.New(fault.Policy, "say which names it may have with --allow, or set them with --san",
			"nobody said what this request may be signed for; it asks for the names %s", list(s.csr.SANs()))
	case c.Bool("dry-run"):
		return nil
	}
	yes, err := terminal.Confirm(question)
	if err == nil && !yes {
		return fault.New(fault.Failed, "", "not confirmed; nothing was signed")
	}
	return err
}

func list(names []string) string {
	if len(names) == 0 {
		return "(none)"
	}
	return printable(strings.Join(names, ", "))
}

// words sum up what is signed.
func (s *signing) words() string {
	return fmt.Sprintf("%s, names %s, until %s", s.Subject, list(s.SANs), stamp(s.NotAfter))
}

// tell prints what was done.
func (s *signing) tell(done string) error {
	for _, note := range s.Notes {
		s.env.note("note: %s", note)
	}
	s.env.note("%s", done)
	if !s.env.json {
		return nil
	}
	return s.env.print(s, "")
}
