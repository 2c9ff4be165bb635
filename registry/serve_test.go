package registry

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyward/registry/wire"
	"keyward/store"
	"keyward/store/storetest"
)

// TestStop stops the server while it works on a request, which still gets its answer.
func TestStop(t *testing.T) {
	before := runtime.NumGoroutine()
	h := start(t)
	entered, release := make(chan bool), make(chan bool)
	h.cfg.PasswordChanged = func(string) { entered <- true; <-release }
	q := request{method: "PUT", path: wire.PasswordPath("alice"), token: h.tokenOf("alice"), json: wire.NewPassword{Password: "a new password"}}
	answered := make(chan answer)
	go func() { answered <- h.do(q) }()
	<-entered

	stopped := make(chan error)
	go func() { stopped <- h.stop() }()
	for { // until the listener is closed
		conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "https://"))
		if err != nil {
			break
		}
		conn.Close()
	}
	select {
	case err := <-stopped:
		t.Errorf("stopped before the request was answered: %v", err)
	default:
	}
	close(release)
	if a := <-answered; a.status != http.StatusNoContent {
		t.Errorf("the running request: %d %s", a.status, a.body)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
	h.cfg.Store.Close()
	settled(t, before)
}

// settled waits until no more goroutines run than before.
func settled(t *testing.T, before int) {
	t.Helper()
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(5 * time.Millisecond) // nothing tells when a goroutine is gone
	}
	var stacks strings.Builder
	pprof.Lookup("goroutine").WriteTo(&stacks, 1)
	t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, &stacks)
}

func TestServeFails(t *testing.T) {
	h := start(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	config := &tls.Config{Certificates: []tls.Certificate{newCertificate(t)}}
	if err := h.Serve(t.Context(), l, config); !errors.Is(err, net.ErrClosed) {
		t.Errorf("serve on a closed listener: %v", err)
	}
}

func TestNew(t *testing.T) {
	h := start(t)
	pair := newPair(t)
	pair.Public = newPair(t).Public
	for _, c := range []Config{{}, {Key: pair}, {Store: h.cfg.Store}, {Store: h.cfg.Store, Key: pair}} {
		if _, err := New(c); err == nil {
			t.Errorf("New takes a store: %t and key %s", c.Store != nil, c.Key.Public)
		}
	}
}

// TestSlowClient has clients stop in the header, in the body and after the handshake.
func TestSlowClient(t *testing.T) {
	h := start(t)
	cert := newCertificate(t)
	srv := h.httpServer(&tls.Config{Certificates: []tls.Certificate{cert}})
	if srv.WriteTimeout == 0 {
		t.Error("an answer may take for ever")
	}
	for _, limit := range []*time.Duration{&srv.ReadHeaderTimeout, &srv.ReadTimeout, &srv.IdleTimeout} {
		if *limit == 0 {
			t.Error("a time-out is not set")
		}
		*limit = 2 * time.Second // for the handshake too
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert.Leaf)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- srv.ServeTLS(l, "", "") }()
	var conns []net.Conn // of clients that wait at the same time
	for _, sent := range []string{
		"",
		"GET /healthz HTTP/1.1\r\nHost: x\r\n",
		"POST " + wire.PathToken + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nuser",
		"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: roots})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, sent); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	for i, conn := range conns {
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("client %d: %v", i, err)
		}
	}
	srv.Close()
	<-served
}

// TestBodyMemory sees that a body is read into one buffer, of its own size or the limit's.
func TestBodyMemory(t *testing.T) {
	form := passwordForm("alice", "x").Encode()
	for length, want := range map[int64]int{int64(len(form)): len(form), -1: wire.MaxForm, 1 << 40: wire.MaxForm} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "https://x", strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength, r.Header = length, formType
		data, err := newCall(discard{}, r, "").body(formType.Get("Content-Type"), wire.MaxForm)
		if err != nil || string(data) != form || cap(data) > want+bytes.MinRead+1 {
			t.Errorf("length %d: %q in a buffer of %d: %v", length, data, cap(data), err)
		}
	}
}

// TestConnectionShare connects past an address's share of the connections.
func TestConnectionShare(t *testing.T) {
	h := start(t)
	h.stop()
	h.cfg.MaxConnections = 8
	h.serve(h.Server)
	open := 0
	for range 8 {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(h.url, "https://"), h.client.Transport.(*http.Transport).TLSClientConfig)
		if err == nil {
			t.Cleanup(func() { conn.Close() })
			open++
		}
	}
	if open != 2 {
		t.Errorf("one address has %d of 8 connections, want 2", open)
	}
}

