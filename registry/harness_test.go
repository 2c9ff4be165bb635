package registry

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"keyward/keys"
	"keyward/registry/wire"
	"keyward/store"
	"keyward/store/sqlstore"
	"keyward/store/storetest"
)

const (
	adminPassword = "correct horse"
	alicePassword = "battery staple"
)

// harness is a registry with the users admin and alice, served over TLS on loopback.
type harness struct {
	*Server
	t      testing.TB
	url    string
	client *http.Client
	log    *buffer
	clock  *clock
	stop   func() error // ends Serve and gives what it returned
}

// clock is a time that the test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// buffer is a bytes.Buffer for many goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func start(t testing.TB, change ...func(*Config)) *harness {
	t.Helper()
	return startIn(t, t.TempDir(), newPair(t), change...)
}

// startIn serves the store in dir, which an earlier registry may have left there.
func startIn(t testing.TB, dir string, key keys.Pair, change ...func(*Config)) *harness {
	t.Helper()
	st, err := sqlstore.Open(t.Context(), filepath.Join(dir, "registry.db"), storetest.Signer())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return startOn(t, st, key, change...)
}

// startOn serves a store, which other registries may serve too.
func startOn(t testing.TB, st store.Store, key keys.Pair, change ...func(*Config)) *harness {
	t.Helper()
	addUser(t, st, "admin", adminPassword, true)
	addUser(t, st, "alice", alicePassword, false)

	h := &harness{t: t, log: &buffer{}, clock: &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}}
	config := Config{
		Store: st, Key: key, Project: "demo", Version: "1.2.3",
		Now: h.clock.Now, Log: slog.New(slog.NewJSONHandler(h.log, nil)),
	}
	for _, c := range change {
		c(&config)
	}
	server, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	h.Server = server
	h.serve(h.Server)
	return h
}

// serve runs the server until the test ends or h.stop is called.
func (h *harness) serve(s *Server) {
	cert := newCertificate(h.t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert.Leaf)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 100}
	h.client = &http.Client{Transport: transport}
	h.url = "https://" + l.Addr().String()

	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l, &tls.Config{Certificates: []tls.Certificate{cert}}) }()
	h.stop = sync.OnceValue(func() error {
		transport.CloseIdleConnections()
		cancel()
		return <-ended
	})
	h.t.Cleanup(func() { h.stop() })
}

func addUser(t testing.TB, st store.Store, name, password string, admin bool) {
	t.Helper()
	err := st.AddUser(t.Context(), store.User{Name: name, Admin: admin, Password: cheapHash(password), Created: time.Unix(0, 0)}, storetest.Act("test"))
	if err != nil && instead(err, store.ErrExists, nil) != nil {
		t.Fatal(err)
	}
}

// cheapHash is for the tests that are not about a hash's cost.
func cheapHash(password string) string {
	h := decoy()
	h.time, h.memory = 1, 8
	h.hash = h.compute(password)
	return h.String()
}

func newPair(t testing.TB) keys.Pair {
	t.Helper()
	pair, err := keys.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func newCertificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// answer is what came back, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// request is one request; its zero fields are left out.
type request struct {
	method, path string
	token        string // after "Bearer "
	json         any
	form         url.Values
	header       http.Header
	body         io.Reader
}

func (h *harness) do(q request) answer {
	h.t.Helper()
	header := http.Header{}
	switch {
	case q.json != nil:
		b, err := json.Marshal(q.json)
		if err != nil {
			h.t.Fatal(err)
		}
		q.body = bytes.NewReader(b)
		header.Set("Content-Type", "application/json")
	case q.form != nil:
		q.body = strings.NewReader(q.form.Encode())
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if q.token != "" {
		header.Set("Authorization", "Bearer "+q.token)
	}
	for k, v := range q.header {
		header[k] = v
	}
	r, err := http.NewRequestWithContext(h.t.Context(), q.method, h.url+q.path, q.body)
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header = header
	w, err := h.client.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer w.Body.Close()
	body, err := io.ReadAll(w.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer{w.StatusCode, w.Header, body}
}

func passwordForm(user, password string) url.Values {
	return url.Values{wire.FieldUsername: {user}, wire.FieldPassword: {password}}
}

func keyForm(user, apikey string) url.Values {
	return url.Values{
		wire.FieldGrantType: {wire.GrantAPIKey}, wire.FieldClientID: {"x"}, wire.FieldClientSecret: {""},
		wire.FieldUsername: {user}, wire.FieldAPIKey: {apikey},
	}
}

// seal makes a key login at the time of the harness's clock and an offset.
func (h *harness) seal(pair keys.Pair, off time.Duration) string {
	h.t.Helper()
	apikey, err := keys.SealLogin(pair, h.cfg.Key.Public, h.clock.Now().Add(off))
	if err != nil {
		h.t.Fatal(err)
	}
	return apikey
}

// token returns the token for a form that is right.
func (h *harness) token(form url.Values) string {
	h.t.Helper()
	a := h.do(request{method: "POST", path: wire.PathToken, form: form})
	var token wire.Token
	if json.Unmarshal(a.body, &token) != nil || a.status != 200 {
		h.t.Fatalf("log in: %d %s", a.status, a.body)
	}
	return token.AccessToken
}

// register puts a key into the store for a user.
func (h *harness) register(user string, public keys.PublicKey) {
	h.t.Helper()
	if err := h.cfg.Store.AddKey(h.t.Context(), store.Key{User: user, Public: public, Created: h.clock.Now()}, storetest.Act("test")); err != nil {
		h.t.Fatal(err)
	}
}

// expired adds a user with a key that just expired.
func (h *harness) expired(user string) keys.Pair {
	h.t.Helper()
	pair := newPair(h.t)
	addUser(h.t, h.cfg.Store, user, alicePassword, false)
	k := store.Key{User: user, Public: pair.Public, Created: h.clock.Now(), Expires: h.clock.Now()}
	if err := h.cfg.Store.AddKey(h.t.Context(), k, storetest.Act("test")); err != nil {
		h.t.Fatal(err)
	}
	return pair
}

// fillQueue takes every place in the queue for passwords, each for a source of its own.
func (h *harness) fillQueue() {
	turns := h.hashing.turns
	for i := range turns.places + turns.most {
		turns.join(netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 32))
	}
}

// guess notes wrong passwords for a user from the client's address.
func (h *harness) guess(user string, n int) {
	h.t.Helper()
	who := h.claim(&call{r: &http.Request{RemoteAddr: "127.0.0.1:1"}}, user)
	for range n {
		if err := h.wrongPassword(h.t.Context(), who); err != nil {
			h.t.Fatal(err)
		}
	}
}

// tokenOf puts a token of a password login into the store.
func (h *harness) tokenOf(user string) string {
	h.t.Helper()
	text, token := h.newToken(user)
	token.Scopes = store.ScopeRead | store.ScopeKeys | store.ScopeAdmin
	if err := h.cfg.Store.AddToken(h.t.Context(), token); err != nil {
		h.t.Fatal(err)
	}
	return text
}
