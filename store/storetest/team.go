package storetest

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"keyward/bus"
	"keyward/fault"
	"keyward/store"
	"keyward/store/audit"
)

// records reads the whole audit log and checks its chain.
func records(t *testing.T, s store.Store) (acts []audit.Act) {
	t.Helper()
	chain := audit.Chain{Keys: []ed25519.PublicKey{Signer().Public()}}
	for r, err := range s.Audit(t.Context(), 0) {
		must(t, err)
		a, err := chain.Add(r)
		must(t, err)
		acts = append(acts, a)
	}
	return acts
}

// auditLog sees that each change leaves its record and what changes nothing leaves none.
func auditLog(t *testing.T, s store.Store) {
	ctx := t.Context()
	var done []audit.Act
	do := func(what audit.What, change func(audit.Act) error, answer error) {
		t.Helper()
		a := Act(what)
		a.User, a.Key, a.Account, a.Count, a.Note = "ann", "sha256:00", "shop", 3, "with <&> and é"
		want(t, change(a), answer)
		if answer == nil {
			done = append(done, a)
		}
		same(t, records(t, s), done)
	}
	do("none", func(a audit.Act) error { return s.DeleteUser(ctx, "ann", a) }, store.ErrNotFound)
	for _, answer := range []error{nil, store.ErrExists} {
		do("user", func(a audit.Act) error { return s.AddUser(ctx, store.User{Name: "ann", Created: clock}, a) }, answer)
	}
	for _, answer := range []error{nil, store.ErrExists} {
		do("key", func(a audit.Act) error { return s.AddKey(ctx, key("ann", 1, clock), a) }, answer)
	}
	do("password", func(a audit.Act) error { return s.SetPassword(ctx, "ann", "new", a) }, nil)
	fingerprint := key("ann", 1, clock).Public.Fingerprint()
	do("expiry", func(a audit.Act) error { return s.ExpireKey(ctx, "ann", fingerprint, clock, a) }, nil)
	for _, answer := range []error{nil, store.ErrNotFound} {
		do("delete key", func(a audit.Act) error { return s.DeleteKey(ctx, "ann", fingerprint, a) }, answer)
	}
	do("expiry", func(a audit.Act) error { return s.ExpireKey(ctx, "ann", fingerprint, clock, a) }, store.ErrNotFound)
	server := []store.ServerKey{{Public: number(1), Since: clock}}
	for _, answer := range []error{nil, store.ErrExists} {
		do("server key", func(a audit.Act) error { return s.SetServerKeys(ctx, nil, server, a) }, answer)
	}
	for _, answer := range []error{nil, store.ErrExists} {
		do("add account", func(a audit.Act) error { return second(s.AddAccount(ctx, account("shop"), a)) }, answer)
	}
	do("add account", func(a audit.Act) error { return second(s.AddAccount(ctx, account("a.b"), a)) }, fault.Policy)
	next := account("shop")
	next.Revision = 1
	for _, answer := range []error{nil, store.ErrChanged} {
		do("update account", func(a audit.Act) error { return second(s.UpdateAccount(ctx, next, a)) }, answer)
	}
	do("revoke account", func(a audit.Act) error { return s.RevokeAccount(ctx, "shop", a) }, nil)
	do("revoke account", func(a audit.Act) error { return s.RevokeAccount(ctx, "till", a) }, store.ErrNotFound)
	do("note", func(a audit.Act) error { return s.Note(ctx, a) }, nil)
	do("delete user", func(a audit.Act) error { return s.DeleteUser(ctx, "ann", a) }, nil)

	n := 0
	for _, err := range s.Audit(ctx, int64(len(done)-2)) {
		must(t, err)
		n++
	}
	same(t, n, 2)
}

func second(_ bus.Account, err error) error { return err }

