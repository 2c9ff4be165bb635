package keyexchange

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"keyward/fault"
)

func TestFetch(t *testing.T) {
	w := newWorld(t)
	keys, err := w.client().Fetch(t.Context())
	check(t, err)
	if keys != w.keys() {
		t.Error("other keys")
	}
	w.open(t, 0)
}

func TestWatch(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan OpenKeys)
	done := make(chan error)
	client := w.client()
	client.beatTime = time.Millisecond
	go func() { done <- client.Watch(ctx, func(k OpenKeys) { got <- k }) }()
	if first := <-got; first != w.keys() {
		t.Error("other keys")
	}
	w.given(t, 1)
	w.rotate(t)
	if second := <-got; second != w.keys() {
		t.Error("other keys after the change")
	}
	cancel()
	check(t, <-done)
}

// TestSilentServer holds that a server which takes the connection and says nothing does not keep us for ever.
func TestSilentServer(t *testing.T) {
	noLeaks(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	client := &Client{Address: l.Addr().String(), fetchTime: 50 * time.Millisecond}
	if _, err := client.Fetch(ctx); !errors.Is(err, fault.Unreachable) || ctx.Err() != nil {
		t.Errorf("%v, %v", err, ctx.Err())
	}
}

// TestOtherAnswer has a server whose answer to a keep-alive is another than it should be, and as long.
func TestOtherAnswer(t *testing.T) {
	ca := newAuthority(t)
	ours, theirs := net.Pipe()
	server := tls.Server(theirs, &tls.Config{Certificates: []tls.Certificate{ca.issue(t)}})
	var serving sync.WaitGroup
	defer serving.Wait()
	defer ours.Close()
	serving.Go(func() {
		defer theirs.Close()
		_, _ = io.ReadFull(server, make([]byte, len(wordKeepAlive)))
		_, _ = io.WriteString(server, "KEEPALIVENAK")
	})
	err := new(Client).beat(tls.Client(ours, &tls.Config{InsecureSkipVerify: true})) // who we talk to is not what is tested
	if !errors.Is(err, errSilent) {
		t.Error(err)
	}
}

// TestNoKeys has servers that we trust send what is no keys.
func TestNoKeys(t *testing.T) {
	ca := newAuthority(t)
	box, verify := strings.Repeat("k", keySize), GenerateSealKeys().Verify.String()
	for name, c := range map[string]struct {
		box, verify string
		want        error
	}{
		"keys":            {box, verify, nil},
		"a box of zeros":  {strings.Repeat("\x00", keySize), verify, errZeros},
		"zeros to verify": {box, VerifyKey{}.String(), errZeros},
		"upper case":      {box, strings.Repeat("A", verifyHex), errNoKey},
		"no hexadecimal":  {box, strings.Repeat("x", verifyHex), errNoKey},
	} {
		ours, theirs := net.Pipe()
		server := tls.Server(theirs, &tls.Config{Certificates: []tls.Certificate{ca.issue(t)}})
		var serving sync.WaitGroup
		serving.Go(func() {
			defer theirs.Close()
			for _, step := range []struct{ word, answer string }{{wordInit, c.box}, {wordAck, c.verify}, {wordAck, ""}} {
				_, _ = io.ReadFull(server, make([]byte, len(step.word)))
				_, _ = io.WriteString(server, step.answer)
			}
		})
		_, err := exchange(t.Context(), tls.Client(ours, &tls.Config{InsecureSkipVerify: true})) // who we talk to is not what is tested
		ours.Close()
		serving.Wait()
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// said reads what a script prints, a line at a time.
type said struct {
	t     *testing.T
	lines *bufio.Scanner
	stdin io.WriteCloser
	done  func() error
}

func start(t *testing.T, args ...string) *said {
	t.Helper()
	c := exec.CommandContext(t.Context(), pythonPath, args...)
	c.Stderr = os.Stderr
	stdin, err := c.StdinPipe()
	check(t, err)
	stdout, err := c.StdoutPipe()
	check(t, err)
	check(t, c.Start())
	return &said{t, bufio.NewScanner(stdout), stdin, c.Wait}
}

func (s *said) expect(want string) {
	s.t.Helper()
	if !s.lines.Scan() || s.lines.Text() != want {
		s.t.Fatalf("the script says %q, want %q", s.lines.Text(), want)
	}
}

// TestOriginalClient is a client like the original, written from the facts, against our server.
func TestOriginalClient(t *testing.T) {
	needPython(t)
	w := newWorld(t)
	host, port, _ := net.SplitHostPort(w.addr)
	keys := func() string { k := w.keys(); return hex.EncodeToString(k.Box[:]) + " " + k.Verify.String() }
	for _, mode := range []string{"once", "tls12", "split"} {
		s := start(t, "testdata/client.py", w.ca.file(t), host, port, mode)
		s.expect(keys())
		s.expect("KEEPALIVEACK")
		check(t, s.done())
	}
	s := start(t, "testdata/client.py", w.ca.file(t), host, port, "pipelined")
	s.expect(keys())
	s.expect("KEEPALIVEACK KEEPALIVEACK")
	check(t, s.done())

	s = start(t, "testdata/client.py", w.ca.file(t), host, port, "stay")
	s.expect(keys())
	s.expect("alive")
	w.rotate(t)
	_, err := io.WriteString(s.stdin, "\n")
	check(t, err)
	s.expect("ended") // and not a reset
	s.expect(keys())
	check(t, s.done())
}

// TestOriginalServer is our client against a server like the original: each connection has other keys.
func TestOriginalServer(t *testing.T) {
	needPython(t)
	noLeaks(t)
	ca := newAuthority(t)
	leaf := ca.issue(t)
	key, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
	check(t, err)
	path := filepath.Join(t.TempDir(), "both.pem")
	check(t, os.WriteFile(path, append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Certificate[0]})...), 0o600))
	args := []string{"testdata/server.py", path}
	var want []OpenKeys
	for range 3 {
		k := GenerateSealKeys().OpenKeys
		want = append(want, k)
		args = append(args, hex.EncodeToString(k.Box[:])+":"+k.Verify.String())
	}
	s := start(t, args...)
	s.lines.Scan()
	client := &Client{Address: "127.0.0.1:" + s.lines.Text(), TLS: &tls.Config{RootCAs: ca.roots()}, beatTime: 10 * time.Millisecond}
	got, err := client.Fetch(t.Context())
	check(t, err)
	if got != want[0] {
		t.Error("other keys")
	}
	s.expect("INIT ACK ACK")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watched := make(chan OpenKeys, 3)
	done := make(chan error)
	go func() { done <- client.Watch(ctx, func(k OpenKeys) { watched <- k }) }()
	for _, k := range want[1:] {
		if got := <-watched; got != k {
			t.Error("other keys")
		}
		s.expect("INIT ACK ACK KEEPALIVE KEEPALIVE KEEPALIVE")
	}
	check(t, s.done())
	cancel()
	check(t, <-done)
}

