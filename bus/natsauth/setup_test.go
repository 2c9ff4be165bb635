package natsauth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"keyward/bus"
	"keyward/bus/natsauth"
	"keyward/fault"
)

const trustDomain = "example.org"

// ca is a root that signs certificates for tests.
type ca struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newCA(t *testing.T, name string) *ca {
	t.Helper()
	c := &ca{t: t, pool: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: serial(t), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	c.cert, c.key = c.sign(template, template, nil)
	c.pool.AddCert(c.cert)
	return c
}

func serial(t *testing.T) *big.Int {
	t.Helper()
	n, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (c *ca) sign(template, parent *x509.Certificate, with *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	if with == nil {
		with = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, with)
	if err != nil {
		c.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		c.t.Fatal(err)
	}
	return cert, key
}

// leaf is a certificate for a client and a server, after changes.
func (c *ca) leaf(name string, changes ...func(*x509.Certificate)) tls.Certificate {
	c.t.Helper()
	template := &x509.Certificate{
		SerialNumber: serial(c.t), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	for _, change := range changes {
		change(template)
	}
	cert, key := c.sign(template, c.cert, c.key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

func uris(texts ...string) func(*x509.Certificate) {
	return func(cert *x509.Certificate) {
		for _, text := range texts {
			u, err := url.Parse(text)
			if err != nil {
				panic(err)
			}
			cert.URIs = append(cert.URIs, u)
		}
	}
}

func identity(name bus.Name) string {
	text, err := bus.Identity(trustDomain, name)
	if err != nil {
		panic(err)
	}
	return text
}

// account is a certificate that opens one.
func (c *ca) account(name bus.Name, changes ...func(*x509.Certificate)) tls.Certificate {
	c.t.Helper()
	return c.leaf(string(name), append(changes, uris(identity(name)))...)
}

// write puts a certificate and its key into files.
func write(t *testing.T, dir, name string, cert tls.Certificate) (certFile, keyFile string) {
	t.Helper()
	certFile, keyFile = filepath.Join(dir, name+".cert.pem"), filepath.Join(dir, name+".key.pem")
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, certFile, "CERTIFICATE", cert.Certificate...)
	writePEM(t, keyFile, "PRIVATE KEY", key)
	return certFile, keyFile
}

func writePEM(t *testing.T, file, kind string, blocks ...[]byte) {
	t.Helper()
	var text []byte
	for _, block := range blocks {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: block})...)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// accounts are a store in memory.
type accounts struct {
	mu       sync.Mutex
	of       map[bus.Name]bus.Account
	revision uint64
	broken   error
	slow     chan struct{} // a look-up waits for it
	after    func()        // what happens between a look-up and its answer
}

func newAccounts(names ...bus.Name) *accounts {
	a := &accounts{of: map[bus.Name]bus.Account{}}
	for _, name := range names {
		a.set(bus.Account{Name: name, Identities: []string{identity(name)}, State: bus.Active, Roles: []bus.Role{{Kind: bus.Emitter, Name: name}}})
	}
	return a
}

func (a *accounts) set(account bus.Account) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.revision++
	account.Revision = a.revision
	a.of[account.Name] = account
}

// change changes an account, and gives it another revision.
func (a *accounts) change(name bus.Name, do func(*bus.Account)) {
	a.mu.Lock()
	account := a.of[name]
	a.mu.Unlock()
	do(&account)
	a.set(account)
}

func revoke(account *bus.Account) { account.State = bus.Revoked }

func (a *accounts) breakDown(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.broken = err
}

func (a *accounts) Account(ctx context.Context, name bus.Name) (bus.Account, error) {
	a.mu.Lock()
	slow := a.slow
	a.mu.Unlock()
	if slow != nil {
		select {
		case <-slow:
		case <-ctx.Done():
			return bus.Account{}, ctx.Err()
		}
	}
	a.mu.Lock()
	account, ok := a.of[name]
	broken, after := a.broken, a.after
	a.mu.Unlock()
	if after != nil {
		after()
	}
	if broken != nil {
		return bus.Account{}, broken
	}
	if !ok {
		return bus.Account{}, fault.NotFound
	}
	return account, nil
}

func (a *accounts) AccountChanges(_ context.Context, since int64, limit int) ([]bus.Account, int64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken != nil {
		return nil, 0, a.broken
	}
	all := slices.SortedFunc(maps.Values(a.of), func(a, b bus.Account) int { return int(a.Revision) - int(b.Revision) })
	all = slices.DeleteFunc(all, func(a bus.Account) bool { return int64(a.Revision) <= since })
	if len(all) == 0 {
		return nil, int64(a.revision), nil
	}
	all = all[:min(limit, len(all))]
	return all, int64(all[len(all)-1].Revision), nil
}

// world is servers and authorizers, all of one bus.
type world struct {
	t       *testing.T
	dir     string
	root    *ca
	extra   *ca // servers take its clients too, authorizers do not
	keys    *natsauth.Keys
	store   *accounts
	servers []*server.Server
	log     *logged

	mu      sync.Mutex
	revoked map[string]bool // serial numbers
}

// newWorld starts servers, in a cluster where there are several. They are patient, since the machine may be busy.
func newWorld(t *testing.T, servers int, names ...bus.Name) *world {
	t.Helper()
	return newWorldOf(t, servers, func(o *server.Options) { o.AuthTimeout, o.DisableShortFirstPing = 60, true }, names...)
}

func newWorldOf(t *testing.T, servers int, change func(*server.Options), names ...bus.Name) *world {
	t.Helper()
	keys, err := natsauth.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: t.TempDir(), root: newCA(t, "root"), extra: newCA(t, "another root"), keys: keys, store: newAccounts(names...), log: new(logged), revoked: map[string]bool{}}
	cert, key := write(t, w.dir, "server", w.root.leaf("server", func(c *x509.Certificate) {
		c.IPAddresses, c.DNSNames = []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"localhost"}
	}))
	roots := filepath.Join(w.dir, "roots.pem")
	writePEM(t, roots, "CERTIFICATE", w.root.cert.Raw, w.extra.cert.Raw)
	var ports, routes []string
	if servers > 1 {
		for range servers {
			_, port, _ := net.SplitHostPort(free(t))
			ports, routes = append(ports, "127.0.0.1:"+port), append(routes, "localhost:"+port)
		}
	}
	for i := range servers {
		c := natsauth.ServerConfig{Keys: keys.Public(), Name: fmt.Sprint("n", i), Listen: "127.0.0.1:-1", Cert: cert, Key: key, CA: roots}
		if servers > 1 {
			c.Cluster, c.ClusterListen, c.Routes = "test", ports[i], routes
		}
		w.servers = append(w.servers, start(t, w.dir, c, change))
	}
	for _, s := range w.servers {
		await(t, "the cluster", func() bool { return s.NumRemotes() == servers-1 })
	}
	return w
}

