package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyward/internal/limit"
	"keyward/registry/wire"
	"keyward/store"
	"keyward/store/audit"
	"keyward/store/storetest"
)

// logInFrom posts a login past the network, from an address that the test chooses.
func (h *harness) logInFrom(remote string, form url.Values) answer {
	r := h.request(remote)
	r.Body = io.NopCloser(strings.NewReader(form.Encode()))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.Bytes()}
}

func (h *harness) request(remote string) *http.Request {
	r := httptest.NewRequestWithContext(h.t.Context(), http.MethodPost, "https://x"+wire.PathToken, nil)
	r.Header, r.RemoteAddr, r.ContentLength = formType, remote, -1
	return r
}

// startCheap is a registry where the passwords of users who are not there are cheap too.
func startCheap(t *testing.T, change ...func(*Config)) *harness {
	h := start(t, change...)
	noHash, err := parsePHC(cheapHash(adminPassword))
	if err != nil {
		t.Fatal(err)
	}
	h.noHash = noHash
	return h
}

func wrong(user string) url.Values { return passwordForm(user, "not my password") }
func right(user string) url.Values { return passwordForm(user, alicePassword) }

func (h *harness) wantFrom(remote string, form url.Values, status int, why string) answer {
	h.t.Helper()
	a := h.logInFrom(remote, form)
	if a.status != status {
		h.t.Errorf("%s: %d %s, want %d", why, a.status, a.body, status)
	}
	return a
}

// TestWrongPasswords goes through the delays of one account from one address, up to the longest.
func TestWrongPasswords(t *testing.T) {
	h := startCheap(t)
	const here = "192.0.2.1:1"
	for range freeNearby {
		h.wantFrom(here, wrong("alice"), 401, "free")
	}
	for _, seconds := range []int{1, 2, 4, 8, 16, 32, 60, 60} {
		a := h.wantFrom(here, wrong("alice"), 429, "too early")
		if got := a.header.Get("Retry-After"); got != strconv.Itoa(seconds) || a.code() != wire.CodeLimited {
			t.Errorf("wait %s: %s, want %d", got, a.body, seconds)
		}
		h.clock.Add(time.Duration(seconds)*time.Second - 1)
		h.wantFrom(here, right("alice"), 429, "the right password, a moment too early")
		h.clock.Add(1)
		h.wantFrom(here, wrong("alice"), 401, "in time")
	}
	h.wantFrom("192.0.2.99:1", right("alice"), 429, "from nearby")
	h.clock.Add(longestDelay)
	h.wantFrom(here, right("alice"), 200, "the right password in time")
	h.clock.Add(longestDelay) // of the source, which is not forgotten
	h.wantFrom(here, wrong("alice"), 401, "after the right one")
	h.wantFrom("192.0.2.99:1", right("alice"), 200, "from nearby, after the right one")
	h.wantFrom(here, wrong("alice"), 429, "of the source")

	h.clock.Add(store.FailureMemory + longestDelay)
	for range freeNearby {
		h.wantFrom(here, wrong("alice"), 401, "after an hour")
	}
}

// TestWrongPasswordNotHashed sees that who must wait is told so without a place at work.
func TestWrongPasswordNotHashed(t *testing.T) {
	h := startCheap(t)
	h.guess("alice", freeNearby)
	h.fillQueue()
	h.wantFrom("127.0.0.1:1", wrong("alice"), 429, "with the queue full")
	h.wantFrom("127.0.0.1:1", passwordForm("alice", ""), 429, "a password that nobody has")
	h.wantFrom("127.0.0.1:1", wrong("admin"), 503, "who need not wait")
}

// TestGuessesAtOnce has one source send guesses at once, so that none is counted before the others wait for their turn: it gains nothing.
func TestGuessesAtOnce(t *testing.T) {
	h := startCheap(t)
	h.hashing.turns = newTurns(1, hashQueue)
	h.guess("alice", freeNearby-1)
	<-h.hashing.turns.join(netip.Prefix{})
	var all sync.WaitGroup
	statuses := make([]int, hashShare)
	for i := range statuses {
		all.Go(func() { statuses[i] = h.logInFrom("127.0.0.1:1", wrong("alice")).status })
	}
	for h.hashing.turns.held() <= len(statuses) {
		runtime.Gosched()
	}
	h.hashing.turns.leave()
	all.Wait()
	slices.Sort(statuses)
	if statuses[0] != 401 || statuses[1] != 429 {
		t.Errorf("%v, want one 401", statuses)
	}
}

// TestSprayedPasswords has one source try a password each on many accounts. That it logs in to one of its own in between
// does not help it.
func TestSprayedPasswords(t *testing.T) {
	h := startCheap(t)
	const here, there = "192.0.2.1:1", "192.0.2.2:1"
	for i := range freeOfSource - 1 {
		h.wantFrom(here, wrong(fmt.Sprint("user", i)), 401, "free")
	}
	h.wantFrom(here, wrong("alice"), 401, "the source's own account")
	h.clock.Add(time.Second)
	h.wantFrom(here, right("alice"), 200, "the source's own account")
	h.wantFrom(here, wrong("carol"), 401, "in time")
	h.wantFrom(here, wrong("dave"), 429, "one account more")
	h.wantFrom(here, right("alice"), 429, "the source's own account")
	h.wantFrom(there, wrong("dave"), 401, "another source")
}

