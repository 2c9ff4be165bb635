package natsauth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"keyward/bus"
	"keyward/fault"
)

// asker is a server that asks.
type asker struct {
	t        *testing.T
	of       *Keys // to be asked
	key      nkeys.KeyPair
	id, xkey string
	curve    nkeys.KeyPair
}

func newAsker(t *testing.T, of *Keys) *asker {
	t.Helper()
	a := &asker{t: t, of: of}
	var err [4]error
	a.key, err[0] = nkeys.CreateServer()
	a.id, err[1] = a.key.PublicKey()
	a.curve, err[2] = nkeys.CreateCurveKeys()
	a.xkey, err[3] = a.curve.PublicKey()
	if err := errors.Join(err[:]...); err != nil {
		t.Fatal(err)
	}
	return a
}

func newTestKeys(t testing.TB) *Keys {
	t.Helper()
	k, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// request is what it asks, after a change.
func (a *asker) request(cert *x509.Certificate, change func(*jwt.AuthorizationRequestClaims)) string {
	a.t.Helper()
	user, err := nkeys.CreateUser()
	if err != nil {
		a.t.Fatal(err)
	}
	claims := jwt.NewAuthorizationRequestClaims(a.of.Public().Issuer)
	claims.Audience = calloutAudience
	claims.UserNkey, err = user.PublicKey()
	claims.Server = jwt.ServerID{Name: "n1", ID: a.id, Version: "2.12.6", XKey: a.xkey}
	claims.ClientInformation = jwt.ClientInformation{Kind: "Client", Type: "nats", Host: "192.0.2.1", ID: 7}
	claims.Expires = time.Now().Add(2 * time.Second).Unix()
	if cert != nil {
		claims.TLS = &jwt.ClientTLS{VerifiedChains: []jwt.StringList{{pemOf(cert)}}}
	}
	change(claims)
	token, encode := claims.Encode(a.key)
	if err := errors.Join(err, encode); err != nil {
		a.t.Fatal(err)
	}
	return token
}

func (a *asker) seal(text string) []byte {
	a.t.Helper()
	data, err := a.curve.Seal([]byte(text), a.of.Public().XKey)
	if err != nil {
		a.t.Fatal(err)
	}
	return data
}

func pemOf(cert *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
}

func newCertificate(t *testing.T) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestAsk(t *testing.T) {
	keys := newTestKeys(t)
	server, other := newAsker(t, keys), newAsker(t, newTestKeys(t))
	cert := newCertificate(t)
	type claims = jwt.AuthorizationRequestClaims
	tests := []struct {
		name   string
		change func(*claims)
		want   string // of the error; none is no error
	}{
		{"as it should be", func(*claims) {}, ""},
		{"a websocket", func(c *claims) { c.ClientInformation.Type = "websocket" }, ""},
		{"a newer server", func(c *claims) { c.Server.Version = "3.0.0" }, ""},
		{"MQTT", func(c *claims) { c.ClientInformation.Type = "mqtt" }, `kind "Client", type "mqtt"`},
		{"no type", func(c *claims) { c.ClientInformation.Type = "" }, `type ""`},
		{"a leaf node", func(c *claims) { c.ClientInformation.Kind = "Leafnode" }, `kind "Leafnode"`},
		{"JetStream", func(c *claims) { c.ClientInformation.Kind = "JetStream" }, `kind "JetStream"`},
		{"an old server", func(c *claims) { c.Server.Version = "2.12.5" }, "too old"},
		{"a server of no version", func(c *claims) { c.Server.Version = "" }, "says no version"},
		{"another issuer", func(c *claims) { c.Subject = other.of.Public().Issuer }, "asks for answers of"},
		{"another audience", func(c *claims) { c.Audience = "x" }, `is for "x"`},
		{"another server", func(c *claims) { c.Server.ID = other.id }, "signed by another server"},
		{"another xkey", func(c *claims) { c.Server.XKey = other.xkey }, "encrypted with another key"},
		{"no xkey", func(c *claims) { c.Server.XKey = "" }, "encrypted with another key"},
		{"late", func(c *claims) { c.Expires = time.Now().Add(-5 * time.Second).Unix() }, "the request ended"},
		{"no end", func(c *claims) { c.Expires = 0 }, "the request ended"},
		{"too many certificates", func(c *claims) {
			chain := c.TLS.VerifiedChains[0]
			for range maxChain {
				chain = append(chain, pemOf(newCertificate(t)))
			}
			c.TLS.VerifiedChains[0] = chain
		}, "17 certificates"},
		{"no PEM", func(c *claims) { c.TLS.VerifiedChains[0] = jwt.StringList{"x"} }, "is no PEM"},
		{"two in one", func(c *claims) { c.TLS.VerifiedChains[0][0] += pemOf(cert) }, "is no PEM"},
		{"a key", func(c *claims) {
			c.TLS.VerifiedChains[0] = jwt.StringList{strings.ReplaceAll(pemOf(cert), "CERTIFICATE", "PRIVATE KEY")}
		}, "is no PEM"},
		{"cut off", func(c *claims) {
			c.TLS.VerifiedChains[0] = jwt.StringList{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw[:100]}))}
		}, "a certificate of the client"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q, err := keys.ask(server.seal(server.request(cert, tt.change)), server.xkey, time.Now())
			if q == nil {
				t.Fatalf("it cannot be answered: %v", err)
			}
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Fatalf("error %v", err)
			}
			if err == nil && !q.chain[0].Equal(cert) {
				t.Error("it has another certificate")
			}
			server.refused(q)
		})
	}
}

