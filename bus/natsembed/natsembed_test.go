package natsembed

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"keyward/bus"
	"keyward/bus/bustest"
	"keyward/bus/natsauth"
	"keyward/certs/verify"
	"keyward/fault"
)

// emitter is an account that can send.
func emitter(name bus.Name) bus.Account {
	return bus.Account{Name: name, Identities: []string{identity(name)}, Roles: []bus.Role{{Kind: bus.Emitter, Name: name}}}
}

// Who shows another certificate than an account's own is not let in, and the log says why.
func TestRefused(t *testing.T) {
	w := newWorld(t, []bus.Account{emitter("alice"), emitter("bob")})
	other := newCA(t, "root") // of the same name
	revoked := w.root.account("alice")
	w.crls.Store(&[]*verify.CRL{w.root.crl(revoked)})
	named := func(name string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: name} }
	}
	tests := []struct {
		name  string
		shown []tls.Certificate
		why   string // in the log; empty for a handshake that fails
	}{
		{"another root", []tls.Certificate{other.account("alice")}, "not trusted"},
		{"expired", []tls.Certificate{w.root.account("alice", func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(-time.Minute)
		})}, "expired"},
		{"not begun", []tls.Certificate{w.root.account("alice", func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
		})}, "not trusted"},
		{"revoked", []tls.Certificate{revoked}, "revoked"},
		{"for servers", []tls.Certificate{w.root.account("alice", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })}, "not trusted"},
		{"no URI", []tls.Certificate{w.root.leaf(named("alice"))}, "no URI"},
		{"a host name", []tls.Certificate{w.root.leaf(func(c *x509.Certificate) { c.DNSNames = []string{"alice"} })}, "no URI"},
		{"two identities", []tls.Certificate{w.root.account("alice", uris(identity("bob")))}, "2 URIs"},
		{"one identity twice", []tls.Certificate{w.root.account("alice", uris(identity("alice")))}, "2 URIs"},
		{"another trust domain", []tls.Certificate{w.root.leaf(uris("spiffe://example.com/bus/account/alice"))}, "trust domain"},
		{"another case", []tls.Certificate{w.root.account("Alice")}, "no account Alice"},
		{"nobody", []tls.Certificate{w.root.account("carol")}, "no account carol"},
		{"a CA", []tls.Certificate{w.root.account("alice", func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true })}, "no account's"},
		{"a wildcard", []tls.Certificate{w.root.leaf(uris("spiffe://example.org/bus/account/*"))}, "no identity"},
		{"no certificate", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := len(w.log.String())
			if _, err := w.connect(tt.shown...); err == nil {
				t.Error("it is let in")
			}
			said := w.log.String()[before:]
			if tt.why != "" && !strings.Contains(said, tt.why) || strings.Contains(said, "let in") {
				t.Errorf("the log says %q", said)
			}
		})
	}
	for _, cert := range []tls.Certificate{w.root.account("alice"), w.root.account("bob", named("alice"))} {
		w.there(w.mustConnect(cert))
	}
	if log := w.log.String(); !strings.Contains(log, "account=bob") || strings.Contains(log, "BEGIN") {
		t.Errorf("the log: %s", log)
	}
}

// The name in the certificate's subject is nobody's: who has alice's as common name, and bob's URI, is bob.
func TestSubjectIsNoName(t *testing.T) {
	w := newWorld(t, []bus.Account{emitter("alice"), emitter("bob")})
	s := w.speak(w.root.account("bob", func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: "alice"} }))
	for subject, want := range map[string]bool{"xbus.msgbox.bob": false, "xbus.msgbox.alice": true} {
		if _, refused := s.Do("PUB %s 0\r\n", subject); refused != want {
			t.Errorf("%s: refused %t", subject, refused)
		}
	}
}

// A revocation and a change end the account's connections, all of them and no others.
func TestChanged(t *testing.T) {
	w := newWorld(t, []bus.Account{emitter("alice"), emitter("bob")})
	shown, bob := w.root.account("alice"), w.mustConnect(w.root.account("bob"))
	changes := []struct {
		name string
		do   func()
		back bool
	}{
		{"updated", func() { w.update("alice", func(a *bus.Account) { a.Publish = []bus.Pattern{"news.>"} }) }, true},
		{"other identities", func() {
			w.update("alice", func(a *bus.Account) { a.Identities = []string{"spiffe://example.com/bus/account/alice"} })
		}, false},
		{"its own again", func() { w.update("alice", func(a *bus.Account) { a.Identities = []string{identity("alice")} }) }, true},
		{"revoked", func() { w.revoke("alice") }, false},
	}
	for _, tt := range changes {
		t.Run(tt.name, func(t *testing.T) {
			var all []*client
			for range 3 {
				if c, err := w.connect(shown); err == nil {
					all = append(all, c)
				}
			}
			tt.do()
			began := time.Now()
			for _, c := range all {
				w.ended(c)
			}
			t.Logf("%d connections were gone %s after", len(all), time.Since(began).Round(time.Millisecond))
			if _, err := w.connect(shown); (err == nil) != tt.back {
				t.Errorf("back: %v", err)
			}
			w.there(bob)
		})
	}
	// Made again, the account is another: the certificate of the one before does not open it.
	w.add(emitter("alice"))
	if _, err := w.connect(shown); err == nil {
		t.Error("a certificate from before the account was made again is let in")
	}
	var fresh tls.Certificate
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) { // the account begins with the next second
		fresh = w.root.account("alice", func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Now(), time.Now().Add(time.Hour) })
		if c, err := w.connect(fresh); err == nil {
			w.there(c)
			break
		} else if time.Now().After(end) {
			t.Fatalf("a new certificate is not let in: %v\n%s", err, w.log)
		}
	}
}

