package registry

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"keyward/keys"
	"keyward/registry/wire"
	"keyward/store"
	"keyward/store/storetest"
)

// from gives the harness with a client of its own, at an address of loopback.
func (h *harness) from(address string) *harness {
	other := *h
	transport := h.client.Transport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}).DialContext
	other.client = &http.Client{Transport: transport}
	h.t.Cleanup(transport.CloseIdleConnections)
	return &other
}

// slowest sorts the times, and gives the one that 99 in 100 are within and the last.
func slowest(times []time.Duration) (p99, last time.Duration) {
	slices.Sort(times)
	return times[len(times)*99/100], times[len(times)-1]
}

// TestParallelPasswords sends 1,000 wrong passwords at once, each for a name of its own. Meanwhile a user who is logged
// in is served, a key logs in, and a right password from elsewhere does before they are done.
func TestParallelPasswords(t *testing.T) {
	const sources, each = 8, 125
	h := start(t)
	h.patient()                              // 1,000 handshakes at once take their time on a busy machine
	hash, err := HashPassword(alicePassword) // of a real cost
	if err != nil {
		t.Fatal(err)
	}
	if err := h.cfg.Store.SetPassword(t.Context(), "alice", hash, storetest.Act("test")); err != nil {
		t.Fatal(err)
	}
	pair := newPair(t)
	h.register("alice", pair.Public)
	user := h.from("127.0.1.1")
	token := user.tokenOf("alice")
	before := heap()

	var all sync.WaitGroup
	var left atomic.Int64
	left.Store(sources * each)
	answers := make(chan int, sources*each)
	for i := range sources {
		source := h.from(fmt.Sprintf("127.0.0.%d", 2+i))
		for n := range each {
			all.Go(func() {
				defer left.Add(-1)
				answers <- source.do(request{method: "POST", path: wire.PathToken, form: wrong(fmt.Sprintf("user%d-%d", i, n))}).status
			})
		}
	}
	for h.hashing.turns.held() <= h.hashing.turns.places {
		runtime.Gosched()
	}

	var times []time.Duration
	most := before
	serve := func() {
		began := time.Now()
		if a := user.do(request{method: "GET", path: wire.UserKeysPath("alice"), token: token}); a.status != http.StatusOK {
			t.Errorf("who is logged in: %d %s", a.status, a.body)
		}
		times = append(times, time.Since(began))
		most = max(most, heap())
	}
	serve()
	if a := user.logInWith("alice", h.seal(pair, 0)); a.status != http.StatusOK {
		t.Errorf("with a key: %d %s", a.status, a.body)
	}
	began := time.Now()
	logIn := request{method: "POST", path: wire.PathToken, form: right("alice")}
	a := user.do(logIn)
	for a.status == http.StatusServiceUnavailable && left.Load() > 0 { // on a machine that is busy otherwise
		a = user.do(logIn)
	}
	if a.status != http.StatusOK {
		t.Errorf("with the right password: %d %s", a.status, a.body)
	}
	waited, others := time.Since(began), left.Load()
	if others == 0 {
		t.Error("the right password had to wait for all the wrong ones")
	}
	for left.Load() > 0 {
		serve()
	}
	all.Wait()
	close(answers)
	got := map[int]int{}
	for status := range answers {
		got[status]++
	}
	p99, last := slowest(times)
	t.Logf("answers %v; the right password waited %s, with %d wrong ones left; %d requests of who is logged in, p99 %s, last %s; memory %d MiB more",
		got, waited, others, len(times), p99, last, (most-before)>>20)
	if got[401]+got[429]+got[503] != sources*each || got[401] > sources*(freeOfSource+maxHashing) {
		t.Errorf("answers %v", got)
	}
	if half := times[len(times)/2]; half > time.Second {
		t.Errorf("half of the requests of who is logged in take over %s", half)
	}
	if most-before > 500<<20 {
		t.Errorf("%d MiB", (most-before)>>20)
	}
}

// heap is how much memory objects take or took since the last collection.
func heap() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// endless is a store with keys without end.
type endless struct{ store.Store }

func (endless) AllKeys(context.Context) iter.Seq2[store.Key, error] {
	return func(yield func(store.Key, error) bool) {
		for yield(store.Key{User: "alice"}, nil) {
			continue
		}
	}
}

// dialSlow connects with a small window, so that an answer that is not read soon holds up the server.
func (h *harness) dialSlow(ctx context.Context, address string) (net.Conn, error) {
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	conn, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(h.url, "https://"))
	if err == nil {
		err = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	}
	return conn, err
}

func (h *harness) tlsConfig() *tls.Config {
	config := h.client.Transport.(*http.Transport).TLSClientConfig.Clone()
	config.ServerName = "127.0.0.1"
	return config
}

// slowRequests are what slow clients send before they stop. The first does not even shake hands.
func slowRequests(token string) []string {
	return []string{
		"",
		"GET /healthz HTTP/1.1\r\nHost: x\r\n",
		"POST " + wire.PathToken + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nuser",
		"GET " + wire.PathKeys + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\n\r\n",
	}
}

