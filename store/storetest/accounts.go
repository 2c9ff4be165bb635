package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"keyward/bus"
	"keyward/fault"
	"keyward/store"
)

// account has something in each of its fields that a caller gives.
func account(name string) bus.Account {
	return bus.Account{
		Name: bus.Name(name),
		Roles: []bus.Role{
			{Kind: bus.Emitter, Name: "orders"},
			{Kind: bus.Service, Name: "echo", Subjects: []bus.Pattern{"echo.>", "tea.*"}, Stock: true},
		},
		Publish:    []bus.Pattern{"metrics." + bus.Pattern(name)},
		Subscribe:  []bus.Pattern{"news.>"},
		Identities: identities(name),
	}
}

func identities(name string) []string {
	return []string{"spiffe://example.org/bus/account/" + name, "spiffe://example.com/bus/account/" + name}
}

// bare has what an account must have.
func bare(name string) bus.Account {
	return bus.Account{Name: bus.Name(name), Identities: identities(name)[:1]}
}

func addAccount(t *testing.T, s store.Store, a bus.Account) bus.Account {
	t.Helper()
	added, err := s.AddAccount(t.Context(), a, act)
	must(t, err)
	return added
}

func oneAccount(t *testing.T, s store.Store, name string) bus.Account {
	t.Helper()
	a, err := s.Account(t.Context(), bus.Name(name))
	must(t, err)
	return a
}

// changes asks for the changes since a revision a few at a time, and gives their names.
func changes(t *testing.T, s store.Store, since int64) (names []bus.Name) {
	t.Helper()
	for {
		list, next, err := s.AccountChanges(t.Context(), since, 2)
		must(t, err)
		for _, a := range list {
			if int64(a.Revision) <= since {
				t.Fatalf("%s of revision %d comes after %d", a.Name, a.Revision, since)
			}
			since = int64(a.Revision)
			same(t, oneAccount(t, s, string(a.Name)), a)
			names = append(names, a.Name)
		}
		same(t, next, since)
		if len(list) == 0 {
			return names
		}
	}
}

func counter(t *testing.T, s store.Store) int {
	t.Helper()
	list, next, err := s.AccountChanges(t.Context(), math.MaxInt64, 1)
	must(t, err)
	same(t, list, []bus.Account{})
	return int(next)
}

func accounts(t *testing.T, s store.Store) {
	ctx := t.Context()
	same(t, counter(t, s), 0)
	same(t, changes(t, s, 0), []bus.Name(nil))
	_, err := s.Account(ctx, "ann")
	want(t, err, store.ErrNotFound)
	want(t, s.RevokeAccount(ctx, "ann", act), store.ErrNotFound)

	given := account("ann")
	given.Revision, given.State, given.NotBefore = 99, bus.Revoked, clock // ignored
	added := addAccount(t, s, given)
	expected := account("ann")
	expected.Revision, expected.State = 1, bus.Active
	same(t, added, expected)
	same(t, oneAccount(t, s, "ann"), added)
	same(t, counter(t, s), 1)

	empty := bare("Bob")
	empty.Roles, empty.Publish, empty.Subscribe = []bus.Role{}, []bus.Pattern{}, []bus.Pattern{}
	same(t, addAccount(t, s, empty), bus.Account{Name: "Bob", Identities: identities("Bob")[:1], State: bus.Active, Revision: 2})
	same(t, oneAccount(t, s, "Bob").Roles, []bus.Role(nil))

	next := added
	next.Roles, next.Subscribe = next.Roles[:1], nil
	next.NotBefore = clock // ignored
	updated, err := s.UpdateAccount(ctx, next, act)
	must(t, err)
	next.NotBefore, next.Revision = time.Time{}, 3
	same(t, updated, next)
	same(t, changes(t, s, 0), []bus.Name{"Bob", "ann"})
	same(t, changes(t, s, 2), []bus.Name{"ann"})

	must(t, s.RevokeAccount(ctx, "Bob", act))
	b := oneAccount(t, s, "Bob")
	same(t, []any{b.State, b.Revision, b.Identities}, []any{bus.Revoked, uint64(4), identities("Bob")[:1]})
	must(t, s.RevokeAccount(ctx, "Bob", act))
	same(t, counter(t, s), 5)
	same(t, changes(t, s, 3), []bus.Name{"Bob"})
}

