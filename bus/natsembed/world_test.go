package natsembed

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"keyward/bus"
	"keyward/bus/natsauth"
	"keyward/certs/verify"
	"keyward/store/audit"
	"keyward/store/sqlstore"
)

const trustDomain = "example.org"

// ca is a root that signs certificates.
type ca struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newCA(t testing.TB, name string) *ca {
	t.Helper()
	c := &ca{t: t, pool: x509.NewCertPool(), key: newKey(t)}
	c.cert = c.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, c.key)
	c.pool.AddCert(c.cert)
	return c
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return key
}

// sign signs a certificate for a key, which is from an hour ago and for another one, where it does not say.
func (c *ca) sign(template *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	c.t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	must(c.t, err)
	template.SerialNumber = serial
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent := c.cert
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), c.key)
	must(c.t, err)
	cert, err := x509.ParseCertificate(der)
	must(c.t, err)
	return cert
}

// leaf is a certificate for a client and a server, after changes.
func (c *ca) leaf(changes ...func(*x509.Certificate)) tls.Certificate {
	c.t.Helper()
	template := &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature}
	for _, change := range changes {
		change(template)
	}
	key := newKey(c.t)
	cert := c.sign(template, key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// account is a certificate that opens one, after changes.
func (c *ca) account(name bus.Name, changes ...func(*x509.Certificate)) tls.Certificate {
	c.t.Helper()
	return c.leaf(append(changes, uris(identity(name)))...)
}

// crl lists certificates as revoked.
func (c *ca) crl(revoked ...tls.Certificate) *verify.CRL {
	c.t.Helper()
	template := &x509.RevocationList{Number: big.NewInt(int64(len(revoked) + 1)), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour)}
	for _, cert := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: cert.Leaf.SerialNumber, RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, c.cert, c.key)
	must(c.t, err)
	crls, err := verify.ParseCRLs(der)
	must(c.t, err)
	return crls[0]
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
	return "spiffe://" + trustDomain + "/bus/account/" + string(name)
}

// world is a server over a store in a file.
type world struct {
	testing.TB
	root   *ca
	path   string
	db     *sqlstore.Store
	crls   atomic.Pointer[[]*verify.CRL]
	review chan struct{}
	log    *logged
	addr   net.Addr
	stop   func()
}

// newWorld has accounts in its store, and a server after changes to its configuration.
func newWorld(t testing.TB, accounts []bus.Account, changes ...func(*Config)) *world {
	t.Helper()
	w := &world{TB: t, root: newCA(t, "root"), path: filepath.Join(t.TempDir(), "registry.db"), review: make(chan struct{}), log: new(logged)}
	w.open()
	for _, a := range accounts {
		w.add(a)
	}
	w.serve(changes...)
	return w
}

// open opens the store.
func (w *world) open() {
	w.Helper()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	db, err := sqlstore.Open(context.Background(), w.path, audit.NewSigner(key))
	must(w, err)
	w.db = db
	w.Cleanup(func() { _ = db.Close() })
}

func (w *world) config() Config {
	shown := w.root.leaf(func(c *x509.Certificate) { c.IPAddresses = []net.IP{{127, 0, 0, 1}} })
	return Config{
		Authorizer: &natsauth.Authorizer{Accounts: w.db, TrustDomain: trustDomain, Verify: w.verify},
		TLS:        &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{shown}},
		Listen:     "127.0.0.1:0", Review: w.review, Log: slog.New(slog.NewTextHandler(w.log, nil)),
	}
}

// serve starts a server.
func (w *world) serve(changes ...func(*Config)) {
	w.Helper()
	config := w.config()
	for _, change := range changes {
		change(&config)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan net.Addr, 1), make(chan error, 1)
	config.Ready = func(addr net.Addr) { ready <- addr }
	go func() { done <- Serve(ctx, config) }()
	select {
	case w.addr = <-ready:
	case err := <-done:
		w.Fatalf("the server ended: %v", err)
	}
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.Errorf("the server: %v", err)
		}
	})
	w.Cleanup(w.stop)
}

// verify is what the authorizer trusts: the root, and what is not on the CRLs.
func (w *world) verify(chain []*x509.Certificate, at time.Time) error {
	options := verify.Options{Roots: []*x509.Certificate{w.root.cert}, At: at, Purpose: verify.Client}
	if crls := w.crls.Load(); crls != nil {
		options.CRLs = *crls
	}
	v, err := verify.New(options)
	if err == nil {
		_, err = v.Chain(chain[0], chain[1:]...)
	}
	return err
}

func act() audit.Act { return audit.Act{Time: time.Now(), What: audit.AccountAdded, Note: "a test"} }

func (w *world) add(a bus.Account) bus.Account {
	w.Helper()
	added, err := w.db.AddAccount(w.Context(), a, act())
	must(w, err)
	return added
}

// update changes an account.
func (w *world) update(name bus.Name, change func(*bus.Account)) {
	w.Helper()
	a, err := w.db.Account(w.Context(), name)
	must(w, err)
	change(&a)
	_, err = w.db.UpdateAccount(w.Context(), a, act())
	must(w, err)
}

func (w *world) revoke(name bus.Name) {
	w.Helper()
	must(w, w.db.RevokeAccount(w.Context(), name, act()))
}

// client is a connection, and its end.
type client struct {
	*nats.Conn
	gone chan struct{}
}

// connect connects once.
func (w *world) connect(shown ...tls.Certificate) (*client, error) {
	c := &client{gone: make(chan struct{})}
	config := &tls.Config{RootCAs: w.root.pool, Certificates: shown, MinVersion: tls.VersionTLS12}
	var err error
	c.Conn, err = nats.Connect("tls://"+w.addr.String(), nats.Secure(config), nats.NoReconnect(), nats.Timeout(20*time.Second),
		nats.ClosedHandler(func(*nats.Conn) { close(c.gone) }), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err == nil {
		w.Cleanup(c.Close)
	}
	return c, err
}

func (w *world) mustConnect(shown tls.Certificate) *client {
	w.Helper()
	c, err := w.connect(shown)
	if err != nil {
		w.Fatalf("not let in: %v\n%s", err, w.log)
	}
	return c
}

// ended waits until a connection was ended.
func (w *world) ended(c *client) {
	w.Helper()
	select {
	case <-c.gone:
	case <-time.After(30 * time.Second):
		w.Fatalf("the connection is still there\n%s", w.log)
	}
}

// there says whether the server still answers.
func (w *world) there(c *client) {
	w.Helper()
	if err := c.FlushTimeout(20 * time.Second); err != nil {
		w.Errorf("the connection is gone: %v\n%s", err, w.log)
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

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
