package relay

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// authority is a CA of the tests. Its certificates are valid in the year 2000 too, which is where synctest begins.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(name string) *authority {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	draft := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{name}}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, draft, draft, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	cert, _ := x509.ParseCertificate(der)
	return &authority{cert, key}
}

// leaf issues a certificate like those of Micronets: an organization and no more, but for what change does to it.
func (a *authority) leaf(name string, change func(*x509.Certificate)) tls.Certificate {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	draft := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{Organization: []string{name}}, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter,
	}
	if change != nil {
		change(draft)
	}
	der, err := x509.CreateCertificate(rand.Reader, draft, a.cert, &key.PublicKey, a.key)
	if err != nil {
		panic(err)
	}
	cert, _ := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: cert}
}

var root = sync.OnceValue(func() *authority { return newAuthority("root") })

var relayCert = sync.OnceValue(func() tls.Certificate { return root().leaf("relay", nil) })

var peerCert = sync.OnceValue(func() tls.Certificate { return root().leaf("peer", nil) })

func pool(a *authority) *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func relayTLS() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{relayCert()}, ClientCAs: pool(root())}
}

// relay is a Server that serves until the test ends, or stop.
type relay struct {
	*Server
	t    testing.TB
	dial func() (net.Conn, error)
	stop func() // and waits
}

// startRelay serves on loopback. When the test ends, so must every goroutine of the server.
func startRelay(t testing.TB, c Config) *relay {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, c, l, func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) })
}

func serveOn(t testing.TB, c Config, l net.Listener, dial func() (net.Conn, error)) *relay {
	t.Helper()
	if c.TLS == nil {
		c.TLS = relayTLS()
	}
	s := NewServer(c)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	r := &relay{Server: s, t: t, dial: dial, stop: sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		if left := s.connections.Open.Load(); left != 0 {
			t.Errorf("%d connections are still open", left)
		}
		noGoroutines(t, "relay.(*Server).Serve(", "relay.(*Server).Serve.", "relay.(*Server).receive", "relay.(*Server).stop", "relay.(*peer)")
	})}
	t.Cleanup(r.stop)
	return r
}

// noGoroutines fails where one of the test's process runs one of the functions. One that has just ended may be seen for a moment.
func noGoroutines(t testing.TB, functions ...string) {
	var stacks string
	for range 1000 {
		room := make([]byte, 1<<20)
		stacks = string(room[:runtime.Stack(room, true)])
		found := false
		for _, f := range functions {
			found = found || strings.Contains(stacks, f)
		}
		if !found {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("goroutines are left:\n%s", stacks)
}

// wire is a plain websocket client: frames by hand over TLS.
type wire struct {
	net.Conn
	t      testing.TB
	in     *bufio.Reader
	answer http.Header // of the upgrade
	silent bool        // pings are not answered
	pumped *pumped     // below in, where it always reads
}

// frame is one that came.
type frame struct {
	op      byte
	fin     bool
	rsv     byte
	payload []byte
}

func (f frame) String() string {
	if f.op == 8 && len(f.payload) >= 2 {
		return fmt.Sprintf("close %d %q", binary.BigEndian.Uint16(f.payload), f.payload[2:])
	}
	return fmt.Sprintf("op %d fin %t %.60q", f.op, f.fin, f.payload)
}

const testPrefix = "/micronets/v1/ws-proxy/"

func hello(id string) string {
	return fmt.Sprintf(`{"message": {"messageId": 0, "messageType": "CONN:HELLO", "requiresResponse": false, "peerClass": "test", "peerId": %q, "more": [1]}}`, id)
}

// shake does TLS with a certificate, none where nil.
func (r *relay) shake(cert *tls.Certificate) (*tls.Conn, error) {
	nc, err := r.dial()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519}} // the hybrid one takes longer
	if cert != nil {
		config.Certificates = []tls.Certificate{*cert}
	}
	tc := tls.Client(nc, config)
	if err := tc.Handshake(); err != nil {
		nc.Close()
		return nil, err
	}
	return tc, nil
}

