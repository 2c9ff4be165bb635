package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"keyward/fault"
	"keyward/store"
	"keyward/store/audit"
)

// copies checks Export and Import, which need a second store.
func copies(t *testing.T, open func(t *testing.T) store.Store) {
	for _, check := range []struct {
		name string
		run  func(t *testing.T, from, to store.Store)
	}{
		{"Copy", copyAll},
		{"CopyReplaces", copyReplaces},
		{"ExportWhileWriting", exportWhileWriting},
		{"ExportEnds", exportEnds},
		{"LogGoesOn", logGoesOn},
		{"TwoLogs", twoLogs},
		{"FailingRows", failingRows},
		{"ImportCancelled", importCancelled},
		{"ImportWhileWriting", importWhileWriting},
		{"CopyAccounts", copyAccounts},
		{"RestoreAccounts", restoreAccounts},
	} {
		t.Run(check.name, func(t *testing.T) { check.run(t, open(t), open(t)) })
	}
}

// fill puts something of everything into a store.
func fill(t *testing.T, s store.Store) {
	t.Helper()
	ctx := t.Context()
	must(t, s.AddUser(ctx, store.User{Name: "root", Admin: true, Password: "hash", Created: clock}, act))
	addUsers(t, s, "ann", "Bob", "ann.b")
	addLoginKey(t, s, "ann", "Bob")
	for n := range 120 {
		if n%60 == 0 {
			addUsers(t, s, fmt.Sprint("many", n))
		}
		k := key(fmt.Sprint("many", n-n%60), n, clock.Add(time.Duration(n%7)*time.Microsecond))
		if n%3 == 0 {
			k.Labels, k.Expires, k.Description = []string{"ci", "host=web1"}, clock.Add(time.Hour), "é <&>"
		}
		must(t, s.AddKey(ctx, k, act))
	}
	l := login(1)
	l.At, l.From = clock, "192.0.2.1"
	must(t, s.AddLogin(ctx, l, keyToken("ann", 1)))
	must(t, s.AddToken(ctx, token("Bob", 2)))
	must(t, s.AddFailure(ctx, clock, "192.0.2.9"))
	must(t, s.SetServerKeys(ctx, nil, []store.ServerKey{
		{Public: number(2), Since: clock.Add(time.Hour)},
		{Public: number(1), Since: clock, Until: clock.Add(2 * time.Hour)},
	}, act))
	for _, name := range []string{"shop", "Mail", "till"} {
		addAccount(t, s, account(name))
	}
	must(t, s.RevokeAccount(ctx, "till", act))
	must(t, s.RevokeAccount(ctx, "shop", act))
	addAccount(t, s, account("shop"))
}

// unnumbered are rows without what an import numbers anew.
func unnumbered(rows []store.Row) []store.Row {
	rows = slices.Clone(rows)
	for i, row := range rows {
		if row.Account != nil {
			a := *row.Account
			a.Revision = 0
			rows[i].Account = &a
		}
	}
	return rows
}

func export(t *testing.T, s store.Store) (rows []store.Row) {
	t.Helper()
	for row, err := range s.Export(t.Context()) {
		must(t, err)
		rows = append(rows, row)
	}
	return rows
}

func each(rows []store.Row) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

var restored = Act(audit.Restored)

// withoutLast drops the record of the import itself.
func withoutLast(t *testing.T, rows []store.Row) []store.Row {
	t.Helper()
	last := rows[len(rows)-1].Audit
	if last == nil {
		t.Fatal("the last row is no record")
	}
	_, _, done, err := audit.Parse(last.Line)
	must(t, err)
	same(t, done.What, audit.Restored)
	return rows[:len(rows)-1]
}

func copyAll(t *testing.T, from, to store.Store) {
	ctx := t.Context()
	same(t, export(t, to), []store.Row(nil))
	fill(t, from)
	must(t, to.Import(ctx, from.Export(ctx), restored))
	same(t, unnumbered(withoutLast(t, export(t, to))), unnumbered(export(t, from)))
	same(t, collect(t, to), collect(t, from))
	records(t, to)

	// Tokens stay behind, used logins come along.
	for n := 1; n <= 2; n++ {
		_, _, err := to.Token(ctx, number(n))
		want(t, err, store.ErrNotFound)
		_, _, err = from.Token(ctx, number(n))
		must(t, err)
	}
	want(t, to.AddLogin(ctx, login(1), keyToken("ann", 3)), store.ErrExists)
	must(t, to.AddLogin(ctx, login(4), keyToken("ann", 4)))

	// Nothing keeps the copy from being copied.
	must(t, to.Import(ctx, each(export(t, to)), restored))
	_, _, err := to.Token(ctx, number(4))
	want(t, err, store.ErrNotFound)
	want(t, to.AddLogin(ctx, login(4), keyToken("ann", 5)), store.ErrExists)
}