// TestGuessedFromEverywhere has one account guessed from many networks. Whoever gives the right password first gets in from
// wherever they are, and so does the owner of a key, among the guessers too.
func TestGuessedFromEverywhere(t *testing.T) {
	h := startCheap(t)
	pair := newPair(t)
	h.register("alice", pair.Public)
	from := func(i int) string { return fmt.Sprintf("198.51.%d.1:1", i) }
	const home, office = "[2001:db8:1:2::3]:1", "203.0.113.1:1"
	h.wantFrom(office, wrong("alice"), 401, "a slip before it began")
	for i := range freeOfAccount {
		h.wantFrom(from(i), wrong("alice"), 401, "free")
	}
	h.wantFrom(from(0), wrong("alice"), 429, "a second try")
	h.wantFrom(from(99), wrong("alice"), 401, "the one try of a network")
	h.wantFrom(from(99), wrong("alice"), 429, "a second try")
	h.wantFrom("198.51.99.2:1", wrong("alice"), 429, "a second try of the network")
	h.wantFrom("[2001:db8:1:9::3]:1", right("alice"), 200, "the right password")
	h.wantFrom(home, wrong("alice"), 401, "a slip")
	h.wantFrom(home, right("alice"), 429, "after the slip")
	h.wantFrom(office, right("alice"), 429, "after the slip")
	h.wantFrom(from(0), wrong("bob"), 401, "another account")
	for _, remote := range []string{home, from(0), from(99)} {
		h.wantFrom(remote, keyForm("alice", h.seal(pair, 0)), 200, "a key")
	}
	h.clock.Add(8 * time.Second) // after the 23rd for the account
	h.wantFrom(home, right("alice"), 200, "in time")
	h.wantFrom(from(0), wrong("alice"), 401, "a guess in time")
	h.wantFrom(from(1), wrong("alice"), 429, "a guess after the right password")
	h.clock.Add(longestDelay)
	h.wantFrom(office, wrong("alice"), 401, "a second slip")
	h.wantFrom(home, wrong("alice"), 401, "a slip after the right password")
}

// TestKeysNeverWait has a source that must wait for its passwords, and fails with keys too, log in with a good one.
func TestKeysNeverWait(t *testing.T) {
	h := startCheap(t)
	pair, stranger := newPair(t), newPair(t)
	h.register("alice", pair.Public)
	const here = "192.0.2.1:1"
	for range 3 * freeOfSource {
		h.logInFrom(here, wrong("alice"))
	}
	for range freeOfSource {
		h.wantFrom(here, keyForm("alice", h.seal(stranger, 0)), 401, "a wrong key")
	}
	h.wantFrom(here, wrong("alice"), 429, "a password")
	h.wantFrom(here, keyForm("alice", h.seal(pair, 0)), 200, "a key")
}

// TestLimitedAlike compares all that a stranger sees of many wrong passwords, for a user and for invented names.
func TestLimitedAlike(t *testing.T) {
	h := startCheap(t)
	h.register("alice", newPair(t).Public)
	see := func(remote, name string) (seen []string) {
		for i := range 3 * freeNearby {
			a := h.logInFrom(remote, wrong(name))
			e := a.masked()
			a.header.Del("X-Request-Id")
			seen = append(seen, fmt.Sprint(i, a.status, e, a.header))
		}
		return seen
	}
	want := see("192.0.2.1:1", "alice")
	for i, name := range []string{"nobody", "../etc\x00", strings.Repeat("x", 4000)} {
		if diff := cmp.Diff(want, see(fmt.Sprintf("198.51.%d.1:1", i), name)); diff != "" {
			t.Errorf("alice, %.20q:\n%s", name, diff)
		}
	}
	if !strings.Contains(want[len(want)-1], string(wire.CodeLimited)) {
		t.Errorf("never limited: %s", want)
	}
	h.cfg.Store = nameless{h.cfg.Store} // so the time does not tell either
	h.wantFrom("192.0.2.1:1", wrong("alice"), 429, "without a look at the user")
}

// nameless is a store that finds no user and no keys, and says so.
type nameless struct{ store.Store }

func (nameless) User(context.Context, string) (store.User, error)  { return store.User{}, errDisk }
func (nameless) Keys(context.Context, string) ([]store.Key, error) { return nil, errDisk }

// TestReplicasCountTogether has two servers over one store take wrong passwords in turn.
func TestReplicasCountTogether(t *testing.T) {
	h := startCheap(t)
	second, err := New(h.cfg)
	if err != nil {
		t.Fatal(err)
	}
	other := &harness{Server: second, t: t, clock: h.clock}
	const here = "192.0.2.1:1"
	for i := range freeNearby {
		[]*harness{h, other}[i%2].wantFrom(here, wrong("alice"), 401, "free")
	}
	h.wantFrom(here, wrong("alice"), 429, "one more")
	other.wantFrom(here, wrong("alice"), 429, "one more at the other")
}

