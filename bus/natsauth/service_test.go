package natsauth_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"keyward/bus"
	"keyward/bus/natsauth"
	"keyward/fault"
)

// Who is not let in hears nothing of why, and the log says it.
func TestRefused(t *testing.T) {
	w := newWorld(t, 1, "alice", "bob", "gone", "again", "two")
	w.authorize(0)
	w.store.change("gone", revoke)
	w.store.change("again", func(a *bus.Account) { a.NotBefore = time.Now() })
	w.store.change("two", func(a *bus.Account) { a.Identities = []string{"spiffe://other.example/bus/account/two"} })
	revoked := w.root.account("alice")
	w.revoke(revoked)
	tests := []struct {
		name string
		cert tls.Certificate
		log  string
	}{
		{"another root", w.extra.account("alice"), "the certificate is not trusted"},
		{"revoked", revoked, "it is revoked"},
		{"no SAN", w.root.leaf("alice"), "has no URI among its alternative names"},
		{"a DNS name", w.root.leaf("alice", func(c *x509.Certificate) { c.DNSNames = []string{"alice"} }), "has no URI among its alternative names"},
		{"two identities", w.root.leaf("alice", uris(identity("alice"), identity("bob"))), "has 2 URIs among its alternative names"},
		{"one twice", w.root.leaf("alice", uris(identity("alice"), identity("alice"))), "has 2 URIs among its alternative names"},
		{"another trust domain", w.root.leaf("alice", uris("spiffe://other.example/bus/account/alice")), "is of the trust domain other.example"},
		{"another URI", w.root.leaf("alice", uris("spiffe://example.org/alice")), "names no account"},
		{"a name of another case", w.root.account("Alice"), "there is no account Alice"},
		{"a server's", w.root.account("alice", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), ""},
		{"expired", w.root.account("alice", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), ""},
		{"not yet valid", w.root.account("alice", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }), ""},
		{"a CA", w.root.account("alice", func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }), "is a CA's, and no account's"},
		{"no account", w.root.account("nobody"), "there is no account nobody"},
		{"a revoked account", w.root.account("gone"), "the account gone is revoked"},
		{"from before the account", w.root.account("again"), "is from before the account again"},
		{"an identity that the account lost", w.root.account("two"), "does not open the account two"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := len(w.log.String())
			_, err := w.connect(0, tt.cert)
			if tt.log == "" { // the server's TLS is the first to refuse it
				if err == nil {
					t.Error("it is let in")
				}
				return
			}
			if !errors.Is(err, nats.ErrAuthorization) {
				t.Errorf("the client gets %v", err)
			}
			if log := w.log.String()[before:]; !strings.Contains(log, "refused") || !strings.Contains(log, tt.log) {
				t.Errorf("the log says %s", log)
			}
		})
	}
	w.mustConnect(0, w.root.account("alice"))
}

// What a certificate says beside its URI opens nothing.
func TestAnothersName(t *testing.T) {
	w := newWorld(t, 1, "alice", "bob")
	w.authorize(0)
	c := w.mustConnect(0, w.root.leaf("alice", uris(identity("bob"))))
	if !c.may(t, "xbus.msgbox.bob") || c.may(t, "xbus.msgbox.alice") {
		t.Error("the common name counts")
	}
}

// may says whether a client can publish.
func (c *client) may(t *testing.T, subject string) bool {
	t.Helper()
	if err := errors.Join(c.Publish(subject, nil), c.Flush()); err != nil {
		t.Fatal(err)
	}
	return !strings.Contains(fmt.Sprint(c.LastError()), strconv.Quote(subject)) // it stays until the next one
}

