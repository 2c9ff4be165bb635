package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyward/bus"
	"keyward/keys"
	"keyward/registry/wire"
	"keyward/store"
)

const testKey = "32:wlefJq4QjTm2QgtWTUtD7kG11nCyUtrKfobW/HPfoD0="

var (
	formType = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	jsonType = http.Header{"Content-Type": {"application/json"}}
	textType = http.Header{"Content-Type": {"text/plain"}}
)

// TestAPI goes through every route with good and bad input, in one registry, in
// order. Whatever it sees must be in the OpenAPI document, and the other way round.
func TestAPI(t *testing.T) {
	h := start(t)
	addUser(t, h.cfg.Store, "carol", alicePassword, false)
	pair := newPair(t)
	h.register("alice", pair.Public)
	public, err := keys.ParsePublic(testKey)
	if err != nil {
		t.Fatal(err)
	}
	aliceKeys, alicePath := wire.UserKeysPath("alice"), wire.UserPath("alice")
	testKeyPath := wire.UserKeyPath("alice", public.Fingerprint())
	long := strings.Repeat("x", wire.MaxBody+1)
	longForm := strings.Repeat("x", wire.MaxForm+1)
	newKey := wire.NewKey{Key: testKey, Description: "Backup key"}
	bob := wire.NewUser{Name: "bob", Password: "a good password"}
	newPassword := wire.NewPassword{Password: "a new password"}

	admin := h.token(passwordForm("admin", adminPassword))
	alice := h.token(passwordForm("alice", alicePassword))
	byKey := h.token(keyForm("alice", h.seal(pair, 0)))
	adminPair := newPair(t)
	h.register("admin", adminPair.Public)
	adminByKey := h.token(keyForm("admin", h.seal(adminPair, 0)))
	onlyKeys := h.token(scoped(passwordForm("alice", alicePassword), wire.ScopeKeys))
	soon, fresh := "2026-05-30T12:00:00Z", newPair(t).Public.String()
	once := h.seal(pair, 0)
	carol := h.tokenOf("carol")
	shop := wire.NewAccount{
		Name: "shop", Identities: []string{"spiffe://example.org/bus/account/shop"}, Publish: []bus.Pattern{"news.shop"}, Subscribe: []bus.Pattern{"news.>"},
		Roles: []bus.Role{{Kind: bus.Emitter, Name: "orders"}, {Kind: bus.Service, Name: "echo", Subjects: []bus.Pattern{"echo.*"}, Stock: true}},
	}
	shopPath, change := wire.AccountPath("shop"), wire.AccountChange{Revision: 1, Identities: shop.Identities}
	seen := newCoverage(t)

	for _, step := range []struct {
		name   string
		q      request
		status int
		code   wire.Code
	}{
		{"no form", request{method: "POST", path: wire.PathToken, body: strings.NewReader("%zz"), header: formType}, 400, wire.CodeBadRequest},
		{"no user", request{method: "POST", path: wire.PathToken, form: url.Values{"password": {"x"}}}, 400, wire.CodeBadRequest},
		{"user twice", request{method: "POST", path: wire.PathToken, form: url.Values{"username": {"alice", "admin"}}}, 400, wire.CodeBadRequest},
		{"other grant", request{method: "POST", path: wire.PathToken, form: url.Values{"username": {"alice"}, "grant_type": {"code"}}}, 400, wire.CodeBadRequest},
		{"form in the query", request{method: "POST", path: wire.PathToken + "?" + passwordForm("alice", alicePassword).Encode(), body: strings.NewReader(""), header: formType}, 400, wire.CodeBadRequest},
		{"wrong password", request{method: "POST", path: wire.PathToken, form: passwordForm("alice", "not my password")}, 401, wire.CodeLoginRefused},
		{"long body", request{method: "POST", path: wire.PathToken, body: strings.NewReader(longForm), header: formType}, 413, wire.CodeBadRequest},
		{"long body of unknown length", request{method: "POST", path: wire.PathToken, body: io.MultiReader(strings.NewReader(longForm)), header: formType}, 413, wire.CodeBadRequest},
		{"the longest body", request{method: "POST", path: wire.PathToken, body: strings.NewReader(longForm[1:]), header: formType}, 400, wire.CodeBadRequest},
		{"the longest body of unknown length", request{method: "POST", path: wire.PathToken, body: io.MultiReader(strings.NewReader(longForm[1:])), header: formType}, 400, wire.CodeBadRequest},
		{"JSON for a form", request{method: "POST", path: wire.PathToken, json: 1}, 415, wire.CodeBadRequest},
		{"password", request{method: "POST", path: wire.PathToken, form: passwordForm("alice", alicePassword)}, 200, ""},
		{"key", request{method: "POST", path: wire.PathToken, form: keyForm("alice", once)}, 200, ""},
		{"key login again", request{method: "POST", path: wire.PathToken, form: keyForm("alice", once)}, 401, wire.CodeLoginReplay},
		{"old key login", request{method: "POST", path: wire.PathToken, form: keyForm("alice", h.seal(pair, -time.Hour))}, 401, wire.CodeLoginTime},
		{"a scope that is none", request{method: "POST", path: wire.PathToken, form: scoped(passwordForm("alice", alicePassword), "read all")}, 400, wire.CodeBadRequest},
		{"a scope past what a user has", request{method: "POST", path: wire.PathToken, form: scoped(passwordForm("alice", alicePassword), "read admin")}, 403, wire.CodeNotPermitted},
		{"a scope past what a key gives", request{method: "POST", path: wire.PathToken, form: scoped(keyForm("admin", h.seal(adminPair, 0)), "keys")}, 403, wire.CodeNotPermitted},
		{"a wrong password with a scope past it", request{method: "POST", path: wire.PathToken, form: scoped(passwordForm("alice", "not my password"), "admin")}, 401, wire.CodeLoginRefused},

		{"no token", request{method: "GET", path: wire.PathProject}, 401, wire.CodeLoginRefused},
		{"project", request{method: "GET", path: wire.PathProject, token: byKey}, 200, ""},
		{"no token", request{method: "GET", path: wire.PathVersion}, 401, wire.CodeLoginRefused},
		{"version", request{method: "GET", path: wire.PathVersion, token: alice}, 200, ""},
		{"server key", request{method: "GET", path: wire.PathServerKey}, 200, ""},
		{"document", request{method: "GET", path: wire.PathOpenAPI}, 200, ""},
		{"alive", request{method: "GET", path: wire.PathHealth}, 200, ""},
		{"ready", request{method: "GET", path: wire.PathReady}, 200, ""},

		{"no token", request{method: "GET", path: aliceKeys}, 401, wire.CodeLoginRefused},
		{"own keys by key", request{method: "GET", path: aliceKeys, token: byKey}, 200, ""},
		{"another's keys", request{method: "GET", path: wire.UserKeysPath("admin"), token: alice}, 403, wire.CodeNotPermitted},
		{"nobody's keys", request{method: "GET", path: wire.UserKeysPath("nobody"), token: alice}, 403, wire.CodeNotPermitted},
		{"nobody's keys for an admin", request{method: "GET", path: wire.UserKeysPath("nobody"), token: admin}, 404, wire.CodeNotFound},

		{"no JSON", request{method: "POST", path: aliceKeys, token: alice, body: strings.NewReader("{"), header: jsonType}, 400, wire.CodeBadRequest},
		{"unknown field", request{method: "POST", path: aliceKeys, token: alice, json: map[string]string{"key": testKey, "colour": "red"}}, 400, wire.CodeBadRequest},
		{"text after", request{method: "POST", path: aliceKeys, token: alice, body: strings.NewReader(`{"key":"` + testKey + `"}{}`), header: jsonType}, 400, wire.CodeBadRequest},
		{"no token", request{method: "POST", path: aliceKeys, json: newKey}, 401, wire.CodeLoginRefused},
		{"by key", request{method: "POST", path: aliceKeys, token: byKey, json: newKey}, 403, wire.CodePasswordNeeded},
		{"for another", request{method: "POST", path: wire.UserKeysPath("admin"), token: alice, json: newKey}, 403, wire.CodeNotPermitted},
		{"for nobody", request{method: "POST", path: wire.UserKeysPath("nobody"), token: admin, json: newKey}, 404, wire.CodeNotFound},
		{"long body", request{method: "POST", path: aliceKeys, token: alice, body: strings.NewReader(long), header: jsonType}, 413, wire.CodeBadRequest},
		{"text", request{method: "POST", path: aliceKeys, token: alice, body: strings.NewReader("{}"), header: textType}, 415, wire.CodeBadRequest},
		{"bad key", request{method: "POST", path: aliceKeys, token: alice, json: wire.NewKey{Key: "31:abc"}}, 422, wire.CodePolicy},
		{"low-order key", request{method: "POST", path: aliceKeys, token: alice, json: wire.NewKey{Key: keys.PublicKey{1}.String()}}, 422, wire.CodePolicy},
		{"server's key", request{method: "POST", path: aliceKeys, token: alice, json: wire.NewKey{Key: h.cfg.Key.Public.String()}}, 422, wire.CodePolicy},
		{"two-line description", request{method: "POST", path: aliceKeys, token: alice, json: wire.NewKey{Key: testKey, Description: "a\nb"}}, 422, wire.CodePolicy},
		{"add", request{method: "POST", path: aliceKeys, token: alice, json: newKey}, 201, ""},
		{"add again", request{method: "POST", path: aliceKeys, token: alice, json: newKey}, 409, wire.CodeExists},
		{"the same for another", request{method: "POST", path: wire.UserKeysPath("admin"), token: admin, json: newKey}, 201, ""},

		{"no token", request{method: "GET", path: wire.PathKeys}, 401, wire.CodeLoginRefused},
		{"no admin", request{method: "GET", path: wire.PathKeys, token: alice}, 403, wire.CodeNotPermitted},
		{"all keys", request{method: "GET", path: wire.PathKeys, token: admin}, 200, ""},

		{"labels and expiry", request{method: "POST", path: aliceKeys, token: alice, json: wire.NewKey{Key: newPair(t).Public.String(), Labels: []string{"ci", "host=web1"}, Expires: soon}}, 201, ""},
		{"labels out of order", request{method: "POST", path: aliceKeys, token: alice, json: wire.NewKey{Key: fresh, Labels: []string{"b", "a"}}}, 422, wire.CodePolicy},
		{"a label with a space", request{method: "POST", path: aliceKeys, token: alice, json: wire.NewKey{Key: fresh, Labels: []string{"a b"}}}, 422, wire.CodePolicy},
		{"an expiry that is over", request{method: "POST", path: aliceKeys, token: alice, json: wire.NewKey{Key: fresh, Expires: "2026-03-01T12:00:00Z"}}, 422, wire.CodePolicy},
		{"an expiry that is no time", request{method: "POST", path: aliceKeys, token: alice, json: wire.NewKey{Key: fresh, Expires: "90d"}}, 400, wire.CodeBadRequest},

		{"no token", request{method: "PATCH", path: testKeyPath, json: wire.KeyChange{}}, 401, wire.CodeLoginRefused},
		{"by key", request{method: "PATCH", path: testKeyPath, token: byKey, json: wire.KeyChange{}}, 403, wire.CodePasswordNeeded},
		{"another's", request{method: "PATCH", path: wire.UserKeyPath("admin", public.Fingerprint()), token: alice, json: wire.KeyChange{}}, 403, wire.CodeNotPermitted},
		{"no such key", request{method: "PATCH", path: aliceKeys + "/sha256:00", token: alice, json: wire.KeyChange{}}, 404, wire.CodeNotFound},
		{"nobody's", request{method: "PATCH", path: wire.UserKeyPath("nobody", public.Fingerprint()), token: admin, json: wire.KeyChange{}}, 404, wire.CodeNotFound},
		{"no JSON", request{method: "PATCH", path: testKeyPath, token: alice, body: strings.NewReader("{"), header: jsonType}, 400, wire.CodeBadRequest},
		{"no time", request{method: "PATCH", path: testKeyPath, token: alice, json: wire.KeyChange{Expires: "tomorrow"}}, 400, wire.CodeBadRequest},
		{"long body", request{method: "PATCH", path: testKeyPath, token: alice, body: strings.NewReader(long), header: jsonType}, 413, wire.CodeBadRequest},
		{"text", request{method: "PATCH", path: testKeyPath, token: alice, body: strings.NewReader("{}"), header: textType}, 415, wire.CodeBadRequest},
		{"to come", request{method: "PATCH", path: testKeyPath, token: alice, json: wire.KeyChange{Expires: "2026-03-02T13:00:00+01:00"}}, 204, ""},
		{"over", request{method: "PATCH", path: testKeyPath, token: admin, json: wire.KeyChange{Expires: "2026-02-01T12:00:00Z"}}, 204, ""},

		{"no token", request{method: "GET", path: wire.DirectoryPath("alice")}, 401, wire.CodeLoginRefused},
		{"a token that is not for reading", request{method: "GET", path: wire.DirectoryPath("alice"), token: onlyKeys}, 403, wire.CodeNotPermitted},
		{"nobody", request{method: "GET", path: wire.DirectoryPath("nobody"), token: byKey}, 404, wire.CodeNotFound},
		{"another", request{method: "GET", path: wire.DirectoryPath("admin"), token: byKey}, 200, ""},
		{"with labels", request{method: "GET", path: aliceKeys, token: byKey}, 200, ""},

		{"no token", request{method: "POST", path: wire.PathPrune, json: wire.Prune{}}, 401, wire.CodeLoginRefused},
		{"no admin", request{method: "POST", path: wire.PathPrune, token: alice, json: wire.Prune{}}, 403, wire.CodeNotPermitted},
		{"an admin by key", request{method: "POST", path: wire.PathPrune, token: adminByKey, json: wire.Prune{}}, 403, wire.CodePasswordNeeded},
		{"no JSON", request{method: "POST", path: wire.PathPrune, token: admin, body: strings.NewReader("{"), header: jsonType}, 400, wire.CodeBadRequest},
		{"no time", request{method: "POST", path: wire.PathPrune, token: admin, json: wire.Prune{Before: "x"}}, 400, wire.CodeBadRequest},
		{"long body", request{method: "POST", path: wire.PathPrune, token: admin, body: strings.NewReader(long), header: jsonType}, 413, wire.CodeBadRequest},
		{"text", request{method: "POST", path: wire.PathPrune, token: admin, body: strings.NewReader("{}"), header: textType}, 415, wire.CodeBadRequest},
		{"prune", request{method: "POST", path: wire.PathPrune, token: admin, json: wire.Prune{}}, 200, ""},
		{"what was pruned", request{method: "DELETE", path: testKeyPath, token: alice}, 404, wire.CodeNotFound},
		{"add it anew", request{method: "POST", path: aliceKeys, token: alice, json: newKey}, 201, ""},

		{"no token", request{method: "GET", path: wire.PathAudit}, 401, wire.CodeLoginRefused},
		{"no admin", request{method: "GET", path: wire.PathAudit, token: alice}, 403, wire.CodeNotPermitted},
		{"after what", request{method: "GET", path: wire.PathAudit + "?after=-1", token: admin}, 400, wire.CodeBadRequest},
		{"all", request{method: "GET", path: wire.PathAudit, token: adminByKey}, 200, ""},
		{"none", request{method: "GET", path: wire.PathAudit + "?after=1000000", token: admin}, 200, ""},

		{"no token", request{method: "DELETE", path: testKeyPath}, 401, wire.CodeLoginRefused},
		{"by key", request{method: "DELETE", path: testKeyPath, token: byKey}, 403, wire.CodePasswordNeeded},
		{"no such key", request{method: "DELETE", path: aliceKeys + "/sha256:00", token: alice}, 404, wire.CodeNotFound},
		{"delete", request{method: "DELETE", path: testKeyPath, token: admin}, 204, ""},

		{"no token", request{method: "GET", path: wire.PathUsers}, 401, wire.CodeLoginRefused},
		{"no admin", request{method: "GET", path: wire.PathUsers, token: alice}, 403, wire.CodeNotPermitted},
		{"users", request{method: "GET", path: wire.PathUsers, token: admin}, 200, ""},
		{"no JSON", request{method: "POST", path: wire.PathUsers, token: admin, body: strings.NewReader("x"), header: jsonType}, 400, wire.CodeBadRequest},
		{"no token", request{method: "POST", path: wire.PathUsers, json: bob}, 401, wire.CodeLoginRefused},
		{"no admin", request{method: "POST", path: wire.PathUsers, token: alice, json: bob}, 403, wire.CodeNotPermitted},
		{"long body", request{method: "POST", path: wire.PathUsers, token: admin, body: strings.NewReader(long), header: jsonType}, 413, wire.CodeBadRequest},
		{"text", request{method: "POST", path: wire.PathUsers, token: admin, body: strings.NewReader("{}"), header: textType}, 415, wire.CodeBadRequest},
		{"bad name", request{method: "POST", path: wire.PathUsers, token: admin, json: wire.NewUser{Name: "../etc", Password: "a good password"}}, 422, wire.CodePolicy},
		{"short password", request{method: "POST", path: wire.PathUsers, token: admin, json: wire.NewUser{Name: "bob", Password: "short"}}, 422, wire.CodePolicy},
		{"add", request{method: "POST", path: wire.PathUsers, token: admin, json: bob}, 201, ""},
		{"add again", request{method: "POST", path: wire.PathUsers, token: admin, json: bob}, 409, wire.CodeExists},

		{"no JSON", request{method: "PUT", path: wire.PasswordPath("alice"), token: alice, body: strings.NewReader("[]"), header: jsonType}, 400, wire.CodeBadRequest},
		{"no token", request{method: "PUT", path: wire.PasswordPath("alice"), json: newPassword}, 401, wire.CodeLoginRefused},
		{"by key", request{method: "PUT", path: wire.PasswordPath("alice"), token: byKey, json: newPassword}, 403, wire.CodePasswordNeeded},
		{"another's", request{method: "PUT", path: wire.PasswordPath("admin"), token: alice, json: newPassword}, 403, wire.CodeNotPermitted},
		{"nobody's", request{method: "PUT", path: wire.PasswordPath("nobody"), token: admin, json: newPassword}, 404, wire.CodeNotFound},
		{"long body", request{method: "PUT", path: wire.PasswordPath("alice"), token: alice, body: strings.NewReader(long), header: jsonType}, 413, wire.CodeBadRequest},
		{"text", request{method: "PUT", path: wire.PasswordPath("alice"), token: alice, body: strings.NewReader("{}"), header: textType}, 415, wire.CodeBadRequest},
		{"short password", request{method: "PUT", path: wire.PasswordPath("alice"), token: alice, json: wire.NewPassword{Password: "short"}}, 422, wire.CodePolicy},
		{"own", request{method: "PUT", path: wire.PasswordPath("alice"), token: alice, json: newPassword}, 204, ""},
		{"with the token from before", request{method: "GET", path: aliceKeys, token: alice}, 401, wire.CodeLoginRefused},

		{"no token", request{method: "DELETE", path: alicePath}, 401, wire.CodeLoginRefused},
		{"no admin", request{method: "DELETE", path: alicePath, token: h.tokenOf("carol")}, 403, wire.CodeNotPermitted},
		{"nobody", request{method: "DELETE", path: wire.UserPath("nobody"), token: admin}, 404, wire.CodeNotFound},
		{"the last admin", request{method: "DELETE", path: wire.UserPath("admin"), token: admin}, 422, wire.CodePolicy},
		{"delete", request{method: "DELETE", path: alicePath, token: admin}, 204, ""},

		{"no token", request{method: "GET", path: wire.PathAccounts}, 401, wire.CodeLoginRefused},
		{"no admin", request{method: "GET", path: wire.PathAccounts, token: carol}, 403, wire.CodeNotPermitted},
		{"none", request{method: "GET", path: wire.PathAccounts, token: adminByKey}, 200, ""},
		{"no JSON", request{method: "POST", path: wire.PathAccounts, token: admin, body: strings.NewReader("x"), header: jsonType}, 400, wire.CodeBadRequest},
		{"no field to set", request{method: "POST", path: wire.PathAccounts, token: admin, json: bus.Account{Name: "shop", Identities: shop.Identities}}, 400, wire.CodeBadRequest},
		{"a role's field in another case", request{method: "POST", path: wire.PathAccounts, token: admin, body: strings.NewReader(`{"name":"shop","roles":[{"Kind":"emitter","name":"a"}]}`), header: jsonType}, 400, wire.CodeBadRequest},
		{"no token", request{method: "POST", path: wire.PathAccounts, json: shop}, 401, wire.CodeLoginRefused},
		{"no admin", request{method: "POST", path: wire.PathAccounts, token: carol, json: shop}, 403, wire.CodeNotPermitted},
		{"an admin by key", request{method: "POST", path: wire.PathAccounts, token: adminByKey, json: shop}, 403, wire.CodePasswordNeeded},
		{"long body", request{method: "POST", path: wire.PathAccounts, token: admin, body: strings.NewReader(long), header: jsonType}, 413, wire.CodeBadRequest},
		{"text", request{method: "POST", path: wire.PathAccounts, token: admin, body: strings.NewReader("{}"), header: textType}, 415, wire.CodeBadRequest},
		{"nothing in it", request{method: "POST", path: wire.PathAccounts, token: admin, body: strings.NewReader("{}"), header: jsonType}, 422, wire.CodePolicy},
		{"another's identity", request{method: "POST", path: wire.PathAccounts, token: admin, json: wire.NewAccount{Name: "till", Identities: shop.Identities}}, 422, wire.CodePolicy},
		{"add", request{method: "POST", path: wire.PathAccounts, token: admin, json: shop}, 201, ""},
		{"add again", request{method: "POST", path: wire.PathAccounts, token: admin, json: shop}, 409, wire.CodeExists},
		{"all", request{method: "GET", path: wire.PathAccounts, token: admin}, 200, ""},

		{"no token", request{method: "GET", path: shopPath}, 401, wire.CodeLoginRefused},
		{"no admin", request{method: "GET", path: shopPath, token: carol}, 403, wire.CodeNotPermitted},
		{"no such", request{method: "GET", path: wire.AccountPath("Shop"), token: admin}, 404, wire.CodeNotFound},
		{"account", request{method: "GET", path: shopPath, token: adminByKey}, 200, ""},

		{"no JSON", request{method: "PUT", path: shopPath, token: admin, body: strings.NewReader("x"), header: jsonType}, 400, wire.CodeBadRequest},
		{"no revision", request{method: "PUT", path: shopPath, token: admin, body: strings.NewReader(`{"revision":-1}`), header: jsonType}, 400, wire.CodeBadRequest},
		{"no token", request{method: "PUT", path: shopPath, json: change}, 401, wire.CodeLoginRefused},
		{"no admin", request{method: "PUT", path: shopPath, token: carol, json: change}, 403, wire.CodeNotPermitted},
		{"an admin by key", request{method: "PUT", path: shopPath, token: adminByKey, json: change}, 403, wire.CodePasswordNeeded},
		{"no such", request{method: "PUT", path: wire.AccountPath("till"), token: admin, json: wire.AccountChange{Revision: 1, Identities: []string{"spiffe://example.org/bus/account/till"}}}, 404, wire.CodeNotFound},
		{"long body", request{method: "PUT", path: shopPath, token: admin, body: strings.NewReader(long), header: jsonType}, 413, wire.CodeBadRequest},
		{"text", request{method: "PUT", path: shopPath, token: admin, body: strings.NewReader("{}"), header: textType}, 415, wire.CodeBadRequest},
		{"no identity", request{method: "PUT", path: shopPath, token: admin, json: wire.AccountChange{Revision: 1}}, 422, wire.CodePolicy},
		{"change", request{method: "PUT", path: shopPath, token: admin, json: change}, 200, ""},
		{"change the one before", request{method: "PUT", path: shopPath, token: admin, json: change}, 409, wire.CodeChanged},

		{"no token", request{method: "DELETE", path: shopPath}, 401, wire.CodeLoginRefused},
		{"no admin", request{method: "DELETE", path: shopPath, token: carol}, 403, wire.CodeNotPermitted},
		{"an admin by key", request{method: "DELETE", path: shopPath, token: adminByKey}, 403, wire.CodePasswordNeeded},
		{"no such", request{method: "DELETE", path: wire.AccountPath("till"), token: admin}, 404, wire.CodeNotFound},
		{"revoke", request{method: "DELETE", path: shopPath, token: admin}, 204, ""},
		{"revoke again", request{method: "DELETE", path: shopPath, token: admin}, 204, ""},
		{"change a revoked one", request{method: "PUT", path: shopPath, token: admin, json: wire.AccountChange{Revision: 4, Identities: shop.Identities}}, 422, wire.CodePolicy},
		{"add over it", request{method: "POST", path: wire.PathAccounts, token: admin, json: shop}, 201, ""},
		{"with a time", request{method: "GET", path: shopPath, token: admin}, 200, ""},

		{"no such path", request{method: "GET", path: "/api/v3/nothing", token: admin}, 404, wire.CodeNotFound},
		{"no redirect", request{method: "GET", path: "/api/v3//keys", token: admin}, 404, wire.CodeNotFound},
		{"no redirect", request{method: "GET", path: "/api/v3/x/../keys", token: admin}, 404, wire.CodeNotFound},
		{"no redirect", request{method: "GET", path: "/api/v3/keys/", token: admin}, 404, wire.CodeNotFound},
		{"root", request{method: "GET", path: "/"}, 404, wire.CodeNotFound},
		{"other method", request{method: "PATCH", path: wire.PathToken}, 405, wire.CodeMethod},
		{"made-up method", request{method: "BREW", path: wire.PathUsers}, 405, wire.CodeMethod},

		{"no token", request{method: "DELETE", path: wire.PathToken}, 401, wire.CodeLoginRefused},
		{"revoke", request{method: "DELETE", path: wire.PathToken, token: admin}, 204, ""},
		{"revoke again", request{method: "DELETE", path: wire.PathToken, token: admin}, 401, wire.CodeLoginRefused},
	} {
		a := h.do(step.q)
		if a.status != step.status || a.code() != step.code {
			t.Fatalf("%s %s, %s: %d %s, want %d %s", step.q.method, step.q.path, step.name, a.status, a.body, step.status, step.code)
		}
		seen.add(step.q, a)
	}

	// What only a server in trouble answers.
	admin = h.token(passwordForm("admin", adminPassword))
	h.fillQueue()
	for _, q := range []request{
		{method: "POST", path: wire.PathToken, form: passwordForm("admin", adminPassword)},
		{method: "POST", path: wire.PathUsers, token: admin, json: bob},
		{method: "PUT", path: wire.PasswordPath("bob"), token: admin, json: newPassword},
	} {
		a := h.do(q)
		if a.status != 503 || a.code() != wire.CodeBusy || a.header.Get("Retry-After") == "" {
			t.Errorf("%s %s with the queue full: %d %s", q.method, q.path, a.status, a.body)
		}
		seen.add(q, a)
	}
	wrong := request{method: "POST", path: wire.PathToken, form: passwordForm("bob", "not my password")}
	h.guess("bob", freeNearby)
	if a := h.do(wrong); a.status != 429 || a.code() != wire.CodeLimited || a.header.Get("Retry-After") != "1" {
		t.Errorf("one wrong password too many: %d %s", a.status, a.body)
	} else {
		seen.add(wrong, a)
	}
	kept := h.cfg.Store
	h.cfg.Store = gone{kept}
	q := request{method: "GET", path: wire.PathUsers, token: admin}
	if a := h.do(q); a.status != 503 || a.code() != wire.CodeUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("without a database: %d %s", a.status, a.body)
	}
	seen.codes[string(wire.CodeUnavailable)] = true
	h.cfg.Store = kept
	h.cfg.Store.Close()
	q = request{method: "GET", path: wire.PathReady}
	seen.add(q, h.do(q))
	q = request{method: "GET", path: wire.PathKeys, token: admin}
	if a := h.do(q); a.status != 500 || a.code() != wire.CodeInternal {
		t.Errorf("with the store closed: %d %s", a.status, a.body)
	}
	seen.codes[string(wire.CodeInternal)] = true
	seen.compare()
}