// refused holds that a server takes a refusal for one.
func (a *asker) refused(q *question) {
	a.t.Helper()
	data, err := a.of.refuse(q)
	if err != nil {
		a.t.Fatal(err)
	}
	if q.xkey != "" {
		if data, err = a.curve.Open(data, a.of.Public().XKey); err != nil {
			a.t.Fatal(err)
		}
	}
	claims, err := jwt.DecodeAuthorizationResponseClaims(string(data))
	if err != nil {
		a.t.Fatal(err)
	}
	want := jwt.AuthorizationResponse{Error: refusal}
	want.Type, want.Version = jwt.AuthorizationResponseClaim, claims.AuthorizationResponse.Version
	if diff := cmp.Diff(want, claims.AuthorizationResponse); diff != "" || claims.Subject != q.user || claims.Audience != q.server.ID || claims.Issuer != a.of.Public().Issuer {
		a.t.Errorf("the answer is %v\n%s", claims, diff)
	}
}

// What is not encrypted for us, or not at all, is not let in. Only what has a server's name can be answered.
func TestAskUnreadable(t *testing.T) {
	keys := newTestKeys(t)
	server, other := newAsker(t, keys), newAsker(t, newTestKeys(t))
	cert := newCertificate(t)
	asIs := func(*jwt.AuthorizationRequestClaims) {}
	tests := []struct {
		name   string
		data   []byte
		xkey   string
		answer bool
	}{
		{"plain", []byte(server.request(cert, asIs)), "", true},
		{"plain, of a server without an xkey", []byte(server.request(cert, func(c *jwt.AuthorizationRequestClaims) { c.Server.XKey = "" })), "", true},
		{"for another", other.seal(server.request(cert, asIs)), server.xkey, false},
		{"by another key than said", server.seal(server.request(cert, asIs)), other.xkey, false},
		{"a header that is no key", server.seal(server.request(cert, asIs)), "X", false},
		{"plain with a header", []byte(server.request(cert, asIs)), server.xkey, false},
		{"garbage", []byte("garbage"), "", false},
		{"garbage, encrypted", server.seal("garbage"), server.xkey, false},
		{"nothing", nil, "", false},
		{"too much", bytes.Repeat([]byte("e"), maxQuestion+1), "", false},
		{"of a user and no server", []byte(userToken(t)), "", false},
		{"for no user", server.seal(server.request(cert, func(c *jwt.AuthorizationRequestClaims) { c.UserNkey = "U" })), server.xkey, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q, err := keys.ask(tt.data, tt.xkey, time.Now())
			if err == nil || (q != nil) != tt.answer {
				t.Fatalf("question %v, error %v", q, err)
			}
			if q != nil {
				server.refused(q)
			}
		})
	}
}