// TestReplicasCountOverRotation has a server that follows a rotation of the key, and one that starts after it, count together.
func TestReplicasCountOverRotation(t *testing.T) {
	h := startCheap(t)
	next := newPair(t)
	if err := h.SetKeys(next, []OtherKey{{Pair: h.cfg.Key, Until: h.clock.Now().Add(time.Hour)}}); err != nil {
		t.Fatal(err)
	}
	config := h.cfg
	config.Key = next
	second, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	other := &harness{Server: second, t: t, clock: h.clock}
	for range freeNearby {
		h.wantFrom("192.0.2.1:1", wrong("alice"), 401, "free")
	}
	other.wantFrom("192.0.2.2:1", wrong("alice"), 429, "one more at the other")
}

// TestClaim sees that the subjects of failures fit into the store and do not have what was given as a name.
func TestClaim(t *testing.T) {
	h := start(t)
	const secret = "hunter2!"
	for _, name := range []string{"alice", secret, strings.Repeat(secret, 1000), "\x00\xff"} {
		for _, remote := range []string{"192.0.2.1:1", "[2001:db8:1111:2222:3333:4444:5555:6666]:65535", "@", ""} {
			who := h.claim(&call{r: &http.Request{RemoteAddr: remote}}, name)
			for _, subject := range []string{who.source, who.account, who.nearby} {
				if len(subject) > 128 || strings.Contains(subject, name) || strings.Contains(subject, secret) {
					t.Errorf("%q from %q: %s", name, remote, subject)
				}
			}
		}
	}
	for from, want := range map[string]string{
		"192.0.2.7:1":                    "192.0.2.0/24",
		"[2001:db8:1:2:3:4:5:6]:1":       "2001:db8:1::/48",
		"[::ffff:192.0.2.7]:1":           "192.0.2.0/24",
		"a socket, which has no address": netip.Prefix{}.String(),
	} {
		if got := neighbourhood(limit.Source(from)).String(); got != want {
			t.Errorf("%s: %s, want %s", from, got, want)
		}
	}
}

// TestClockSetBack has wrong passwords counted by a clock that was a day fast: once it is right nobody waits for a day.
func TestClockSetBack(t *testing.T) {
	h := startCheap(t)
	h.clock.Add(24 * time.Hour)
	h.guess("alice", freeNearby)
	h.clock.Add(-24 * time.Hour)
	h.wantFrom("127.0.0.1:1", wrong("alice"), 401, "a try at the right time")
	h.wantFrom("127.0.0.1:1", right("alice"), 429, "at once after it")
	h.clock.Add(2 * time.Second)
	h.wantFrom("127.0.0.1:1", right("alice"), 200, "in time")
}

func TestDelay(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		count int
		ago   time.Duration
		want  time.Duration
	}{
		{0, 0, 0}, {4, 0, 0}, {5, 0, time.Second}, {5, time.Second, 0}, {8, time.Second, 7 * time.Second},
		{100, 0, longestDelay}, {1 << 40, 0, longestDelay}, {100, longestDelay, 0},
		{5, -time.Second, time.Second},                        // another server's clock goes before
		{5, -longestDelay, time.Second}, {100, -time.Hour, 0}, // the clock was set back
	} {
		if got := max(0, delay(store.Failure{Count: c.count, Last: now.Add(-c.ago)}, 5, now)); got != c.want {
			t.Errorf("%d, the last %s ago: %s, want %s", c.count, c.ago, got, c.want)
		}
	}
}

// uncounted is a store that cannot count failures.
type uncounted struct{ store.Store }

var errDisk = errors.New("the disk is full")

func (uncounted) AddFailure(context.Context, time.Time, ...string) error { return errDisk }

// TestUncounted sees that no password is compared for an answer where it cannot be counted.
func TestUncounted(t *testing.T) {
	h := startCheap(t, func(c *Config) { c.Store = uncounted{c.Store} })
	h.wantFrom("192.0.2.1:1", wrong("alice"), 500, "a wrong password")
}

// meanwhile is a store where a password changes just before a token is added for the old one.
type meanwhile struct {
	store.Store
	added *store.Token
}

func (m meanwhile) AddToken(ctx context.Context, t store.Token) error {
	*m.added = t
	if err := m.SetPassword(ctx, t.User, cheapHash("another password"), storetest.Act(audit.PasswordChanged)); err != nil {
		return err
	}
	return m.Store.AddToken(ctx, t)
}

// TestPasswordChangedMeanwhile sees that a password which is none any more when its token is there grants nothing.
func TestPasswordChangedMeanwhile(t *testing.T) {
	var added store.Token
	h := startCheap(t, func(c *Config) { c.Store = meanwhile{c.Store, &added} })
	h.wantFrom("192.0.2.1:1", right("alice"), 401, "the old password")
	if _, _, err := h.cfg.Store.Token(t.Context(), added.Hash); added.User != "alice" || !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the token of %q stays: %v", added.User, err)
	}
}
