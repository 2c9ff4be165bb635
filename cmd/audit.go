package cmd

import (
	"bufio"
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/internal/nearest"
	"keyward/internal/secretfile"
	"keyward/store/audit"
)

func (e *env) auditCommand() *cli.Command {
	return &cli.Command{
		Name: "audit", Category: services,
		Usage: "read and check the registry's audit log",
		Description: "The registry keeps a record of every change and of refused logins: who, what, when and from where. Each has the hash of the one before it and is signed with the audit key, a file of the server's host. " +
			"docs/audit.md describes the format, and how to check it without keyward.",
		UsageText: "keyward audit list --since 24h --as admin\nkeyward audit verify --as admin",
		Subcommands: []*cli.Command{
			{
				Name: "list", Usage: "print the records (administrator)",
				Description: "Prints a table: the number of the record, the time (UTC), what was done, by whom, to which user or account of the bus, the beginning of the key's fingerprint, the address it came from, how many it stands for, and a note. " +
					"With --json a record a line, whole and signed, as audit verify FILE takes it: seq, prev, time, what, by, user, key, account, from, request, count, note and sig; what a record does not have is left out. " +
					"Nothing is checked here: that is for audit verify.",
				UsageText: "keyward audit list --since 24h --as admin\nkeyward audit list --what login.refused --user alice --as admin\nkeyward audit list --json --as admin > log.jsonl",
				Flags: e.loginFlags(
					&cli.StringFlag{Name: "after", EnvVars: variable("after"), Usage: "only records after number `SEQ`", DefaultText: "all"},
					&cli.StringFlag{Name: "since", EnvVars: variable("since"), Usage: "only records of the last `TIME`: 24h, 7 or 7d, 2w, 1y"},
					&cli.StringFlag{Name: "user", Aliases: []string{"u"}, Usage: "only records by or about user `NAME`"},
					&cli.StringFlag{Name: "what", Usage: "only records of this `ACT`: " + strings.Join(actNames(), ", ") + "; or of a kind of them, as key"},
				),
				Action: e.auditList,
			},
			{
				Name: "verify", Usage: "check the whole log (administrator), or a file of it", ArgsUsage: "[FILE]",
				Description: "Checks every record: its place, its hash and its signature. Prints how many there are, and the hash of the last, the head. What was changed, left out or put elsewhere is found: exit code 11. " +
					"That the end was cut off, or all of it written anew with the audit key, is found only against a head that was saved where those who can write to the log cannot: --head must be in it. " +
					"The audit key is the one that --audit-key names, else the one that the registry tells, which is remembered when it is first seen, and a change is refused. " +
					"FILE is what `audit list --json` printed, from the first record on, - is stdin; it takes --audit-key, and no registry.",
				UsageText: "keyward audit verify --as admin\nkeyward audit verify --as admin --head sha256:5f0c... --audit-key audit-key.pub\nkeyward audit verify log.jsonl --audit-key audit-key.pub",
				Flags: e.loginFlags(
					&cli.StringSliceFlag{Name: "audit-key", EnvVars: variable("audit-public-key"), TakesFile: true, Usage: "the audit key's public key in PEM `FILE`, audit-key.pub of the data folder; repeatable, where it was replaced", DefaultText: "the one that the registry tells"},
					&cli.StringFlag{Name: "head", EnvVars: variable("head"), Usage: "the `HEAD` that an earlier audit verify printed: it must be in the log"},
				),
				Action: e.auditVerify,
			},
		},
	}
}

func (e *env) auditList(c *cli.Context) error {
	after, err := recordNumber(c.String("after"))
	if err != nil {
		return err
	}
	wanted, err := e.wantedRecords(c)
	if err != nil {
		return err
	}
	s, err := e.login(c)
	if err != nil {
		return err
	}
	defer s.end(c)
	out := bufio.NewWriter(e.stdout)
	var list recordList = newRecordTable(out)
	if e.json {
		list = recordLines{out}
	}
	for r, err := range s.records(c.Context, after) {
		if err == nil {
			err = addRecord(list, r, wanted)
		}
		if err != nil {
			_ = list.end()
			_ = out.Flush()
			return err
		}
	}
	return cmp.Or(list.end(), out.Flush())
}

func recordNumber(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fault.New(fault.Usage, "give the number of a record, as audit list prints it", "--after %q is no number", text)
	}
	return n, nil
}

