// Package storetest checks that a store keeps the law in the comment of store.Store.
package storetest

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyward/fault"
	"keyward/keys"
	"keyward/store"
	"keyward/store/audit"
)

// Run checks a store. open gives an empty one; Run closes it.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, check := range []struct {
		name string
		run  func(*testing.T, store.Store)
	}{
		{"Users", users},
		{"UserNames", userNames},
		{"SetPassword", setPassword},
		{"Keys", userKeys},
		{"KeyOrder", keyOrder},
		{"KeyDescriptions", keyDescriptions},
		{"KeysFollowChanges", keysFollowChanges},
		{"AllKeys", allKeys},
		{"AllKeysWhileWriting", allKeysWhileWriting},
		{"Tokens", tokens},
		{"Logins", logins},
		{"DeleteUser", deleteUser},
		{"Prune", prune},
		{"Times", times},
		{"RacingUsers", racingUsers},
		{"RacingKeys", racingKeys},
		{"RacingLogins", racingLogins},
		{"MixedWrites", mixedWrites},
		{"Cancelled", cancelled},
		{"Close", closing},
		{"CloseWhileWriting", closeWhileWriting},

		{"Audit", auditLog},
		{"RacingRecords", racingRecords},
		{"KeyLife", keyLife},
		{"LastUse", lastUse},
		{"TokensOfKeys", tokensOfKeys},
		{"TokensOfExpired", tokensOfExpired},
		{"MostKeys", mostKeys},
		{"LastAdmin", lastAdmin},
		{"PruneKeys", pruneKeys},
		{"ServerKeys", serverKeys},
		{"Failures", failures},
		{"ChangesCancelled", changesCancelled},

		{"Accounts", accounts},
		{"AccountNames", accountNames},
		{"AccountAgain", accountAgain},
		{"AccountLimits", accountLimits},
		{"AccountOrder", accountOrder},
		{"RacingUpdates", racingUpdates},
		{"FollowedChanges", followedChanges},
	} {
		t.Run(check.name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			check.run(t, s)
		})
	}
	copies(t, func(t *testing.T) store.Store {
		s := open(t)
		t.Cleanup(func() { _ = s.Close() })
		return s
	})
}

// Signer signs the audit records of tests.
func Signer() *audit.Signer {
	return audit.NewSigner(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
}

// Act is what tests record of their changes.
func Act(what audit.What) audit.Act {
	return audit.Act{Time: clock, What: what, By: "tester", From: "192.0.2.1", Request: "1"}
}

var act = Act("test")

// clock is the time of all the tests, to the microsecond.
var clock = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

func addUsers(t *testing.T, s store.Store, names ...string) {
	t.Helper()
	for _, name := range names {
		must(t, s.AddUser(t.Context(), store.User{Name: name, Password: "hash of " + name, Created: clock}, act))
	}
}

// addMany adds n users and tells their names.
func addMany(t *testing.T, s store.Store, n int) (names []string) {
	t.Helper()
	for i := range n {
		names = append(names, fmt.Sprintf("user%02d", i))
	}
	addUsers(t, s, names...)
	return names
}

// number makes 32 bytes that differ for every n.
func number(n int) [32]byte {
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
}

func key(user string, n int, created time.Time) store.Key {
	return store.Key{User: user, Public: number(n), Description: fmt.Sprint("key ", n), Created: created}
}

func contains(list []store.Key, k store.Key) bool {
	return slices.ContainsFunc(list, func(other store.Key) bool { return cmp.Equal(k, other) })
}

// loginKey is the key that addLoginKey registers and keyToken is for.
const loginKey = 1 << 30

func addLoginKey(t *testing.T, s store.Store, users ...string) {
	t.Helper()
	for _, user := range users {
		must(t, s.AddKey(t.Context(), key(user, loginKey, clock), act))
	}
}

func keyToken(user string, n int) store.Token {
	tok := token(user, n)
	tok.Key, tok.Scopes = key(user, loginKey, clock).Public.Fingerprint(), store.ScopeRead
	return tok
}

func token(user string, n int) store.Token {
	return store.Token{Hash: number(n), User: user, Expires: clock.Add(time.Hour)}
}

func login(n int) store.Login {
	return store.Login{ID: number(n), Until: clock.Add(time.Minute)}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("-want +got:\n%s", diff)
	}
}

