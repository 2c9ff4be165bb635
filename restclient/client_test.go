package restclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyward/bus"
	"keyward/fault"
	"keyward/keys"
	"keyward/registry/wire"
	"keyward/restclient"
)

const publicKey = "32:wlefJq4QjTm2QgtWTUtD7kG11nCyUtrKfobW/HPfoD0="

var token = restclient.Token{Access: "sesame-open", Type: "Bearer"}

func parseKey(t testing.TB) keys.PublicKey {
	t.Helper()
	key, err := keys.ParsePublic(publicKey)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// request is what a server saw of a call.
type request struct {
	Method, Path, Auth, Type, Body string
}

// TestCalls holds what each call sends and what it makes of the answer.
func TestCalls(t *testing.T) {
	key := parseKey(t)
	userKey := wire.Key{User: "user1", Key: publicKey, Fingerprint: key.Fingerprint(), Description: "Backup key", Created: "2026-03-01T12:00:00Z"}
	shop := bus.Account{
		Name: "shop", State: bus.Active, Revision: 7, NotBefore: clock, Publish: []bus.Pattern{"a.>"}, Subscribe: []bus.Pattern{"b"},
		Roles:      []bus.Role{{Kind: bus.Worker, Name: "echo", Subjects: []bus.Pattern{"c.*"}, Stock: true}},
		Identities: []string{"spiffe://example.org/bus/account/shop"},
	}
	const content = `"roles":[{"kind":"worker","name":"echo","subjects":["c.*"],"stock":true}],"publish":["a.\u003e"],"subscribe":["b"],"identities":["spiffe://example.org/bus/account/shop"]`
	const auth, form, jsonType = "Bearer sesame-open", "application/x-www-form-urlencoded", "application/json"
	for _, test := range []struct {
		name   string
		call   func(context.Context, *restclient.Client) (any, error)
		sent   request
		status int
		answer any
		want   any
	}{{
		name: "log in by password",
		call: func(ctx context.Context, c *restclient.Client) (any, error) {
			token, err := c.LoginPassword(ctx, "user1", "p&s=1 é")
			return []any{token.Access, token.Type, token.Expires}, err
		},
		sent:   request{"POST", wire.PathToken, "", form, "grant_type=password&password=p%26s%3D1+%C3%A9&username=user1"},
		status: 200,
		answer: wire.Token{AccessToken: "a-token", TokenType: "Bearer", ExpiresIn: 900},
		want:   []any{"a-token", "Bearer", clock.Add(15 * time.Minute)},
	}, {
		name: "log in at a vovserver, which names no end",
		call: func(ctx context.Context, c *restclient.Client) (any, error) {
			token, err := c.LoginPassword(ctx, "user1", "p")
			return []any{token.Access, token.Type, token.Expires}, err
		},
		sent:   request{"POST", wire.PathToken, "", form, "grant_type=password&password=p&username=user1"},
		status: 200,
		answer: map[string]any{"access_token": "a.b.c", "token_type": "JWT", "scope": []string{"all"}},
		want:   []any{"a.b.c", "JWT", time.Time{}},
	}, {
		name:   "revoke",
		call:   func(ctx context.Context, c *restclient.Client) (any, error) { return nil, c.Revoke(ctx, token) },
		sent:   request{"DELETE", wire.PathToken, auth, "", ""},
		status: 204,
	}, {
		name:   "server key",
		call:   func(ctx context.Context, c *restclient.Client) (any, error) { return c.ServerKey(ctx) },
		sent:   request{"GET", wire.PathServerKey, "", "", ""},
		status: 200,
		answer: wire.ServerKey{Key: publicKey, Fingerprint: key.Fingerprint()},
		want:   key,
	}, {
		name: "add a key",
		call: func(ctx context.Context, c *restclient.Client) (any, error) {
			return nil, c.AddKey(ctx, token, "a b/é", wire.NewKey{Key: key.String(), Description: "Backup key"})
		},
		sent:   request{"POST", "/api/v3/users/a%20b%2F%C3%A9/keys", auth, jsonType, `{"key":"` + publicKey + `","description":"Backup key"}`},
		status: 201,
		answer: userKey,
	}, {
		name:   "list keys",
		call:   func(ctx context.Context, c *restclient.Client) (any, error) { return c.Keys(ctx, token, "user1") },
		sent:   request{"GET", "/api/v3/users/user1/keys", auth, "", ""},
		status: 200,
		answer: map[string]any{"keys": []wire.Key{userKey}, "next": nil},
		want:   []wire.Key{userKey},
	}, {
		name:   "list all keys",
		call:   func(ctx context.Context, c *restclient.Client) (any, error) { return collect(c.AllKeys(ctx, token)) },
		sent:   request{"GET", wire.PathKeys, auth, "", ""},
		status: 200,
		answer: map[string]any{"count": 2, "keys": []wire.Key{userKey, userKey}},
		want:   []wire.Key{userKey, userKey},
	}, {
		name: "delete a key",
		call: func(ctx context.Context, c *restclient.Client) (any, error) {
			return nil, c.DeleteKey(ctx, token, "user1", key.Fingerprint())
		},
		sent:   request{"DELETE", "/api/v3/users/user1/keys/" + key.Fingerprint(), auth, "", ""},
		status: 204,
	}, {
		name:   "list accounts",
		call:   func(ctx context.Context, c *restclient.Client) (any, error) { return collect(c.Accounts(ctx, token)) },
		sent:   request{"GET", wire.PathAccounts, auth, "", ""},
		status: 200,
		answer: wire.Accounts{Accounts: []bus.Account{shop, shop}},
		want:   []bus.Account{shop, shop},
	}, {
		name:   "an account",
		call:   func(ctx context.Context, c *restclient.Client) (any, error) { return c.Account(ctx, token, "shop") },
		sent:   request{"GET", "/api/v3/bus/accounts/shop", auth, "", ""},
		status: 200,
		answer: shop,
		want:   shop,
	}, {
		name:   "add an account",
		call:   func(ctx context.Context, c *restclient.Client) (any, error) { return c.AddAccount(ctx, token, shop) },
		sent:   request{"POST", wire.PathAccounts, auth, jsonType, `{"name":"shop",` + content + `}`},
		status: 201,
		answer: shop,
		want:   shop,
	}, {
		name:   "update an account",
		call:   func(ctx context.Context, c *restclient.Client) (any, error) { return c.UpdateAccount(ctx, token, shop) },
		sent:   request{"PUT", "/api/v3/bus/accounts/shop", auth, jsonType, `{"revision":7,` + content + `}`},
		status: 200,
		answer: shop,
		want:   shop,
	}, {
		name: "revoke an account",
		call: func(ctx context.Context, c *restclient.Client) (any, error) {
			return nil, c.RevokeAccount(ctx, token, "shop")
		},
		sent:   request{"DELETE", "/api/v3/bus/accounts/shop", auth, "", ""},
		status: 204,
	}, {
		name: "set when a key ends",
		call: func(ctx context.Context, c *restclient.Client) (any, error) {
			return nil, c.ExpireKey(ctx, token, "user1", key.Fingerprint(), time.Date(2027, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600)))
		},
		sent:   request{"PATCH", "/api/v3/users/user1/keys/" + key.Fingerprint(), auth, jsonType, `{"expires":"2027-01-02T02:04:05Z"}`},
		status: 204,
	}, {
		name: "prune",
		call: func(ctx context.Context, c *restclient.Client) (any, error) {
			return c.PruneKeys(ctx, token, time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC))
		},
		sent:   request{"POST", wire.PathPrune, auth, jsonType, `{"before":"2027-01-02T03:04:05Z"}`},
		status: 200,
		answer: wire.Keys{Keys: []wire.Key{userKey}},
		want:   []wire.Key{userKey},
	}, {
		name: "prune nothing",
		call: func(ctx context.Context, c *restclient.Client) (any, error) {
			return c.PruneKeys(ctx, token, time.Time{})
		},
		sent:   request{"POST", wire.PathPrune, auth, jsonType, `{"before":""}`},
		status: 200,
		answer: wire.Keys{Keys: []wire.Key{}},
		want:   []wire.Key{},
	}, {
		name: "add a user",
		call: func(ctx context.Context, c *restclient.Client) (any, error) {
			return nil, c.AddUser(ctx, token, wire.NewUser{Name: "user2", Password: "p", Admin: true})
		},
		sent:   request{"POST", wire.PathUsers, auth, jsonType, `{"name":"user2","password":"p","admin":true}`},
		status: 201,
		answer: wire.User{Name: "user2"},
	}, {
		name:   "list users",
		call:   func(ctx context.Context, c *restclient.Client) (any, error) { return c.Users(ctx, token) },
		sent:   request{"GET", wire.PathUsers, auth, "", ""},
		status: 200,
		answer: wire.Users{Users: []wire.User{{Name: "admin", Admin: true, Keys: 1}}},
		want:   []wire.User{{Name: "admin", Admin: true, Keys: 1}},
	}, {
		name: "change a password",
		call: func(ctx context.Context, c *restclient.Client) (any, error) {
			return nil, c.SetPassword(ctx, token, "user1", "new")
		},
		sent:   request{"PUT", "/api/v3/users/user1/password", auth, jsonType, `{"password":"new"}`},
		status: 204,
	}, {
		name: "delete a user",
		call: func(ctx context.Context, c *restclient.Client) (any, error) {
			return nil, c.DeleteUser(ctx, token, "user1")
		},
		sent:   request{"DELETE", "/api/v3/users/user1", auth, "", ""},
		status: 204,
	}, {
		name:   "project",
		call:   func(ctx context.Context, c *restclient.Client) (any, error) { return c.Project(ctx, token) },
		sent:   request{"GET", wire.PathProject, auth, "", ""},
		status: 200,
		answer: wire.Table{StartRow: 1, EndRow: 1, Columns: []wire.Column{{Field: "project"}}, Rows: [][]any{{"licmon"}}},
		want:   "licmon",
	}, {
		name:   "version",
		call:   func(ctx context.Context, c *restclient.Client) (any, error) { return c.Version(ctx, token) },
		sent:   request{"GET", wire.PathVersion, auth, "", ""},
		status: 200,
		answer: wire.Table{Rows: [][]any{{2026.1}}},
		want:   "2026.1",
	}} {
		t.Run(test.name, func(t *testing.T) {
			var sent request
			client := trusted(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				sent = request{r.Method, r.URL.EscapedPath(), r.Header.Get("Authorization"), r.Header.Get("Content-Type"), string(body)}
				w.Header().Set("Content-Type", "application/json; charset=utf-8")
				w.WriteHeader(test.status)
				if test.answer != nil {
					json.NewEncoder(w).Encode(test.answer)
				}
			}), restclient.Options{})
			got, err := test.call(t.Context(), client)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.sent, sent); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("got (-want +got):\n%s", diff)
			}
		})
	}
}

