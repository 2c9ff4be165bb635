package relay

import (
	"bytes"
	"compress/flate"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// TestCertificates has clients whom the relay cannot trust. None gets to say anything.
func TestCertificates(t *testing.T) {
	r := startRelay(t, Config{})
	foreign := newAuthority("root").leaf("peer", nil) // with the same names
	for name, cert := range map[string]*tls.Certificate{
		"none":     nil,
		"foreign":  &foreign,
		"expired":  issued(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) }),
		"early":    issued(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }),
		"server's": issued(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }),
	} {
		if err := r.refuses(cert); err == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
	for name, cert := range map[string]*tls.Certificate{
		"without a usage": issued(nil),
		"for clients":     issued(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }),
	} {
		w := r.openAs(cert, testPrefix+"x")
		w.text(hello("x"))
		r.waitFor(func(s Status) bool { return stateOf(s, "x") == StateWaiting })
		w.closeWith(1000)
		w.wantEcho(1000)
		t.Log(name)
	}
}

func issued(change func(*x509.Certificate)) *tls.Certificate {
	cert := root().leaf("peer", change)
	return &cert
}

// refuses is the error that a client with cert gets before an answer to its request: in TLS 1.3 it comes behind the handshake.
func (r *relay) refuses(cert *tls.Certificate) error {
	tc, err := r.shake(cert)
	if err != nil {
		return err
	}
	defer tc.Close()
	if _, err := io.WriteString(tc, upgradeRequest(testPrefix+"x")); err != nil {
		return err
	}
	_, err = tc.Read(make([]byte, 1))
	return err
}

func TestOldTLS(t *testing.T) {
	r := startRelay(t, Config{})
	for version, want := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		nc, err := r.dial()
		if err != nil {
			t.Fatal(err)
		}
		tc := tls.Client(nc, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{peerCert()}, MinVersion: version, MaxVersion: version})
		if err := tc.Handshake(); (err == nil) != want {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		nc.Close()
	}
}

// TestCBC wants no suite of TLS 1.2 without AEAD.
func TestCBC(t *testing.T) {
	r := startRelay(t, Config{})
	for suite, want := range map[uint16]bool{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: true, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: false} {
		nc, err := r.dial()
		if err != nil {
			t.Fatal(err)
		}
		tc := tls.Client(nc, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{peerCert()}, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}})
		if err := tc.Handshake(); (err == nil) != want {
			t.Errorf("%s: %v", tls.CipherSuiteName(suite), err)
		}
		nc.Close()
	}
}

// sessions tells whether a server gave any out.
type sessions struct {
	tls.ClientSessionCache
	given atomic.Bool
}

func (s *sessions) Put(key string, state *tls.ClientSessionState) {
	if state != nil {
		s.given.Store(true)
	}
	s.ClientSessionCache.Put(key, state)
}

// TestNoSessions wants none to resume: each connection shows its certificate.
func TestNoSessions(t *testing.T) {
	r := startRelay(t, Config{})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		nc, err := r.dial()
		if err != nil {
			t.Fatal(err)
		}
		cache := &sessions{ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		tc := tls.Client(nc, &tls.Config{
			InsecureSkipVerify: true, ServerName: "relay", Certificates: []tls.Certificate{peerCert()}, MaxVersion: version, ClientSessionCache: cache,
		})
		if err := tc.Handshake(); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(tc, "GET / HTTP/1.0\r\n\r\n")
		_, _ = io.Copy(io.Discard, tc) // where TLS 1.3 has its tickets
		nc.Close()
		if cache.given.Load() {
			t.Errorf("%s: there is a session", tls.VersionName(version))
		}
	}
}

// TestChosenConfig has a config that changes, and forgets to ask for certificates.
func TestChosenConfig(t *testing.T) {
	config := relayTLS()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		chosen := relayTLS()
		chosen.ClientAuth = tls.NoClientCert
		return chosen, nil
	}
	r := startRelay(t, Config{TLS: config})
	if err := r.refuses(nil); err == nil {
		t.Error("no certificate was taken")
	}
	r.open(testPrefix + "x")
}