// A request of a server whose clock is ahead is refused: its end says nothing.
func TestAskAhead(t *testing.T) {
	keys := newTestKeys(t)
	server := newAsker(t, keys)
	data := server.seal(server.request(newCertificate(t), func(*jwt.AuthorizationRequestClaims) {}))
	if _, err := keys.ask(data, server.xkey, time.Now().Add(-time.Minute)); err == nil || !strings.Contains(err.Error(), "ahead") {
		t.Errorf("error %v", err)
	}
}

func userToken(t *testing.T) string {
	t.Helper()
	user, _ := nkeys.CreateUser()
	account, _ := nkeys.CreateAccount()
	public, _ := user.PublicKey()
	token, err := jwt.NewUserClaims(public).Encode(account)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// The certificate is the client's, whichever chains a server found.
func TestChainOf(t *testing.T) {
	leaf, a, b := newCertificate(t), newCertificate(t), newCertificate(t)
	tests := []struct {
		name  string
		shown *jwt.ClientTLS
		want  int
	}{
		{"none", nil, 0},
		{"empty", &jwt.ClientTLS{}, 0},
		{"not verified", &jwt.ClientTLS{Certs: jwt.StringList{pemOf(leaf), pemOf(a)}}, 2},
		{"verified", &jwt.ClientTLS{VerifiedChains: []jwt.StringList{{pemOf(leaf), pemOf(a)}}}, 2},
		{"twice", &jwt.ClientTLS{VerifiedChains: []jwt.StringList{{pemOf(leaf), pemOf(a), pemOf(b)}, {pemOf(leaf), pemOf(b)}, {}}}, 3},
	}
	for _, tt := range tests {
		chain, err := chainOf(tt.shown)
		if err != nil || len(chain) != tt.want || tt.want > 0 && !chain[0].Equal(leaf) {
			t.Errorf("%s: %d certificates, %v", tt.name, len(chain), err)
		}
	}
	issuerFirst := &jwt.ClientTLS{VerifiedChains: []jwt.StringList{{}, {pemOf(leaf), pemOf(a)}}}
	if chain, err := chainOf(issuerFirst); !errors.Is(err, fault.NotTrusted) {
		t.Errorf("of a first chain that is empty %d certificates are left: %v", len(chain), err)
	}
}

// What is let in gets the account's permissions and nothing else.
func TestAdmit(t *testing.T) {
	keys := newTestKeys(t)
	server, cert := newAsker(t, keys), newCertificate(t)
	q, err := keys.ask(server.seal(server.request(cert, func(*jwt.AuthorizationRequestClaims) {})), server.xkey, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	account := bus.Account{Name: "alice", Revision: 7, State: bus.Active, Identities: []string{"spiffe://example.org/bus/account/alice"}, Roles: []bus.Role{{Kind: bus.Service, Name: "echo"}}}
	data, err := keys.admit(q, BusAccount, account)
	if err != nil {
		t.Fatal(err)
	}
	text, err := server.curve.Open(data, keys.Public().XKey)
	if err != nil {
		t.Fatal(err)
	}
	response, err := jwt.DecodeAuthorizationResponseClaims(string(text))
	if err != nil {
		t.Fatal(err)
	}
	user, err := jwt.DecodeUserClaims(response.Jwt)
	if err != nil {
		t.Fatal(err)
	}
	p := account.Permissions()
	want := jwt.NewUserClaims(q.user)
	want.ClaimsData = user.ClaimsData
	want.GenericFields, want.Src = user.GenericFields, nil
	want.Permissions = jwt.Permissions{Pub: jwt.Permission{Allow: p.Publish.Allow, Deny: p.Publish.Deny}, Sub: jwt.Permission{Allow: p.Subscribe.Allow, Deny: p.Subscribe.Deny}}
	want.AllowedConnectionTypes = jwt.StringList{"STANDARD", "WEBSOCKET"}
	if diff := cmp.Diff(want.User, user.User); diff != "" {
		t.Error(diff)
	}
	name := "alice:7:" + fingerprint(cert.Raw)
	if user.Audience != "BUS" || user.Subject != q.user || user.Name != name || user.Expires != cert.NotAfter.Unix() || user.Issuer != keys.Public().Issuer {
		t.Errorf("%+v", user.ClaimsData)
	}
	s, ok := parseStamp(name)
	if !ok || s != (stamp{"alice", 7, fingerprint(cert.Raw)}) {
		t.Errorf("%q is %+v, %t", name, s, ok)
	}
	for _, other := range []string{"", "alice", "alice:7", "alice:07:" + s.fingerprint, "a.b:7:" + s.fingerprint, "alice:7:x", name + ":", name + "0", "alice:-7:" + s.fingerprint} {
		if s, ok := parseStamp(other); ok {
			t.Errorf("%q is %+v", other, s)
		}
	}
}

func TestCheckVersion(t *testing.T) {
	for text, ok := range map[string]bool{
		"2.12.6": true, "2.12.7": true, "2.13.0": true, "2.15.2": true, "3.0.0": true, "2.12.7-beta.1": true, "2.13.0-RC.1": true,
		"2.12.5": false, "2.12.6-RC.1": false, "2.9.10": false, "1.99.99": false, "0.0.0": false,
		"": false, "2.12": false, "2.12.x": false, "v2.15.2": false, "2.15.2.1": false, "2.99999999999.0": false, "-": false, "2.-1.0": false,
	} {
		if err := CheckVersion(text); (err == nil) != ok || err != nil && !errors.Is(err, fault.Policy) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bus", "keys")
	if _, err := LoadKeys(t.Context(), path); !errors.Is(err, fault.NotFound) {
		t.Errorf("without a file: %v", err)
	}
	made, err := CreateKeys(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := CreateKeys(t.Context(), path); !errors.Is(err, fault.Exists) {
		t.Errorf("a second time: %v", err)
	}
	read, err := LoadKeys(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(made.Public(), read.Public()); diff != "" {
		t.Error(diff)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{fmt.Sprint(read), fmt.Sprintf("%#v", read), fmt.Sprintf("%+v", *read), fmt.Sprintf("%v %s", read, read)} {
		for line := range strings.Lines(string(text)) {
			if _, seed, ok := strings.Cut(strings.TrimSpace(line), " S"); ok && strings.Contains(shown, seed) {
				t.Errorf("%s has a secret", shown)
			}
		}
	}
	lines := slices.Collect(strings.Lines(string(text)))
	for i := range lines {
		for name, changed := range map[string][]string{
			"without": slices.Delete(slices.Clone(lines), i, i+1),
			"twice":   slices.Insert(slices.Clone(lines), i, lines[i]),
			"damaged": slices.Replace(slices.Clone(lines), i, i+1, strings.Replace(lines[i], "A", "B", 1)+"x"),
			"another": slices.Replace(slices.Clone(lines), i, i+1, lines[(i+1)%len(lines)]),
		} {
			if _, err := ParseKeys([]byte(strings.Join(changed, ""))); !errors.Is(err, fault.InvalidFile) {
				t.Errorf("line %d %s: %v", i, name, err)
			}
		}
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeys(t.Context(), path); !errors.Is(err, fault.Policy) {
		t.Errorf("a file that others read: %v", err)
	}
}

// FuzzAsk gives a request's text as a server could: what is taken has a certificate and a server.
func FuzzAsk(f *testing.F) {
	keys := newTestKeys(f)
	f.Add([]byte("eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.e30.AA"), []byte("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text, certificate []byte) {
		if q, err := keys.ask(text, "", time.Now()); err == nil {
			t.Errorf("%+v is taken, and was not encrypted", q)
		}
		chain, err := chainOf(&jwt.ClientTLS{Certs: jwt.StringList{string(certificate)}})
		if err == nil && (len(chain) != 1 || len(chain[0].Raw) == 0) {
			t.Errorf("%d certificates", len(chain))
		}
		if s, ok := parseStamp(string(text)); ok && s.String() != string(text) {
			t.Errorf("%q is %q", text, s)
		}
	})
}

// FuzzParseKeys holds that no text is taken that would be written otherwise.
func FuzzParseKeys(f *testing.F) {
	text, err := newTestKeys(f).text()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(keysHeader))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := ParseKeys(text)
		if err != nil {
			return
		}
		again, err := k.text()
		if err != nil || !bytes.Equal(bytes.TrimSuffix(text, []byte("\n")), bytes.TrimSuffix(again, []byte("\n"))) {
			t.Errorf("%q is written as %q, %v", text, again, err)
		}
	})
}