// TestWire holds each answer of the server to one record, and none before the word for it, however the words are cut.
func TestWire(t *testing.T) {
	w := newWorld(t)
	words := "INITACKACKKEEPALIVEKEEPALIVE"
	k := w.keys()
	want := []string{string(k.Box[:]), k.Verify.String(), "KEEPALIVEACK", "KEEPALIVEACK"}
	behind := []int{4, 7, 19, 28} // so many bytes each answer comes
	for _, size := range []int{1, 2, 3, 5, 7, len(words)} {
		conn := w.dial(t)
		sent, room := 0, make([]byte, 1024)
		for i, answer := range want {
			for sent < behind[i] {
				n := min(size, len(words)-sent)
				_, err := io.WriteString(conn, words[sent:sent+n])
				check(t, err)
				sent += n
			}
			n, err := conn.Read(room)
			check(t, err)
			if string(room[:n]) != answer {
				t.Fatalf("in pieces of %d the answer %d is %q, want %q", size, i, room[:n], answer)
			}
		}
		check(t, conn.Close())
	}
	w.open(t, 0)
}

// TestGarbage is what closes a connection, at each step, and leaves the server as it was.
func TestGarbage(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		words string
		bytes int // that the server sends before it closes
	}{
		"nothing of it":      {"GET / HTTP/1.1\r\n\r\n", 0},
		"a wrong last byte":  {"INIX", 0},
		"lower case":         {"init", 0},
		"a line":             {"INIT\nACK", 32},
		"ACK first":          {"ACK", 0},
		"INIT twice":         {"INITINIT", 32},
		"KEEPALIVE too soon": {"INITACKKEEPALIVE", 32 + 64},
		"ACK for ever":       {"INITACKACKACK", 32 + 64},
		"what we answer":     {"INITACKACKKEEPALIVEACK", 32 + 64 + 12},
		"NUL":                {"INITACKACKKEEPALIVE\x00", 32 + 64 + 12},
	} {
		conn := w.dial(t)
		_, err := io.WriteString(conn, c.words)
		check(t, err)
		if got, err := io.ReadAll(conn); len(got) != c.bytes || err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s: %d bytes, want %d, %v", name, len(got), c.bytes, err)
		}
	}
	plain, err := new(net.Dialer).DialContext(t.Context(), "tcp", w.addr)
	check(t, err)
	_, err = io.WriteString(plain, strings.Repeat("INIT", 100))
	check(t, err)
	_, _ = io.ReadAll(plain)
	check(t, plain.Close())
	w.open(t, 0)
	_, err = w.client().Fetch(t.Context())
	check(t, err)
}