// TestConnectionsKept has four addresses keep all connections, with a request now and then: one that is used when all are taken
// is closed after its answer, so that another address gets a place.
func TestConnectionsKept(t *testing.T) {
	h := start(t)
	h.stop()
	h.cfg.MaxConnections = 4
	h.serve(h.Server)
	health := request{method: "GET", path: wire.PathHealth}
	for i := range h.cfg.MaxConnections {
		h.from(fmt.Sprintf("127.0.0.%d", 2+i)).do(health)
	}
	other := h.from("127.0.1.1")
	other.client.Timeout = 10 * time.Second
	if a := other.do(health); a.status != http.StatusOK {
		t.Errorf("another address: %d %s", a.status, a.body)
	}
}

// TestCipherSuites offers TLS 1.2 suites one at a time: the server takes those with AEAD, and the
// caller's where the caller has any.
func TestCipherSuites(t *testing.T) {
	h := start(t)
	roots := h.client.Transport.(*http.Transport).TLSClientConfig.RootCAs
	for suite, want := range map[uint16]bool{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:       true,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: true,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA:          false,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA:          false,
	} {
		config := &tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}}
		conn, err := tls.Dial("tcp", strings.TrimPrefix(h.url, "https://"), config)
		if (err == nil) != want {
			t.Errorf("%s: %v", tls.CipherSuiteName(suite), err)
		}
		if err == nil {
			conn.Close()
		}
	}
	own := []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA}
	given := &tls.Config{}
	if got := h.httpServer(given).TLSConfig.CipherSuites; len(got) == 0 || given.CipherSuites != nil {
		t.Error("the suites are not set, or in the caller's config")
	}
	if diff := cmp.Diff(own, h.httpServer(&tls.Config{CipherSuites: own}).TLSConfig.CipherSuites); diff != "" {
		t.Errorf("the caller's suites: %s", diff)
	}
}

func TestHeaders(t *testing.T) {
	h := start(t)
	for _, path := range []string{wire.PathHealth, wire.PathKeys, "/nothing"} {
		a := h.do(request{method: "GET", path: path})
		for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Type": "application/json"} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if a.header.Get("X-Request-Id") == "" || !strings.Contains(h.log.String(), a.header.Get("X-Request-Id")) {
			t.Errorf("%s: request id %q is not in the log", path, a.header.Get("X-Request-Id"))
		}
	}
	if a := h.do(request{method: "DELETE", path: wire.PathUsers}); a.header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("Allow: %q", a.header.Get("Allow"))
	}
	a := h.do(request{method: "HEAD", path: wire.PathServerKey})
	if a.status != http.StatusOK || len(a.body) > 0 || a.header.Get("Content-Length") == "0" {
		t.Errorf("HEAD: %d %q %v", a.status, a.body, a.header)
	}
}

// broken is a store with a fault: all that is not overridden is the real one.
type broken struct{ store.Store }

func (broken) Ping(context.Context) error { panic("ping") }

func (b broken) AllKeys(ctx context.Context) iter.Seq2[store.Key, error] {
	return func(yield func(store.Key, error) bool) {
		for k, err := range b.Store.AllKeys(ctx) {
			if !yield(k, err) {
				return
			}
		}
		yield(store.Key{}, errors.New("the disk is gone"))
	}
}

// TestBroken sees that a fault is told apart from an answer, and survived.
func TestBroken(t *testing.T) {
	h := start(t, func(c *Config) { c.Store = broken{c.Store} })
	admin := h.tokenOf("admin")
	if a := h.do(request{method: "GET", path: wire.PathReady}); a.code() != wire.CodeInternal || strings.Contains(string(a.body), "ping") {
		t.Errorf("after a panic: %d %s", a.status, a.body)
	}
	if a := h.do(request{method: "GET", path: wire.PathKeys, token: admin}); a.code() != wire.CodeInternal {
		t.Errorf("a fault before the first key: %d %s", a.status, a.body)
	}
	h.register("alice", newPair(t).Public)
	r, err := http.NewRequestWithContext(t.Context(), "GET", h.url+wire.PathKeys, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+admin)
	if w, err := h.client.Do(r); err == nil {
		body, err := io.ReadAll(w.Body)
		if err == nil {
			t.Errorf("a fault after the first key: %s looks whole", body)
		}
		w.Body.Close()
	}
	for _, want := range []string{"panic: ping", "serve_test.go", "the disk is gone"} {
		if !strings.Contains(h.log.String(), want) {
			t.Errorf("the log does not have %q", want)
		}
	}
}