// A revocation is in force, and all connections gone, within a tenth of a second; the machine may be busy, so the test lets it
// have a second.
func TestRevocationTime(t *testing.T) {
	w := newWorld(t, []bus.Account{emitter("alice"), emitter("bob")})
	shown := w.root.account("alice")
	var worst time.Duration
	for round := range 5 {
		var all []*client
		for range 20 {
			all = append(all, w.mustConnect(shown))
		}
		w.update("alice", func(a *bus.Account) { a.Publish = make([]bus.Pattern, 0) })
		began := time.Now()
		for _, c := range all {
			w.ended(c)
		}
		took := time.Since(began)
		worst = max(worst, took)
		t.Logf("round %d: %s for %d connections", round, took.Round(time.Millisecond), len(all))
	}
	if worst > time.Second {
		t.Errorf("it took %s", worst)
	}
}

// A CRL that lists a certificate ends its connections, when that is asked for.
func TestReview(t *testing.T) {
	w := newWorld(t, []bus.Account{emitter("alice")})
	stolen, own := w.root.account("alice"), w.root.account("alice")
	thief, alice := w.mustConnect(stolen), w.mustConnect(own)
	w.crls.Store(&[]*verify.CRL{w.root.crl(stolen)})
	w.review <- struct{}{}
	w.ended(thief)
	w.there(alice)
	if _, err := w.connect(stolen); err == nil {
		t.Error("a revoked certificate is let in")
	}
}

// The end of a certificate is that of its connections.
func TestCertificateEnds(t *testing.T) {
	w := newWorld(t, []bus.Account{emitter("alice")})
	ends := time.Now().Add(3 * time.Second).Truncate(time.Second)
	c := w.mustConnect(w.root.account("alice", func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), ends }))
	w.there(c)
	w.ended(c)
	if late := time.Since(ends); late < -time.Second || late > 10*time.Second {
		t.Errorf("it ended %s after the certificate", late)
	}
}

// Without the store those who are there stay, and nobody else comes. At the start it is an error.
func TestStoreDown(t *testing.T) {
	down := new(outage)
	w := newWorld(t, []bus.Account{emitter("alice"), emitter("bob")}, func(c *Config) {
		down.Accounts = c.Authorizer.Accounts
		c.Authorizer.Accounts = down
	})
	alice := w.mustConnect(w.root.account("alice"))
	down.is.Store(true)
	if _, err := w.connect(w.root.account("bob")); err == nil {
		t.Error("somebody is let in")
	}
	w.logs("the store does not answer: connections stay")
	w.there(alice)
	w.revoke("alice")
	down.is.Store(false)
	w.ended(alice) // what happened meanwhile is not forgotten
	w.logs("the store answers again")
	w.there(w.mustConnect(w.root.account("bob")))

	w.stop()
	down.is.Store(true)
	config := w.config()
	config.Authorizer.Accounts = down
	if err := Serve(t.Context(), config); fault.KindOf(err) != fault.Unreachable {
		t.Errorf("a start without the store: %v", err)
	}
}

// outage is a store that may not answer.
type outage struct {
	natsauth.Accounts
	is    atomic.Bool
	looks atomic.Int64
	after atomic.Pointer[func()] // a look-up found something
}

var errOutage = errors.New("no connection")

func (o *outage) Account(ctx context.Context, name bus.Name) (bus.Account, error) {
	if o.is.Load() {
		return bus.Account{}, errOutage
	}
	a, err := o.Accounts.Account(ctx, name)
	o.looks.Add(1)
	if after := o.after.Swap(nil); after != nil {
		(*after)()
	}
	return a, err
}

func (o *outage) AccountChanges(ctx context.Context, since int64, limit int) ([]bus.Account, int64, error) {
	if o.is.Load() {
		return nil, 0, errOutage
	}
	return o.Accounts.AccountChanges(ctx, since, limit)
}