func collect[T any](all iter.Seq2[T, error]) ([]T, error) {
	var list []T
	for one, err := range all {
		if err != nil {
			return list, err
		}
		list = append(list, one)
	}
	return list, nil
}

func TestLoginKeySealsForTheServer(t *testing.T) {
	user, err := keys.Generate()
	if err != nil {
		t.Fatal(err)
	}
	host, err := keys.Generate()
	if err != nil {
		t.Fatal(err)
	}
	var form url.Values
	client := trusted(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		form = r.PostForm
		answer(200, "application/json", `{"access_token":"t","token_type":"Bearer","expires_in":1}`).ServeHTTP(w, r)
	}), restclient.Options{})
	if _, err := client.LoginKey(t.Context(), "user1", user, host.Public); err != nil {
		t.Fatal(err)
	}
	sealed, err := keys.ParseLogin(form.Get(wire.FieldAPIKey))
	if err != nil {
		t.Fatal(err)
	}
	server, err := keys.NewServer(host)
	if err != nil {
		t.Fatal(err)
	}
	shared, err := server.SharedKey(user.Public)
	if err != nil {
		t.Fatal(err)
	}
	if at, err := sealed.Open(shared); err != nil || !at.Equal(clock) {
		t.Errorf("the sealed time is %v, %v; want %v", at, err, clock)
	}
	form.Del(wire.FieldAPIKey)
	want := url.Values{"grant_type": {"apikey"}, "client_id": {"keyward"}, "client_secret": {""}, "username": {"user1"}}
	if diff := cmp.Diff(want, form); diff != "" {
		t.Errorf("form (-want +got):\n%s", diff)
	}
}