// TestLogLevel sees that a full queue, which a stranger can bring about, is a warning only, and a
// store that does not answer an error.
func TestLogLevel(t *testing.T) {
	h := start(t)
	h.fillQueue()
	h.do(request{method: "POST", path: wire.PathToken, form: passwordForm("alice", alicePassword)})
	h.cfg.Store.Close()
	h.do(request{method: "GET", path: wire.PathReady})
	h.stop() // each line is written after its answer
	for _, line := range strings.Split(strings.TrimSpace(h.log.String()), "\n") {
		want := `"level":"WARN"`
		if strings.Contains(line, wire.PathReady) {
			want = `"level":"ERROR"`
		}
		if !strings.Contains(line, `"status":503`) || !strings.Contains(line, want) {
			t.Errorf("not %s: %s", want, line)
		}
	}
}

// TestLog drives every route with marked secrets and looks for them in the log.
func TestLog(t *testing.T) {
	h := start(t)
	const mark = "SECRET"
	pair := newPair(t)
	h.register("alice", pair.Public)
	if err := h.cfg.Store.SetPassword(t.Context(), "alice", cheapHash(mark+"password"), storetest.Act("test")); err != nil {
		t.Fatal(err)
	}
	apikey := h.seal(pair, 0)
	secrets := []string{mark, apikey, pair.Private.Encode()}
	tokens := []string{h.tokenOf("admin"), h.token(passwordForm("alice", mark+"password")), h.token(keyForm("alice", apikey))}
	secrets = append(secrets, tokens...)
	requests := 2
	send := func(q request) {
		h.do(q)
		requests++
	}
	send(request{method: "POST", path: wire.PathToken, form: passwordForm(mark+"user", mark+"password")})
	send(request{method: "POST", path: wire.PathToken, form: keyForm("alice", mark)})
	send(request{method: "POST", path: wire.PathToken, form: keyForm(mark, apikey)})
	send(request{method: "GET", path: "/" + mark})
	send(request{method: mark, path: wire.PathHealth})
	send(request{method: "GET", path: wire.PathHealth, header: http.Header{"Authorization": {mark}, "Cookie": {mark}, "User-Agent": {mark}, "Referer": {mark}}})
	for _, r := range table {
		for _, token := range tokens {
			path := strings.NewReplacer("{user}", "alice", "{fingerprint}", mark).Replace(r.path)
			path += "?password=" + mark
			if r.path == wire.PathToken && r.method == "DELETE" {
				continue
			}
			send(request{method: r.method, path: path, token: token, json: map[string]string{"name": mark + " ", "password": mark, "key": mark}})
			send(request{method: r.method, path: path, token: token, json: wire.NewPassword{Password: mark}})
			send(request{method: r.method, path: path, token: token, json: wire.NewKey{Key: mark}})
		}
	}
	for _, token := range tokens {
		send(request{method: "DELETE", path: wire.PathToken, token: token})
	}
	h.stop() // each line is written after its answer

	log := h.log.String()
	for _, secret := range secrets {
		if i := strings.Index(log, secret); i >= 0 {
			t.Errorf("the log has a secret: %s", log[max(0, i-300):i+len(secret)])
		}
	}
	lines := 0
	for scan := bufio.NewScanner(strings.NewReader(log)); scan.Scan(); lines++ {
		var line struct {
			Time                     time.Time
			ID, Remote, Method, Path string
			Status                   int
			Ms                       float64
		}
		if err := json.Unmarshal(scan.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line.Time.IsZero() || line.ID == "" || line.Remote == "" || line.Method == "" || line.Status == 0 || line.Ms == 0 {
			t.Errorf("a line lacks something: %s", scan.Bytes())
		}
	}
	if lines != requests {
		t.Errorf("%d lines for %d requests", lines, requests)
	}
	if !strings.Contains(log, `"path":"/api/v3/users/{user}/keys"`) || !strings.Contains(log, `"caller":"admin","user":"alice"`) {
		t.Errorf("no line names the path, the caller and the user:\n%s", log)
	}
}

// TestLargeHeader sends a header that is over the bound and what net/http adds to it.
func TestLargeHeader(t *testing.T) {
	h := start(t)
	large := http.Header{"X-Large": {strings.Repeat("a", headerBytes+8<<10)}}
	if got := h.do(request{method: "GET", path: wire.PathHealth, header: large}); got.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("it is answered %d", got.status)
	}
}