func copyReplaces(t *testing.T, from, to store.Store) {
	ctx := t.Context()
	addUsers(t, to, "ann", "gone")
	addLoginKey(t, to, "ann", "gone")
	must(t, to.AddLogin(ctx, login(9), keyToken("gone", 9)))
	must(t, to.AddFailure(ctx, clock, "a"))
	must(t, to.SetServerKeys(ctx, nil, []store.ServerKey{{Public: number(7), Since: clock}}, act))
	same(t, len(listKeys(t, to, "gone")), 1)
	_, err := to.Keys(ctx, "many0")
	want(t, err, store.ErrNotFound)

	// The copy has the log of the other store, else the import is refused.
	must(t, from.Import(ctx, to.Export(ctx), restored))
	must(t, from.DeleteUser(ctx, "gone", act))
	addUsers(t, from, "many0")
	must(t, from.AddKey(ctx, key("many0", 1, clock), act))

	must(t, to.Import(ctx, from.Export(ctx), restored))
	same(t, unnumbered(withoutLast(t, export(t, to))), unnumbered(export(t, from)))
	same(t, listUsers(t, to), []string{"ann", "many0"})
	_, err = to.Keys(ctx, "gone")
	want(t, err, store.ErrNotFound)
	same(t, len(listKeys(t, to, "many0")), 1)
	_, _, err = to.Token(ctx, number(9))
	want(t, err, store.ErrNotFound)
	list, err := to.Failures(ctx, "a")
	must(t, err)
	same(t, list[0].Count, 0)
	addUsers(t, to, "gone")
	addLoginKey(t, to, "gone")
	want(t, to.AddLogin(ctx, login(9), keyToken("gone", 10)), store.ErrExists)
}

// exportWhileWriting changes a store inside its export, which shows nothing of it.
func exportWhileWriting(t *testing.T, from, _ store.Store) {
	ctx := t.Context()
	fill(t, from)
	before := export(t, from)
	var rows []store.Row
	for row, err := range from.Export(ctx) {
		must(t, err)
		rows = append(rows, row)
		if n := len(rows); n%50 == 1 {
			name := fmt.Sprint("new", n)
			addUsers(t, from, name)
			must(t, from.AddKey(ctx, key(name, n, clock), act))
			must(t, from.DeleteUser(ctx, name, act))
			must(t, from.SetPassword(ctx, "ann", name, act))
			must(t, from.AddLogin(ctx, login(1000+n), keyToken("ann", 1000+n)))
		}
	}
	same(t, rows, before)
}