func accountNames(t *testing.T, s store.Store) {
	ctx := t.Context()
	addAccount(t, s, bare("Ann"))
	addAccount(t, s, bare("bob"))
	must(t, s.RevokeAccount(ctx, "bob", act))
	before := records(t, s)
	for _, name := range []string{"Ann", "ann", "ANN", "BOB"} {
		_, err := s.AddAccount(ctx, bare(name), act)
		want(t, err, store.ErrExists)
	}
	for _, name := range []string{"ann", "Bob"} {
		a := bare(name)
		a.Revision = 1
		_, err := s.UpdateAccount(ctx, a, act)
		want(t, err, store.ErrNotFound)
		want(t, s.RevokeAccount(ctx, bus.Name(name), act), store.ErrNotFound)
		_, err = s.Account(ctx, bus.Name(name))
		want(t, err, store.ErrNotFound)
	}
	for _, name := range []string{"", "a.b", "a b", "ä", "a\x00", "*", ">", strings.Repeat("n", 65)} {
		_, err := s.AddAccount(ctx, bare(name), act)
		want(t, err, fault.Policy)
		if _, ok := errors.AsType[bus.Faults](err); !ok {
			t.Errorf("%q: no faults in %v", name, err)
		}
		_, err = s.Account(ctx, bus.Name(name))
		want(t, err, store.ErrNotFound)
		want(t, s.RevokeAccount(ctx, bus.Name(name), act), store.ErrNotFound)
	}
	same(t, records(t, s), before)
	same(t, counter(t, s), 3)
}

// accountAgain makes a revoked account again: the certificates of the first stay shut out.
func accountAgain(t *testing.T, s store.Store) {
	ctx := t.Context()
	first := addAccount(t, s, account("ann"))
	must(t, s.RevokeAccount(ctx, "ann", act))
	_, err := s.UpdateAccount(ctx, first, act)
	want(t, err, store.ErrChanged)
	_, err = s.UpdateAccount(ctx, oneAccount(t, s, "ann"), act)
	want(t, err, store.ErrRevoked)

	again := addAccount(t, s, bare("ann"))
	expected := bare("ann")
	expected.State, expected.Revision, expected.NotBefore = bus.Active, 3, clock.Truncate(time.Second).Add(time.Second)
	same(t, again, expected)
	same(t, oneAccount(t, s, "ann"), expected)

	again.Publish = []bus.Pattern{"news.ann"}
	updated, err := s.UpdateAccount(ctx, again, act)
	must(t, err)
	same(t, updated.NotBefore, expected.NotBefore)

	must(t, s.RevokeAccount(ctx, "ann", act))
	onTheSecond := act
	onTheSecond.Time = clock.Truncate(time.Second)
	third, err := s.AddAccount(ctx, bare("ann"), onTheSecond)
	must(t, err)
	same(t, third.NotBefore, onTheSecond.Time)
}

func accountLimits(t *testing.T, s store.Store) {
	ctx := t.Context()
	large := bare("ann")
	for n := range bus.MaxRoles {
		role := bus.Role{Kind: bus.Consumer, Name: bus.Name(fmt.Sprint("role", n))}
		for p := range bus.MaxPatterns {
			role.Subjects = append(role.Subjects, bus.Pattern(fmt.Sprintf("a%d.b%d.%s", n, p, strings.Repeat("x", 200))))
		}
		large.Roles = append(large.Roles, role)
	}
	_, err := s.AddAccount(ctx, large, act)
	want(t, err, fault.Policy)
	large.Roles = large.Roles[:4]
	added := addAccount(t, s, large)
	same(t, added.Roles, large.Roles)
	wrong := added
	wrong.Publish = []bus.Pattern{"_INBOX.>", ">"}
	_, err = s.UpdateAccount(ctx, wrong, act)
	want(t, err, fault.Policy)
	if faults, _ := errors.AsType[bus.Faults](err); len(faults) != 2 {
		t.Errorf("%d faults, want 2: %v", len(faults), err)
	}
	same(t, oneAccount(t, s, "ann"), added)
	same(t, counter(t, s), 1)
}

// accountOrder lists accounts by name, in pages.
func accountOrder(t *testing.T, s store.Store) {
	names := []string{"-", "9", "B", "Z", "_", "a", "a-b", "aa"}
	for _, n := range []int{3, 7, 0, 5, 1, 6, 2, 4} {
		addAccount(t, s, bare(names[n]))
	}
	must(t, s.RevokeAccount(t.Context(), "a", act))
	for _, limit := range []int{1, 3, 8, 100} {
		var got []string
		for after := bus.Name(""); ; {
			page, err := s.Accounts(t.Context(), after, limit)
			must(t, err)
			if page == nil || len(page) > limit {
				t.Fatalf("%d accounts, at most %d", len(page), limit)
			}
			for _, a := range page {
				got, after = append(got, string(a.Name)), a.Name
			}
			if len(page) < limit {
				break
			}
		}
		same(t, got, names)
	}
	none, err := s.Accounts(t.Context(), "", 0)
	must(t, err)
	same(t, none, []bus.Account{})
}

// racingUpdates has many update the same revision: one wins.
func racingUpdates(t *testing.T, s store.Store) {
	ctx := t.Context()
	first := addAccount(t, s, bare("ann"))
	for _, wins := range []func(n int) error{
		func(n int) error {
			a := first
			a.Publish = []bus.Pattern{bus.Pattern(fmt.Sprint("news.n", n))}
			_, err := s.UpdateAccount(ctx, a, act)
			if errors.Is(err, store.ErrChanged) {
				return store.ErrExists
			}
			return err
		},
		func(n int) error {
			_, err := s.AddAccount(ctx, bare([]string{"bob", "Bob", "BOB"}[n%3]), act)
			return err
		},
	} {
		if winner := oneWins(t, wins); winner < 0 {
			t.Fatal("nobody won")
		}
	}
	same(t, counter(t, s), 3)
	same(t, len(records(t, s)), 3)
}