// hang sends a request, says so, and waits until ctx ends.
func (h *harness) hang(ctx context.Context, address, request string, sent chan<- error) {
	conn, err := h.dialSlow(ctx, address)
	if err != nil {
		sent <- err
		return
	}
	defer conn.Close()
	if request != "" {
		conn = tls.Client(conn, h.tlsConfig())
	}
	_, err = io.WriteString(conn, request)
	sent <- err
	<-ctx.Done()
}

// patient serves the harness's server with its bounds but for the time-outs, which would end what the test measures.
func (h *harness) patient() {
	h.stop()
	cert := newCertificate(h.t)
	srv := h.httpServer(&tls.Config{Certificates: []tls.Certificate{cert}})
	srv.ReadHeaderTimeout, srv.ReadTimeout, srv.WriteTimeout = time.Hour, time.Hour, time.Hour
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- srv.ServeTLS(limited(l, h.cfg.MaxConnections, &h.metrics.connections), "", "") }()
	h.t.Cleanup(func() { srv.Close(); <-served })
	h.url = "https://" + l.Addr().String()
	h.client.Transport.(*http.Transport).TLSClientConfig.RootCAs.AddCert(cert.Leaf)
}

// honest has a user log in with a key and list keys, over kept and over new connections, and gives the time that 99 in
// 100 requests are answered within.
func (h *harness) honest(pair keys.Pair) time.Duration {
	var token string
	var times []time.Duration
	for i := range 200 {
		h.clock.Add(time.Millisecond) // no two logins are the same
		began := time.Now()
		if i%4 == 0 {
			h.client.CloseIdleConnections()
			token = h.token(keyForm("alice", h.seal(pair, 0)))
		} else if a := h.do(request{method: "GET", path: wire.UserKeysPath("alice"), token: token}); a.status != http.StatusOK {
			h.t.Errorf("%d %s", a.status, a.body)
		}
		times = append(times, time.Since(began))
	}
	p99, _ := slowest(times)
	return p99
}

// TestSlowClients has 2,000 clients hang: before the handshake, in the header, in the body, and in the answer. An honest
// user is served all the while. What else the machine does counts in, so one good round of ten is enough, against one without
// slow clients.
func TestSlowClients(t *testing.T) {
	const clients, sources = 2000, 20
	h := start(t, func(c *Config) { c.Store = endless{c.Store} })
	h.patient()
	pair := newPair(t)
	h.register("alice", pair.Public)
	user := h.from("127.0.1.1")
	alone := user.honest(pair)

	slow := slowRequests(h.tokenOf("admin"))
	slow = append(slices.Repeat(slow[:3], 8), slow[3]) // few in the answer: each makes megabytes before it hangs
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	sent := make(chan error, clients)
	for i := range clients {
		all.Go(func() { h.hang(ctx, fmt.Sprintf("127.0.0.%d", 2+i%sources), slow[i/sources%len(slow)], sent) })
	}
	for range clients {
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	}
	bound := max(200*time.Millisecond, 10*alone)
	rounds := []time.Duration{user.honest(pair)}
	for len(rounds) < 10 && slices.Min(rounds) > bound {
		rounds = append(rounds, user.honest(pair))
	}
	open := h.metrics.connections.Open.Load()
	t.Logf("p99 alone %s, with %d connections open %s", alone, open, rounds)
	if open < clients {
		t.Errorf("only %d connections are open", open)
	}
	if p99 := slices.Min(rounds); p99 > bound {
		t.Errorf("p99 %s, alone %s", p99, alone)
	}
}

// listing serves keys without end, with that time for an answer.
func listing(t *testing.T, answerTime time.Duration) *harness {
	h := start(t, func(c *Config) { c.Store = endless{c.Store} })
	h.stop()
	cert := newCertificate(t)
	srv := h.httpServer(&tls.Config{Certificates: []tls.Certificate{cert}})
	srv.WriteTimeout = answerTime
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.url = "https://" + l.Addr().String()
	h.client.Transport.(*http.Transport).TLSClientConfig.RootCAs.AddCert(cert.Leaf)
	served := make(chan error)
	go func() { served <- srv.ServeTLS(l, "", "") }()
	t.Cleanup(func() { srv.Close(); <-served })
	return h
}

// TestSlowReader has a client not read an answer that does not fit into what the kernel keeps: it is cut off.
func TestSlowReader(t *testing.T) {
	h := listing(t, 2*time.Second) // for the handshake too
	conn, err := h.dialSlow(t.Context(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(tls.Client(conn, h.tlsConfig()), slowRequests(h.tokenOf("admin"))[3]); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(h.log.String(), wire.PathKeys) { // the line comes when the request is over
		time.Sleep(time.Millisecond)
	}
}

// TestSteadyReader reads a list for longer than a whole answer may take: a list has no bound, so who reads on is not cut off.
func TestSteadyReader(t *testing.T) {
	const answerTime = 2 * time.Second
	h := listing(t, answerTime)
	conn, err := tls.Dial("tcp", strings.TrimPrefix(h.url, "https://"), h.tlsConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, slowRequests(h.tokenOf("admin"))[3]); err != nil {
		t.Fatal(err)
	}
	part := make([]byte, 64<<10)
	for began := time.Now(); time.Since(began) < 2*answerTime; {
		if _, err := conn.Read(part); err != nil {
			t.Fatalf("after %s: %v", time.Since(began), err)
		}
	}
}