// upgradeRequest is what a websocket client sends first, with more header lines.
func upgradeRequest(target string, more ...string) string {
	lines := append([]string{
		"GET " + target + " HTTP/1.1", "Host: relay", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
	}, more...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// open connects and upgrades.
func (r *relay) open(target string, more ...string) *wire {
	r.t.Helper()
	cert := peerCert()
	return r.openAs(&cert, target, more...)
}

func (r *relay) openAs(cert *tls.Certificate, target string, more ...string) *wire {
	r.t.Helper()
	tc, err := r.shake(cert)
	if err != nil {
		r.t.Fatal(err)
	}
	w := &wire{Conn: tc, t: r.t, in: bufio.NewReader(tc)}
	r.t.Cleanup(func() { tc.NetConn().Close() })
	if _, err := io.WriteString(tc, upgradeRequest(target, more...)); err != nil {
		r.t.Fatal(err)
	}
	response, err := http.ReadResponse(w.in, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols || response.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		r.t.Fatalf("the answer to the upgrade: %v %v", response.Status, response.Header)
	}
	w.answer = response.Header
	return w
}

// arrive opens at a meetup id and says HELLO.
func (r *relay) arrive(id string, more ...string) *wire {
	r.t.Helper()
	w := r.open(testPrefix+id, more...)
	w.text(hello(id))
	return w
}

// pair opens two at a meetup id and takes their HELLOs.
func (r *relay) pair(id string) (first, second *wire) {
	r.t.Helper()
	first = r.arrive(id)
	r.waitFor(func(s Status) bool { return stateOf(s, id) != "" })
	second = r.arrive(id)
	first.wantText(hello(id))
	second.wantText(hello(id))
	return first, second
}

func stateOf(s Status, id string) string {
	for _, m := range s.Meetups {
		if m.ID == id {
			return m.State
		}
	}
	return ""
}

// waitFor looks at the status until it is so.
func (r *relay) waitFor(so func(Status) bool) {
	r.t.Helper()
	for end := time.Now().Add(10 * time.Second); !so(r.Status()); {
		if time.Now().After(end) {
			r.t.Fatalf("the status is still %+v", r.Status())
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// encoded is a frame as it travels: first byte, masked payload.
func encoded(first byte, payload []byte) []byte {
	var b bytes.Buffer
	b.WriteByte(first)
	switch n := len(payload); {
	case n < 126:
		b.WriteByte(0x80 | byte(n))
	case n < 1<<16:
		b.WriteByte(0x80 | 126)
		_ = binary.Write(&b, binary.BigEndian, uint16(n))
	default:
		b.WriteByte(0x80 | 127)
		_ = binary.Write(&b, binary.BigEndian, uint64(n))
	}
	mask := [4]byte{1, 2, 3, 4}
	b.Write(mask[:])
	for i, c := range payload {
		b.WriteByte(c ^ mask[i%4])
	}
	return b.Bytes()
}

// raw sends bytes. That it fails is not of interest: what comes back is.
func (w *wire) raw(bytes []byte) { _, _ = w.Write(bytes) }

func (w *wire) send(first byte, payload string) { w.raw(encoded(first, []byte(payload))) }

func (w *wire) text(message string) { w.send(0x81, message) }

func (w *wire) closeWith(code uint16) {
	w.send(0x88, string(binary.BigEndian.AppendUint16(nil, code))+"bye")
}

// readFrame reads one frame.
func (w *wire) readFrame() (frame, error) {
	var head [2]byte
	if _, err := io.ReadFull(w.in, head[:]); err != nil {
		return frame{}, err
	}
	if head[1]&0x80 != 0 {
		return frame{}, errors.New("the relay masked a frame")
	}
	n := uint64(head[1])
	switch n {
	case 126:
		var long uint16
		_ = binary.Read(w.in, binary.BigEndian, &long)
		n = uint64(long)
	case 127:
		_ = binary.Read(w.in, binary.BigEndian, &n)
	}
	f := frame{op: head[0] & 15, fin: head[0]&0x80 != 0, rsv: head[0] >> 4 & 7, payload: make([]byte, n)}
	_, err := io.ReadFull(w.in, f.payload)
	return f, err
}

// next is the next frame that is no ping; pings are answered.
func (w *wire) next() (frame, error) {
	for {
		f, err := w.readFrame()
		if err != nil || f.op != 9 {
			return f, err
		}
		if !w.silent {
			w.send(0x8a, string(f.payload))
		}
	}
}

// message is the next message whole.
func (w *wire) message() (op byte, payload []byte) {
	w.t.Helper()
	for {
		f, err := w.next()
		if err != nil {
			w.t.Fatalf("no message but: %v", err)
		}
		if f.op == 8 || f.op == 10 {
			w.t.Fatalf("no message but: %v", f)
		}
		if op == 0 {
			op = f.op
		}
		payload = append(payload, f.payload...)
		if f.fin {
			return op, payload
		}
	}
}

func (w *wire) want(op byte, text string) {
	w.t.Helper()
	if got, payload := w.message(); got != op || string(payload) != text {
		w.t.Fatalf("got a message of type %d: %.100q; want %d: %.100q", got, payload, op, text)
	}
}

func (w *wire) wantText(text string) {
	w.t.Helper()
	w.want(1, text)
}

// wantClose reads to the close frame, answers it, and wants the end of the connection behind it.
func (w *wire) wantClose(code uint16, reason string) {
	w.t.Helper()
	for {
		f, err := w.next()
		if err != nil {
			w.t.Fatalf("no close frame but: %v", err)
		}
		if f.op != 8 {
			continue
		}
		want := frame{op: 8, payload: append(binary.BigEndian.AppendUint16(nil, code), reason...)}
		if f.String() != want.String() {
			w.t.Fatalf("got %v, want %v", f, want)
		}
		break
	}
	w.closeWith(1000)
	if rest, err := io.ReadAll(w.in); len(rest) > 0 || err != nil {
		w.t.Fatalf("behind the close frame: %q %v", rest, err)
	}
}

// wantEcho wants the answer to our close frame, with that code, and the end of the connection.
func (w *wire) wantEcho(code uint16) {
	w.t.Helper()
	w.wantEchoOf(string(binary.BigEndian.AppendUint16(nil, code)))
}

// wantEchoOf wants that close frame, and the end of the connection.
func (w *wire) wantEchoOf(payload string) {
	w.t.Helper()
	for {
		f, err := w.next()
		if err != nil || f.op == 8 && string(f.payload) != payload {
			w.t.Fatalf("the answer to our close frame: %v %v", f, err)
		}
		if f.op == 8 {
			break
		}
	}
	if rest, err := io.ReadAll(w.in); len(rest) > 0 || err != nil {
		w.t.Fatalf("behind the close frame: %q %v", rest, err)
	}
}