// gone is a store whose database cannot be reached.
type gone struct{ store.Store }

func (gone) Token(context.Context, [32]byte) (store.Token, store.User, error) {
	return store.Token{}, store.User{}, fmt.Errorf("dial: %w", store.ErrUnavailable)
}

// scoped adds a scope to a form.
func scoped(form url.Values, scope string) url.Values {
	form.Set(wire.FieldScope, scope)
	return form
}

// code is the error code of the answer.
func (a answer) code() wire.Code {
	var e wire.Error
	json.Unmarshal(a.body, &e)
	return e.Error
}

// masked is what the answer says but for the id of the request.
func (a answer) masked() wire.Error {
	var e wire.Error
	json.Unmarshal(a.body, &e)
	e.RequestID = ""
	return e
}

// TestMessages sees that what is missing or there already is named, for those who may know it.
func TestMessages(t *testing.T) {
	h := start(t)
	admin := h.tokenOf("admin")
	public, err := keys.ParsePublic(testKey)
	if err != nil {
		t.Fatal(err)
	}
	h.register("alice", public)
	fingerprint := public.Fingerprint()
	const users, list = "`keyward user list`", "`keyward listkeys`"
	for _, c := range []struct {
		q             request
		message, hint string
	}{
		{request{method: "GET", path: wire.UserKeysPath("bob")}, `there is no user "bob"`, users},
		{request{method: "POST", path: wire.UserKeysPath("bob"), json: wire.NewKey{Key: testKey}}, `there is no user "bob"`, users},
		{request{method: "DELETE", path: wire.UserPath("bob")}, `there is no user "bob"`, users},
		{request{method: "PUT", path: wire.PasswordPath("bob"), json: wire.NewPassword{Password: alicePassword}}, `there is no user "bob"`, users},
		{request{method: "POST", path: wire.PathUsers, json: wire.NewUser{Name: "alice", Password: alicePassword}}, `user "alice" is already there`, users},
		{request{method: "POST", path: wire.UserKeysPath("alice"), json: wire.NewKey{Key: testKey}}, `user "alice" already has the key ` + fingerprint, list},
		{request{method: "DELETE", path: wire.UserKeyPath("admin", fingerprint)}, `user "admin" has no key "` + fingerprint + `"`, list},
	} {
		c.q.token = admin
		a := h.do(c.q)
		var e wire.Error
		if err := json.Unmarshal(a.body, &e); err != nil {
			t.Fatal(err)
		}
		if e.Message != c.message || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%s %s: %s", c.q.method, c.q.path, a.body)
		}
	}
	about := func(name string) answer {
		return h.do(request{method: "GET", path: wire.UserKeysPath(name), token: h.tokenOf("alice")})
	}
	there, missing := about("admin"), about("bob")
	if there.code() != wire.CodeNotPermitted || !cmp.Equal(there.masked(), missing.masked()) {
		t.Errorf("alice asks about a user: %s, and about nobody: %s", there.body, missing.body)
	}
}