func listUsers(t *testing.T, s store.Store) (names []string) {
	t.Helper()
	list, err := s.Users(t.Context())
	must(t, err)
	for _, u := range list {
		names = append(names, u.Name)
	}
	return names
}

func listKeys(t *testing.T, s store.Store, user string) []store.Key {
	t.Helper()
	list, err := s.Keys(t.Context(), user)
	must(t, err)
	if list == nil {
		t.Fatal("a list of keys is nil")
	}
	return list
}

func collect(t *testing.T, s store.Store) []store.Key {
	t.Helper()
	var list []store.Key
	for k, err := range s.AllKeys(t.Context()) {
		must(t, err)
		list = append(list, k)
	}
	return list
}

func users(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.Ping(ctx))
	list, err := s.Users(ctx)
	must(t, err)
	same(t, list, []store.User{})
	_, err = s.User(ctx, "ann")
	want(t, err, store.ErrNotFound)
	want(t, err, fault.NotFound)

	ann := store.User{Name: "ann", Admin: true, Password: "$argon2id$v=19$x", Created: clock}
	must(t, s.AddUser(ctx, ann, act))
	again := s.AddUser(ctx, store.User{Name: "ann", Password: "other", Created: clock}, act)
	want(t, again, store.ErrExists)
	want(t, again, fault.Exists)
	got, err := s.User(ctx, "ann")
	must(t, err)
	same(t, got, ann)

	addUsers(t, s, "bob", "Zoe", "ann.b", "ann-b", "_x", "Ann", "0")
	same(t, listUsers(t, s), []string{"0", "Ann", "Zoe", "_x", "ann", "ann-b", "ann.b", "bob"})

	must(t, s.AddKey(ctx, key("ann", 1, clock), act))
	must(t, s.AddKey(ctx, key("ann", 2, clock), act))
	got, err = s.User(ctx, "ann")
	must(t, err)
	ann.Keys = 2
	same(t, got, ann)
	list, err = s.Users(ctx)
	must(t, err)
	same(t, list[slices.IndexFunc(list, func(u store.User) bool { return u.Name == "ann" })], ann)
}

func userNames(t *testing.T, s store.Store) {
	for _, name := range []string{"", ".a", "-a", "a b", "a\x00b", "\xff", strings.Repeat("n", 65)} {
		want(t, s.AddUser(t.Context(), store.User{Name: name, Created: clock}, act), fault.Policy)
		_, err := s.User(t.Context(), name)
		want(t, err, store.ErrNotFound)
	}
	addUsers(t, s, strings.Repeat("n", 64))
	same(t, len(listUsers(t, s)), 1)
}

func setPassword(t *testing.T, s store.Store) {
	ctx := t.Context()
	want(t, s.SetPassword(ctx, "ann", "new", act), store.ErrNotFound)
	addUsers(t, s, "ann", "bob")
	addLoginKey(t, s, "ann")
	must(t, s.AddKey(ctx, key("ann", 1, clock), act))
	must(t, s.AddToken(ctx, token("ann", 1)))
	must(t, s.AddLogin(ctx, login(1), keyToken("ann", 2)))
	must(t, s.AddToken(ctx, token("bob", 3)))

	must(t, s.SetPassword(ctx, "ann", "new", act))
	u, err := s.User(ctx, "ann")
	must(t, err)
	same(t, u, store.User{Name: "ann", Password: "new", Created: clock, Keys: 2})
	for n := 1; n <= 2; n++ {
		_, _, err = s.Token(ctx, number(n))
		want(t, err, store.ErrNotFound)
		want(t, s.DeleteToken(ctx, number(n)), store.ErrNotFound)
	}
	_, _, err = s.Token(ctx, number(3))
	must(t, err)
	want(t, s.AddLogin(ctx, login(1), keyToken("ann", 4)), store.ErrExists)
	must(t, s.AddToken(ctx, token("ann", 5)))
	_, u, err = s.Token(ctx, number(5))
	must(t, err)
	same(t, u.Password, "new")
}

