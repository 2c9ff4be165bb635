package natsclient_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"keyward/bus"
	"keyward/bus/natsclient"
)

// accounts are those of the tests. root, which is none, may do everything.
func accounts() []bus.Account {
	role := func(kind bus.Kind, name bus.Name, subjects ...bus.Pattern) bus.Role {
		return bus.Role{Kind: kind, Name: name, Subjects: subjects}
	}
	list := []bus.Account{
		{Name: "alice", Roles: []bus.Role{role(bus.Emitter, "alice"), role(bus.Emitter, "echo"), role(bus.Emitter, "old"), role(bus.Emitter, "jobs"), role(bus.Emitter, "nobody")}},
		{Name: "bob", Roles: []bus.Role{role(bus.Service, "echo")}},
		{Name: "carol", Roles: []bus.Role{role(bus.Consumer, "log", "xbus.msgbox.*"), role(bus.Consumer, "orders", "orders.>")}},
		{Name: "dave", Roles: []bus.Role{role(bus.Worker, "jobs")}},
		{Name: "erin", Roles: []bus.Role{{Kind: bus.Service, Name: "old", Stock: true}}},
		{Name: "frank", Roles: []bus.Role{role(bus.Service, "old")}},
		{Name: "mallory", Roles: []bus.Role{role(bus.Emitter, "echo"), role(bus.Service, "echo")}},
	}
	for i := range list {
		list[i].Identities, list[i].State, list[i].Revision = []string{identity(list[i].Name)}, bus.Active, uint64(i+1)
	}
	return list
}

func identity(account bus.Name) string { return "spiffe://example.org/bus/account/" + string(account) }

// world is a NATS server with the accounts' permissions, behind mutual TLS, whose users are the URIs of certificates.
type world struct {
	testing.TB
	nats    *server.Server
	options *server.Options
	roots   *x509.CertPool
	root    *x509.Certificate
	key     *ecdsa.PrivateKey
	log     *seen
}

func newWorld(t testing.TB) *world {
	t.Helper()
	alone(t)
	w := &world{TB: t, roots: x509.NewCertPool(), key: newKey(t), log: new(seen)}
	w.root = w.sign(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, w.key)
	w.roots.AddCert(w.root)
	shown := w.certificate(&x509.Certificate{IPAddresses: []net.IP{{127, 0, 0, 1}}})
	w.options = &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, TLSMap: true, TLSVerify: true, TLSTimeout: 10,
		Users: []*server.User{{Username: identity("root")}},
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{shown},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: w.roots,
		},
	}
	for _, a := range accounts() {
		w.allow(a)
	}
	w.start()
	return w
}

// allow gives an account its permissions, from the next start on.
func (w *world) allow(a bus.Account) {
	p := a.Permissions()
	w.options.Users = append(w.options.Users, &server.User{Username: a.Identities[0], Permissions: &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: p.Publish.Allow, Deny: p.Publish.Deny},
		Subscribe: &server.SubjectPermission{Allow: p.Subscribe.Allow, Deny: p.Subscribe.Deny},
	}})
}

// start starts the server, again at the port of before.
func (w *world) start() {
	w.Helper()
	var err error
	w.nats, err = server.NewServer(w.options.Clone())
	check(w, err)
	w.nats.Start()
	running := w.nats
	w.Cleanup(func() { shut(running) })
	if !running.ReadyForConnections(time.Minute) {
		w.Fatal("the server does not listen")
	}
	w.options.Port = w.nats.Addr().(*net.TCPAddr).Port
}

func (w *world) shut() { shut(w.nats) }

func shut(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

func (w *world) url() string { return "tls://" + w.nats.Addr().String() }

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	return key
}

func (w *world) sign(template *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	w.Helper()
	template.SerialNumber, template.Subject = big.NewInt(1), pkix.Name{Organization: []string{"test"}}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent := w.root
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), w.key)
	check(w, err)
	cert, err := x509.ParseCertificate(der)
	check(w, err)
	return cert
}

func (w *world) certificate(template *x509.Certificate) tls.Certificate {
	w.Helper()
	key := newKey(w)
	leaf := w.sign(template, key)
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}
}

// tls shows the certificate of an account.
func (w *world) tls(account bus.Name) *tls.Config {
	w.Helper()
	uri, err := url.Parse(identity(account))
	check(w, err)
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: w.roots, Certificates: []tls.Certificate{w.certificate(&x509.Certificate{URIs: []*url.URL{uri}})}}
}

// connect is a client of ours. It ends with the test.
func (w *world) connect(account bus.Name) *natsclient.Conn {
	w.Helper()
	c, err := natsclient.Connect(limited(w), natsclient.Config{URL: w.url(), TLS: w.tls(account), TrustDomain: "example.org", Log: slog.New(slog.NewTextHandler(w.log, nil))})
	check(w, err)
	w.Cleanup(func() { c.Close() })
	return c
}

// stock is a client of the library alone. Errors that the server tells of no call come to the channel.
func (w *world) stock(account bus.Name, options ...nats.Option) (*nats.Conn, <-chan error) {
	w.Helper()
	told := make(chan error, 10)
	options = append(options, nats.Secure(w.tls(account)), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { told <- err }))
	c, err := nats.Connect(w.url(), options...)
	check(w, err)
	w.Cleanup(c.Close)
	return c, told
}

// serve has an account echo what it is asked, with its own name before it, until the test's end.
func (w *world) serve(account, name bus.Name) *natsclient.Listener {
	w.Helper()
	l, err := w.connect(account).Listen(limited(w), bus.Role{Kind: bus.Service, Name: name})
	check(w, err)
	w.beside(func(ctx context.Context) error {
		return l.Reply(ctx, func(m natsclient.Message) ([]byte, error) {
			return []byte(string(account) + " to " + string(m.From) + "." + string(m.Emitter) + ": " + string(m.Data)), nil
		})
	})
	return l
}

// beside runs until the test's end.
func (w *world) beside(run func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	w.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			w.Errorf("beside: %v", err)
		}
	})
}

// seen is a log that can be waited for.
type seen struct {
	mu   sync.Mutex
	text bytes.Buffer
	wait chan struct{}
}

func (s *seen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wait != nil {
		close(s.wait)
		s.wait = nil
	}
	return s.text.Write(b)
}

func (s *seen) await(t testing.TB, words string) {
	t.Helper()
	for ctx := limited(t); ; {
		s.mu.Lock()
		found := strings.Contains(s.text.String(), words)
		if s.wait == nil {
			s.wait = make(chan struct{})
		}
		wait := s.wait
		s.mu.Unlock()
		if found {
			return
		}
		select {
		case <-wait:
		case <-ctx.Done():
			t.Fatalf("waited for %q and saw:\n%s", words, s.text.String())
		}
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// limited is a context that ends a test that hangs.
func limited(t testing.TB) context.Context {
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(stop)
	return ctx
}

// alone holds that no client runs when a test is over.
func alone(t testing.TB) {
	t.Helper()
	t.Cleanup(func() {
		var stacks string
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
			all := make([]byte, 1<<20)
			stacks = string(all[:runtime.Stack(all, true)])
			if !strings.Contains(stacks, "keyward/bus/natsclient.(") && !strings.Contains(stacks, "nats%2ego.(*Conn)") && !strings.Contains(stacks, "nats.go.(*Conn)") {
				return
			}
		}
		t.Errorf("goroutines are left:\n%s", stacks)
	})
}