// An authorizer's login is no way in for others, and a user's password none at all.
func TestOtherLogins(t *testing.T) {
	w := newWorld(t, 1, "alice")
	w.authorize(0)
	stranger := w.root.leaf("stranger")
	for name, login := range map[string]nats.Option{
		"password": nats.UserInfo("alice", "secret"), "token": nats.Token("secret"),
		"the name of a connection": nats.UserInfo("alice:1:00000000000000000000000000000000", ""),
		"an authorizer's key":      nats.Nkey(w.keys.Public().Callout, func([]byte) ([]byte, error) { return make([]byte, 64), nil }),
	} {
		if _, err := w.connect(0, stranger, login); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := w.mustConnect(0, w.root.account("alice"), nats.UserInfo("bob", "secret"))
	if !c.may(t, "xbus.msgbox.alice") || c.may(t, "xbus.msgbox.bob") {
		t.Error("the user name counts")
	}
}

func TestNobodyAnswers(t *testing.T) {
	w := newWorldOf(t, 1, func(o *server.Options) { o.AuthTimeout = 0.5 }, "alice")
	if _, err := w.connect(0, w.root.account("alice")); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("without an authorizer: %v", err)
	}
	a := w.authorize(0)
	var alice *client
	await(t, "an answer in time", func() (in bool) {
		c, err := w.connect(0, w.root.account("alice"))
		alice = c
		return err == nil
	})
	a.stop()
	if _, err := w.connect(0, w.root.account("alice")); err == nil {
		t.Error("somebody is let in after the authorizer ended")
	}
	if err := alice.Flush(); err != nil {
		t.Errorf("who was in is out: %v", err)
	}
}

// Who answers twice gets nobody in whom it refused first, and nothing for whom it let in.
func TestAnswersTwice(t *testing.T) {
	w := newWorld(t, 1)
	alice := bus.Account{Name: "alice", Revision: 1, State: bus.Active, Identities: []string{identity("alice")}, Roles: []bus.Role{{Kind: bus.Emitter, Name: "alice"}}}
	answers, sent := make(chan []*bus.Account, 1), make(chan struct{}, 2)
	conn, err := nats.Connect(w.url(0), nats.Secure(w.tls(w.root.leaf("authorizer"))), w.keys.CalloutLogin())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	_, err = conn.QueueSubscribe(natsauth.CalloutSubject, natsauth.QueueGroup, func(m *nats.Msg) {
		all, err := w.keys.Answers(m, <-answers...)
		for _, answer := range all {
			err = errors.Join(err, m.Respond(answer))
		}
		if err != nil {
			t.Error(err)
		}
		sent <- struct{}{}
	})
	if err := errors.Join(err, conn.Flush()); err != nil {
		t.Fatal(err)
	}
	answers <- []*bus.Account{nil, &alice}
	if _, err := w.connect(0, w.root.account("alice")); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("refused and let in: %v", err)
	}
	<-sent
	answers <- []*bus.Account{&alice, &alice}
	c := w.mustConnect(0, w.root.account("alice"))
	<-sent // the second answer, after which the connection may close
	if !c.may(t, "xbus.msgbox.alice") || c.may(t, "xbus.msgbox.bob") {
		t.Error("let in twice, it may do other things")
	}
}

// Nobody but an authorizer's group is asked, not even who has its login.
func TestNobodyListens(t *testing.T) {
	w := newWorld(t, 1)
	conn, err := nats.Connect(w.url(0), nats.Secure(w.tls(w.root.leaf("authorizer"))), w.keys.CalloutLogin(), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	_, err = conn.SubscribeSync(natsauth.CalloutSubject)
	if err := errors.Join(err, conn.Flush()); err != nil {
		t.Fatal(err)
	}
	if said := fmt.Sprint(conn.LastError()); !strings.Contains(said, "Permissions Violation for Subscription") {
		t.Errorf("who is in no group may listen: %s", said)
	}
}

// withoutLists has an authorizer list connections at its start alone, by a clock that stands: what it knows later it has by events.
func withoutLists() func(*natsauth.Config) {
	start := time.Now()
	return func(c *natsauth.Config) { c.ListEvery, c.Now = time.Hour, func() time.Time { return start } }
}

// A change ends the account's connections, whoever let them in, and none else.
func TestChange(t *testing.T) {
	for name, change := range map[string]func(*bus.Account){
		"revoked":      revoke,
		"another role": func(a *bus.Account) { a.Roles = []bus.Role{{Kind: bus.Consumer, Name: "news"}} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, "alice", "bob")
			w.authorize(0, withoutLists())
			w.authorize(0, withoutLists())
			bob := w.mustConnect(0, w.root.account("bob"))
			var alices []*client
			for range 10 {
				alices = append(alices, w.mustConnect(0, w.root.account("alice")))
			}
			began := time.Now()
			w.store.change("alice", change)
			for _, alice := range alices {
				alice.ended(t)
			}
			t.Logf("10 connections ended %s after the change", time.Since(began).Round(time.Millisecond))
			if err := bob.Flush(); err != nil {
				t.Errorf("another account's connection: %v", err)
			}
		})
	}
}