// TestDeletedKey sees that a key's tokens go with it, and do not come back with it.
func TestDeletedKey(t *testing.T) {
	h := start(t)
	pair := newPair(t)
	h.register("alice", pair.Public)
	token := h.token(keyForm("alice", h.seal(pair, 0)))
	admin := h.tokenOf("admin")
	use := request{method: "GET", path: wire.PathProject, token: token}
	for _, step := range []struct {
		name   string
		q      request
		status int
	}{
		{"use the token", use, 200},
		{"delete", request{method: "DELETE", path: wire.UserKeyPath("alice", pair.Public.Fingerprint()), token: admin}, 204},
		{"use the earlier token", use, 401},
		{"log in", request{method: "POST", path: wire.PathToken, form: keyForm("alice", h.seal(pair, 0))}, 401},
		{"add it again", request{method: "POST", path: wire.UserKeysPath("alice"), token: admin, json: wire.NewKey{Key: pair.Public.String()}}, 201},
		{"use the earlier token", use, 401},
		{"log in", request{method: "POST", path: wire.PathToken, form: keyForm("alice", h.seal(pair, 0))}, 200},
	} {
		if a := h.do(step.q); a.status != step.status {
			t.Errorf("%s: %d %s, want %d", step.name, a.status, a.body, step.status)
		}
	}
}