func TestAltairAuthorization(t *testing.T) {
	for _, test := range []struct {
		token restclient.Token
		want  string
	}{
		{restclient.Token{Access: "abc", Type: "JWT"}, "JWT:abc"},
		{restclient.Token{Access: "abc"}, "Bearer:abc"},
	} {
		var got string
		client := trusted(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = r.Header.Get("Authorization")
			answer(200, "application/json", `{"users":[]}`).ServeHTTP(w, r)
		}), restclient.Options{AltairAuth: true})
		if _, err := client.Users(t.Context(), test.token); err != nil {
			t.Fatal(err)
		}
		if got != test.want {
			t.Errorf("Authorization: %q, want %q", got, test.want)
		}
	}
}

func TestTokenIsNeverPrinted(t *testing.T) {
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("logged in", "token", token, "nested", struct{ T restclient.Token }{token})
	inJSON, err := json.Marshal(token)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&log, verb, token)
		fmt.Fprintf(&log, verb, &token)
		fmt.Fprintf(&log, verb, []any{token})
	}
	if all := log.String() + string(inJSON) + token.String(); strings.Contains(all, "sesame") || strings.Contains(all, "736573616d65") {
		t.Errorf("the token is printed: %s", all)
	}
}

func TestConnectionIsReused(t *testing.T) {
	for _, http2 := range []bool{true, false} {
		ca := newAuthority(t)
		server := httptest.NewUnstartedServer(answer(200, "application/json", `{"users":[]}`))
		server.EnableHTTP2 = http2
		var connections atomic.Int32
		server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				connections.Add(1)
			}
		}
		server.TLS = tlsConfig(ca.leaf(t, nil))
		server.StartTLS()
		t.Cleanup(server.Close)
		client := newClient(t, server.URL, restclient.Options{TLS: trusting(ca)})
		for range 5 {
			if _, err := client.Users(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		}
		if n := connections.Load(); n != 1 {
			t.Errorf("HTTP/2 %t: %d connections for 5 calls, want 1", http2, n)
		}
	}
}