// wantedRecords is what the flags ask for.
func (e *env) wantedRecords(c *cli.Context) (func(audit.Act) bool, error) {
	var since time.Time
	if text := c.String("since"); text != "" {
		span, err := parseSpan("since", text, e.now())
		if err != nil {
			return nil, err
		}
		since = e.now().Add(-span)
	}
	user, what := c.String("user"), c.String("what")
	if err := checkAct(what); err != nil {
		return nil, err
	}
	return func(a audit.Act) bool {
		return !a.Time.Before(since) &&
			(user == "" || a.By == user || a.User == user) &&
			(what == "" || a.What.Is(what))
	}, nil
}

// checkAct refuses the name of no act and of no kind of acts; "" is all of them.
func checkAct(name string) error {
	is := func(act audit.What) bool { return act.Is(name) }
	if name == "" || slices.ContainsFunc(audit.Acts(), is) {
		return nil
	}
	hint := "give one of " + strings.Join(actNames(), ", ")
	if near := nearest.Word(name, actNames()); near != "" {
		hint = "did you mean " + near + "?"
	}
	return fault.New(fault.Usage, hint, "--what %q is no act", name)
}

func actNames() (names []string) {
	for _, act := range audit.Acts() {
		names = append(names, string(act))
	}
	return names
}

