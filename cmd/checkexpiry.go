package cmd

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/fault"
)

func (e *env) checkExpiryCommand() *cli.Command {
	return &cli.Command{
		Name: "check-expiry", Category: certificates, ArgsUsage: "TARGET...",
		Usage: "tell which certificates end soon, roots included",
		Description: "A TARGET is a file in PEM, DER or PKCS#12, a folder with all below it (*.pem, *.crt, *.cer, *.der, *.p12, *.pfx, but no *key.pem), - for stdin, or a server as host:port. " +
			"Prints a table of all certificates and revocation lists (CRLs), what ends first on top. " +
			"The exit code is 12 where all is well: nothing ends within the window. It is 10 where a certificate has expired or ends within it. " +
			"A CRL ends with its next update, and is due where that is within the window and less than a quarter of the CRL's life is left, since most live no longer than the window. " +
			"What cannot be read is told of, does not hide the rest, and makes it 11 (or 4, 6 or 7: missing, not permitted, unreachable); but 10 goes before those, since what is due cannot wait for them. " +
			"PKCS#12 in a folder is read with the password of --password-file, and without it told of and left alone.",
		UsageText: "keyward check-expiry certs\nkeyward check-expiry --within 60d /etc/ssl/certs example.org:443\nkeyward check-expiry --prometheus certs > certificates.prom\nkeyward check-expiry --chart certs",
		Flags: e.targetFlags(
			&cli.StringFlag{Name: "within", EnvVars: variable("within"), Value: "30d", Usage: "what ends in this `TIME` is due: 30 or 30d, 12w, 1y, until 2027-01-01, or 0 for what has expired"},
			&cli.BoolFlag{Name: "chart", EnvVars: variable("chart"), Usage: "print how many end in each of the next twelve months"},
			&cli.BoolFlag{Name: "prometheus", EnvVars: variable("prometheus"), Usage: "print the ends as metrics in Prometheus's text format"},
		),
		Action: e.checkExpiry,
	}
}

// expiry is a certificate, or a CRL, in the JSON of check-expiry.
type expiry struct {
	certs.Info
	Role     string   `json:"role"`      // crl for a CRL, which has an issuer and no subject
	DaysLeft int      `json:"days_left"` // whole days; negative once it is over
	Due      bool     `json:"due"`       // it ends within the window, or has
	Sources  []string `json:"sources"`   // where it was found

	title string
}

func (e *env) checkExpiry(c *cli.Context) error {
	list, err := targets(c)
	if err != nil {
		return err
	}
	format, err := e.choice(c, "json", "prometheus", "chart")
	if err != nil {
		return err
	}
	e.json = format == "json" // the variable of another format does not count
	now := e.now()
	limit, err := windowEnd(c.String("within"), now)
	if err != nil {
		return err
	}
	all, faults := e.expiries(c, list, now, limit)
	if len(all) == 0 && len(faults) == 0 {
		return fault.New(fault.NotFound, "name a file or folder with certificates", "there is no certificate to check")
	}
	if len(all) > 0 {
		var text string
		switch format {
		case "prometheus":
			text = prometheus(all)
		case "chart":
			text = chart(all, now)
		case "":
			text = expiryTable(all)
		}
		if err := e.print(all, text); err != nil {
			return err
		}
	}
	if failed := unread(faults); failed != nil && e.quiet {
		_ = e.report(failed) // the verdict is quiet, what failed is not
	}
	return verdict(all, faults, c.String("within"))
}

// windowEnd is when the window ends that starts now.
func windowEnd(within string, now time.Time) (time.Time, error) {
	if strings.TrimRight(within, "dwy") == "0" {
		return now, nil
	}
	limit, err := certs.ParseDays(within, now)
	if err != nil {
		return limit, fault.New(fault.KindOf(err), fault.HintOf(err), "--within: %w", err)
	}
	return limit, nil
}