// TestRefusals holds which kind each of the server's answers becomes.
func TestRefusals(t *testing.T) {
	listUsers := func(ctx context.Context, c *restclient.Client) error {
		_, err := c.Users(ctx, token)
		return err
	}
	login := func(ctx context.Context, c *restclient.Client) error {
		_, err := c.LoginPassword(ctx, "user1", "hunter2")
		return err
	}
	for _, test := range []struct {
		name   string
		call   func(context.Context, *restclient.Client) error
		status int
		body   string
		kind   fault.Kind
		says   string
		hint   string
	}{
		{"bad request", listUsers, 400, `{"error":"bad_request","message":"no such field"}`, fault.Usage, "no such field (400 bad_request from GET https://", ""},
		{"login refused", login, 401, `{"error":"login_refused","message":"wrong"}`, fault.LoginRefused, "wrong (401 login_refused from POST", "password"},
		{"clock behind", login, 401, `{"error":"login_time","message":"the time is off","server_time":1772366700.5}`, fault.LoginRefused, "this clock is 5m1s behind the server's", "clock"},
		{"clock ahead", login, 401, `{"error":"login_time","message":"the time is off","server_time":1772366100}`, fault.LoginRefused, "this clock is 5m0s ahead of the server's", "clock"},
		{"clock of a madman", login, 401, `{"error":"login_time","message":"the time is off","server_time":1e300}`, fault.LoginRefused, "the time is off (401", "clock"},
		{"replay", login, 401, `{"error":"login_replay","message":"used"}`, fault.LoginRefused, "used", "again"},
		{"not permitted", listUsers, 403, `{"error":"not_permitted","message":"no"}`, fault.NotPermitted, "no", "administrator"},
		{"password needed", listUsers, 403, `{"error":"password_needed","message":"no"}`, fault.NotPermitted, "no", "password"},
		{"not found", listUsers, 404, `{"error":"not_found","message":"no such user"}`, fault.NotFound, "no such user", ""},
		{"other method", listUsers, 405, `{"error":"method_not_allowed","message":"no"}`, fault.Unreachable, "no", "--url"},
		{"exists", listUsers, 409, `{"error":"exists","message":"there"}`, fault.Exists, "there", ""},
		{"policy, with the server's hint", listUsers, 422, `{"error":"policy","message":"too short","hint":"take 12 letters"}`, fault.Policy, "too short", "take 12 letters"},
		{"policy, with one fault", listUsers, 422, `{"error":"policy","message":"m","hint":"h","faults":[{"field":"name\u001b","message":"is\nnone","hint":"h"}]}`, fault.Policy, "name: is none (422 policy", "h"},
		{"policy, with two faults", listUsers, 422, `{"error":"policy","message":"m","faults":[{"field":"a","message":"b","hint":"c"},{"field":"d","message":"e","hint":"f"}]}`, fault.Policy, "a: b (c)\nd: e (f) (422 policy", ""},
		{"changed", listUsers, 409, `{"error":"changed","message":"it was","hint":"look again"}`, fault.Exists, "it was", "look again"},
		{"busy", listUsers, 503, `{"error":"busy","message":"full"}`, fault.Unreachable, "full, try again after 7 (503 busy", "again"},
		{"internal", listUsers, 500, `{"error":"internal","message":"oops"}`, fault.Unreachable, "oops", "log"},
		{"a vovserver refuses a login", login, 400, `{"error":"Invalid username or password"}`, fault.LoginRefused, "400 Invalid username or password from", ""},
		{"a vovserver fails at a login", login, 500, `{"error":"broken"}`, fault.Unreachable, "500 broken", ""},
		{"a vovserver refuses a token", listUsers, 401, `{"error":"expired"}`, fault.LoginRefused, "401 expired", ""},
		{"a vovserver lacks the path", listUsers, 404, `{"error":"nope"}`, fault.NotFound, "404 nope", ""},
		{"a request's id", listUsers, 404, `{"error":"not_found","message":"no","request_id":"1a2b"}`, fault.NotFound, "/api/v3/users) (request 1a2b)", ""},
		{"a request's id that steers", listUsers, 404, `{"error":"not_found","message":"no","request_id":"\u001b1a"}`, fault.NotFound, "(request 1a)", ""},
		{"an odd status", listUsers, 418, `{"error":"teapot"}`, fault.Unreachable, "418 teapot", ""},
		{"terminal escapes", listUsers, 404, `{"error":"not_\u001b[2Jfound","message":"a\u001b]0;x\u0007\nb\u202ec"}`, fault.NotFound, "a]0;x bc (404 not_[2Jfound from", ""},
		{"not saying why", listUsers, 403, `{}`, fault.Unreachable, "answers 403 without saying why", "--url"},
		{"an error in a table", func(ctx context.Context, c *restclient.Client) error {
			_, err := c.Project(ctx, token)
			return err
		}, 200, `{"errormsg":"bad query","rows":[]}`, fault.Failed, "bad query", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			client := trusted(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Retry-After", "7")
				answer(test.status, "application/json", test.body).ServeHTTP(w, r)
			}), restclient.Options{})
			err := test.call(t.Context(), client)
			checkFault(t, err, test.kind, test.says, test.hint)
			if e, ok := errors.AsType[*restclient.Error](err); !ok {
				t.Errorf("%v holds no *restclient.Error", err)
			} else if e.Status != test.status && e.Status != 0 {
				t.Errorf("status %d, want %d", e.Status, test.status)
			}
		})
	}
}