// TestReset resets the connection at each step.
func TestReset(t *testing.T) {
	w := newWorld(t)
	for _, words := range []string{"", "IN", "INIT", "INITAC", "INITACK", "INITACKACK", "INITACKACKKEEPALIVE"} {
		conn := w.dial(t)
		check(t, conn.HandshakeContext(t.Context()))
		_, err := io.WriteString(conn, words)
		check(t, err)
		check(t, conn.NetConn().(*net.TCPConn).SetLinger(0))
		check(t, conn.NetConn().Close())
	}
	tcp, err := new(net.Dialer).DialContext(t.Context(), "tcp", w.addr)
	check(t, err)
	check(t, tcp.(*net.TCPConn).SetLinger(0))
	check(t, tcp.Close())
	w.open(t, 0)
	_, err = w.client().Fetch(t.Context())
	check(t, err)
}

// TestSilence has clients that stop at each step: others are served meanwhile, and the silent ones are closed.
func TestSilence(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.StepTime, c.IdleTime = 2*time.Second, 2*time.Second })
	tcp, err := new(net.Dialer).DialContext(t.Context(), "tcp", w.addr)
	check(t, err)
	defer tcp.Close()
	var silent []*tls.Conn
	for _, words := range []string{"", "INIT", "INITACK", "INITACKACK", "INITACKACKKEEPALIVE"} {
		conn := w.dial(t)
		_, err := io.WriteString(conn, words)
		check(t, errors.Join(conn.HandshakeContext(t.Context()), err))
		silent = append(silent, conn)
	}
	_, err = w.client().Fetch(t.Context())
	check(t, err)
	for _, conn := range silent {
		_, _ = io.ReadAll(conn)
	}
	_, _ = io.ReadAll(tcp)
	w.open(t, 0)
}

// TestFlood has a client that says much and reads nothing.
func TestFlood(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.IdleTime = 300 * time.Millisecond })
	conn := w.dial(t)
	_, err := io.WriteString(conn, "INITACKACK")
	words := strings.Repeat(wordKeepAlive, 1000)
	for err == nil {
		_, err = io.WriteString(conn, words)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the server takes more and more")
	}
	w.open(t, 0)
}

// TestLimits holds that one address cannot take all places.
func TestLimits(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxClients, c.MaxPerAddress = 8, 2 })
	first, second := w.dial(t), w.dial(t)
	check(t, first.HandshakeContext(t.Context()))
	check(t, second.HandshakeContext(t.Context()))
	if _, err := w.client().Fetch(t.Context()); !errors.Is(err, fault.Unreachable) {
		t.Errorf("a third: %v", err)
	}
	if got := w.Status(); got.Open != 2 || got.Refused != 1 {
		t.Errorf("%+v", got)
	}
	check(t, first.Close())
	w.open(t, 1)
	_, err := w.client().Fetch(t.Context())
	check(t, err)
}