// Who is let in while the account changes is asked about again.
func TestChangedMeanwhile(t *testing.T) {
	between := new(outage)
	w := newWorld(t, []bus.Account{emitter("alice"), emitter("bob")}, func(c *Config) {
		between.Accounts = c.Authorizer.Accounts
		c.Authorizer.Accounts = between
	})
	shown := w.root.account("alice")
	bob := w.mustConnect(w.root.account("bob"))
	revoke := func() {
		w.revoke("alice")
		w.update("bob", func(a *bus.Account) { a.Publish = []bus.Pattern{"news.>"} })
		w.ended(bob) // so the server knows of both
	}
	between.after.Store(&revoke)
	if _, err := w.connect(shown); err == nil {
		t.Error("a revoked account is let in")
	}
	if looks := between.looks.Load(); looks != 3 { // bob, alice, and alice again
		t.Errorf("%d look-ups", looks)
	}
}

// A store that does not answer in time holds up nobody for ever.
func TestSlowStore(t *testing.T) {
	slow := new(hanging)
	w := newWorld(t, []bus.Account{emitter("alice")}, func(c *Config) {
		slow.Accounts = c.Authorizer.Accounts
		c.Authorizer.Accounts, c.AnswerTime = slow, 50*time.Millisecond
	})
	if _, err := w.connect(w.root.account("alice")); err == nil {
		t.Error("somebody is let in")
	}
	w.logs("deadline exceeded")
}

// hanging is a store whose look-ups have no end.
type hanging struct{ natsauth.Accounts }

func (*hanging) Account(ctx context.Context, _ bus.Name) (bus.Account, error) {
	<-ctx.Done()
	return bus.Account{}, ctx.Err()
}

// A second CONNECT is asked about as the first, and the connection is in the table once.
func TestSecondConnect(t *testing.T) {
	w := newWorld(t, []bus.Account{emitter("alice")})
	s := w.speak(w.root.account("alice"))
	s.Do(`CONNECT {"verbose":false,"user":"root","pass":"secret","auth_token":"secret"}`)
	if _, refused := s.Do("PUB xbus.msgbox.bob 0\r\n"); !refused {
		t.Error("alice sends for bob")
	}
	if n := strings.Count(w.log.String(), "let in"); n != 1 {
		t.Errorf("the log says %d times that one connection is let in", n)
	}
	w.revoke("alice")
	s.UntilClosed()
	if s := w.speak(w.root.account("alice")); s.In {
		t.Error("a revoked account is let in")
	}
	if strings.Contains(w.log.String(), "secret") {
		t.Errorf("the log has a secret: %s", w.log)
	}
}

// Of who has left next to nothing is kept, and a connection cannot have subscriptions without end.
func TestSubscriptions(t *testing.T) {
	w := &world{TB: t, root: newCA(t, "root"), log: new(logged)}
	limitless := w.root.leaf()
	s := w.serveWith(limitless, bustest.Accounts())
	for range 3 {
		c := w.mustConnect(limitless)
		_, err := c.SubscribeSync("some.subject")
		must(t, err)
		w.there(c)
		c.Close()
	}
	greedy := w.mustConnect(limitless)
	for range natsauth.MaxSubscriptions + 1 {
		_, err := greedy.SubscribeSync("some.subject")
		must(t, err)
	}
	w.there(greedy)
	if err := greedy.LastError(); err == nil || !strings.Contains(err.Error(), "maximum subscriptions exceeded") {
		t.Errorf("with %d subscriptions: %v", natsauth.MaxSubscriptions+1, err)
	}
	greedy.Close()
	w.stop()
	kept, err := s.nats.Connz(&server.ConnzOptions{State: server.ConnClosed, Subscriptions: true})
	must(t, err)
	if len(kept.Conns) != 1 {
		t.Errorf("the server remembers %d connections that have ended", len(kept.Conns))
	}
}

// What one account does in vain fills no log, and the others' lines stay.
func TestNotes(t *testing.T) {
	log, now := new(logged), time.Now()
	n := &notes{log: slog.New(slog.NewTextHandler(log, nil)), now: func() time.Time { return now }}
	vain := func(i int, account string) {
		n.Errorf(`127.0.0.1:`+strconv.Itoa(i)+` - cid:5 - "v1:go:a\" - \"$G/user:x\"" - "$G/user:`+account+`" - Publish Violation - Subject %q`, "xbus.msgbox.carol")
	}
	counts := func(words string, want int) {
		t.Helper()
		if got := strings.Count(log.String(), words); got != want {
			t.Errorf("the log has %q %d times, want %d", words, got, want)
		}
	}
	for i := range 10 * maxNotes {
		vain(i, "alice")
	}
	vain(1, "bob")
	counts("Publish Violation", maxNotes+1)
	counts("has its share of the log", 1)
	now = now.Add(noteTime)
	vain(1, "alice")
	counts("Publish Violation", maxNotes+2)
	n.Errorf("of nobody")
	n.Noticef(`127.0.0.1:1 - cid:6 - "$G/user:bob" - Slow Consumer Detected: MaxPending of %d Exceeded`, 1<<20)
	n.Noticef("Server is ready")
	counts("of nobody", 1)
	counts("level=WARN msg=NATS", 1)
	counts("Server is ready", 0)
}