// racingRecords has many changes at once: one chain without a gap.
func racingRecords(t *testing.T, s store.Store) {
	const changes = 1200
	together(t, changes, func(n int) error {
		a := Act("note")
		a.Note = fmt.Sprint(n)
		return s.Note(t.Context(), a)
	})
	seen := map[string]bool{}
	for _, a := range records(t, s) {
		seen[a.Note] = true
	}
	same(t, len(seen), changes)
}

func keyLife(t *testing.T, s store.Store) {
	ctx := t.Context()
	addUsers(t, s, "ann", "bob")
	k := key("ann", 1, clock)
	k.Labels, k.Expires = []string{"ci", "host=web1"}, clock.Add(time.Hour)
	must(t, s.AddKey(ctx, k, act))
	must(t, s.AddKey(ctx, key("bob", 1, clock), act))
	same(t, listKeys(t, s, "ann"), []store.Key{k})
	same(t, collect(t, s), []store.Key{k, key("bob", 1, clock)})

	fingerprint := k.Public.Fingerprint()
	for _, at := range []time.Time{clock.Add(-time.Hour), {}, clock.AddDate(100, 0, 0)} {
		must(t, s.ExpireKey(ctx, "ann", fingerprint, at, act))
		k.Expires = at
		same(t, listKeys(t, s, "ann"), []store.Key{k})
	}
	want(t, s.ExpireKey(ctx, "nobody", fingerprint, clock, act), store.ErrNotFound)

	bad := key("ann", 2, clock)
	for _, labels := range [][]string{{"b", "a"}, {"a", "a"}, {"two words"}, {""}, {"\x00"}, {strings.Repeat("x", 65)}} {
		bad.Labels = labels
		want(t, s.AddKey(ctx, bad, act), fault.Policy)
	}
	same(t, len(listKeys(t, s, "ann")), 1)
}

// lastUse has the key of a login tell when and whence it was used, to the minute.
func lastUse(t *testing.T, s store.Store) {
	ctx := t.Context()
	addUsers(t, s, "ann", "bob")
	addLoginKey(t, s, "ann", "bob")
	for n, c := range []struct {
		at, kept time.Duration
		from     string
	}{
		{0, 0, "192.0.2.1"},
		{30 * time.Second, 0, "192.0.2.1"},
		{45 * time.Second, 45 * time.Second, "192.0.2.2"},
		{time.Hour, time.Hour, "192.0.2.2"},
	} {
		l := login(n)
		l.At, l.From = clock.Add(c.at), c.from
		must(t, s.AddLogin(ctx, l, keyToken("ann", n)))
		k := listKeys(t, s, "ann")[0]
		if k.LastFrom != c.from || k.LastUsed.Before(clock.Add(c.kept)) || k.LastUsed.After(l.At) {
			t.Fatalf("login %d: last used %s from %s", n, k.LastUsed, k.LastFrom)
		}
	}
	if k := listKeys(t, s, "bob")[0]; !k.LastUsed.IsZero() || k.LastFrom != "" {
		t.Fatalf("another's key: last used %s from %q", k.LastUsed, k.LastFrom)
	}
}

// tokensOfKeys sees that the tokens of a key end with it, and no others.
func tokensOfKeys(t *testing.T, s store.Store) {
	ctx := t.Context()
	addUsers(t, s, "ann")
	addLoginKey(t, s, "ann")
	must(t, s.AddKey(ctx, key("ann", 1, clock), act))
	must(t, s.AddLogin(ctx, login(1), keyToken("ann", 1)))
	must(t, s.AddToken(ctx, token("ann", 2)))
	other := token("ann", 3)
	other.Key = key("ann", 1, clock).Public.Fingerprint()
	must(t, s.AddLogin(ctx, login(3), other))

	got, _, err := s.Token(ctx, number(1))
	must(t, err)
	same(t, got, keyToken("ann", 1))
	must(t, s.DeleteKey(ctx, "ann", got.Key, act))
	want(t, s.DeleteToken(ctx, got.Hash), store.ErrNotFound)
	_, _, err = s.Token(ctx, number(1))
	want(t, err, store.ErrNotFound)
	for _, n := range []int{2, 3} {
		_, _, err = s.Token(ctx, number(n))
		must(t, err)
	}
	want(t, s.AddLogin(ctx, login(4), keyToken("ann", 4)), store.ErrNotFound)
	addLoginKey(t, s, "ann")
	_, _, err = s.Token(ctx, number(1))
	want(t, err, store.ErrNotFound)
	must(t, s.AddLogin(ctx, login(4), keyToken("ann", 4)))
	_, _, err = s.Token(ctx, number(4))
	must(t, err)
}

