package registry

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"keyward/keys"
	"keyward/registry/wire"
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
	once := h.seal(pair, 0)
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
	for range cap(h.hashing.queue) {
		h.hashing.queue <- struct{}{}
	}
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
	h.cfg.Store.Close()
	q := request{method: "GET", path: wire.PathReady}
	seen.add(q, h.do(q))
	q = request{method: "GET", path: wire.PathKeys, token: admin}
	if a := h.do(q); a.status != 500 || a.code() != wire.CodeInternal {
		t.Errorf("with the store closed: %d %s", a.status, a.body)
	}
	seen.codes[string(wire.CodeInternal)] = true
	seen.compare()
}

// code is the error code of the answer.
func (a answer) code() wire.Code {
	var e wire.Error
	json.Unmarshal(a.body, &e)
	return e.Error
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
	if there.code() != wire.CodeNotPermitted || string(there.body) != string(missing.body) {
		t.Errorf("alice asks about a user: %s, and about nobody: %s", there.body, missing.body)
	}
}

// TestDeletedKey holds what the document says of a deleted key: no new login, and the earlier
// token until the password is changed.
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
		{"delete", request{method: "DELETE", path: wire.UserKeyPath("alice", pair.Public.Fingerprint()), token: admin}, 204},
		{"log in", request{method: "POST", path: wire.PathToken, form: keyForm("alice", h.seal(pair, 0))}, 401},
		{"use the earlier token", use, 200},
		{"change the password", request{method: "PUT", path: wire.PasswordPath("alice"), token: admin, json: wire.NewPassword{Password: "a new password"}}, 204},
		{"use the earlier token", use, 401},
	} {
		if a := h.do(step.q); a.status != step.status {
			t.Errorf("%s: %d %s, want %d", step.name, a.status, a.body, step.status)
		}
	}
}