// checkFault checks an error's kind, text and hint, and that it shows no secret of the tests.
func checkFault(t *testing.T, err error, kind fault.Kind, says, hint string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if fault.KindOf(err) != kind {
		t.Errorf("%v: %s, want %s", err, fault.KindOf(err).Code(), kind.Code())
	}
	if !strings.Contains(err.Error(), says) {
		t.Errorf("the error does not say %q: %v", says, err)
	}
	if !strings.Contains(fault.HintOf(err), hint) {
		t.Errorf("the hint does not say %q: %s", hint, fault.HintOf(err))
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if text := fmt.Sprintf("%v %+v", e, e); strings.Contains(text, "hunter2") || strings.Contains(text, "sesame") {
			t.Errorf("the error shows a secret: %s", text)
		}
	}
}

// TestURLOfAnError holds that it has no query.
func TestURLOfAnError(t *testing.T) {
	client := trusted(t, answer(403, "application/json", `{"error":"not_permitted"}`), restclient.Options{})
	_, err := client.AuditKey(t.Context(), token)
	if e, ok := errors.AsType[*restclient.Error](err); !ok || !strings.HasSuffix(e.URL, wire.PathAudit) {
		t.Errorf("%v", err)
	}
}

// TestRequestID holds that the id of the body goes before that of the header, which a proxy may have replaced.
func TestRequestID(t *testing.T) {
	long := strings.Repeat("1a", 400)
	for body, want := range map[string]string{
		`{"error":"not_found"}`:                             "of-the-header",
		`{"error":"not_found","request_id":"1a2b"}`:         "1a2b",
		`{"error":"not_found","request_id":"` + long + `"}`: long[:500],
	} {
		client := trusted(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Request-Id", "of-the-header")
			answer(404, "application/json", body).ServeHTTP(w, r)
		}), restclient.Options{})
		_, err := client.Users(t.Context(), token)
		if e, ok := errors.AsType[*restclient.Error](err); !ok || e.RequestID != want {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
}