// free is an address that was free a moment ago.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func start(t *testing.T, dir string, c natsauth.ServerConfig, change func(*server.Options)) *server.Server {
	t.Helper()
	text, err := c.Text()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, c.Name+".conf")
	if err := os.WriteFile(file, []byte(withRoot(text)), 0o600); err != nil {
		t.Fatal(err)
	}
	options, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	options.NoSigs, options.NoLog, options.TLSTimeout = true, true, 60
	change(options)
	s, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("NATS_LOG") != "" {
		options.NoLog, options.Debug = false, true
		s.ConfigureLogger()
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(30 * time.Second) {
		t.Fatal("the server does not listen")
	}
	return s
}

// revoke has authorizers trust a certificate no more.
func (w *world) revoke(cert tls.Certificate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.revoked[cert.Leaf.SerialNumber.String()] = true
}

// verify is what authorizers trust.
func (w *world) verify(chain []*x509.Certificate, at time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.revoked[chain[0].SerialNumber.String()] {
		return fault.New(fault.NotTrusted, "", "it is revoked")
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: w.root.pool, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err
}

// authorizer is one that runs, and its end.
type authorizer struct {
	*natsauth.Service
	stop func()
}

// authorize starts an authorizer on a server, after changes to its configuration.
func (w *world) authorize(on int, changes ...func(*natsauth.Config)) *authorizer {
	w.t.Helper()
	config := natsauth.Config{
		Authorizer: &natsauth.Authorizer{Accounts: w.store, TrustDomain: trustDomain, Verify: w.verify},
		Keys:       w.keys, URL: w.url(on), TLS: w.tls(w.root.leaf("authorizer")), Log: slog.New(slog.NewTextHandler(w.log, nil)),
		AnswerTime: 50 * time.Second,
	}
	for _, change := range changes {
		change(&config)
	}
	s := natsauth.NewService(config)
	s.SetListPage(16)
	ctx, cancel := context.WithCancel(w.t.Context())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- s.Serve(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-done:
		w.t.Fatalf("the authorizer ended: %v", err)
	}
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("the authorizer: %v", err)
		}
	})
	w.t.Cleanup(stop)
	return &authorizer{s, stop}
}

func (w *world) url(on int) string { return "tls://" + w.servers[on].Addr().String() }

func (w *world) tls(cert tls.Certificate) *tls.Config {
	return &tls.Config{RootCAs: w.root.pool, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
}

// client is a connection, and what happened to it.
type client struct {
	*nats.Conn
	gone chan struct{} // closed when it was ended
}

// connect connects with a certificate, and does so again as told.
func (w *world) connect(on int, cert tls.Certificate, more ...nats.Option) (*client, error) {
	c := &client{gone: make(chan struct{})}
	once := sync.OnceFunc(func() { close(c.gone) })
	options := append([]nats.Option{
		nats.Secure(w.tls(cert)), nats.NoReconnect(), nats.Timeout(60 * time.Second), nats.IgnoreDiscoveredServers(),
		nats.DisconnectErrHandler(func(*nats.Conn, error) { once() }), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}, more...)
	var err error
	c.Conn, err = nats.Connect(w.url(on), options...)
	if err == nil {
		w.t.Cleanup(c.Close)
	}
	return c, err
}

func (w *world) mustConnect(on int, cert tls.Certificate, more ...nats.Option) *client {
	w.t.Helper()
	c, err := w.connect(on, cert, more...)
	if err != nil {
		w.t.Fatalf("%s is not let in: %v\n%s", cert.Leaf.Subject, err, w.log)
	}
	return c
}

// ended waits until a connection was ended.
func (c *client) ended(t *testing.T) {
	t.Helper()
	select {
	case <-c.gone:
	case <-time.After(30 * time.Second):
		t.Fatal("the connection is still there")
	}
}

// await waits until something holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited for %s", what)
		}
	}
}

// logged keeps what is logged.
type logged struct {
	mu   sync.Mutex
	text []byte
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	return len(p), nil
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}
