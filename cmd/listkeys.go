package cmd

import (
	"bufio"
	"cmp"
	"fmt"
	"iter"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/registry/wire"
)

func (e *env) listkeysCommand() *cli.Command {
	return &cli.Command{
		Name: "listkeys", Category: userKeys,
		Usage: "list the registered keys",
		Description: "Prints a line a key: the user, the key, and its description, which may hold spaces. " +
			"--long prints a table: the user, the beginning of the fingerprint, when the key was made, when it expires, when it last logged in and from where, its labels and its description. " +
			"With --json an array of objects with user, key, fingerprint, description, created, labels, expires, last_used (to the minute) and last_from; what a key does not have is left out. Times are UTC.",
		UsageText: "keyward listkeys --long\nkeyward listkeys -a --as admin --password-file ./admin-password\nkeyward listkeys -a --stale 90d --long --as admin",
		Flags: e.loginFlags(
			&cli.BoolFlag{Name: "a", Aliases: []string{"all"}, Usage: "the keys of all users (administrator)"},
			aboutUserFlag("the keys of user `NAME` (administrator)"),
			&cli.BoolFlag{Name: "long", Aliases: []string{"l"}, EnvVars: variable("long"), Usage: "print a table with all that is known of each key"},
			&cli.StringFlag{Name: "stale", EnvVars: variable("stale"), Usage: "only keys neither used nor made for this `TIME`: 90 or 90d, 12h, 12w, 1y"},
			&cli.BoolFlag{Name: "expired", EnvVars: variable("expired"), Usage: "only keys that have expired"},
		),
		Action: e.listkeys,
	}
}

func (e *env) listkeys(c *cli.Context) error {
	if c.Bool("a") && c.String("u") != "" {
		return fault.New(fault.Usage, "take one of them", "-a and -u do not go together")
	}
	wanted, err := e.wantedKeys(c)
	if err != nil {
		return err
	}
	s, err := e.login(c)
	if err != nil {
		return err
	}
	defer s.end(c)
	all := s.AllKeys(c.Context, s.token)
	if !c.Bool("a") {
		list, err := s.Keys(c.Context, s.token, s.about(c))
		if err != nil {
			return err
		}
		all = withoutError(list)
	}
	return e.printKeys(those(all, wanted), c.Bool("long"))
}

// wantedKeys tells the keys that --stale and --expired ask for; without them all are wanted.
func (e *env) wantedKeys(c *cli.Context) (func(wire.Key) bool, error) {
	now := e.now()
	since := now
	if e.says(c, "stale") {
		span, err := parseSpan("stale", c.String("stale"), now)
		if err != nil {
			return nil, err
		}
		since = now.Add(-span)
	}
	return func(k wire.Key) bool {
		return (c.String("stale") == "" || isStale(k, since)) && (!c.Bool("expired") || hasExpired(k, now))
	}, nil
}

// isStale tells whether a key was neither used nor made since then.
func isStale(k wire.Key, since time.Time) bool {
	return instant(k.LastUsed).Before(since) && instant(k.Created).Before(since)
}

func hasExpired(k wire.Key, now time.Time) bool {
	return k.Expires != "" && !instant(k.Expires).After(now)
}

// instant is a server's time, zero where there is none.
func instant(s string) time.Time {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return at
}

func withoutError(list []wire.Key) iter.Seq2[wire.Key, error] {
	return func(yield func(wire.Key, error) bool) {
		for _, k := range list {
			if !yield(k, nil) {
				return
			}
		}
	}
}

// those are the keys that are wanted, and the error if there is one.
func those(all iter.Seq2[wire.Key, error], wanted func(wire.Key) bool) iter.Seq2[wire.Key, error] {
	return func(yield func(wire.Key, error) bool) {
		for k, err := range all {
			if (err != nil || wanted(k)) && !yield(k, err) {
				return
			}
		}
	}
}

// printKeys prints the keys as they come, however many there are.
func (e *env) printKeys(all iter.Seq2[wire.Key, error], long bool) error {
	out := bufio.NewWriter(e.stdout)
	var list keyList = &keyLines{out}
	switch {
	case e.json:
		list = &keyArray{out: out}
	case long:
		list = newKeyTable(out)
	}
	for k, err := range all {
		if err == nil {
			err = list.add(k)
		}
		if err != nil {
			_ = out.Flush()
			return err
		}
	}
	return cmp.Or(list.end(), out.Flush())
}

// keyList is a layout of keys, each written as it comes.
type keyList interface {
	add(wire.Key) error
	end() error
}

// keyLines is the layout of vovsecurity.
type keyLines struct{ out *bufio.Writer }

func (l *keyLines) add(k wire.Key) error {
	_, err := fmt.Fprintln(l.out, printable(strings.TrimSuffix(k.User+" "+k.Key+" "+k.Description, " ")))
	return err
}

func (l *keyLines) end() error { return nil }

// keyArray is a JSON array.
type keyArray struct {
	out *bufio.Writer
	has bool
}

func (l *keyArray) add(k wire.Key) error {
	before := "[\n"
	if l.has {
		before = ",\n"
	}
	l.has = true
	_, _ = l.out.WriteString(before)
	return writeJSON(l.out, k)
}

func (l *keyArray) end() error {
	after := "[]\n"
	if l.has {
		after = "\n]\n"
	}
	_, err := l.out.WriteString(after)
	return err
}

// keyTable is the long layout. Its columns are set by the keys of a block: a table of all would have to be kept in memory.
type keyTable struct {
	*tabwriter.Writer
	rows int
}

// tableBlock is how many keys have common columns.
const tableBlock = 500

func newKeyTable(out *bufio.Writer) *keyTable {
	t := &keyTable{Writer: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	_, _ = fmt.Fprintln(t, "USER\tFINGERPRINT\tCREATED\tEXPIRES\tUSED\tFROM\tLABELS\tDESCRIPTION")
	return t
}

func (t *keyTable) add(k wire.Key) error {
	cells := []string{k.User, shortFingerprint(k.Fingerprint), toMinute(k.Created), toMinute(k.Expires), toMinute(k.LastUsed), k.LastFrom, strings.Join(k.Labels, ","), k.Description}
	for i, cell := range cells {
		cells[i] = printable(cmp.Or(cell, "-"))
	}
	_, err := fmt.Fprintln(t, strings.TrimSuffix(strings.Join(cells, "\t"), "\t-"))
	if t.rows++; t.rows%tableBlock == 0 {
		err = cmp.Or(err, t.Flush())
	}
	return err
}

func (t *keyTable) end() error { return t.Flush() }

// shortFingerprint is enough of a fingerprint for delkey, and for people.
func shortFingerprint(fingerprint string) string {
	digits := strings.TrimPrefix(fingerprint, fingerprintPrefix)
	return digits[:min(len(digits), 16)]
}

// toMinute is a server's time to the minute, in one word.
func toMinute(s string) string {
	at := instant(s)
	if at.IsZero() {
		return s
	}
	return at.UTC().Format("2006-01-02T15:04Z")
}

// writeJSON writes v as an element of an array.
func writeJSON(out *bufio.Writer, v any) error {
	text, err := plainJSON(v, "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "  %s", text)
	return err
}