// tokensOfExpired has a token end with its key, where the key ends earlier.
func tokensOfExpired(t *testing.T, s store.Store) {
	ctx := t.Context()
	addUsers(t, s, "ann")
	addLoginKey(t, s, "ann")
	tok := keyToken("ann", 1)
	must(t, s.AddLogin(ctx, login(1), tok))
	for at, ends := range map[time.Time]time.Time{
		{}:                            tok.Expires,
		tok.Expires.Add(time.Second):  tok.Expires,
		tok.Expires.Add(-time.Second): tok.Expires.Add(-time.Second),
	} {
		must(t, s.ExpireKey(ctx, "ann", tok.Key, at, act))
		got, _, err := s.Token(ctx, tok.Hash)
		must(t, err)
		same(t, got.Expires, ends)
	}
}

// mostKeys has more keys added at once than a user may have.
func mostKeys(t *testing.T, s store.Store) {
	addUsers(t, s, "ann", "bob")
	together(t, store.MaxKeys+50, func(n int) error {
		err := s.AddKey(t.Context(), key("ann", n, clock), act)
		if errors.Is(err, store.ErrFull) {
			return nil
		}
		return err
	})
	list := listKeys(t, s, "ann")
	same(t, len(list), store.MaxKeys)
	want(t, s.AddKey(t.Context(), key("ann", 1000, clock), act), store.ErrFull)
	want(t, s.AddKey(t.Context(), list[0], act), store.ErrExists)
	must(t, s.AddKey(t.Context(), key("bob", 1000, clock), act))
	must(t, s.DeleteKey(t.Context(), "ann", list[0].Public.Fingerprint(), act))
	must(t, s.AddKey(t.Context(), key("ann", 1000, clock), act))
}

// lastAdmin has all administrators deleted at once: one stays.
func lastAdmin(t *testing.T, s store.Store) {
	ctx := t.Context()
	var names []string
	for n := range 20 {
		names = append(names, fmt.Sprint("admin", n))
		must(t, s.AddUser(ctx, store.User{Name: names[n], Admin: true, Created: clock}, act))
	}
	addUsers(t, s, "ann")
	together(t, len(names), func(n int) error {
		if err := s.DeleteUser(ctx, names[n], act); !errors.Is(err, store.ErrLastAdmin) {
			return err
		}
		return nil
	})
	users := listUsers(t, s)
	same(t, len(users), 2)
	must(t, s.DeleteUser(ctx, "ann", act))
	want(t, s.DeleteUser(ctx, users[0], act), store.ErrLastAdmin)
}

func pruneKeys(t *testing.T, s store.Store) {
	ctx := t.Context()
	gone, err := s.PruneKeys(ctx, clock, Act("prune"))
	must(t, err)
	same(t, gone, []store.Key{})
	users := addMany(t, s, 14)
	var old []store.Key
	together(t, 14*90, func(n int) error {
		k := key(users[n/90], n, clock)
		switch n % 3 {
		case 0:
			k.Expires = clock.Add(-time.Minute)
		case 1:
			k.Expires = clock
		}
		return s.AddKey(ctx, k, act)
	})
	for n := 0; n < 14*90; n += 3 {
		k := key(users[n/90], n, clock)
		k.Expires = clock.Add(-time.Minute)
		old = append(old, k)
	}
	before := len(records(t, s))
	gone, err = s.PruneKeys(ctx, clock, Act("prune"))
	must(t, err)
	if len(gone) != len(old) {
		t.Fatalf("%d keys are gone, want %d", len(gone), len(old))
	}
	for _, k := range old {
		if !contains(gone, k) {
			t.Fatalf("key %s of %s is not told to be gone", k.Public.Fingerprint(), k.User)
		}
	}
	same(t, len(collect(t, s)), 14*90-len(old))
	if acts := records(t, s)[before:]; len(acts) != len(old) || acts[0].What != "prune" || acts[0].Key == "" || acts[0].User == "" {
		t.Fatalf("%d records of %d keys, the first %v", len(acts), len(old), acts[:1])
	}
}