// TestUserNamesThatAreNoPath holds that they are refused before anything is sent.
func TestUserNamesThatAreNoPath(t *testing.T) {
	client := newClient(t, "https://localhost:1", restclient.Options{})
	ctx, key := t.Context(), parseKey(t)
	for _, user := range []string{"", ".", ".."} {
		_, listing := client.Keys(ctx, token, user)
		for name, err := range map[string]error{
			"Keys":        listing,
			"AddKey":      client.AddKey(ctx, token, user, wire.NewKey{Key: key.String(), Description: ""}),
			"DeleteKey":   client.DeleteKey(ctx, token, user, key.Fingerprint()),
			"AddUser":     client.AddUser(ctx, token, wire.NewUser{Name: user}),
			"SetPassword": client.SetPassword(ctx, token, user, "hunter2"),
			"DeleteUser":  client.DeleteUser(ctx, token, user),
		} {
			t.Run(name, func(t *testing.T) { checkFault(t, err, fault.Usage, "is not a user name", "") })
		}
	}
}

func TestTokenThatNoHeaderTakes(t *testing.T) {
	client := newClient(t, "https://localhost:1", restclient.Options{})
	_, err := client.Users(t.Context(), restclient.Token{Access: "sesame\r\nX-Evil: 1"})
	checkFault(t, err, fault.Usage, "characters that no token has", "log in")
}