func exportEnds(t *testing.T, from, _ store.Store) {
	fill(t, from)
	for _, err := range from.Export(t.Context()) {
		must(t, err)
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen, last := 0, error(nil)
	for _, err := range from.Export(ctx) {
		if last != nil {
			t.Fatal("the export goes on after an error")
		}
		last = err
		seen++
		cancel()
	}
	want(t, last, context.Canceled)
	if all := len(export(t, from)); seen >= all {
		t.Fatalf("%d of %d rows came after their context ended", seen, all)
	}
}

// logGoesOn restores an old state: the log tells of what came after it all the same.
func logGoesOn(t *testing.T, from, to store.Store) {
	ctx := t.Context()
	addUsers(t, from, "ann")
	addLoginKey(t, from, "ann")
	old := export(t, from)
	must(t, from.AddLogin(ctx, login(1), keyToken("ann", 1)))
	must(t, from.DeleteUser(ctx, "ann", act))
	must(t, from.Note(ctx, Act("later")))
	later := export(t, from)

	must(t, from.Import(ctx, each(old), restored))
	same(t, listUsers(t, from), []string{"ann"})
	want(t, from.AddLogin(ctx, login(1), keyToken("ann", 2)), store.ErrExists) // used since
	acts := records(t, from)
	same(t, []audit.What{acts[3].What, acts[4].What}, []audit.What{"later", audit.Restored})
	same(t, len(acts), 5)

	// A store whose log is the beginning of the one that comes takes the rest.
	must(t, to.Import(ctx, each(old[:2]), restored)) // without records
	want(t, to.Import(ctx, each(old), restored), fault.Policy)
	must(t, from.Import(ctx, each(later), restored))
	same(t, len(records(t, from)), 6)
	same(t, listUsers(t, from), []string(nil))
}

func twoLogs(t *testing.T, from, to store.Store) {
	ctx := t.Context()
	fill(t, from)
	must(t, to.AddUser(ctx, store.User{Name: "own", Created: clock}, Act("another log")))
	must(t, to.AddToken(ctx, token("own", 77)))
	before := export(t, to)
	want(t, to.Import(ctx, from.Export(ctx), restored), fault.Policy)
	same(t, export(t, to), before)
	_, _, err := to.Token(ctx, number(77))
	must(t, err)
}

// failingRows sees that rows that fail, wherever they do, change nothing.
func failingRows(t *testing.T, from, to store.Store) {
	ctx := t.Context()
	fill(t, from)
	rows := export(t, from)
	must(t, to.Import(ctx, each(rows), restored))
	must(t, to.AddLogin(ctx, login(5), keyToken("ann", 5)))
	same(t, len(listKeys(t, to, "ann")), 1)
	before := export(t, to)
	broken := errors.New("broken")
	failing := func(after int) iter.Seq2[store.Row, error] {
		return func(yield func(store.Row, error) bool) {
			for _, row := range rows[:after] {
				if !yield(row, nil) {
					return
				}
			}
			yield(store.Row{}, broken)
		}
	}
	firstKey := slices.IndexFunc(rows, func(r store.Row) bool { return r.Key != nil })
	firstRecord := slices.IndexFunc(rows, func(r store.Row) bool { return r.Audit != nil })
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for name, try := range map[string]func() error{
		"at once":          func() error { return to.Import(ctx, failing(0), restored) },
		"in the middle":    func() error { return to.Import(ctx, failing(firstKey+5), restored) },
		"at the end":       func() error { return to.Import(ctx, failing(len(rows)), restored) },
		"a user twice":     func() error { return to.Import(ctx, each([]store.Row{rows[0], rows[0]}), restored) },
		"a key of nobody":  func() error { return to.Import(ctx, each(rows[firstKey:]), restored) },
		"a gap in the log": func() error { return to.Import(ctx, each(rows[firstRecord+1:]), restored) },
		"cancelled":        func() error { return to.Import(cancelled, each(rows), restored) },
	} {
		if err := try(); err == nil {
			t.Fatalf("%s: the import went well", name)
		}
		same(t, export(t, to), before)
		same(t, len(listKeys(t, to, "ann")), 1)
		if _, _, err := to.Token(ctx, number(5)); err != nil {
			t.Fatalf("%s: a token is gone: %v", name, err)
		}
	}
	want(t, to.Import(ctx, failing(3), restored), broken)
}

// importWhileWriting has changes around an import: each is before it, and gone, or after it, and there.
func importWhileWriting(t *testing.T, from, _ store.Store) {
	ctx := t.Context()
	addUsers(t, from, "ann")
	rows := export(t, from)
	together(t, 200, func(n int) error {
		if n == 100 {
			return from.Import(ctx, each(rows), restored)
		}
		return from.AddUser(ctx, store.User{Name: fmt.Sprint("user", n), Created: clock}, Act(audit.What(fmt.Sprint("user", n))))
	})
	acts := records(t, from)
	same(t, len(acts), 201)
	at := slices.IndexFunc(acts, func(a audit.Act) bool { return a.What == audit.Restored })
	there := []string{"ann"}
	for _, a := range acts[at+1:] {
		there = append(there, string(a.What))
	}
	slices.Sort(there)
	same(t, listUsers(t, from), there)
}

// importCancelled sees that the end of the caller's context ends an import, which then changed nothing.
func importCancelled(t *testing.T, from, to store.Store) {
	fill(t, from)
	addUsers(t, to, "Zoe")
	before := export(t, to)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan struct{})
	err := to.Import(ctx, func(yield func(store.Row, error) bool) {
		defer close(ended)
		more := true
		for row, err := range from.Export(t.Context()) {
			more = more && yield(row, err)
			cancel()
		}
		if more {
			t.Error("it took all rows")
		}
	}, restored)
	want(t, err, context.Canceled)
	<-ended
	must(t, to.Note(t.Context(), act))
	if after := export(t, to); len(after) != len(before)+1 {
		t.Errorf("%d rows became %d", len(before), len(after))
	}
}