func serverKeys(t *testing.T, s store.Store) {
	ctx := t.Context()
	list, err := s.ServerKeys(ctx)
	must(t, err)
	same(t, list, []store.ServerKey{})
	first := []store.ServerKey{{Public: number(1), Since: clock}}
	second := []store.ServerKey{
		{Public: number(2), Since: clock.Add(time.Hour)},
		{Public: number(1), Since: clock, Until: clock.Add(2 * time.Hour)},
	}
	must(t, s.SetServerKeys(ctx, list, first, act))
	want(t, s.SetServerKeys(ctx, list, second, act), store.ErrExists)
	winner := oneWins(t, func(int) error { return s.SetServerKeys(ctx, first, second, act) })
	if winner < 0 {
		t.Fatal("nobody replaced the keys")
	}
	list, err = s.ServerKeys(ctx)
	must(t, err)
	same(t, list, second)
}

func failures(t *testing.T, s store.Store) {
	ctx := t.Context()
	counts := func(wanted ...int) {
		t.Helper()
		list, err := s.Failures(ctx, "a", "b", "c")
		must(t, err)
		for i, f := range list {
			same(t, f.Count, wanted[i])
		}
	}
	counts(0, 0, 0)
	together(t, 40, func(n int) error { return s.AddFailure(ctx, clock, []string{"a", "b"}[:1+n%2]...) })
	counts(40, 20, 0)
	must(t, s.ForgetFailures(ctx, "b", "c"))
	must(t, s.AddFailure(ctx, clock.Add(time.Minute), "c"))
	counts(40, 0, 1)
	list, err := s.Failures(ctx, "c")
	must(t, err)
	same(t, list, []store.Failure{{Count: 1, Last: clock.Add(time.Minute)}})

	// A count that is too old begins anew, and is pruned.
	must(t, s.AddFailure(ctx, clock.Add(store.FailureMemory+time.Second), "a"))
	counts(1, 0, 1)
	must(t, s.Prune(ctx, clock.Add(store.FailureMemory+2*time.Minute)))
	counts(1, 0, 0)
}

// changesCancelled sees that a change whose caller is gone leaves no record without its change.
func changesCancelled(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	want(t, s.Note(ctx, act), context.Canceled)
	users := addMany(t, s, 10)
	together(t, 300, func(n int) error {
		leaving, leave := context.WithCancel(t.Context())
		go leave()
		a := Act("key")
		a.Key = key("", n, clock).Public.Fingerprint()
		if err := s.AddKey(leaving, key(users[n%10], n, clock), a); err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	})
	// A change whose caller is gone may still be on its way.
	unsaid := errors.New("never looked")
	for deadline := time.Now().Add(10 * time.Second); unsaid != nil && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		unsaid = asRecorded(t, s)
	}
	must(t, unsaid)
}

// asRecorded compares the keys with the records of their adding.
func asRecorded(t *testing.T, s store.Store) error {
	recorded := map[string]bool{}
	for _, a := range records(t, s) {
		if a.What == "key" {
			recorded[a.Key] = true
		}
	}
	there := collect(t, s)
	if len(there) != len(recorded) {
		return fmt.Errorf("%d keys, and %d records of them", len(there), len(recorded))
	}
	for _, k := range there {
		if !recorded[k.Public.Fingerprint()] {
			return errors.New("a key without a record")
		}
	}
	return nil
}