// followedChanges has many changes at once while somebody follows: each is seen, in its order and without a gap.
func followedChanges(t *testing.T, s store.Store) { FollowChanges(t, s, s) }

// FollowChanges adds accounts to an empty store, through each of several that share its database, and wants one who follows
// the first to see them all in the order of their revisions: none appears behind another that was seen before.
func FollowChanges(t *testing.T, stores ...store.Store) {
	t.Helper()
	const changes = 300
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	followed := make(chan error, 1)
	go func() { followed <- followTo(ctx, stores[0], changes) }()
	together(t, changes, func(n int) error {
		_, err := stores[n%len(stores)].AddAccount(ctx, bare(fmt.Sprint("account", n)), act)
		return err
	})
	must(t, <-followed)
}

// followTo asks for changes until the counter is there.
func followTo(ctx context.Context, s store.Store, counter int64) error {
	for since := int64(0); since < counter; {
		list, next, err := s.AccountChanges(ctx, since, 7)
		if err != nil {
			return err
		}
		for _, a := range list {
			if since++; int64(a.Revision) != since {
				return fmt.Errorf("revision %d comes where %d should", a.Revision, since)
			}
		}
		if next != since {
			return fmt.Errorf("the next is %d, and the last was %d", next, since)
		}
	}
	return nil
}

// copyAccounts fills an empty store: the revisions are new, and none that the other store may have given since.
func copyAccounts(t *testing.T, from, to store.Store) {
	ctx := t.Context()
	fill(t, from)
	must(t, to.Import(ctx, from.Export(ctx), restored))
	last := clock.UnixMicro()
	for n, name := range []string{"Mail", "shop", "till"} {
		a, b := oneAccount(t, from, name), oneAccount(t, to, name)
		same(t, b.Revision, uint64(last)+uint64(n)+1)
		a.Revision = b.Revision
		same(t, b, a)
	}
	same(t, changes(t, to, int64(counter(t, from))), []bus.Name{"Mail", "shop", "till"})
	_, err := to.AddAccount(ctx, bare("SHOP"), act)
	want(t, err, store.ErrExists)
	same(t, addAccount(t, to, bare("new")).Revision, uint64(last)+4)

	ann := store.Row{Account: &bus.Account{Name: "ann", State: bus.Active, Revision: 7}}
	another := store.Row{Account: &bus.Account{Name: "Ann", State: bus.Active, Revision: 8}}
	for _, rows := range [][]store.Row{{ann, ann}, {another, ann}} {
		want(t, to.Import(ctx, each(rows), restored), fault.InvalidFile)
	}
	same(t, changes(t, to, last), []bus.Name{"Mail", "shop", "till", "new"})
}

// restoreAccounts restores an old state: the counter goes on, each account is seen to change, and those that came since are revoked.
func restoreAccounts(t *testing.T, s, _ store.Store) {
	ctx := t.Context()
	kept, changed := addAccount(t, s, account("kept")), addAccount(t, s, account("changed"))
	addAccount(t, s, bare("revoked"))
	old := export(t, s)
	next := changed
	next.Roles = nil
	_, err := s.UpdateAccount(ctx, next, act)
	must(t, err)
	must(t, s.RevokeAccount(ctx, "revoked", act))
	addAccount(t, s, bare("since"))
	addAccount(t, s, bare("another"))
	before := counter(t, s)

	must(t, s.Import(ctx, each(old), restored))
	same(t, changes(t, s, int64(before)), []bus.Name{"changed", "kept", "revoked", "since", "another"})
	for _, was := range []bus.Account{kept, changed} {
		is := oneAccount(t, s, string(was.Name))
		was.Revision = is.Revision
		same(t, is, was)
	}
	same(t, oneAccount(t, s, "revoked").State, bus.Active)
	same(t, oneAccount(t, s, "since").State, bus.Revoked)
	_, err = s.UpdateAccount(ctx, kept, act)
	want(t, err, store.ErrChanged)

	// A second time, with a clock that stands still.
	before = counter(t, s)
	must(t, s.Import(ctx, each(old), restored))
	same(t, changes(t, s, int64(before)), []bus.Name{"changed", "kept", "revoked", "since", "another"})
	same(t, addAccount(t, s, bare("since")).NotBefore.IsZero(), false)

	// However often: the counter goes on by the number of accounts.
	before = counter(t, s)
	for n := range 20 {
		must(t, s.Import(ctx, each(old), restored))
		same(t, counter(t, s), before+5*(n+1))
	}
}
