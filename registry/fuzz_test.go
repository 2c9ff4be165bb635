package registry

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"keyward/bus"
	"keyward/registry/wire"
	"keyward/store"
)

func FuzzAuthorization(f *testing.F) {
	token := base64.RawURLEncoding.EncodeToString(make([]byte, tokenSize))
	for _, s := range []string{"Bearer " + token, "Bearer:" + token, "bearer:" + token, "Basic " + token, "Bearer", ":", token, ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		hash, ok := parseAuthorization(s)
		if !ok {
			return
		}
		again, ok := parseAuthorization("Bearer " + strings.TrimLeft(s[len(tokenType)+1:], " "))
		if !ok || again != hash {
			t.Errorf("%q is taken, and differs as the standard writes it", s)
		}
	})
}

func FuzzForm(f *testing.F) {
	for _, s := range []string{"username=alice&password=x", "username=a&username=b", "a=%zz", "a;b", "=", "", "grant_type=apikey&apikey=83%3AAA%2B%2F"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		form, err := decodeForm(s)
		if err != nil {
			return
		}
		again, err := url.ParseQuery(form.Encode())
		if err != nil || again.Encode() != form.Encode() {
			t.Errorf("%q: %v", s, err)
		}
		for name, values := range form {
			if len(values) != 1 {
				t.Errorf("%q has %q %d times", s, name, len(values))
			}
		}
	})
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"name":"a","password":"b","admin":true}`, `{"name":1}`, `{"more":1}`, `{} {}`, `[]`, `null`, `{`, ``,
		`{"admin":false,"ADMIN":true}`, `{"name":"\ud800"}`, "{\"name\":\"\xff\"}", "{\"name\":\"\ufffd\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v, again wire.NewUser
		if decodeJSON(data, &v) != nil {
			return
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := decodeJSON(text, &again); err != nil || again != v {
			t.Errorf("%q: %+v, then %+v: %v", data, v, again, err)
		}
	})
}

// FuzzAccountJSON reads accounts. What is taken is spelt again as itself, and who judges it takes anything.
func FuzzAccountJSON(f *testing.F) {
	for _, s := range []string{
		`{"name":"shop","identities":["spiffe://example.org/bus/account/shop"]}`,
		`{"name":"shop","roles":[{"kind":"emitter","name":"orders"},{"kind":"service","name":"echo","subjects":["echo.>","tea.*"],"stock":true}],"publish":["a.>"],"subscribe":[],"identities":[]}`,
		`{"name":"shop","roles":[null],"publish":null,"subscribe":[">","*","$SYS.>","_INBOX.>",""]}`,
		`{"roles":[{"kind":"worker","name":"a","kind":"spy"}]}`, `{"roles":[{"Kind":"worker"}]}`, `{"roles":[{"name":"\ud800"}]}`, `{"publish":["\udc00"]}`,
		`{"roles":{"kind":"worker"}}`, `{"roles":[[]]}`, `{"roles":[{"subjects":[{}]}]}`, `{"name":"shop","revision":1}`, `{"state":"active"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var in, again wire.NewAccount
		if decodeJSON(data, &in) != nil {
			return
		}
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		if err := decodeJSON(text, &again); err != nil || !cmp.Equal(in, again, cmpopts.EquateEmpty()) {
			t.Errorf("%q: %+v, then %+v: %v", data, in, again, err)
		}
		a := bus.Account{Name: in.Name, Roles: in.Roles, Publish: in.Publish, Subscribe: in.Subscribe, Identities: in.Identities, State: bus.Active}
		if may := a.Permissions(); store.ValidAccount(a) != nil && a.Validate() != nil && len(may.Publish.Allow)+len(may.Subscribe.Allow) > 0 {
			t.Errorf("%q is not valid, and may do %v", data, may)
		}
	})
}

// FuzzServeHTTP sends any request to a whole registry as an administrator. An answer over 300
// is an error with a code; none is a fault of the server.
func FuzzServeHTTP(f *testing.F) {
	const form, text = "application/x-www-form-urlencoded", "application/json"
	for _, r := range table {
		path := strings.NewReplacer("{user}", "alice", "{fingerprint}", "sha256:00", "{account}", "shop").Replace(r.path)
		f.Add(r.method, path, text, []byte(`{"key":"`+testKey+`","description":"x"}`))
	}
	f.Add("POST", wire.PathAccounts, text, []byte(`{"name":"shop","roles":[{"kind":"worker","name":"mail"}],"identities":["spiffe://a/bus/account/shop"]}`))
	f.Add("PUT", wire.AccountPath("shop"), text, []byte(`{"revision":1,"publish":["a.>"],"identities":["spiffe://a/bus/account/shop"]}`))
	f.Add("POST", wire.PathToken, form, []byte("username=alice&password=battery+staple"))
	f.Add("POST", wire.PathToken, form, []byte("grant_type=apikey&username=alice&apikey=83:AAAA"))
	f.Add("PUT", wire.PasswordPath("alice"), text, []byte(`{"password":"short"}`))
	f.Add("GET", "/api/v3/users/%2e%2e/keys", "", []byte{})
	f.Add("GET", "/api/v3/users/a%2Fb/keys?x=%zz", "", []byte{})
	f.Add("GET", "//", "a/b;c", []byte{})
	h := start(f)
	h.noHash.time, h.noHash.memory = 1, 8
	f.Fuzz(func(t *testing.T, method, path, mediaType string, body []byte) {
		r, err := http.NewRequest(method, "https://x", bytes.NewReader(body))
		if err != nil {
			return
		}
		if r.URL, err = url.ParseRequestURI(path); err != nil {
			return
		}
		r.RequestURI = path
		r.Header.Set("Content-Type", mediaType)
		text, token := h.newToken("admin")
		token.Scopes = store.ScopeRead | store.ScopeKeys | store.ScopeAdmin
		if err := h.cfg.Store.AddToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+text)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code < 300 {
			return
		}
		var e wire.Error
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Error == "" || w.Code >= 500 {
			t.Errorf("%s %q: %d %s", method, path, w.Code, w.Body)
		}
	})
}
