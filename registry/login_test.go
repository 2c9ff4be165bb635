package registry

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/nacl/box"

	"keyward/keys"
	"keyward/registry/wire"
	"keyward/store"
	"keyward/store/storetest"
)

// logInWith posts a key login.
func (h *harness) logInWith(user, apikey string) answer {
	h.t.Helper()
	return h.do(request{method: "POST", path: wire.PathToken, form: keyForm(user, apikey)})
}

// sealText seals any text as a key login seals its message.
func (h *harness) sealText(pair keys.Pair, text string) string {
	var nonce [24]byte
	rand.Read(nonce[:])
	server, user := [32]byte(h.cfg.Key.Public), [32]byte(pair.Private)
	return keys.EncodeString(box.Seal(nonce[:], []byte(text), &nonce, &server, &user))
}

func TestKeyLoginOnce(t *testing.T) {
	dir, server, pair := t.TempDir(), newPair(t), newPair(t)
	h := startIn(t, dir, server)
	h.register("alice", pair.Public)
	apikey := h.seal(pair, time.Minute)

	const racers = 20
	var wg sync.WaitGroup
	results := make(chan answer, racers)
	for range racers {
		wg.Go(func() { results <- h.logInWith("alice", apikey) })
	}
	wg.Wait()
	close(results)
	granted := 0
	for a := range results {
		if a.status == http.StatusOK {
			granted++
		} else if a.code() != wire.CodeLoginReplay {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if granted != 1 {
		t.Errorf("%d of %d uses of one key login were granted", granted, racers)
	}

	h.stop()
	h.cfg.Store.Close()
	h = startIn(t, dir, server)
	for range 5 { // until its time is off
		if a := h.logInWith("alice", apikey); a.code() != wire.CodeLoginReplay {
			t.Errorf("after a restart, at %s: %d %s", h.clock.Now(), a.status, a.body)
		}
		h.clock.Add(30 * time.Second)
		if err := h.cfg.Store.Prune(t.Context(), h.clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	h.clock.Add(30 * time.Second)
	if a := h.logInWith("alice", apikey); a.code() != wire.CodeLoginTime {
		t.Errorf("after its time: %d %s", a.status, a.body)
	}
}

func TestKeyLoginTime(t *testing.T) {
	h := start(t)
	pair := newPair(t)
	h.register("alice", pair.Public)
	for _, off := range []time.Duration{0, time.Second - loginWindow, loginWindow - time.Second} {
		if a := h.logInWith("alice", h.seal(pair, off)); a.status != http.StatusOK {
			t.Errorf("%s off: %d %s", off, a.status, a.body)
		}
	}
	bad := map[string]string{
		"old":     h.seal(pair, -loginWindow),
		"ahead":   h.seal(pair, loginWindow),
		"no time": h.sealText(pair, "VOV API Key Client Auth "),
		"NaN":     h.sealText(pair, "VOV API Key Client Auth NaN"),
		"other":   h.sealText(pair, "good day"),
	}
	for name, apikey := range bad {
		a := h.logInWith("alice", apikey)
		var e wire.Error
		if err := json.Unmarshal(a.body, &e); err != nil {
			t.Fatal(err)
		}
		if a.status != http.StatusUnauthorized || e.Error != wire.CodeLoginTime || e.ServerTime != float64(h.clock.Now().Unix()) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// TestRefusedAlike compares all that a stranger sees of a refused login.
func TestRefusedAlike(t *testing.T) {
	h := start(t)
	pair, other := newPair(t), newPair(t)
	h.register("alice", pair.Public)
	expired := h.expired("erin")
	tampered := []byte(h.seal(pair, 0))
	tampered[len(tampered)-8] ^= 1
	// The password of a real cost: what is refused here has to cost the same.
	hash, err := HashPassword(alicePassword)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.cfg.Store.SetPassword(t.Context(), "alice", hash, storetest.Act("test")); err != nil {
		t.Fatal(err)
	}

	var first answer
	for i, c := range []struct {
		name string
		form map[string][]string
	}{
		{"wrong password", passwordForm("alice", "not my password")},
		{"unknown user", passwordForm("nobody", alicePassword)},
		{"impossible user", passwordForm("../etc\x00", alicePassword)},
		{"password in Latin-1", passwordForm("alice", "p\xe4ssw\xf6rd")},
		{"no password", passwordForm("alice", "")},
		{"wrong key", keyForm("alice", h.seal(other, 0))},
		{"wrong key and time", keyForm("alice", h.seal(other, -time.Hour))},
		{"unknown user's key", keyForm("nobody", h.seal(pair, 0))},
		{"user without a key", keyForm("admin", h.seal(pair, 0))},
		{"a key that expired", keyForm("erin", h.seal(expired, 0))},
		{"a key that expired, used again", keyForm("erin", h.seal(expired, 0))},
		{"a key that expired, and a time that is off", keyForm("erin", h.seal(expired, -time.Hour))},
		{"tampered", keyForm("alice", string(tampered))},
		{"garbage", keyForm("alice", "good day")},
		{"no apikey", keyForm("alice", "")},
	} {
		begin := time.Now()
		a := h.do(request{method: "POST", path: wire.PathToken, form: c.form})
		if took := time.Since(begin); took < refusalBeat && c.form[wire.FieldGrantType] != nil {
			t.Errorf("%s: refused after %s", c.name, took)
		}
		a.header.Del("X-Request-Id")
		a.header.Del("Date")
		if i == 0 {
			first = a
		}
		if a.status != http.StatusUnauthorized || a.code() != wire.CodeLoginRefused || !cmp.Equal(a.masked(), first.masked()) {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
		}
		if diff := cmp.Diff(first.header, a.header); diff != "" {
			t.Errorf("%s: header: %s", c.name, diff)
		}
	}
	if own := h.current(); len(own.shared.all) != 1 || len(own.decoys.all) != 3 {
		t.Errorf("%d shared keys and %d decoys were computed, want 1 and 3", len(own.shared.all), len(own.decoys.all))
	}
	if h.decoyKey("nobody") != h.decoyKey("nobody") || h.decoyKey("nobody") == h.decoyKey("admin") {
		t.Error("a decoy is not always the same for a name, or is for two")
	}
}

func TestSharedKeysBound(t *testing.T) {
	server, err := keys.NewServer(newPair(t))
	if err != nil {
		t.Fatal(err)
	}
	c := sharedKeys{all: map[keys.PublicKey]*keys.SharedKey{}}
	for i := range maxShared + 10 {
		c.all[keys.PublicKey{byte(i), byte(i >> 8), byte(i >> 16)}] = new(keys.SharedKey)
	}
	public := newPair(t).Public
	first, err := c.get(server, public)
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.get(server, public)
	if err != nil || again != first || len(c.all) != maxShared {
		t.Errorf("%v, computed again: %v, %d kept", err, again != first, len(c.all))
	}
}

func TestManyKeys(t *testing.T) {
	h := start(t)
	var last keys.Pair
	for range store.MaxKeys {
		last = newPair(t)
		h.register("alice", last.Public)
	}
	token := h.tokenOf("alice")
	for key, want := range map[string]wire.Code{testKey: wire.CodePolicy, last.Public.String(): wire.CodeExists} {
		a := h.do(request{method: "POST", path: wire.UserKeysPath("alice"), token: token, json: wire.NewKey{Key: key}})
		if a.code() != want {
			t.Errorf("a key past the limit: %d %s, want %s", a.status, a.body, want)
		}
	}
	if a := h.logInWith("alice", h.seal(last, 0)); a.status != http.StatusOK {
		t.Errorf("log in with the last key: %d %s", a.status, a.body)
	}
}

// TestPasswordChanged sees that no token of an old password is left.
func TestPasswordChanged(t *testing.T) {
	h := start(t)
	before, err := h.cfg.Store.User(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	var changed []string
	h.cfg.PasswordChanged = func(user string) { changed = append(changed, user) }
	token := h.token(passwordForm("alice", alicePassword))
	const password = "a new password"
	q := request{method: "PUT", path: wire.PasswordPath("alice"), token: token, json: wire.NewPassword{Password: password}}
	if a := h.do(q); a.status != http.StatusNoContent {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if diff := cmp.Diff([]string{"alice"}, changed); diff != "" {
		t.Error(diff)
	}
	if a := h.do(q); a.status != http.StatusUnauthorized {
		t.Errorf("with the old token: %d %s", a.status, a.body)
	}
	if a := h.do(request{method: "POST", path: wire.PathToken, form: passwordForm("alice", alicePassword)}); a.status != http.StatusUnauthorized {
		t.Errorf("with the old password: %d %s", a.status, a.body)
	}
	h.token(passwordForm("alice", password))
	if a := h.do(request{method: "DELETE", path: wire.UserPath("alice"), token: h.tokenOf("admin")}); a.status != http.StatusNoContent {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if diff := cmp.Diff([]string{"alice", "alice"}, changed); diff != "" {
		t.Errorf("after the user went: %s", diff)
	}
	c := newCall(discard{}, &http.Request{}, "")
	if err := h.unchanged(c, before); err != errRefused {
		t.Errorf("a password that was changed while it was hashed: %v", err)
	}
}

// discard is an answer nobody reads.
type discard struct{ http.ResponseWriter }

func (discard) Header() http.Header { return http.Header{} }

func TestTokenExpires(t *testing.T) {
	h := start(t)
	token := h.token(passwordForm("alice", alicePassword))
	q := request{method: "GET", path: wire.PathProject, token: token}
	h.clock.Add(15*time.Minute - time.Second)
	if a := h.do(q); a.status != http.StatusOK {
		t.Errorf("before its time: %d %s", a.status, a.body)
	}
	h.clock.Add(time.Second)
	if a := h.do(q); a.code() != wire.CodeLoginRefused || a.header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("after its time: %d %s %v", a.status, a.body, a.header)
	}
}

func TestAuthorization(t *testing.T) {
	h := start(t)
	token := h.tokenOf("alice")
	for header, status := range map[string]int{
		"Bearer " + token:                   200,
		"Bearer:" + token:                   200,
		"bearer:" + token:                   200,
		"BEARER  " + token:                  200,
		token:                               401,
		"Basic " + token:                    401,
		"Bearer" + token:                    401,
		"Bearer ":                           401,
		"Bearer " + token + "=":             401,
		"Bearer " + token[4:]:               401,
		"Bearer " + token + ",":             401,
		"Bearer " + token[:50] + "\"":       401,
		"Bearer " + strings.Repeat("A", 51): 401,
	} {
		q := request{method: "GET", path: wire.PathProject, header: http.Header{"Authorization": {header}}}
		if a := h.do(q); a.status != status {
			t.Errorf("%q: %d %s, want %d", header, a.status, a.body, status)
		}
	}
}

// TestLastAdmin has two administrators delete each other, and themselves.
func TestLastAdmin(t *testing.T) {
	for i := range 10 {
		h := start(t)
		addUser(t, h.cfg.Store, "root", adminPassword, true)
		targets := map[string]string{"admin": "root", "root": "admin"}
		if i%2 == 0 {
			targets = map[string]string{"admin": "admin", "root": "root"}
		}
		var wg sync.WaitGroup
		for who, whom := range targets {
			token := h.tokenOf(who)
			wg.Go(func() { h.do(request{method: "DELETE", path: wire.UserPath(whom), token: token}) })
		}
		wg.Wait()
		users, err := h.cfg.Store.Users(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		admins := 0
		for _, u := range users {
			if u.Admin {
				admins++
			}
		}
		if admins != 1 {
			t.Errorf("%d administrators are left", admins)
		}
	}
}

func TestTables(t *testing.T) {
	h := start(t)
	token := h.tokenOf("alice")
	for path, want := range map[string]string{
		wire.PathProject: `{"startrow":1,"endrow":1,"query":"select project from project","errormsg":"","columns":[{"col":0,"field":"project"}],"rows":[["demo"]]}`,
		wire.PathVersion: `{"startrow":1,"endrow":1,"query":"select version from project","errormsg":"","columns":[{"col":0,"field":"version"}],"rows":[["1.2.3"]]}`,
	} {
		if diff := cmp.Diff(want, string(h.do(request{method: "GET", path: path, token: token}).body)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}

func TestLists(t *testing.T) {
	h := start(t)
	admin := h.tokenOf("admin")
	list := func(path string) (out wire.Keys) {
		t.Helper()
		a := h.do(request{method: "GET", path: path, token: admin})
		if err := json.Unmarshal(a.body, &out); err != nil {
			t.Fatalf("%s: %v", a.body, err)
		}
		return out
	}
	if all := list(wire.PathKeys); all.Keys == nil || len(all.Keys) > 0 {
		t.Errorf("no keys at all: %v", all)
	}
	var want wire.Keys
	for i := range 3 {
		k := store.Key{User: "alice", Public: newPair(t).Public, Description: fmt.Sprint("key ", i), Created: h.clock.Now()}
		if err := h.cfg.Store.AddKey(t.Context(), k, storetest.Act("test")); err != nil {
			t.Fatal(err)
		}
		h.clock.Add(time.Second)
		want.Keys = append(want.Keys, wireKey(k))
	}
	for _, path := range []string{wire.PathKeys, wire.UserKeysPath("alice")} {
		if diff := cmp.Diff(want, list(path)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	if got := want.Keys[0].Created; got != "2026-03-01T12:00:00Z" {
		t.Errorf("created %s", got)
	}
}