// verdict is the exit code: what is due goes before what could not be read.
func verdict(all []expiry, faults []error, within string) error {
	due, what, are, hint := 0, "certificates", "have expired or end within "+within, "renew them"
	for _, x := range all {
		if x.Due {
			due++
		}
		if x.Role == crlRole {
			what, hint = "certificates and CRLs", "renew them; a CRL with `keyward gen-crl`"
			are = "are due within " + within + " (a CRL in the last quarter of its life)"
		}
	}
	failed := unread(faults)
	switch {
	case due > 0 && failed != nil:
		return fault.New(fault.Due, hint, "%d of %d %s %s; and %w", due, len(all), what, are, failed)
	case due > 0:
		return fault.New(fault.Due, hint, "%d of %d %s %s", due, len(all), what, are)
	case failed != nil:
		return failed
	}
	return fault.New(fault.NothingDue, "", "none of %d %s %s", len(all), what, are)
}

// expiries reads the targets and lists each certificate and CRL once, what ends first at the top.
func (e *env) expiries(c *cli.Context, list []string, now, limit time.Time) ([]expiry, []error) {
	var all []expiry
	var faults []error
	at := map[string]int{} // where in all each is, by fingerprint
	add := func(x expiry, source string) {
		i, known := at[x.Fingerprint]
		if !known {
			i = len(all)
			at[x.Fingerprint] = i
			all = append(all, x)
		}
		if n := len(all[i].Sources); n == 0 || all[i].Sources[n-1] != source { // twice in one file is one place
			all[i].Sources = append(all[i].Sources, source)
		}
	}
	for _, s := range e.sources(c, list) {
		found, err := s.read()
		if s.inFolder && errors.Is(err, certs.ErrLocked) {
			e.note("note: not read: %s (give --password-file)", printable(err.Error()))
			continue
		}
		nothing := errors.Is(err, certs.ErrNoCertificate) && (s.inFolder || len(found.CRLs) > 0)
		if err != nil && !nothing {
			faults = append(faults, err)
		}
		for _, cert := range found.Certs {
			add(expiry{
				Info: certs.Describe(cert), Role: certs.RoleOf(cert).String(), title: title(cert),
				DaysLeft: daysLeft(cert.NotAfter, now), Due: !cert.NotAfter.After(limit),
			}, s.name)
		}
		for _, list := range found.CRLs {
			if !list.NextUpdate.IsZero() { // else it has no end (RFC 5280 wants one)
				add(crlExpiry(list, now, limit), s.name)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b expiry) int { return a.NotAfter.Compare(b.NotAfter) })
	return all, faults
}

// crlExpiry makes a row of a CRL.
func crlExpiry(list *x509.RevocationList, now, limit time.Time) expiry {
	info := describeCRL(list)
	end, quarter := info.NextUpdate, info.NextUpdate.Sub(info.ThisUpdate)/4
	return expiry{
		Info: certs.Info{Issuer: info.Issuer, NotBefore: info.ThisUpdate, NotAfter: end, SANs: []string{}, Fingerprint: info.Fingerprint},
		Role: crlRole, title: info.title(), DaysLeft: daysLeft(end, now), Due: !end.After(limit) && !end.After(now.Add(quarter)),
	}
}

// source is one place to read: a target, or a file of a folder that is one.
type source struct {
	name     string
	inFolder bool
	read     func() (certs.Contents, error)
}

// sources lists what is to be read, each once. Servers are asked at once, a few at a time, and their answers kept.
func (e *env) sources(c *cli.Context, list []string) []source {
	var all []source
	known := map[string]int{}
	add := func(s source) {
		if i, found := known[s.name]; found {
			all[i].inFolder = all[i].inFolder && s.inFolder // named itself, it counts as named
			return
		}
		known[s.name] = len(all)
		all = append(all, s)
	}
	for _, target := range list {
		if info, err := os.Stat(target); err == nil && info.IsDir() {
			for file, err := range certs.Files(target) {
				add(source{file, true, func() (certs.Contents, error) {
					if err != nil {
						return certs.Contents{}, err
					}
					return e.fileUnlock(c).ReadFile(file)
				}})
			}
			continue
		}
		add(source{target, false, func() (certs.Contents, error) { return e.readTarget(c, target) }})
	}
	askServers(all)
	return all
}

// fileUnlock opens the PKCS#12 files of a folder, where the caller gave their password: nobody wants to
// be asked for each.
func (e *env) fileUnlock(c *cli.Context) certs.Unlock {
	if c.String("password-file") == "" {
		return nil
	}
	return e.unlock(c, "password-file")
}

// maxAsked is how many servers are asked at a time.
const maxAsked = 16

func askServers(all []source) {
	var asking sync.WaitGroup
	defer asking.Wait()
	slots := make(chan struct{}, maxAsked)
	for i, s := range all {
		if _, _, ok := serverAddress(s.name); !ok || s.inFolder {
			continue
		}
		slots <- struct{}{}
		asking.Go(func() {
			found, err := s.read()
			all[i].read = func() (certs.Contents, error) { return found, err }
			<-slots
		})
	}
}

func expiryTable(all []expiry) string {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "DAYS\tENDS\tNAME\tROLE\tWHERE")
	for _, x := range all {
		_, _ = fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\n", x.DaysLeft, x.NotAfter.Format(time.DateOnly), short(x.title), x.Role, where(x.Sources))
	}
	_ = table.Flush()
	return b.String()
}