func userKeys(t *testing.T, s store.Store) {
	ctx := t.Context()
	want(t, s.AddKey(ctx, key("ann", 1, clock), act), store.ErrNotFound)
	_, err := s.Keys(ctx, "ann")
	want(t, err, store.ErrNotFound)
	addUsers(t, s, "ann", "bob")
	same(t, listKeys(t, s, "ann"), []store.Key{})

	one := key("ann", 1, clock)
	must(t, s.AddKey(ctx, one, act))
	changed := one
	changed.Description, changed.Created = "other", clock.Add(time.Second)
	want(t, s.AddKey(ctx, changed, act), store.ErrExists)
	same(t, listKeys(t, s, "ann"), []store.Key{one})

	bobs := key("bob", 1, clock)
	must(t, s.AddKey(ctx, bobs, act))
	same(t, listKeys(t, s, "bob"), []store.Key{bobs})

	want(t, s.DeleteKey(ctx, "nobody", one.Public.Fingerprint(), act), store.ErrNotFound)
	want(t, s.DeleteKey(ctx, "ann", keys.PublicKey(number(2)).Fingerprint(), act), store.ErrNotFound)
	want(t, s.DeleteKey(ctx, "ann", "sha256:%", act), store.ErrNotFound)
	want(t, s.DeleteKey(ctx, "ann", "", act), store.ErrNotFound)
	must(t, s.DeleteKey(ctx, "ann", one.Public.Fingerprint(), act))
	want(t, s.DeleteKey(ctx, "ann", one.Public.Fingerprint(), act), store.ErrNotFound)
	same(t, listKeys(t, s, "ann"), []store.Key{})
	same(t, listKeys(t, s, "bob"), []store.Key{bobs})
	must(t, s.AddKey(ctx, changed, act))
	same(t, listKeys(t, s, "ann"), []store.Key{changed})
}

// byPlace orders keys as the law has it.
func byPlace(a, b store.Key) int {
	if c := strings.Compare(a.User, b.User); c != 0 {
		return c
	}
	if c := a.Created.Compare(b.Created); c != 0 {
		return c
	}
	return strings.Compare(a.Public.Fingerprint(), b.Public.Fingerprint())
}

func keyOrder(t *testing.T, s store.Store) {
	names := []string{"bob", "Bob", "ann.b", "ann-b", "ann"}
	addUsers(t, s, names...)
	var all []store.Key
	for n := range 60 {
		k := key(names[n%len(names)], n, clock.Add(time.Duration(n%3-1)*time.Microsecond))
		must(t, s.AddKey(t.Context(), k, act))
		all = append(all, k)
	}
	slices.SortFunc(all, byPlace)
	same(t, collect(t, s), all)
	slices.Sort(names)
	var listed []store.Key
	for _, name := range names {
		listed = append(listed, listKeys(t, s, name)...)
	}
	same(t, listed, all)
}

func keyDescriptions(t *testing.T, s store.Store) {
	addUsers(t, s, "ann")
	for n, text := range []string{"", "Backup key", " spaces  kept ", "Schlüssel 🔑", "'; --", strings.Repeat("d", 256)} {
		k := key("ann", n, clock)
		k.Description = text
		must(t, s.AddKey(t.Context(), k, act))
		list := listKeys(t, s, "ann")
		if !contains(list, k) {
			t.Fatalf("description %q did not come back", text)
		}
	}
	for _, text := range []string{"two\nlines", "\x00", "\xff", strings.Repeat("d", 257)} {
		k := key("ann", 100, clock)
		k.Description = text
		want(t, s.AddKey(t.Context(), k, act), fault.Policy)
	}
}