// records are those of the registry's log after a number.
func (s *session) records(ctx context.Context, after int64) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for sent, err := range s.Audit(ctx, s.token, after) {
			var r audit.Record
			if err == nil {
				r, err = audit.NewRecord([]byte(sent.Line), sent.Signature)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

func addRecord(list recordList, r audit.Record, wanted func(audit.Act) bool) error {
	seq, _, act, err := audit.Parse(r.Line)
	if err != nil {
		return fault.New(fault.InvalidFile, "look with `keyward audit verify`", "the registry sent what is no audit record: %w", err)
	}
	if !wanted(act) {
		return nil
	}
	return list.add(seq, act, r)
}

// recordList is a layout of records, each written as it comes.
type recordList interface {
	add(seq int64, a audit.Act, r audit.Record) error
	end() error
}

// recordLines is the export: its bytes are those that were signed.
type recordLines struct{ out *bufio.Writer }

func (l recordLines) add(seq int64, _ audit.Act, r audit.Record) error {
	text := r.Export()
	if strings.ContainsFunc(string(text), func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fault.New(fault.InvalidFile, "look with `keyward audit verify`", "audit record %d has characters that keyward does not write", seq)
	}
	_, err := l.out.Write(append(text, '\n'))
	return err
}

func (l recordLines) end() error { return nil }

// recordTable is the layout for people, with common columns in a block as in keyTable.
type recordTable struct {
	*tabwriter.Writer
	rows int
}

func newRecordTable(out io.Writer) *recordTable {
	t := &recordTable{Writer: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	_, _ = fmt.Fprintln(t, "SEQ\tTIME\tWHAT\tBY\tWHOM\tKEY\tFROM\tCOUNT\tNOTE")
	return t
}

func (t *recordTable) add(seq int64, a audit.Act, _ audit.Record) error {
	cells := []string{
		strconv.FormatInt(seq, 10), a.Time.Format("2006-01-02T15:04:05Z"), string(a.What), a.By, cmp.Or(a.User, a.Account),
		shortFingerprint(a.Key), a.From, strconv.Itoa(max(1, a.Count)), a.Note,
	}
	for i, cell := range cells {
		cells[i] = printable(cmp.Or(cell, "-"))
	}
	_, err := fmt.Fprintln(t, strings.Join(cells, "\t"))
	if t.rows++; t.rows%tableBlock == 0 {
		err = cmp.Or(err, t.Flush())
	}
	return err
}

func (t *recordTable) end() error { return t.Flush() }

func (e *env) auditVerify(c *cli.Context) error {
	if c.NArg() > 1 {
		return fault.New(fault.Usage, "name one file, or none for the registry's log", "audit verify takes one FILE, and got %d", c.NArg())
	}
	saved, err := parseAuditHead(c.String("head"))
	if err != nil {
		return err
	}
	trusted, err := readAuditKeys(c.StringSlice("audit-key"))
	if err != nil {
		return err
	}
	if c.NArg() == 1 {
		return e.verifyFile(c.Args().First(), trusted, saved)
	}
	s, err := e.login(c)
	if err != nil {
		return err
	}
	defer s.end(c)
	if len(trusted) == 0 {
		key, err := e.auditKey(c, s)
		if err != nil {
			return err
		}
		trusted = []ed25519.PublicKey{key}
	}
	return e.verifyRecords(s.records(c.Context, 0), trusted, saved)
}

// parseAuditHead reads what audit verify printed; "" for none.
func parseAuditHead(text string) (string, error) {
	digits, ok := strings.CutPrefix(text, fingerprintPrefix)
	if text != "" && (!ok || len(digits) != 64 || strings.Trim(digits, "0123456789abcdef") != "") {
		return "", fault.New(fault.Usage, "give what an earlier audit verify printed, sha256: and 64 hex digits", "--head %.80q is no head", text)
	}
	return text, nil
}

const maxPublicKey = 4 << 10 // bytes

// readAuditKeys reads public keys as `serve` writes them beside the audit key.
func readAuditKeys(files []string) (all []ed25519.PublicKey, err error) {
	for _, file := range files {
		text, _, err := secretfile.Read(file, maxPublicKey)
		if err != nil {
			return nil, fault.New(kindOf(err), "give --audit-key the audit-key.pub of the registry's data folder", "the audit key: %w", err)
		}
		block, _ := pem.Decode(text)
		var key any
		if block != nil {
			key, err = x509.ParsePKIXPublicKey(block.Bytes)
		}
		public, ok := key.(ed25519.PublicKey)
		if err != nil || !ok {
			return nil, fault.New(fault.InvalidFile, "give --audit-key the audit-key.pub of the registry's data folder", "%s is no Ed25519 public key in PEM", file)
		}
		all = append(all, public)
	}
	return all, nil
}

// auditKey is the key that the registry tells, held against the one seen first.
func (e *env) auditKey(c *cli.Context, s *session) (ed25519.PublicKey, error) {
	key, err := s.AuditKey(c.Context, s.token)
	if err != nil {
		return nil, err
	}
	known, err := e.knownServers()
	if err != nil {
		return nil, err
	}
	host, err := s.server.host()
	if err != nil {
		return nil, err
	}
	text := base64.StdEncoding.EncodeToString(key)
	switch first := known.get(host, "audit"); first {
	case text:
		return key, nil
	case "":
		e.note("note: the audit key of %s is remembered as %s", host, text)
		return key, known.set(c.Context, host, "audit", text)
	default:
		return nil, fault.New(fault.NotTrusted,
			fmt.Sprintf("ask its administrator; if it was replaced, give the public keys of both with --audit-key, or delete the line `%s audit ...` from %s", host, known.path),
			"THE AUDIT KEY OF %s HAS CHANGED: it was %s and is now %s", host, printable(first), text)
	}
}

// verifyFile checks an export.
func (e *env) verifyFile(file string, trusted []ed25519.PublicKey, saved string) error {
	if len(trusted) == 0 {
		return fault.New(fault.Usage, "give --audit-key the audit-key.pub of the registry's data folder", "a file is checked with --audit-key, which is missing")
	}
	in := io.Reader(e.stdin)
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return fault.New(kindOf(err), "name what `keyward audit list --json` printed", "cannot read the log: %w", err)
		}
		defer func() { _ = opened.Close() }()
		in = opened
	}
	return e.verifyRecords(exported(in), trusted, saved)
}

// exported are the records of an export.
func exported(in io.Reader) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, audit.MaxExport+1)
		for n := 1; lines.Scan(); n++ {
			r, err := audit.ParseExport(lines.Bytes())
			if err != nil {
				err = fault.New(fault.KindOf(err), fault.HintOf(err), "line %d: %w", n, err)
			}
			if !yield(r, err) {
				return
			}
		}
		err := lines.Err()
		if errors.Is(err, bufio.ErrTooLong) {
			err = fault.New(fault.InvalidFile, "take the lines that `keyward audit list --json` printed", "a line is longer than any record")
		}
		if err != nil {
			yield(audit.Record{}, err)
		}
	}
}

// verifyRecords checks a whole log, and that it has the head that was saved.
func (e *env) verifyRecords(records iter.Seq2[audit.Record, error], trusted []ed25519.PublicKey, saved string) error {
	chain, found := audit.Chain{Keys: trusted}, saved == ""
	for r, err := range records {
		if err == nil {
			_, err = chain.Add(r)
		}
		if err != nil {
			return err
		}
		found = found || chain.Head().String() == saved
	}
	head := chain.Head()
	if !found {
		return fault.New(fault.InvalidFile, "its end was cut off, or it was exchanged: compare it with a backup",
			"the log has %d records that hold, and none of them has the hash %s", head.Seq, saved)
	}
	v := struct {
		Records int64  `json:"records"`
		Head    string `json:"head"`
	}{head.Seq, head.String()}
	return e.print(v, fmt.Sprintf("%d records hold, the head is %s\n", head.Seq, head))
}
