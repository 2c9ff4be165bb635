package relay_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"keyward/relay"
	"keyward/relay/message"
)

// authority is a root that signs what a test needs.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"test root"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	cert, err := x509.ParseCertificate(der)
	check(t, err)
	return &authority{cert, key}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	return key
}

// issue makes a leaf. Without names it has no SAN, as Micronets certificates have none.
func (a *authority) issue(t testing.TB, names ...string) tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{Organization: []string{"test leaf"}}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	check(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (a *authority) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// serving is the TLS of a relay, trusting that of a client, both with a leaf of a.
func (a *authority) serving(t testing.TB, names ...string) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{a.issue(t, names...)}, ClientCAs: a.roots(), ClientAuth: tls.RequireAndVerifyClientCert}
}

func (a *authority) trusting(t testing.TB) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{a.issue(t)}, RootCAs: a.roots()}
}

// world is a relay and who trusts it.
type world struct {
	t    testing.TB
	ca   *authority
	addr string
	stop func() // the relay, which may be started again
}

// newWorld starts a relay. When the test is over, nothing of package relay may run.
func newWorld(t testing.TB) *world {
	t.Helper()
	noLeaks(t)
	w := &world{t: t, ca: newAuthority(t), addr: "127.0.0.1:0"}
	w.start()
	t.Cleanup(func() { w.stop() })
	return w
}

// start starts the relay, the second time at the same address.
func (w *world) start() {
	w.t.Helper()
	l, err := net.Listen("tcp", w.addr)
	check(w.t, err)
	w.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	server := relay.NewServer(relay.Config{TLS: w.ca.serving(w.t)})
	go func() { done <- server.Serve(ctx, l) }()
	stopped := false
	w.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("the relay: %v", err)
		}
	}
}

func (w *world) url() string { return "wss://" + w.addr + relay.DefaultPathPrefix + "here" }

// client is one that is not running yet.
func (w *world) client() *relay.Client {
	return &relay.Client{URL: w.url(), TLS: w.ca.trusting(w.t), Hello: message.Hello{PeerClass: "keyward-test", PeerID: "1"}}
}

// running is a client that runs until the test is over or it is stopped.
type running struct {
	*relay.Client
	peers chan *message.Hello // what OnPeer is told
	stop  func() error
}

func run(t testing.TB, c *relay.Client) *running {
	t.Helper()
	r := &running{Client: c, peers: make(chan *message.Hello, 100)}
	c.OnPeer = func(h *message.Hello) { r.peers <- h }
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	var stopped bool
	r.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("a client: %v", err)
		}
	})
	return r
}

// meets waits until the client met a peer, or lost it.
func (r *running) meets(t testing.TB) {
	t.Helper()
	if got(t, r.peers) == nil {
		t.Fatal("the peer is gone")
	}
}

func (r *running) loses(t testing.TB) {
	t.Helper()
	if h := got(t, r.peers); h != nil {
		t.Fatalf("another peer: %+v", h)
	}
}

// pair are two clients that met; the second answers with handle.
func (w *world) pair(second *relay.Client) (a, b *running) {
	w.t.Helper()
	a, b = run(w.t, w.client()), run(w.t, second)
	a.meets(w.t)
	b.meets(w.t)
	return a, b
}

// foreign is a peer that is none of ours: a plain websocket client.
type foreign struct {
	net.Conn
	t testing.TB
}

// foreigner comes to the meetup and says hello.
func (w *world) foreigner() *foreign {
	w.t.Helper()
	dialer := ws.Dialer{TLSConfig: &tls.Config{
		Certificates: []tls.Certificate{w.ca.issue(w.t)}, InsecureSkipVerify: true, // as the original does with names
	}}
	c, early, _, err := dialer.Dial(context.Background(), w.url())
	check(w.t, err)
	if early != nil {
		c = &rest{c, early}
	}
	w.t.Cleanup(func() { c.Close() })
	check(w.t, c.SetDeadline(time.Now().Add(20*time.Second)))
	f := &foreign{c, w.t}
	f.say(`{"message":{"messageId":0,"messageType":"CONN:HELLO","requiresResponse":false,"peerClass":"foreign","peerId":"2"}}`)
	return f
}

// rest reads first what came with the handshake.
type rest struct {
	net.Conn
	early interface{ Read([]byte) (int, error) }
}

func (r *rest) Read(p []byte) (int, error) { return r.early.Read(p) }

func (f *foreign) say(text string) {
	f.t.Helper()
	check(f.t, wsutil.WriteClientText(f, []byte(text)))
}

// heard is the next message, of which a test looks at a few members.
type heard struct {
	MessageID        int64
	MessageType      string
	RequiresResponse bool
	InResponseTo     *int64
	Method, Path     string
	StatusCode       int
	MessageBody      any
}

func (f *foreign) hear() heard {
	f.t.Helper()
	data, err := wsutil.ReadServerText(f)
	check(f.t, err)
	var m struct{ Message heard }
	check(f.t, json.Unmarshal(data, &m))
	return m.Message
}

// got waits for a value.
func got[T any](t testing.TB, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
		panic("not reached")
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// noLeaks fails the test if something of package relay runs at its end. What is just ending may be seen for a moment.
func noLeaks(t testing.TB) {
	t.Cleanup(func() {
		left := leftGoroutines()
		for deadline := time.Now().Add(20 * time.Second); left != "" && time.Now().Before(deadline); left = leftGoroutines() {
			time.Sleep(time.Millisecond)
		}
		if left != "" {
			t.Errorf("goroutines are left:\n%s", left)
		}
	})
}

func leftGoroutines() string {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	var left []string
	for g := range strings.SplitSeq(string(stacks), "\n\n") {
		frames, _, _ := strings.Cut(g, "created by ")
		if strings.Contains(frames, "keyward/relay.") {
			left = append(left, g)
		}
	}
	return strings.Join(left, "\n\n")
}

// fields are headers or parameters: a name, its value, a name, its value.
func fields(pairs ...string) []message.Field {
	var all []message.Field
	for pair := range slices.Chunk(pairs, 2) {
		all = append(all, message.Field{Name: pair[0], Value: pair[1]})
	}
	return all
}