// allKeys streams more keys than a store would fetch at once, some users' without any.
// keysFollowChanges reads a user's keys all the while they change: once a change is
// acknowledged no reader sees what was before it, whatever another reads meanwhile.
func keysFollowChanges(t *testing.T, s store.Store) {
	addUsers(t, s, "ann")
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				if _, err := s.Keys(t.Context(), "ann"); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 200 {
		k := key("ann", 1, clock)
		must(t, s.AddKey(t.Context(), k, act))
		same(t, listKeys(t, s, "ann"), []store.Key{k})
		must(t, s.DeleteKey(t.Context(), "ann", k.Public.Fingerprint(), act))
		same(t, listKeys(t, s, "ann"), []store.Key{})
	}
	stop()
	readers.Wait()
}

func allKeys(t *testing.T, s store.Store) {
	if got := collect(t, s); got != nil {
		t.Fatalf("an empty store streams %d keys", len(got))
	}
	users := addMany(t, s, 40)
	var all []store.Key
	for n := range 2500 {
		all = append(all, key(users[n/90], n, clock.Add(time.Duration(n/700)*time.Second)))
	}
	together(t, len(all), func(n int) error { return s.AddKey(t.Context(), all[n], act) })
	slices.SortFunc(all, byPlace)
	same(t, collect(t, s), all)

	for k, err := range s.AllKeys(t.Context()) {
		must(t, err)
		same(t, k, all[0])
		break
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen, last := 0, error(nil)
	for _, err := range s.AllKeys(ctx) {
		if last != nil {
			t.Fatal("the stream goes on after an error")
		}
		if last = err; err == nil {
			seen++
		}
		cancel()
	}
	want(t, last, context.Canceled)
	if seen == len(all) {
		t.Fatal("the stream did not end with its context")
	}
}

// allKeysWhileWriting deletes, adds and reads inside the stream: none of it may be kept waiting by it.
func allKeysWhileWriting(t *testing.T, s store.Store) {
	addUsers(t, s, "ann")
	users := addMany(t, s, 20)
	const stay = 1200
	together(t, stay, func(n int) error { return s.AddKey(t.Context(), key(users[n/90], n, clock), act) })
	seen := make(map[keys.PublicKey]int)
	n := 0
	for k, err := range s.AllKeys(t.Context()) {
		must(t, err)
		seen[k.Public]++
		if n++; n%100 == 0 {
			extra := key("ann", stay+n, clock)
			must(t, s.AddKey(t.Context(), extra, act))
			must(t, s.DeleteKey(t.Context(), "ann", extra.Public.Fingerprint(), act))
			for range s.AllKeys(t.Context()) {
				break
			}
		}
	}
	for n := range stay {
		if got := seen[number(n)]; got != 1 {
			t.Fatalf("a key that stayed was streamed %d times", got)
		}
	}
}

func tokens(t *testing.T, s store.Store) {
	ctx := t.Context()
	want(t, s.AddToken(ctx, token("ann", 1)), store.ErrNotFound)
	_, _, err := s.Token(ctx, number(1))
	want(t, err, store.ErrNotFound)
	want(t, s.DeleteToken(ctx, number(1)), store.ErrNotFound)

	ann := store.User{Name: "ann", Admin: true, Password: "hash", Created: clock}
	must(t, s.AddUser(ctx, ann, act))
	one, two := token("ann", 1), token("ann", 2)
	two.Scopes, two.Expires = store.ScopeRead, clock.Add(-time.Hour)
	for _, tok := range []store.Token{one, two} {
		must(t, s.AddToken(ctx, tok))
		got, u, err := s.Token(ctx, tok.Hash)
		must(t, err)
		same(t, got, tok)
		same(t, u, ann)
	}
	want(t, s.AddToken(ctx, one), store.ErrExists)
	must(t, s.DeleteToken(ctx, one.Hash))
	_, _, err = s.Token(ctx, one.Hash)
	want(t, err, store.ErrNotFound)
	want(t, s.DeleteToken(ctx, one.Hash), store.ErrNotFound)
	_, _, err = s.Token(ctx, two.Hash)
	must(t, err)
}

func logins(t *testing.T, s store.Store) {
	ctx := t.Context()
	want(t, s.AddLogin(ctx, login(1), keyToken("ann", 1)), store.ErrNotFound)
	addUsers(t, s, "ann")
	want(t, s.AddLogin(ctx, login(1), keyToken("ann", 1)), store.ErrNotFound)
	addLoginKey(t, s, "ann")
	must(t, s.AddLogin(ctx, login(1), keyToken("ann", 1)))
	_, u, err := s.Token(ctx, number(1))
	must(t, err)
	same(t, u.Name, "ann")

	want(t, s.AddLogin(ctx, login(1), keyToken("ann", 2)), store.ErrExists)
	_, _, err = s.Token(ctx, number(2))
	want(t, err, store.ErrNotFound)
	other := login(1)
	other.Until = other.Until.Add(time.Hour)
	want(t, s.AddLogin(ctx, other, keyToken("ann", 2)), store.ErrExists)

	must(t, s.DeleteToken(ctx, number(1)))
	want(t, s.AddLogin(ctx, login(1), keyToken("ann", 3)), store.ErrExists)

	// A token that cannot be added leaves the login unused.
	must(t, s.AddToken(ctx, token("ann", 4)))
	want(t, s.AddLogin(ctx, login(5), keyToken("ann", 4)), store.ErrExists)
	must(t, s.AddLogin(ctx, login(5), keyToken("ann", 5)))
}

func deleteUser(t *testing.T, s store.Store) {
	ctx := t.Context()
	want(t, s.DeleteUser(ctx, "ann", act), store.ErrNotFound)
	addUsers(t, s, "ann", "bob")
	addLoginKey(t, s, "ann")
	must(t, s.AddKey(ctx, key("ann", 1, clock), act))
	must(t, s.AddKey(ctx, key("bob", 1, clock), act))
	must(t, s.AddToken(ctx, token("ann", 1)))
	must(t, s.AddToken(ctx, token("bob", 2)))
	must(t, s.AddLogin(ctx, login(1), keyToken("ann", 3)))

	must(t, s.DeleteUser(ctx, "ann", act))
	_, err := s.User(ctx, "ann")
	want(t, err, store.ErrNotFound)
	same(t, collect(t, s), []store.Key{key("bob", 1, clock)})
	gone := func() {
		t.Helper()
		for _, n := range []int{1, 3} {
			_, _, err := s.Token(ctx, number(n))
			want(t, err, store.ErrNotFound)
			want(t, s.DeleteToken(ctx, number(n)), store.ErrNotFound)
		}
	}
	gone()
	want(t, s.AddToken(ctx, token("ann", 4)), store.ErrNotFound)
	_, _, err = s.Token(ctx, number(2))
	must(t, err)

	addUsers(t, s, "ann")
	gone()
	same(t, listKeys(t, s, "ann"), []store.Key{})
	want(t, s.AddLogin(ctx, login(1), keyToken("ann", 5)), store.ErrExists)
}

func prune(t *testing.T, s store.Store) {
	ctx := t.Context()
	must(t, s.Prune(ctx, clock))
	addUsers(t, s, "ann")
	addLoginKey(t, s, "ann")
	const old = 2500
	together(t, old, func(n int) error {
		l, tok := login(n), keyToken("ann", n)
		l.Until, tok.Expires = clock.Add(-time.Microsecond), clock.Add(-time.Hour)
		return s.AddLogin(ctx, l, tok)
	})
	now := store.Login{ID: number(old), Until: clock}
	later := keyToken("ann", old)
	later.Expires = clock
	must(t, s.AddLogin(ctx, now, later))

	must(t, s.Prune(ctx, clock))
	_, _, err := s.Token(ctx, later.Hash)
	must(t, err)
	want(t, s.AddLogin(ctx, now, keyToken("ann", old+1)), store.ErrExists)
	for n := range old {
		if _, _, err := s.Token(ctx, number(n)); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("an expired token after Prune: %v", err)
		}
	}
	must(t, s.AddLogin(ctx, login(0), keyToken("ann", 0)))

	must(t, s.Prune(ctx, clock.Add(time.Microsecond)))
	_, _, err = s.Token(ctx, later.Hash)
	want(t, err, store.ErrNotFound)
	must(t, s.AddLogin(ctx, now, later))
	_, _, err = s.Token(ctx, number(0))
	must(t, err)
}