func TestPermit(t *testing.T) {
	ca := newAuthority(t)
	var closed atomic.Bool
	w := newWorld(t, func(c *Config) {
		c.TLS.ClientAuth, c.TLS.ClientCAs = tls.VerifyClientCertIfGiven, ca.roots()
		c.Permit = func(v Visitor) error {
			if !v.Address.Addr().IsLoopback() || closed.Load() || v.Certificate == nil || v.Certificate.Subject.Organization[0] != "test leaf" || len(v.Chains) != 1 {
				return errors.New("not you")
			}
			return nil
		}
	})
	if _, err := w.client().Fetch(t.Context()); !errors.Is(err, fault.Unreachable) {
		t.Errorf("without a certificate: %v", err)
	}
	known := w.client()
	known.TLS.Certificates = []tls.Certificate{ca.issue(t)}
	_, err := known.Fetch(t.Context())
	check(t, err)
	stranger := w.client()
	stranger.TLS.Certificates = []tls.Certificate{newAuthority(t).issue(t)}
	stranger.TLS.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &stranger.TLS.Certificates[0], nil }
	if _, err := stranger.Fetch(t.Context()); !errors.Is(err, fault.NotPermitted) {
		t.Errorf("another's certificate: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	got, done := make(chan OpenKeys, 1), make(chan error)
	go func() { done <- known.Watch(ctx, func(k OpenKeys) { got <- k }) }()
	<-got
	w.given(t, 1)
	closed.Store(true)
	w.Review()
	w.given(t, 0)
	cancel()
	check(t, <-done)
}

// TestReviewOfNothing holds that clients stay whose keys hold.
func TestReviewOfNothing(t *testing.T) {
	w := newWorld(t)
	conn := w.dial(t)
	room := make([]byte, 100)
	for _, word := range []string{wordInit, wordAck} {
		_, err := io.WriteString(conn, word)
		check(t, err)
		_, err = conn.Read(room)
		check(t, err)
	}
	w.Review()
	_, err := io.WriteString(conn, wordAck+wordKeepAlive)
	check(t, err)
	if n, err := conn.Read(room); err != nil || string(room[:n]) != wordKeepAliveAck {
		t.Errorf("%q, %v", room[:n], err)
	}
	w.rotate(t)
	if n, err := conn.Read(room); n != 0 || err != io.EOF {
		t.Errorf("after the change: %q, %v", room[:n], err)
	}
	_, err = io.WriteString(conn, wordKeepAlive) // is taken, and not answered
	check(t, err)
	if n, err := conn.Read(room); n != 0 || err != io.EOF {
		t.Errorf("after the end: %q, %v", room[:n], err)
	}
	check(t, conn.Close())
	w.open(t, 0)
}

// TestSwitch holds that nobody has to call Review at the moment of a change that the ring knows.
func TestSwitch(t *testing.T) {
	w := newWorld(t)
	r, err := w.ring.Load().Rotate(w.time(), w.time().Add(time.Second), time.Minute)
	check(t, err)
	w.ring.Store(r)
	w.Review()
	got := make(chan OpenKeys, 2)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.client().Watch(ctx, func(k OpenKeys) { got <- k }) }()
	for last := (OpenKeys{}); last != r.generations[1].OpenKeys; last = <-got {
	}
	cancel()
	check(t, <-done)
}

// TestLinger holds that who was sent away and does not go is closed.
func TestLinger(t *testing.T) {
	w := newWorld(t)
	w.linger = 10 * time.Millisecond
	conn := w.dial(t)
	_, err := io.WriteString(conn, wordInit)
	check(t, err)
	w.given(t, 1)
	w.rotate(t)
	w.open(t, 0)
}

func TestStop(t *testing.T) {
	w := newWorld(t)
	var open []*tls.Conn
	for _, words := range []string{"", "INIT", "INITACKACK"} {
		conn := w.dial(t)
		_, err := io.WriteString(conn, words)
		check(t, err)
		open = append(open, conn)
	}
	plain, err := new(net.Dialer).DialContext(t.Context(), "tcp", w.addr)
	check(t, err)
	defer plain.Close()
	w.open(t, 4)
	w.given(t, 2)
	w.stop()
	for _, conn := range append(open[1:], open[0]) {
		if _, err := io.ReadAll(conn); err != nil {
			t.Errorf("no clean end: %v", err)
		}
	}
	w.Review()
}

