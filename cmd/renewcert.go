package cmd

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/fault"
)

func (e *env) renewCertCommand() *cli.Command {
	return &cli.Command{
		Name: "renew-cert", Category: certificates, ArgsUsage: "BASENAME|CERTFILE|FOLDER...",
		Usage: "renew the certificates that end soon, each from itself alone",
		Description: "Signs a successor with the same subject, names, usages and key, and a lifetime as long as the old one's, and puts it in the old one's place. " +
			"A BASENAME B is B.cert.pem with what is there of B.cert.der, B.pkeycert.pem and B.fullchain.pem, which are replaced with it, all or none. A CERTFILE is one file in PEM or DER, from any tool. " +
			"A FOLDER is all that the CA of --ca-certfile signed in it and below it, files alone and sets; what else is there is left alone, and so is what was revoked. " +
			"Run it every day: what does not end within the window is left alone, and the exit code is 12 where nothing was to be done. " +
			"A root signs itself with its key. The private key is needed for nothing else. A CA keeps its subject and key, so what it signed before still verifies below it; --rekey makes a new key. What the issuer's ledger says is revoked or on hold is not renewed. " +
			"--exec runs a command by the shell after each renewal, with KEYWARD_CERT_BASENAME, KEYWARD_CERT_FILE, KEYWARD_KEY_FILE and KEYWARD_NOT_AFTER in its environment; what it prints goes to stderr. " +
			"Where it fails the exit code is 1, and the certificate stays renewed.",
		UsageText: "keyward renew-cert --exec 'systemctl reload nginx' web " + issuerFiles + "\n" +
			"keyward renew-cert --within 14d --json certs/web certs/db /etc/ssl/mail.crt " + issuerFiles + "\n" +
			"keyward renew-cert --within 60d /etc/ssl/web " + issuerFiles + "\n" +
			"keyward renew-cert --now --rekey web " + issuerFiles + "\n" +
			"keyward renew-cert root",
		Flags: slices.Concat(issuerFlags(), []cli.Flag{
			&cli.StringFlag{Name: "within", EnvVars: variable("within"), Usage: "renew what ends in this `TIME`: 30 or 30d, 12w, 1y, until 2027-01-01, or 0 for what has expired; the default counts where that is nearly the whole lifetime", DefaultText: "30d, or a third of its lifetime where that is less"},
			&cli.BoolFlag{Name: "now", Usage: "renew however long it has still to go"},
			&cli.StringFlag{Name: "days", EnvVars: variable("days"), Usage: "the new `LIFETIME`: 90 or 90d, 12w, 1y, or the last day 2027-01-01", DefaultText: "the old one's"},
			&cli.BoolFlag{Name: "rekey", EnvVars: variable("rekey"), Usage: "make a new key of the same type, encrypted as the old one was"},
			&cli.StringFlag{Name: "key-type", EnvVars: variable("key-type"), Usage: "with --rekey, a new key of this type: `" + joined(certs.KeyTypes()) + "`", DefaultText: "the old one's"},
			&cli.StringFlag{Name: "key", EnvVars: variable("key"), TakesFile: true, Usage: "the certificate's private key in PEM `FILE`", DefaultText: "B.key.pem"},
			keyPasswordFlag("the password of an encrypted key is the first line of `FILE`, - is stdin", "asked at the terminal"),
			&cli.StringFlag{Name: "exec", EnvVars: variable("exec"), Usage: "run `COMMAND` by the shell after each renewal"},
			&cli.DurationFlag{Name: "exec-timeout", EnvVars: variable("exec-timeout"), Value: 5 * time.Minute, Usage: "end the command after this `TIME`"},
			dryRunFlag("say what would be renewed, and write and run nothing"),
			forceFlag("sign below another CA than the old one's, renew what is revoked, or give a root a new key"),
			e.quietFlag(), e.jsonFlag(),
		}),
		Action: e.renewCert,
	}
}