// The account changes after it was looked up and before the server lets its client in: the change is followed first, and
// then the connection comes.
func TestChangeMeanwhile(t *testing.T) {
	w := newWorld(t, 1, "alice")
	w.authorize(0, func(c *natsauth.Config) { c.FollowEvery = time.Millisecond })
	changed := sync.OnceFunc(func() {
		w.store.change("alice", revoke)
		time.Sleep(100 * time.Millisecond) // for the follower: the connection is to come after it
	})
	w.store.mu.Lock()
	w.store.after = changed
	w.store.mu.Unlock()
	c, err := w.connect(0, w.root.account("alice"))
	if err == nil {
		c.ended(t)
	}
}

// What changed while no authorizer ran is caught up with.
func TestEarlierRun(t *testing.T) {
	w := newWorld(t, 1, "alice", "bob")
	a := w.authorize(0)
	alice, bob := w.mustConnect(0, w.root.account("alice")), w.mustConnect(0, w.root.account("bob"))
	a.stop()
	w.store.change("alice", revoke)
	w.authorize(0)
	alice.ended(t)
	if err := bob.Flush(); err != nil {
		t.Errorf("who did nothing: %v", err)
	}
	w.store.change("bob", revoke)
	bob.ended(t)
}

// More connections than one page of a list has.
func TestPages(t *testing.T) {
	w := newWorld(t, 1, "alice")
	a := w.authorize(0)
	cert := w.root.account("alice")
	clients := make([]*client, 100)
	var all sync.WaitGroup
	for part := range 4 {
		all.Go(func() {
			for i := part; i < len(clients); i += 4 {
				c, err := w.connect(0, cert)
				if err != nil {
					t.Error(err)
					return
				}
				clients[i] = c
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	a.stop()
	w.store.change("alice", revoke)
	w.authorize(0)
	for _, c := range clients {
		c.ended(t)
	}
}

func TestCluster(t *testing.T) {
	w := newWorld(t, 3, "alice", "bob", "carol")
	w.authorize(0, withoutLists())
	w.authorize(1, withoutLists())
	connect := func(name bus.Name, servers ...int) (all []*client) {
		cert := w.root.account(name)
		for _, on := range servers {
			all = append(all, w.mustConnect(on, cert))
		}
		return all
	}
	alices, bobs := connect("alice", 0, 1, 2), connect("bob", 0, 1, 2)
	began := time.Now()
	w.store.change("alice", revoke)
	for _, c := range alices {
		c.ended(t)
	}
	t.Logf("ended on three nodes %s after the revocation", time.Since(began).Round(time.Millisecond))

	w.servers[1].Shutdown()
	await(t, "the node to be gone", func() bool { return w.servers[0].NumRemotes() == 1 && w.servers[2].NumRemotes() == 1 })
	if _, err := w.connect(2, w.root.account("alice")); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a revoked account: %v", err)
	}
	carols := connect("carol", 0, 2)
	began = time.Now()
	w.store.change("bob", revoke)
	w.store.change("carol", revoke)
	for _, c := range append([]*client{bobs[0], bobs[2]}, carols...) {
		c.ended(t)
	}
	t.Logf("ended on the two that are left %s after the revocation", time.Since(began).Round(time.Millisecond))
}

// An account is no server.
func TestAccountIsNoServer(t *testing.T) {
	w := newWorld(t, 2, "alice")
	joined := func(cert tls.Certificate) bool {
		conn, err := tls.Dial("tcp", w.servers[0].ClusterAddr().String(), &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{cert}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "CONNECT {\"name\":\"evil\",\"verbose\":false,\"tls_required\":true,\"cluster\":\"test\"}\r\nINFO {\"server_id\":\"evil\",\"cluster\":\"test\"}\r\nPING\r\n")
		var text []byte
		buffer := make([]byte, 4096)
		_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
		for !strings.Contains(string(text), "PONG") {
			n, err := conn.Read(buffer)
			text = append(text, buffer[:n]...)
			if err != nil {
				return false
			}
		}
		return true
	}
	if joined(w.root.account("alice")) {
		t.Error("an account's certificate is taken for a server's")
	}
	if !joined(w.root.leaf("server", func(c *x509.Certificate) { c.DNSNames = []string{"localhost"} })) {
		t.Error("a server's certificate is not taken")
	}
}

func TestStoreDown(t *testing.T) {
	w := newWorld(t, 1, "alice", "bob")
	w.authorize(0)
	alice := w.mustConnect(0, w.root.account("alice"))
	w.store.breakDown(fault.New(fault.Unreachable, "", "no connection to the database"))
	if _, err := w.connect(0, w.root.account("bob")); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("without a store: %v", err)
	}
	await(t, "the log", func() bool {
		return strings.Contains(w.log.String(), "the store does not answer: connections stay, and new ones are refused")
	})
	if !strings.Contains(w.log.String(), "no connection to the database") {
		t.Error("the log does not say what failed")
	}
	if err := alice.Flush(); err != nil {
		t.Errorf("who was in is out: %v", err)
	}
	w.store.breakDown(nil)
	w.mustConnect(0, w.root.account("bob"))
	await(t, "the log", func() bool { return strings.Contains(w.log.String(), "the store answers again") })
	w.store.change("alice", revoke)
	alice.ended(t)
}

// A store that is slow holds up who asks for it, and no longer than told.
func TestStoreSlow(t *testing.T) {
	w := newWorld(t, 1, "alice")
	w.authorize(0, func(c *natsauth.Config) { c.AnswerTime = 300 * time.Millisecond })
	slow := make(chan struct{})
	w.store.mu.Lock()
	w.store.slow = slow
	w.store.mu.Unlock()
	if _, err := w.connect(0, w.root.account("alice")); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a slow store: %v", err)
	}
	close(slow)
	w.mustConnect(0, w.root.account("alice"))
}

// A certificate that is not trusted any more loses its connections with the review, whichever authorizer let them in.
func TestReview(t *testing.T) {
	w := newWorld(t, 1, "alice", "bob")
	first := w.authorize(0)
	alice, bob := w.root.account("alice"), w.root.account("bob")
	a, b := w.mustConnect(0, alice), w.mustConnect(0, bob)
	second := w.authorize(0) // knows of their certificates by asking the first
	w.revoke(alice)
	second.Review("others")
	a.ended(t)
	if log := w.log.String(); !strings.Contains(log, `cause="it is revoked"`) || strings.Contains(log, "no authorizer knows the certificate") {
		t.Errorf("it is ended for another reason: %s", log)
	}
	if _, err := w.connect(0, alice); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("a revoked certificate: %v", err)
	}
	first.stop()
	w.revoke(bob)
	second.Review("")
	b.ended(t)
}