func TestTrust(t *testing.T) {
	w := newWorld(t)
	pool := func(c *x509.Certificate) *x509.CertPool { p := x509.NewCertPool(); p.AddCert(c); return p }
	leaf, err := x509.ParseCertificate(w.cfg.TLS.Certificates[0].Certificate[0])
	check(t, err)
	for name, c := range map[string]struct {
		tls  *tls.Config
		want error
	}{
		"the root":         {&tls.Config{RootCAs: pool(w.ca.cert)}, nil},
		"the very one":     {&tls.Config{RootCAs: pool(leaf)}, nil},
		"another root":     {&tls.Config{RootCAs: newAuthority(t).roots()}, fault.NotTrusted},
		"the system":       {nil, fault.NotTrusted},
		"a name":           {&tls.Config{RootCAs: pool(w.ca.cert), ServerName: "elsewhere"}, fault.NotTrusted},
		"expired":          {&tls.Config{RootCAs: pool(w.ca.cert), Time: func() time.Time { return time.Now().Add(2 * time.Hour) }}, fault.NotTrusted},
		"asked not to":     {&tls.Config{RootCAs: newAuthority(t).roots(), InsecureSkipVerify: true}, fault.NotTrusted}, // has no effect
		"and further asks": {&tls.Config{RootCAs: pool(w.ca.cert), VerifyConnection: func(tls.ConnectionState) error { return fault.New(fault.Policy, "", "no") }}, fault.Policy},
	} {
		_, err := (&Client{Address: w.addr, TLS: c.tls}).Fetch(t.Context())
		if c.want == nil && err != nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	err = (&Client{Address: w.addr, TLS: &tls.Config{RootCAs: newAuthority(t).roots()}}).Watch(t.Context(), nil)
	if !errors.Is(err, fault.NotTrusted) {
		t.Errorf("Watch: %v", err)
	}
	for _, address := range []string{"", "host", "host:", "::1"} {
		if _, err := (&Client{Address: address}).Fetch(t.Context()); !errors.Is(err, fault.Usage) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// TestBadServers are servers that do not say what they should.
func TestBadServers(t *testing.T) {
	noLeaks(t)
	ca := newAuthority(t)
	secure := &tls.Config{Certificates: []tls.Certificate{ca.issue(t)}}
	for name, answer := range map[string]string{
		"nothing":    "",
		"half a key": "0123456789",
		"no hex":     strings.Repeat("k", 32) + strings.Repeat("x", 64),
		"upper case": strings.Repeat("k", 32) + strings.Repeat("AB", 32),
		"half a hex": strings.Repeat("k", 32) + "abcd",
	} {
		l, err := tls.Listen("tcp", "127.0.0.1:0", secure)
		check(t, err)
		go func() {
			conn, err := l.Accept()
			if err == nil {
				_, _ = io.WriteString(conn, answer)
				_ = conn.(*tls.Conn).CloseWrite()
				_, _ = io.Copy(io.Discard, conn) // were it closed, the client's last word could fail, whatever the answer
				_ = conn.Close()
			}
		}()
		_, err = (&Client{Address: l.Addr().String(), TLS: &tls.Config{RootCAs: ca.roots()}}).Fetch(t.Context())
		if !errors.Is(err, fault.Unreachable) || strings.Contains(err.Error(), "kkkk") {
			t.Errorf("%s: %v", name, err)
		}
		check(t, l.Close())
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	check(t, err)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			_, _ = fmt.Fprint(conn, "SSH-2.0-OpenSSH\r\n")
			_ = conn.Close()
		}
	}()
	if _, err := (&Client{Address: l.Addr().String()}).Fetch(t.Context()); !errors.Is(err, fault.Unreachable) {
		t.Errorf("no TLS: %v", err)
	}
	check(t, l.Close())
	if _, err := (&Client{Address: "127.0.0.1:1"}).Fetch(t.Context()); !errors.Is(err, fault.Unreachable) {
		t.Errorf("nobody: %v", err)
	}
}

// TestLapse holds that Watch tries on when a server that it trusted has, for once, a certificate that it does not.
func TestLapse(t *testing.T) {
	good, bad := newAuthority(t), newAuthority(t)
	var lapsed atomic.Bool
	var refused sync.WaitGroup
	w := newWorld(t, func(c *Config) {
		leaf, other := good.issue(t), bad.issue(t)
		c.TLS = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			if lapsed.CompareAndSwap(true, false) {
				defer refused.Done()
				return &other, nil
			}
			return &leaf, nil
		}}
	})
	client := &Client{Address: w.addr, TLS: &tls.Config{RootCAs: good.roots()}}
	ctx, cancel := context.WithCancel(t.Context())
	got, done := make(chan OpenKeys, 1), make(chan error)
	go func() { done <- client.Watch(ctx, func(k OpenKeys) { got <- k }) }()
	<-got
	w.given(t, 1)
	refused.Add(1)
	lapsed.Store(true)
	w.rotate(t)
	refused.Wait()
	if k := <-got; k != w.keys() {
		t.Error("other keys")
	}
	cancel()
	check(t, <-done)
}