func times(t *testing.T, s store.Store) {
	ctx := t.Context()
	zone := time.FixedZone("east", 5*3600)
	for n, at := range []time.Time{clock, clock.In(zone).Add(999), {}, time.Unix(0, 0), clock.AddDate(900, 0, 0)} {
		name := fmt.Sprint("u", n)
		kept := at.UTC().Truncate(time.Microsecond)
		must(t, s.AddUser(ctx, store.User{Name: name, Created: at}, act))
		must(t, s.AddKey(ctx, key(name, n, at), act))
		tok := token(name, n)
		tok.Expires = at
		must(t, s.AddToken(ctx, tok))
		got, u, err := s.Token(ctx, tok.Hash)
		must(t, err)
		same(t, []time.Time{u.Created, got.Expires, listKeys(t, s, name)[0].Created}, []time.Time{kept, kept, kept})
		same(t, u.Created.Location().String(), "UTC")
	}
}

// together does n things at once, at most 64 at a time, and fails on the first error.
func together(t *testing.T, n int, do func(int) error) {
	t.Helper()
	for _, err := range outcomes(n, do) {
		must(t, err)
	}
}

func outcomes(n int, do func(int) error) []error {
	errs := make([]error, n)
	free := make(chan struct{}, 64)
	var all sync.WaitGroup
	for i := range n {
		free <- struct{}{}
		all.Go(func() {
			errs[i] = do(i)
			<-free
		})
	}
	all.Wait()
	return errs
}