// renewal is what became of a certificate, as --json prints it.
type renewal struct {
	Basename    string     `json:"basename,omitempty"` // absent where a file alone was named
	File        string     `json:"file"`
	Renewed     bool       `json:"renewed"` // or would be, in a dry run
	DryRun      bool       `json:"dry_run,omitempty"`
	OldNotAfter time.Time  `json:"old_not_after,omitzero"` // absent where the old one could not be read
	Error       *failure   `json:"error,omitempty"`        // why it failed, or its hook
	NotAfter    *time.Time `json:"not_after,omitempty"`    // this and the rest of a renewed one alone
	Serial      string     `json:"serial,omitempty"`       // absent in a dry run, too
	Replaces    string     `json:"replaces,omitempty"`     // the old serial number
	Rekeyed     bool       `json:"rekeyed,omitempty"`
	Files       []string   `json:"files,omitempty"`
	Notes       []string   `json:"notes,omitempty"`
	HookExit    *int       `json:"hook_exit,omitempty"` // -1 where it did not end by itself
}

// renewer has what the renewals of one call share.
type renewer struct {
	*env
	c       *cli.Context
	issuer  func() (*certs.Issuer, error)
	revoked func() (func(serial string) bool, error)
	keyType certs.KeyType // of new keys, "" for the old one's
	end     time.Time     // of the lifetimes, zero for the old ones'
}

func (e *env) renewCert(c *cli.Context) error {
	r, err := e.renewer(c)
	if err != nil {
		return err
	}
	list, err := r.targets(c.Args().Slice())
	if err != nil {
		return err
	}
	done := []renewal{}
	var faults []error
	for _, t := range list {
		one, err := r.renew(t)
		if err != nil {
			faults = append(faults, err)
			one.Error = e.failure(err)
		}
		done = append(done, *one)
		if errors.Is(err, errInterrupted) {
			break
		}
	}
	if e.json {
		if err := e.print(done, ""); err != nil {
			return err
		}
	}
	switch {
	case len(faults) > 0:
		return several(faults)
	case !slices.ContainsFunc(done, func(one renewal) bool { return one.Renewed }):
		return fault.New(fault.NothingDue, "", "none of %d certificates is due", len(done))
	}
	return nil
}

// several makes one error of those of several certificates: its kind is that of the first.
func several(faults []error) error {
	if len(faults) == 1 {
		return faults[0]
	}
	words := fmt.Sprintf("%d things failed:", len(faults))
	for _, err := range faults {
		words += "\n  " + err.Error()
	}
	return fault.New(kindOf(faults[0]), fault.HintOf(faults[0]), "%s", words)
}

// renewTarget is a certificate to renew, by its file or basename.
type renewTarget struct {
	name     string
	inFolder bool
	err      error // why a file of a folder cannot be read
}

// targets lists what the arguments name, with what is in a folder in its place.
func (r *renewer) targets(names []string) (list []renewTarget, err error) {
	for _, name := range names {
		if !isFolder(name) {
			list = append(list, renewTarget{name: name})
			continue
		}
		ca, err := r.caCert()
		if err != nil {
			return nil, err
		}
		found, others := ca.Below(r.c.Context, name)
		for _, f := range found {
			list = append(list, renewTarget{f.File, true, f.Err})
		}
		if others > 0 {
			r.note("note: %d files in %s are left alone: they hold nothing that %s signed", others, printable(name), printable(ca.Chain[0].Subject.String()))
		}
	}
	if len(list) == 0 {
		return nil, fault.New(fault.NotFound, "name another folder, or the CA that signed with --ca-certfile", "there is nothing that this CA signed")
	}
	return list, nil
}

// isFolder tells whether a name is that of a folder, and not a basename beside one.
func isFolder(name string) bool {
	info, err := os.Stat(name)
	if err != nil || !info.IsDir() {
		return false
	}
	_, err = os.Lstat(name + ".cert.pem")
	return err != nil
}

// caCert is the issuer without its key, whose password nobody should be asked for before something is due.
func (r *renewer) caCert() (*certs.Issuer, error) {
	if err := needIssuer(r.c); err != nil {
		return nil, err
	}
	found, err := certs.ReadFile(r.c.String("ca-certfile"))
	return &certs.Issuer{Chain: found.Certs}, err
}