// Certificates that nobody knows are asked for again when whom is trusted changed, and else are left.
func TestStrangers(t *testing.T) {
	w := newWorld(t, 1, "alice", "bob")
	first := w.authorize(0)
	a := w.mustConnect(0, w.root.account("alice"))
	first.stop()
	second := w.authorize(0)
	b := w.mustConnect(0, w.root.account("bob"))
	second.Review("")
	if err := errors.Join(a.Flush(), b.Flush()); err != nil {
		t.Errorf("a review without a change: %v", err)
	}
	second.Review("others")
	a.ended(t)
	if text := w.log.String(); strings.Contains(text, "does not parse") {
		t.Errorf("there is no other authorizer that it could have asked: %s", text)
	}
	if err := b.Flush(); err != nil {
		t.Errorf("a certificate that is known: %v", err)
	}
}

// A review is told when it is done: by then who is not known is ended.
func TestReviewed(t *testing.T) {
	w := newWorld(t, 1, "alice")
	first := w.authorize(0)
	a := w.mustConnect(0, w.root.account("alice"))
	first.stop()
	reviewed := make(chan string, 1)
	second := w.authorize(0, func(c *natsauth.Config) { c.Reviewed = func(trusted string) { reviewed <- trusted } })
	second.Review("")
	second.Review("this")
	select {
	case got := <-reviewed:
		if got != "this" || !strings.Contains(w.log.String(), "no authorizer knows the certificate") {
			t.Errorf("%q is done after %s", got, w.log)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the review is not done")
	}
	a.ended(t)
}

// The server ends a connection with its certificate.
func TestCertificateEnds(t *testing.T) {
	w := newWorld(t, 1, "alice")
	w.authorize(0)
	w.mustConnect(0, w.root.account("alice", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(2 * time.Second) })).ended(t)
}

// What a certificate says is not known to be true: an authorizer that does not verify lets in whom the server takes. This is
// the test of the tests above.
func TestVerifyCounts(t *testing.T) {
	w := newWorld(t, 1, "alice")
	w.authorize(0, func(c *natsauth.Config) {
		c.Authorizer.Verify = func([]*x509.Certificate, time.Time) error { return nil }
	})
	w.mustConnect(0, w.extra.account("alice"))
}