// oneWins lets 100 racers do the same and wants one to succeed, the others to hear ErrExists.
func oneWins(t *testing.T, do func(int) error) (winner int) {
	t.Helper()
	winner = -1
	for n, err := range outcomes(100, do) {
		switch {
		case err == nil && winner < 0:
			winner = n
		case err == nil:
			t.Fatalf("racers %d and %d both won", winner, n)
		default:
			want(t, err, store.ErrExists)
		}
	}
	if winner < 0 {
		t.Fatal("no racer won")
	}
	return winner
}

func racingUsers(t *testing.T, s store.Store) {
	winner := oneWins(t, func(n int) error {
		return s.AddUser(t.Context(), store.User{Name: "ann", Password: fmt.Sprint(n), Created: clock}, act)
	})
	u, err := s.User(t.Context(), "ann")
	must(t, err)
	same(t, u.Password, fmt.Sprint(winner))
}

func racingKeys(t *testing.T, s store.Store) {
	addUsers(t, s, "ann")
	made := func(n int) store.Key {
		k := key("ann", 0, clock.Add(time.Duration(n)*time.Second))
		k.Description = fmt.Sprint("racer ", n)
		return k
	}
	winner := oneWins(t, func(n int) error { return s.AddKey(t.Context(), made(n), act) })
	same(t, listKeys(t, s, "ann"), []store.Key{made(winner)})
}

func racingLogins(t *testing.T, s store.Store) {
	addUsers(t, s, "ann")
	addLoginKey(t, s, "ann")
	winner := oneWins(t, func(n int) error { return s.AddLogin(t.Context(), login(0), keyToken("ann", n)) })
	for n := range 100 {
		_, _, err := s.Token(t.Context(), number(n))
		if n == winner {
			must(t, err)
		} else {
			want(t, err, store.ErrNotFound)
		}
	}
}

// mixedWrites has good writes share their time with those that are refused: each gets its own
// outcome, and what was answered is seen at once.
func mixedWrites(t *testing.T, s store.Store) {
	ctx := t.Context()
	addUsers(t, s, "ann")
	addLoginKey(t, s, "ann")
	must(t, s.AddKey(ctx, key("ann", -1, clock), act))
	must(t, s.AddLogin(ctx, login(-1), keyToken("ann", -1)))
	together(t, 540, func(n int) error {
		switch n % 6 {
		case 0:
			return expect(s.AddKey(ctx, key("ann", -1, clock), act), store.ErrExists)
		case 1:
			return expect(s.AddKey(ctx, key("nobody", n, clock), act), store.ErrNotFound)
		case 2:
			return expect(s.AddLogin(ctx, login(-1), keyToken("ann", n)), store.ErrExists)
		case 3:
			return expect(s.AddLogin(ctx, login(n), keyToken("nobody", n)), store.ErrNotFound)
		case 4:
			if err := s.AddLogin(ctx, login(n), keyToken("ann", n)); err != nil {
				return err
			}
			_, _, err := s.Token(ctx, number(n))
			return err
		default:
			k := key("ann", n, clock)
			if err := s.AddKey(ctx, k, act); err != nil {
				return err
			}
			list, err := s.Keys(ctx, "ann")
			if err == nil && !contains(list, k) {
				return errors.New("a key that was added is not listed")
			}
			return err
		}
	})
	same(t, len(listKeys(t, s, "ann")), 92)
}