// The table forgets what has ended.
func TestTable(t *testing.T) {
	table, ended := newTable(100*leastSweep), map[uint64]bool{}
	gone := func(c connection) bool { return ended[c.id] }
	for id := range uint64(10 * leastSweep) {
		if again, err := table.add(connection{id: id, account: "alice"}, table.moment(), gone); again || err != nil {
			t.Fatalf("again: %t, %v", again, err)
		}
		ended[id] = id%10 != 0
	}
	if table.size > 3*leastSweep || table.size != len(table.of["alice"]) {
		t.Errorf("%d are there, of %d", table.size, leastSweep)
	}
	moment := table.moment()
	table.changed(bus.Account{})
	if _, err := table.add(connection{id: 1, account: "bob"}, moment, gone); !errors.Is(err, errOver) {
		t.Errorf("the moment is over: %v", err)
	}
	for _, c := range table.all() {
		table.remove(c)
		table.remove(c)
	}
	if table.size != 0 || len(table.of) != 0 {
		t.Errorf("%d are left", table.size)
	}
}

// An account has its share of the connections, so that others find a place; what has ended counts no more.
func TestShare(t *testing.T) {
	w := newWorld(t, []bus.Account{emitter("alice"), emitter("bob")}, func(c *Config) { c.MaxPerAccount = 2 })
	shown := w.root.account("alice")
	first, second := w.mustConnect(shown), w.mustConnect(shown)
	if _, err := w.connect(shown); err == nil {
		t.Error("an account has more than its share")
	}
	w.logs("the account alice has its share of connections, 2")
	w.there(w.mustConnect(w.root.account("bob")))
	w.there(first)
	second.Close()
	for end := time.Now().Add(30 * time.Second); ; { // the server hears of the end by and by
		if c, err := w.connect(shown); err == nil {
			w.there(c)
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the place of who left is not free\n%s", w.log)
		}
	}
}

func TestAddresses(t *testing.T) {
	w := newWorld(t, nil)
	for _, tt := range []struct {
		listen string
		want   fault.Kind
	}{{"4222", fault.Usage}, {"127.0.0.1:nats-no-port", fault.Usage}, {w.addr.String(), fault.Failed}} {
		config := w.config()
		config.Listen = tt.listen
		if err := Serve(t.Context(), config); fault.KindOf(err) != tt.want {
			t.Errorf("%s: %v", tt.listen, err)
		}
	}
}

// JetStream is there when it is asked for, and nobody reaches it past the permissions.
func TestJetStream(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, []bus.Account{emitter("alice")}, func(c *Config) { c.JetStream = dir })
	if _, err := os.Stat(filepath.Join(dir, server.JetStreamStoreDir)); err != nil {
		t.Error(err)
	}
	if _, refused := w.speak(w.root.account("alice")).Do("PUB $JS.API.INFO 0\r\n"); !refused {
		t.Error("an account reaches JetStream")
	}
	w.stop()
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	config := w.config()
	config.JetStream = file
	if err := Serve(t.Context(), config); fault.KindOf(err) != fault.Failed || !strings.Contains(err.Error(), "JetStream") {
		t.Errorf("JetStream in a file: %v", err)
	}
	without := newWorld(t, nil)
	without.stop()
	if _, err := os.Stat(filepath.Join(filepath.Dir(without.path), server.JetStreamStoreDir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("JetStream, unasked: %v", err)
	}
}

// Of a server that has ended nothing runs.
func TestNothingIsLeft(t *testing.T) {
	w := newWorld(t, []bus.Account{emitter("alice")}, func(c *Config) { c.JetStream = t.TempDir() })
	w.stop()
	before := runtime.NumGoroutine()
	for range 3 {
		w.serve(func(c *Config) { c.JetStream = t.TempDir() })
		c := w.mustConnect(w.root.account("alice"))
		w.stop()
		w.ended(c)
	}
	end := time.Now().Add(30 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(end) {
		time.Sleep(10 * time.Millisecond)
	}
	if now := runtime.NumGoroutine(); now > before {
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines, %d before\n%s", now, before, stacks[:runtime.Stack(stacks, true)])
	}
}

// logs waits until the log has words.
func (w *world) logs(words string) {
	w.Helper()
	for end := time.Now().Add(30 * time.Second); !strings.Contains(w.log.String(), words); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("the log has no %q\n%s", words, w.log)
		}
	}
}
