package registry

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"keyward/internal/pgtest"
	"keyward/keys"
	"keyward/registry/wire"
	"keyward/store/sqlstore"
	"keyward/store/storetest"
)

// onReplicas runs a test on two servers with one key: over one SQLite store, and over two PostgreSQL stores of one database.
func onReplicas(t *testing.T, run func(t *testing.T, replicas []*harness)) {
	sqlite := func(t *testing.T) (*sqlstore.Store, *sqlstore.Store) {
		st, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"), storetest.Signer())
		if err != nil {
			t.Fatal(err)
		}
		return st, st
	}
	postgres := func(t *testing.T) (*sqlstore.Store, *sqlstore.Store) {
		url := pgtest.Database(t)
		return openPostgres(t, url), openPostgres(t, url)
	}
	for name, open := range map[string]func(*testing.T) (*sqlstore.Store, *sqlstore.Store){"SQLite": sqlite, "PostgreSQL": postgres} {
		t.Run(name, func(t *testing.T) {
			first, second := open(t)
			t.Cleanup(func() { first.Close(); second.Close() })
			key := newPair(t)
			run(t, []*harness{startOn(t, first, key), startOn(t, second, key)})
		})
	}
}

func openPostgres(t *testing.T, url string) *sqlstore.Store {
	st, err := sqlstore.OpenPostgres(t.Context(), url, storetest.Signer())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// TestRacingKeys has 50 clients of two servers add one key: one does, and 49 are told that it is there.
func TestRacingKeys(t *testing.T) {
	onReplicas(t, func(t *testing.T, replicas []*harness) {
		token := replicas[0].tokenOf("alice")
		public := newPair(t).Public
		got := together(50, func(n int) string {
			add := wire.NewKey{Key: public.String(), Description: fmt.Sprint("racer ", n)}
			a := replicas[n%2].do(request{method: "POST", path: wire.UserKeysPath("alice"), token: token, json: add})
			return fmt.Sprint(a.status, " ", a.code())
		})
		if got["201 "] != 1 || got["409 exists"] != 49 {
			t.Errorf("%v", got)
		}
		if list, err := replicas[1].cfg.Store.Keys(t.Context(), "alice"); err != nil || len(list) != 1 {
			t.Errorf("%v, %v", list, err)
		}
	})
}

// TestReplays sends one key login 1,000 times to two servers: it is granted once, and the audit log has all the others.
func TestReplays(t *testing.T) {
	onReplicas(t, func(t *testing.T, replicas []*harness) {
		pair := newPair(t)
		replicas[0].register("alice", pair.Public)
		apikey := replicas[0].seal(pair, 0)
		total := map[string]int{}
		for range 10 {
			for what, n := range together(100, func(n int) string {
				a := replicas[n%2].logInWith("alice", apikey)
				return fmt.Sprint(a.status, " ", a.code())
			}) {
				total[what] += n
			}
		}
		if total["200 "] != 1 || total["401 login_replay"] != 999 {
			t.Errorf("%v", total)
		}
		recorded := 0
		for _, h := range replicas {
			h.noteCounted(t.Context())
		}
		list := replicas[0].refusedLogins()
		for _, act := range list {
			recorded += max(1, act.Count)
		}
		if recorded != 999 || len(list) != 2*(refusalsOfSource+1) {
			t.Errorf("%d records of %d refused logins", len(list), recorded)
		}
	})
}

// together runs n at once, and counts what they say.
func together(n int, do func(n int) string) map[string]int {
	var all sync.WaitGroup
	said := make([]string, n)
	for i := range n {
		all.Go(func() { said[i] = do(i) })
	}
	all.Wait()
	count := map[string]int{}
	for _, s := range said {
		count[s]++
	}
	return count
}

// action is one request about the keys of a user; key is "" for a list.
type action struct{ user, method, key string }

// outcomeOf is its answer: the status, and for a list the fingerprints in their order.
type outcomeOf struct {
	status int
	list   string
}

// keyModel is what the API says of one user's keys: a set, its state the fingerprints in order.
var keyModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		of := map[string][]porcupine.Operation{}
		for _, op := range history {
			user := op.Input.(action).user
			of[user] = append(of[user], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range of {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		have, in, out := strings.Fields(state.(string)), input.(action), output.(outcomeOf)
		at, found := slices.BinarySearch(have, in.key)
		switch {
		case in.method == http.MethodGet:
			return out.status == 200 && out.list == state, state
		case in.method == http.MethodPost && found:
			return out.status == 409, state
		case in.method == http.MethodPost:
			return out.status == 201, strings.Join(slices.Insert(have, at, in.key), " ")
		case found:
			return out.status == 204, strings.Join(slices.Delete(have, at, at+1), " ")
		}
		return out.status == 404, state
	},
}

// play does the action over the API.
func (h *harness) play(a action, token string, key keys.PublicKey) (out outcomeOf) {
	q := request{method: a.method, path: wire.UserKeysPath(a.user), token: token}
	switch a.method {
	case http.MethodPost:
		q.json = wire.NewKey{Key: key.String()}
	case http.MethodDelete:
		q.path = wire.UserKeyPath(a.user, a.key)
	}
	got := h.do(q)
	out.status = got.status
	if a.method == http.MethodGet {
		var list wire.Keys
		_ = json.Unmarshal(got.body, &list)
		var all []string
		for _, k := range list.Keys {
			all = append(all, k.Fingerprint)
		}
		slices.Sort(all)
		out.list = strings.Join(all, " ")
	}
	return out
}

// history has clients of the servers add, delete and list a few keys of a few users at random.
func history(t *testing.T, replicas []*harness) []porcupine.Operation {
	const clients, actions = 8, 50
	users := []string{"alice", "bob", "carol"}
	tokens := map[string]string{}
	for _, user := range users {
		addUser(t, replicas[0].cfg.Store, user, alicePassword, false)
		tokens[user] = replicas[0].tokenOf(user)
	}
	public := []keys.PublicKey{newPair(t).Public, newPair(t).Public}
	methods := []string{http.MethodPost, http.MethodDelete, http.MethodGet}
	begin := time.Now()
	var all sync.WaitGroup
	ops := make([][]porcupine.Operation, clients)
	for client := range clients {
		all.Go(func() {
			for range actions {
				key := public[rand.IntN(len(public))]
				a := action{users[rand.IntN(len(users))], methods[rand.IntN(len(methods))], key.Fingerprint()}
				called := time.Since(begin)
				out := replicas[rand.IntN(len(replicas))].play(a, tokens[a.user], key)
				ops[client] = append(ops[client], porcupine.Operation{
					ClientId: client, Input: a, Call: int64(called), Output: out, Return: int64(time.Since(begin)),
				})
			}
		})
	}
	all.Wait()
	return slices.Concat(ops...)
}

// TestLinearizable holds histories of concurrent requests against a set of keys that changes at single moments.
func TestLinearizable(t *testing.T) {
	onReplicas(t, func(t *testing.T, replicas []*harness) {
		ops := history(t, replicas)
		if got := porcupine.CheckOperationsTimeout(keyModel, ops, time.Minute); got != porcupine.Ok {
			t.Errorf("%d requests: %s", len(ops), got)
		}
	})
}

// TestKeyModel sees that the model tells a history that no single moments explain from one that they do.
func TestKeyModel(t *testing.T) {
	op := func(client int, call, back int64, method string, out outcomeOf) porcupine.Operation {
		return porcupine.Operation{ClientId: client, Input: action{"alice", method, "k"}, Call: call, Output: out, Return: back}
	}
	add := op(1, 10, 40, http.MethodPost, outcomeOf{status: 201})
	for name, c := range map[string]struct {
		ops  []porcupine.Operation
		want bool
	}{
		"listed while it is added":     {[]porcupine.Operation{add, op(2, 20, 30, http.MethodGet, outcomeOf{200, "k"})}, true},
		"not listed while it is added": {[]porcupine.Operation{add, op(2, 20, 30, http.MethodGet, outcomeOf{200, ""})}, true},
		"not listed after":             {[]porcupine.Operation{add, op(2, 50, 60, http.MethodGet, outcomeOf{200, ""})}, false},
		"seen and then not": {[]porcupine.Operation{add, op(2, 20, 25, http.MethodGet, outcomeOf{200, "k"}),
			op(2, 30, 35, http.MethodGet, outcomeOf{200, ""})}, false},
		"added twice": {[]porcupine.Operation{add, op(2, 20, 30, http.MethodPost, outcomeOf{status: 201})}, false},
		"added twice and deleted in between": {[]porcupine.Operation{add, op(2, 20, 30, http.MethodPost, outcomeOf{status: 201}),
			op(3, 10, 40, http.MethodDelete, outcomeOf{status: 204})}, true},
		"deleted before": {[]porcupine.Operation{op(1, 1, 5, http.MethodDelete, outcomeOf{status: 204}), add}, false},
	} {
		if got := porcupine.CheckOperations(keyModel, c.ops); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