// expect is nil where err is what it should be.
func expect(err, want error) error {
	if errors.Is(err, want) {
		return nil
	}
	return fmt.Errorf("error is %v, want %v", err, want)
}

func cancelled(t *testing.T, s store.Store) {
	addUsers(t, s, "ann")
	users := addMany(t, s, 8)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	want(t, s.AddUser(ctx, store.User{Name: "bob", Created: clock}, act), context.Canceled)
	want(t, s.AddKey(ctx, key("ann", 1, clock), act), context.Canceled)
	want(t, s.AddLogin(ctx, login(1), keyToken("ann", 1)), context.Canceled)
	want(t, s.Prune(ctx, clock), context.Canceled)
	_, err := s.User(ctx, "ann")
	want(t, err, context.Canceled)
	_, err = s.Users(ctx)
	want(t, err, context.Canceled)
	_, err = s.Keys(ctx, "ann")
	want(t, err, context.Canceled)
	_, _, err = s.Token(ctx, number(1))
	want(t, err, context.Canceled)
	want(t, s.Ping(ctx), context.Canceled)
	_, err = s.AddAccount(ctx, bare("ann"), act)
	want(t, err, context.Canceled)
	want(t, s.RevokeAccount(ctx, "ann", act), context.Canceled)
	_, err = s.Account(ctx, "ann")
	want(t, err, context.Canceled)
	_, err = s.Accounts(ctx, "", 1)
	want(t, err, context.Canceled)
	_, _, err = s.AccountChanges(ctx, 0, 1)
	want(t, err, context.Canceled)

	// Callers that leave at any moment must not spoil the writes of those that stay.
	together(t, 400, func(n int) error {
		if n%2 == 0 {
			return s.AddKey(t.Context(), key(users[n%8], n, clock), act)
		}
		leaving, leave := context.WithCancel(t.Context())
		go leave()
		if err := s.AddKey(leaving, key(users[n%8], n, clock), act); err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	})
	list := collect(t, s)
	for n := 0; n < 400; n += 2 {
		if !contains(list, key(users[n%8], n, clock)) {
			t.Fatal("a key whose adder stayed is not there")
		}
	}
}

func closing(t *testing.T, s store.Store) {
	addUsers(t, s, "ann")
	must(t, s.Close())
	must(t, s.Close())
	ctx := t.Context()
	_, user := s.User(ctx, "ann")
	_, list := s.Users(ctx)
	_, _, tok := s.Token(ctx, number(1))
	_, add := s.AddAccount(ctx, bare("ann"), act)
	_, account := s.Account(ctx, "ann")
	_, _, changes := s.AccountChanges(ctx, 0, 1)
	calls := []error{s.AddKey(ctx, key("ann", 1, clock), act), s.SetPassword(ctx, "ann", "x", act), s.Prune(ctx, clock), s.Ping(ctx), user, list, tok,
		add, account, changes}
	for _, err := range s.AllKeys(ctx) {
		calls = append(calls, err)
	}
	same(t, len(calls), 11)
	for n, err := range calls {
		if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExists) {
			t.Errorf("call %d on a closed store: %v", n, err)
		}
	}
}

// closeWhileWriting wants every write around a Close to return.
func closeWhileWriting(t *testing.T, s store.Store) {
	addUsers(t, s, "ann")
	outcomes(300, func(n int) error {
		if n == 150 {
			return s.Close()
		}
		return s.AddKey(t.Context(), key("ann", n, clock), act)
	})
}