// TestBrokenFrames wants 1002 for each break of the protocol, and the peer's 1002.
func TestBrokenFrames(t *testing.T) {
	r := startRelay(t, Config{})
	for name, broken := range map[string][]byte{
		"unmasked":          {0x81, 1, 'x'},
		"unmasked-ping":     {0x89, 0},
		"rsv1":              encoded(0xc1, []byte("x")), // nothing was agreed on
		"rsv2":              encoded(0xa1, []byte("x")),
		"rsv3":              encoded(0x91, []byte("x")),
		"rsv1-ping":         encoded(0xc9, nil),
		"opcode-3":          encoded(0x83, nil),
		"opcode-11":         encoded(0x8b, nil),
		"continuation":      encoded(0x80, []byte("x")),
		"text-in-a-message": append(encoded(0x01, []byte("x")), encoded(0x81, []byte("x"))...),
		"ping-in-parts":     encoded(0x09, nil),
		"long-ping":         encoded(0x89, make([]byte, 126)),
		"long-close":        encoded(0x88, make([]byte, 126)),
		"length-of-64-bits": {0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4},
		"all-ones":          bytes.Repeat([]byte{0xff}, ws.MaxHeaderSize),
		"HTTP":              []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
	} {
		first, second := r.pair(name)
		first.raw(broken)
		if got := first.closeCode(); got != 1002 {
			t.Errorf("%s: got %d", name, got)
		}
		second.wantClose(1002, alonePhrase)
		lone := r.open(testPrefix + name) // before its HELLO
		lone.raw(broken)
		if got := lone.closeCode(); got != 1002 {
			t.Errorf("%s: before the HELLO: got %d", name, got)
		}
	}
	first := r.open(testPrefix+"z", "Sec-WebSocket-Extensions: permessage-deflate")
	first.text(hello("z"))
	first.raw(encoded(0x41, []byte("x")))
	first.raw(encoded(0xc0, []byte("x")))                     // the bit is for a message's first frame
	if got := first.closeCode(); got != 1000 && got != 1002 { // 1000: the message is too early
		t.Errorf("a compressed continuation: got %d", got)
	}
}

// closeCode reads to the close frame and cuts the connection.
func (w *wire) closeCode() int {
	w.t.Helper()
	defer w.Conn.(*tls.Conn).NetConn().Close()
	for {
		f, err := w.next()
		if err != nil {
			w.t.Fatalf("no close frame but: %v", err)
		}
		if f.op == 8 && len(f.payload) >= 2 {
			return int(f.payload[0])<<8 | int(f.payload[1])
		}
	}
}

// TestBrokenRequests gets no websocket: an answer that says so, or nothing.
func TestBrokenRequests(t *testing.T) {
	r := startRelay(t, Config{})
	good := upgradeRequest(testPrefix + "x")
	for name, request := range map[string]string{
		"nothing":         "\r\n\r\n",
		"zeros":           string(make([]byte, 100)) + "\r\n\r\n",
		"a GET":           "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"a POST":          strings.Replace(good, "GET", "POST", 1),
		"HTTP/1.0":        strings.Replace(good, "HTTP/1.1", "HTTP/1.0", 1),
		"no host":         strings.Replace(good, "Host: relay\r\n", "", 1),
		"no key":          strings.Replace(good, "Sec-WebSocket-Key", "X", 1),
		"a short key":     strings.Replace(good, "dGhl", "", 1),
		"version 12":      strings.Replace(good, "13", "12", 1),
		"no colon":        strings.Replace(good, "Host: relay", "Host", 1),
		"a long line":     "GET /" + strings.Repeat("x", requestSize) + " HTTP/1.1\r\n" + good,
		"many lines":      strings.TrimSuffix(good, "\r\n") + strings.Repeat("X: y\r\n", requestSize/6) + "\r\n",
		"an endless line": strings.Repeat("x", 1<<20),
		"bad extensions":  upgradeRequest(testPrefix+"x", "Sec-WebSocket-Extensions: ;;=,,\x00"),
	} {
		cert := peerCert()
		tc, err := r.shake(&cert)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.WriteString(tc, request) }()
		answer, _ := io.ReadAll(tc)
		if bytes.HasPrefix(answer, []byte("HTTP/1.1 101")) {
			t.Errorf("%s: it was upgraded", name)
		}
		tc.Close()
	}
}

// TestEager sends its HELLO with the request, as it must not, and loses nothing.
func TestEager(t *testing.T) {
	r := startRelay(t, Config{})
	cert := peerCert()
	tc, err := r.shake(&cert)
	if err != nil {
		t.Fatal(err)
	}
	defer tc.Close()
	_, _ = tc.Write(append([]byte(upgradeRequest(testPrefix+"x")), encoded(0x81, []byte(hello("eager")))...))
	r.waitFor(func(s Status) bool { return stateOf(s, "x") == StateWaiting })
	r.arrive("x").wantText(hello("eager"))
}

// TestTinyFrames floods with frames that hold a byte or none. What is in them arrives in whole parts, and what has no end ends.
func TestTinyFrames(t *testing.T) {
	r := startRelay(t, Config{MaxMessage: 1 << 16})
	first, second := r.pair("x")
	tiny := bytes.Repeat(encoded(0x00, []byte("x")), 1<<12)
	go func() {
		first.send(0x02, "x")
		for range 8 {
			first.raw(tiny)
		}
		first.send(0x80, "")
	}()
	for size := 0; size < 1<<15+1; {
		f, err := second.next()
		if err != nil || len(f.payload) != chunkSize && !f.fin {
			t.Fatalf("a part came as %v %v", f, err)
		}
		size += len(f.payload)
	}
	empty := bytes.Repeat(encoded(0x00, nil), 1<<12)
	go func() {
		first.send(0x02, "")
		for range 16 {
			first.raw(empty)
		}
		first.closeWith(1000) // answers the relay's
	}()
	if got := first.closeCode(); got != 1009 {
		t.Errorf("empty fragments without an end: got %d", got)
	}
	second.wantClose(1002, alonePhrase)
}