// short keeps a name that somebody made long in its column.
func short(name string) string {
	const most = 60
	if runes := []rune(name); len(runes) > most {
		return string(runes[:most-3]) + "..."
	}
	return name
}

func where(sources []string) string {
	first := printable(sources[0])
	if len(sources) > 1 {
		return fmt.Sprintf("%s and %d more", first, len(sources)-1)
	}
	return first
}

// prometheus writes the ends in Prometheus's text exposition format, version 0.0.4.
func prometheus(all []expiry) string {
	lists := slices.DeleteFunc(slices.Clone(all), func(x expiry) bool { return x.Role != crlRole })
	all = slices.DeleteFunc(slices.Clone(all), func(x expiry) bool { return x.Role == crlRole })
	return metric("keyward_certificate_not_after_seconds", "When the certificate ends, in seconds since 1970.", all, func(x expiry) string {
		return fmt.Sprintf("subject=%s,serial=%s", label(cmp.Or(x.Subject, x.title)), label(x.Serial))
	}) + metric("keyward_crl_next_update_seconds", "When the CRL's next update is due, in seconds since 1970.", lists, func(x expiry) string {
		return "issuer=" + label(x.Issuer)
	})
}

// metric writes one metric, of what there is.
func metric(name, help string, all []expiry, labels func(expiry) string) string {
	if len(all) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name)
	seen := map[string]bool{} // no series may be there twice; the first is the one that ends first
	for _, x := range all {
		for _, path := range x.Sources {
			series := fmt.Sprintf("%s{%s,path=%s}", name, labels(x), label(path))
			if !seen[series] {
				seen[series] = true
				fmt.Fprintf(&b, "%s %d\n", series, x.NotAfter.Unix())
			}
		}
	}
	return b.String()
}

// label quotes a label's value; printable has taken the newlines already.
func label(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(printable(value)) + `"`
}

// chart counts the ends in each month from now on.
func chart(all []expiry, now time.Time) string {
	const months, width = 12, 50
	type bar struct {
		name  string
		count int
	}
	first := time.Date(now.UTC().Year(), now.UTC().Month(), 1, 0, 0, 0, 0, time.UTC)
	bars := []bar{{name: "expired"}}
	for i := range months {
		bars = append(bars, bar{name: first.AddDate(0, i, 0).Format("2006-01")})
	}
	bars = append(bars, bar{name: "later"})
	most := 1
	for _, x := range all {
		i := min((x.NotAfter.Year()-first.Year())*12+int(x.NotAfter.Month()-first.Month()), months) + 1
		if x.NotAfter.Before(now) {
			i = 0
		}
		bars[i].count++
		most = max(most, bars[i].count)
	}
	var b strings.Builder
	for _, bar := range bars {
		length := (bar.count*min(most, width) + most - 1) / most
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-7s  %4d  %s", bar.name, bar.count, strings.Repeat("#", length)), " ") + "\n")
	}
	return b.String()
}