// TestExpiredKey sees that a key counts until its expiry and no longer, nor do its tokens, whether the expiry
// was there from the start or set later.
func TestExpiredKey(t *testing.T) {
	h := start(t)
	pair := newPair(t)
	admin := h.tokenOf("admin")
	expires := h.clock.Now().Add(10 * time.Minute)
	add := wire.NewKey{Key: pair.Public.String(), Expires: wire.Time(expires)}
	if a := h.do(request{method: "POST", path: wire.UserKeysPath("alice"), token: admin, json: add}); a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	usable := func(token string) int {
		return h.do(request{method: "GET", path: wire.PathProject, token: token}).status
	}
	change := func(to time.Time) {
		t.Helper()
		q := request{method: "PATCH", path: wire.UserKeyPath("alice", pair.Public.Fingerprint()), token: admin, json: wire.KeyChange{Expires: wire.Time(to)}}
		if a := h.do(q); a.status != http.StatusNoContent {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	token := h.token(keyForm("alice", h.seal(pair, 0)))
	change(h.clock.Now().Add(2 * time.Minute))
	h.clock.Add(2*time.Minute - time.Second)
	if got := usable(token); got != http.StatusOK {
		t.Errorf("before the key's new end: %d", got)
	}
	h.clock.Add(time.Second)
	if got := usable(token); got != http.StatusUnauthorized {
		t.Errorf("after the key's new end: %d", got)
	}
	if a := h.logInWith("alice", h.seal(pair, 0)); a.code() != wire.CodeLoginRefused {
		t.Errorf("log in after it: %d %s", a.status, a.body)
	}
	change(expires)
	a := h.logInWith("alice", h.seal(pair, 0))
	var answer wire.Token
	if err := json.Unmarshal(a.body, &answer); err != nil || answer.ExpiresIn != 8*60 {
		t.Errorf("a token of a key that ends in 8 minutes: %d %s", a.status, a.body)
	}
	change(h.clock.Now())
	if got := usable(answer.AccessToken); got != http.StatusUnauthorized {
		t.Errorf("after the key was ended at once: %d", got)
	}
	change(time.Time{})
	if a := h.logInWith("alice", h.seal(pair, 0)); a.status != http.StatusOK {
		t.Errorf("without an expiry: %d %s", a.status, a.body)
	}
}