// TestNeverReadsTCP is TestNeverReads with a kernel between, which would hold some megabytes. The relay itself holds nothing.
func TestNeverReadsTCP(t *testing.T) {
	r := startRelay(t, Config{})
	first, second := r.pair("x")
	_ = second.Conn.(*tls.Conn).NetConn().(*net.TCPConn).SetReadBuffer(64 << 10)
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	message := encoded(0x82, make([]byte, 1<<20))
	_ = first.SetWriteDeadline(time.Now().Add(500 * time.Millisecond)) // it blocks far earlier
	sent := 0
	for sent < 256 {
		if _, err := first.Write(message); err != nil {
			break
		}
		sent++
	}
	runtime.GC()
	runtime.ReadMemStats(&during)
	if sent == 256 {
		t.Error("the sender was not held back")
	}
	if grown := int64(during.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("%d bytes more are in use", grown)
	}
	if passed := r.Status().Meetups[0].Peers[0].Bytes; passed > 1<<20 {
		t.Errorf("%d bytes are on their way to who reads nothing", passed)
	}
	var wg sync.WaitGroup
	wg.Go(r.stop) // though a frame is on its way, which is given up
	r.waitFor(func(Status) bool { return r.allClosing() })
	first.Conn.(*tls.Conn).NetConn().Close()
	second.Conn.(*tls.Conn).NetConn().Close()
	wg.Wait()
}

// allClosing says whether no peer is sent anything any more.
func (r *relay) allClosing() bool {
	for _, p := range r.everybody() {
		if !p.writing.TryLock() {
			return false
		}
		closing := p.closing
		p.writing.Unlock()
		if !closing {
			return false
		}
	}
	return true
}

// bombs are compressed messages that are not what they seem, and the code that each gets.
func bombs() map[string]struct {
	message string
	code    int
} {
	type bomb = struct {
		message string
		code    int
	}
	zeros := deflated(string(make([]byte, 20<<20))) // 1000:1
	return map[string]bomb{
		"thousandfold":   {zeros, 1009},
		"just-too-large": {deflated(strings.Repeat("x", 1<<20+1)), 1009},
		"garbage":        {strings.Repeat("\xff", 1000), 1007},
		"cut-short":      {deflated(strings.Repeat("abcdefgh", 100))[:9], 1007},
		"bad-distance":   {"\x4a\x04\x61\x00\x00", 1007},
	}
}

// finished is deflated, with a last block that says so.
func finished(message string) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	_, _ = io.WriteString(w, message)
	_ = w.Close()
	return b.String()
}

func TestBombs(t *testing.T) {
	r := startRelay(t, Config{})
	const offer = "Sec-WebSocket-Extensions: permessage-deflate"
	for name, b := range bombs() {
		first := r.arrive(name, offer)
		r.waitFor(func(s Status) bool { return stateOf(s, name) == StateWaiting })
		second := r.arrive(name)
		first.wantText(hello(name))
		second.wantText(hello(name))
		message := encoded(0xc2, []byte(b.message))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var wg sync.WaitGroup
		wg.Go(func() { first.raw(message) })
		wg.Go(func() { second.wantClose(1002, alonePhrase) })
		if got := first.closeCode(); got != b.code {
			t.Errorf("%s: got %d, want %d", name, got, b.code)
		}
		wg.Wait()
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 8<<20 {
			t.Errorf("%s: %d bytes were allocated", name, grown)
		}
		lone := r.open(testPrefix+name, offer) // as the HELLO
		go lone.send(0xc1, b.message)
		if got := lone.closeCode(); got != 1009 && got != 1007 {
			t.Errorf("%s: as the HELLO: got %d", name, got)
		}
	}
	first := r.arrive("final", offer)
	second := r.arrive("final")
	first.wantText(hello("final"))
	second.wantText(hello("final"))
	first.send(0xc1, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00") // "Hello" in a final block (RFC 7692, section 7.2.3.4)
	second.wantText("Hello")
	first.send(0xc1, deflated("and on"))
	second.wantText("and on")
	first.send(0xc1, finished("a block that ends too early")+strings.Repeat("x", 100_000))
	second.wantText("a block that ends too early")
	first.send(0xc1, deflated("and on"))
	second.wantText("and on")

	first.raw(encoded(0x41, []byte(deflated("a message that breaks off")))) // without its last frame
	first.Close()
	if f, err := second.next(); err != nil || f.op != 8 {
		t.Errorf("half a message came as a whole one: %v %v", f, err)
	}
}

// TestShareOfAnAddress closes at once who is one too many from one address.
func TestShareOfAnAddress(t *testing.T) {
	r := startRelay(t, Config{MaxPeers: 10, MaxPerAddress: 2})
	r.pair("x")
	nc, err := r.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Read(make([]byte, 1)); err == nil {
		t.Error("a third connection was taken")
	}
	if r.connections.Refused.Load() != 1 {
		t.Error("it was not counted")
	}
}