func (e *env) renewer(c *cli.Context) (*renewer, error) {
	r := &renewer{
		env: e, c: c,
		issuer:  sync.OnceValues(func() (*certs.Issuer, error) { return e.issuer(c, certs.Leaf) }),
		revoked: sync.OnceValues(func() (func(string) bool, error) { return e.revocations(c) }),
	}
	switch {
	case c.NArg() == 0:
		return nil, fault.New(fault.Usage, "name the basenames or files of certificates", "there is nothing to renew")
	case c.String("key") != "" && slices.ContainsFunc(c.Args().Slice(), isFolder):
		return nil, fault.New(fault.Usage, "name the certificate", "--key is the key of one certificate, and a folder may have many")
	case c.NArg() > 1 && c.String("key") != "":
		return nil, fault.New(fault.Usage, "renew them one by one", "--key is the key of one certificate, and there are %d", c.NArg())
	case c.String("key-type") != "" && !c.Bool("rekey"):
		return nil, fault.New(fault.Usage, "add --rekey", "--key-type is of a new key, and the old one is kept")
	case e.call.given["now"] && e.call.given["within"]:
		return nil, fault.New(fault.Usage, "take one of them", "--now and --within do not go together")
	case c.Duration("exec-timeout") <= 0:
		return nil, fault.New(fault.Usage, "give it longer, as 30s or 5m", "an --exec-timeout of %v ends the command before it begins", c.Duration("exec-timeout"))
	}
	var err error
	if word := c.String("key-type"); word != "" {
		if r.keyType, err = certs.ParseKeyType(word); err != nil {
			return nil, err
		}
	}
	if days := c.String("days"); days != "" {
		r.end, err = certs.ParseDays(days, e.dated())
	}
	if err == nil && c.String("within") != "" {
		_, err = windowEnd(c.String("within"), e.now())
	}
	return r, err
}

// renew renews one certificate if it is due. Beside a renewal the error is that of its hook.
func (r *renewer) renew(t renewTarget) (*renewal, error) {
	if t.err != nil {
		return &renewal{File: t.name}, t.err
	}
	held, err := certs.Hold(r.c.Context, t.name)
	if err != nil {
		return &renewal{File: t.name}, err
	}
	held.KeyFile = cmp.Or(r.c.String("key"), held.KeyFile)
	old := certs.Describe(held.Cert)
	one := &renewal{Basename: held.Base, File: held.File, OldNotAfter: old.NotAfter, DryRun: r.c.Bool("dry-run")}
	if !r.due(held) {
		r.note("%s ends on %s and is not due", printable(held.File), one.OldNotAfter.Format(time.DateOnly))
		return one, nil
	}
	if t.inFolder {
		revoked, err := r.revoked()
		if err != nil {
			return one, err
		}
		if revoked(old.Serial) {
			one.Notes = []string{"it is revoked, and not renewed"}
			r.note("note: %s is revoked, and not renewed", printable(held.File))
			return one, nil
		}
	}
	issued, err := r.sign(held, one)
	if err != nil {
		return one, fault.New(kindOf(err), r.hint(err), "%s: %w", held.File, err)
	}
	one.Replaces = old.Serial
	r.tell(one, issued)
	if one.DryRun || r.c.String("exec") == "" {
		return one, nil
	}
	return one, r.runHook(held, issued, one)
}

// due tells whether the certificate's end is within the window.
func (r *renewer) due(held *certs.Held) bool {
	if r.c.Bool("now") {
		return true
	}
	now, life := r.now(), held.Cert.NotAfter.Sub(held.Cert.NotBefore)
	window := min(30*24*time.Hour, life/3)
	if within := r.c.String("within"); within != "" {
		limit, _ := windowEnd(within, now) // it was read before
		if limit.Sub(now) < life-life/10 {
			window = limit.Sub(now)
		} else {
			r.note("warning: %s lives %s in all, and --within %s would renew it at every run: the last %s count instead", printable(held.File), daysOf(life), within, daysOf(window))
		}
	}
	return !held.Cert.NotAfter.After(now.Add(window))
}

// daysOf is a time in whole days, or in hours where it is less than two days.
func daysOf(d time.Duration) string {
	if days := int(d / (24 * time.Hour)); days >= 2 {
		return fmt.Sprintf("%d days", days)
	}
	return fmt.Sprintf("%d hours", int(d/time.Hour))
}

// tell says what was done, to people and in one.
func (r *renewer) tell(one *renewal, issued *certs.Issued) {
	end := issued.Cert.NotAfter.UTC()
	one.Renewed, one.NotAfter = true, &end
	verb := "would renew"
	if !one.DryRun {
		verb = "renewed"
		one.Serial = certs.Describe(issued.Cert).Serial
	}
	r.note("%s %s until %s, not %s", verb, printable(strings.Join(one.Files, ", ")), stamp(end), stamp(one.OldNotAfter))
	for _, note := range one.Notes {
		r.note("note: %s", printable(note))
	}
}
