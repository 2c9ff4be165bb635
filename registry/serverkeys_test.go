package registry

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyward/keys"
	"keyward/registry/wire"
)

// rotating is a registry that replaces its key, with a user who has one.
type rotating struct {
	*harness
	current, old, next keys.Pair
	until              time.Time // when the old one ends
	alice              keys.Pair
}

func startRotating(t *testing.T) *rotating {
	t.Helper()
	r := &rotating{current: newPair(t), old: newPair(t), next: newPair(t), alice: newPair(t)}
	r.until = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	r.harness = start(t, func(c *Config) {
		c.Store = forgetful{c.Store} // for synctest
		c.Key, c.Others = r.current, []OtherKey{{Pair: r.old, Until: r.until}, {Pair: r.next}}
	})
	r.register("alice", r.alice.Public)
	return r
}

// logInFor logs in with a login that is sealed for one of the server's keys.
func (r *rotating) logInFor(server, user keys.Pair) (answer, wire.Token) {
	r.t.Helper()
	apikey, err := keys.SealLogin(user, server.Public, r.clock.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	a := r.logInWith("alice", apikey)
	var token wire.Token
	if err := json.Unmarshal(a.body, &token); err != nil {
		r.t.Fatal(err)
	}
	return a, token
}

// told is what the registry tells of its keys.
func (r *rotating) told() (all []string) {
	r.t.Helper()
	var told wire.ServerKey
	if err := json.Unmarshal(r.do(request{method: "GET", path: wire.PathServerKey}).body, &told); err != nil {
		r.t.Fatal(err)
	}
	return append([]string{told.Key}, told.Others...)
}

func texts(pairs ...keys.Pair) (all []string) {
	for _, p := range pairs {
		all = append(all, p.Public.String())
	}
	return all
}

func TestOverlap(t *testing.T) {
	r := startRotating(t)
	if diff := cmp.Diff(texts(r.current, r.old, r.next), r.told()); diff != "" {
		t.Error(diff)
	}
	for name, server := range map[string]keys.Pair{"current": r.current, "old": r.old, "next": r.next} {
		a, token := r.logInFor(server, r.alice)
		if a.status != http.StatusOK {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if name != "old" {
			if token.Handover != "" {
				t.Errorf("%s: it vouches for another", name)
			}
			continue
		}
		if key, err := keys.OpenHandover(r.alice, r.old.Public, token.Handover); err != nil || key != r.current.Public {
			t.Errorf("the handover is for %v: %v", key, err)
		}
	}
	if a, _ := r.logInFor(newPair(t), r.alice); a.code() != wire.CodeLoginRefused {
		t.Errorf("a key of no server: %d %s", a.status, a.body)
	}
	if a, _ := r.logInFor(r.old, newPair(t)); a.code() != wire.CodeLoginRefused {
		t.Errorf("a key of nobody: %d %s", a.status, a.body)
	}
	if a := r.do(request{method: "POST", path: wire.PathToken, form: passwordForm("alice", alicePassword)}); strings.Contains(string(a.body), "handover") {
		t.Errorf("the answer to a password: %s", a.body)
	}

	r.clock.Add(r.until.Sub(r.clock.Now()) - time.Microsecond)
	if a, _ := r.logInFor(r.old, r.alice); a.status != http.StatusOK {
		t.Errorf("at the end of the overlap: %d %s", a.status, a.body)
	}
	r.clock.Add(time.Microsecond)
	if a, _ := r.logInFor(r.old, r.alice); a.code() != wire.CodeLoginRefused {
		t.Errorf("after the overlap: %d %s", a.status, a.body)
	}
	if a, _ := r.logInFor(r.current, r.alice); a.status != http.StatusOK {
		t.Errorf("for the current key after the overlap: %d %s", a.status, a.body)
	}
	if diff := cmp.Diff(texts(r.current, r.next), r.told()); diff != "" {
		t.Error(diff)
	}
}

// TestOverlapReplay holds that a login for an old key is used once, and that what vouches for the new key is no login.
func TestOverlapReplay(t *testing.T) {
	r := startRotating(t)
	apikey, err := keys.SealLogin(r.alice, r.old.Public, r.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	var token wire.Token
	if a := r.logInWith("alice", apikey); a.status != http.StatusOK || json.Unmarshal(a.body, &token) != nil {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := r.logInWith("alice", apikey); a.code() != wire.CodeLoginReplay {
		t.Errorf("a second use: %d %s", a.status, a.body)
	}
	if a := r.logInWith("alice", token.Handover); a.code() != wire.CodeLoginTime {
		t.Errorf("the handover as a login: %d %s", a.status, a.body)
	}
}

func TestOwnKeysAreNoUsers(t *testing.T) {
	r := startRotating(t)
	token := r.tokenOf("alice")
	for name, pair := range map[string]keys.Pair{"current": r.current, "old": r.old, "next": r.next} {
		a := r.do(request{method: "POST", path: wire.UserKeysPath("alice"), token: token, json: wire.NewKey{Key: pair.Public.String()}})
		if a.code() != wire.CodePolicy {
			t.Errorf("the %s key is registered: %d %s", name, a.status, a.body)
		}
	}
}

func TestSetKeys(t *testing.T) {
	r := startRotating(t)
	r.logInFor(r.next, r.alice)
	computed := (*r.accepted.Load())[2].shared.all
	if err := r.SetKeys(r.current, []OtherKey{{Pair: keys.Pair{Public: r.old.Public}}}); err == nil {
		t.Error("a pair without its private key is taken")
	}
	if diff := cmp.Diff(texts(r.current, r.old, r.next), r.told()); diff != "" {
		t.Error("after a failure:", diff)
	}
	if err := r.SetKeys(r.next, []OtherKey{{Pair: r.current, Until: r.until}}); err != nil {
		t.Fatal(err)
	}
	if len(computed) != 1 || cmp.Diff(computed, r.Server.current().shared.all) != "" {
		t.Error("what was computed with the next key is not kept")
	}
	if diff := cmp.Diff(texts(r.next, r.current), r.told()); diff != "" {
		t.Error(diff)
	}
	if a, _ := r.logInFor(r.old, r.alice); a.code() != wire.CodeLoginRefused {
		t.Errorf("a key that was dropped: %d %s", a.status, a.body)
	}
	_, token := r.logInFor(r.current, r.alice)
	if key, err := keys.OpenHandover(r.alice, r.current.Public, token.Handover); err != nil || key != r.next.Public {
		t.Errorf("the handover is for %v: %v", key, err)
	}
}

// TestOverlapOnBeat is TestRefusalOnBeat for several keys: users and invented names are refused on one beat, whichever key
// the login is for.
func TestOverlapOnBeat(t *testing.T) {
	r := startRotating(t)
	stranger := newPair(t)
	var forms []string
	for _, server := range []keys.Pair{r.current, r.old, r.next, stranger} {
		for _, name := range []string{"alice", "nobody"} {
			apikey, err := keys.SealLogin(stranger, server.Public, r.clock.Now())
			if err != nil {
				t.Fatal(err)
			}
			r.logInWith(name, apikey) // what is read is kept, so that synctest sees no reader wait
			forms = append(forms, keyForm(name, apikey).Encode())
		}
	}
	synctest.Test(t, func(t *testing.T) {
		r.beats = newBeats()
		for _, form := range forms {
			time.Sleep(3 * time.Millisecond)
			begin := time.Since(r.beats.start)
			q := httptest.NewRequestWithContext(t.Context(), http.MethodPost, wire.PathToken, strings.NewReader(form))
			q.Header = formType
			w := httptest.NewRecorder()
			r.ServeHTTP(w, q)
			want := begin.Truncate(refusalBeat) + 4*refusalBeat
			if over := time.Since(r.beats.start); w.Code != http.StatusUnauthorized || over != want {
				t.Errorf("%d at %s, want 401 at %s", w.Code, over, want)
			}
		}
	})
}
