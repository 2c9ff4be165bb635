package transport

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keyward/fault"
)

// natsServer runs Debian's NATS server on a port of this machine until stop, or the test's end. config is added to its own.
func natsServer(t testing.TB, port int, config string) (address string, stop func()) {
	t.Helper()
	program, err := exec.LookPath("nats-server")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("nats-server is not installed")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "config")
	check(t, os.WriteFile(file, []byte(config), 0o600))
	out, in, err := os.Pipe()
	check(t, err)
	c := exec.Command(program, "-a", "127.0.0.1", "-p", fmt.Sprint(port), "-c", file)
	c.Stderr = in
	check(t, c.Start())
	_ = in.Close()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			_ = c.Process.Kill()
			_ = c.Wait()
			_ = out.Close()
		}
	}
	t.Cleanup(stop)
	const listening = "Listening for client connections on "
	log := bytes.Buffer{}
	for buf := make([]byte, 4096); !strings.Contains(log.String(), "Server is ready"); {
		n, err := out.Read(buf)
		log.Write(buf[:n])
		if err != nil {
			t.Fatalf("nats-server: %v\n%s", err, log.String())
		}
	}
	_, rest, _ := strings.Cut(log.String(), listening)
	address, _, _ = strings.Cut(rest, "\n")
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return address, stop
}

func TestNATS(t *testing.T) {
	alone(t)
	ctx := limited(t)
	address, _ := natsServer(t, -1, "")
	o := NATSOptions{URL: "nats://" + address, Subject: "napalm-logs", MaxMessage: 70000}
	s, err := DialNATSSubscriber(ctx, o)
	check(t, err)
	p, err := DialNATSPublisher(ctx, o)
	check(t, err)
	for _, m := range samples() {
		check(t, p.Publish(ctx, m))
	}
	if err := p.Publish(ctx, make([]byte, DefaultMaxMessage+1)); !errors.Is(err, ErrBad) {
		t.Errorf("a message that is larger than the server takes: %v", err)
	}
	check(t, p.Close())
	if err := p.Publish(ctx, nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	got, err := receiveAll(ctx, s, len(samples())-1)
	check(t, err)
	same(t, got, samples()[:len(samples())-1])
	if _, err := s.Receive(ctx); !errors.Is(err, ErrBad) {
		t.Errorf("a message that is too long: %v", err)
	}
	cause := errors.New("enough")
	short, stop := context.WithCancelCause(ctx)
	stop(cause)
	if _, err := s.Receive(short); !errors.Is(err, cause) {
		t.Errorf("after the end of the context: %v", err)
	}
	check(t, s.Close())
	if _, err := s.Receive(ctx); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestNATSAgain kills the server and starts another at its address.
func TestNATSAgain(t *testing.T) {
	alone(t)
	ctx := limited(t)
	address, kill := natsServer(t, -1, "")
	o := NATSOptions{URL: "nats://" + address, Subject: "a.b"}
	s, err := DialNATSSubscriber(ctx, o)
	check(t, err)
	defer s.Close()
	p, err := DialNATSPublisher(ctx, o)
	check(t, err)
	kill()
	_, port, _ := net.SplitHostPort(address)
	var n int
	_, _ = fmt.Sscan(port, &n)
	natsServer(t, n, "")
	// What is published before the subscriber is back reaches nobody: so until something does.
	got := make(chan error)
	go func() {
		_, err := s.Receive(ctx)
		got <- err
	}()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		check(t, p.Publish(ctx, []byte("x")))
		select {
		case err := <-got:
			check(t, err)
			check(t, p.Close())
			return
		case <-tick.C:
		}
	}
}

// TestNATSSlow has a subscriber that takes nothing while more comes than may wait.
func TestNATSSlow(t *testing.T) {
	alone(t)
	ctx := limited(t)
	address, _ := natsServer(t, -1, "")
	o := NATSOptions{URL: "nats://" + address, Subject: "a", MaxQueue: 64 << 10}
	s, err := DialNATSSubscriber(ctx, o)
	check(t, err)
	defer s.Close()
	p, err := DialNATSPublisher(ctx, o)
	check(t, err)
	for range 1000 {
		check(t, p.Publish(ctx, make([]byte, 1024)))
	}
	check(t, p.Close())
	check(t, s.conn.FlushTimeout(10*time.Second)) // the server's answer comes after all messages
	waiting, bytes, err := s.sub.Pending()
	check(t, err)
	if dropped := s.Dropped(); dropped == 0 || int(dropped)+waiting != 1000 || bytes > 128<<10 {
		t.Errorf("%d dropped, %d of %d bytes wait", dropped, waiting, bytes)
	}
	if _, err := s.Receive(ctx); err != nil {
		t.Error(err)
	}
}

func TestNATSLogin(t *testing.T) {
	alone(t)
	ctx := limited(t)
	address, _ := natsServer(t, -1, `authorization { user: alice, password: "se:cret" }`)
	o := NATSOptions{URL: "nats://" + address, Subject: "a"}
	for credentials, want := range map[string]error{"alice:se:cret\n": nil, "alice:wrong": fault.LoginRefused, "": fault.InvalidFile, "none": fault.LoginRefused} {
		o.Credentials = func() ([]byte, error) { return []byte(credentials), nil }
		if credentials == "none" {
			o.Credentials = nil
		}
		p, err := DialNATSPublisher(ctx, o)
		if err == nil {
			check(t, p.Close())
		}
		if !errors.Is(err, want) || err != nil && strings.Contains(err.Error(), "wrong") {
			t.Errorf("%q: %v", credentials, err)
		}
	}
}

// TestNATSDenied has a server that takes the user, and neither its messages nor its subscriptions.
func TestNATSDenied(t *testing.T) {
	alone(t)
	ctx := limited(t)
	address, _ := natsServer(t, -1, `authorization { users: [{ user: a, password: p, permissions: { publish: "b", subscribe: "b" } }] }`)
	o := NATSOptions{URL: "nats://" + address, Subject: "a", Credentials: func() ([]byte, error) { return []byte("a:p"), nil }}
	if _, err := DialNATSSubscriber(ctx, o); !errors.Is(err, fault.NotPermitted) || !strings.Contains(err.Error(), `subscribe to "a"`) {
		t.Error(err)
	}
	p, err := DialNATSPublisher(ctx, o)
	check(t, err)
	check(t, p.Publish(ctx, []byte("x")))
	check(t, p.conn.FlushTimeout(10*time.Second))
	if err := p.Publish(ctx, []byte("x")); !errors.Is(err, fault.NotPermitted) || !strings.Contains(err.Error(), `publish to "a"`) {
		t.Error(err)
	}
	if err := p.Close(); !errors.Is(err, fault.NotPermitted) {
		t.Error(err)
	}
}

func TestNATSOptions(t *testing.T) {
	for _, c := range []struct{ url, subject string }{
		{"nats://192.0.2.1:4222", "a"}, {"nats://logs.example.org", "a"}, {"http://127.0.0.1", "a"}, {"nats://", "a"}, {"nats://user:s3cret@127.0.0.1:4222", "a"},
		{"nats://user:s3cret@127.0.0.1:x%", "a"}, {"127.0.0.1:4222", "a"}, {"", "a"}, {"nats://127.0.0.1", ""}, {"nats://127.0.0.1", "a.*"}, {"nats://127.0.0.1", "a b"},
	} {
		_, err := DialNATSPublisher(t.Context(), NATSOptions{URL: c.url, Subject: c.subject})
		if !errors.Is(err, fault.Usage) || strings.Contains(err.Error()+fault.HintOf(err), "s3cret") {
			t.Errorf("%s, %q: %v", c.url, c.subject, err)
		}
	}
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	l := peer(t) // it accepts nothing, and says nothing
	if _, err := DialNATSSubscriber(ctx, NATSOptions{URL: "nats://" + l.Addr().String(), Subject: "a"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a silent server: %v", err)
	}
	_ = l.Close()
	gone, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if _, err := DialNATSSubscriber(gone, NATSOptions{URL: "nats://" + l.Addr().String(), Subject: "a"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nobody there: %v", err)
	}
}

// pair makes a certificate that is its own root, for 127.0.0.1, and its files.
func pair(t *testing.T, dir, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{{127, 0, 0, 1}}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	cert, private := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	check(t, os.WriteFile(filepath.Join(dir, name+".crt"), cert, 0o600))
	check(t, os.WriteFile(filepath.Join(dir, name+".key"), private, 0o600))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	shown, err := tls.X509KeyPair(cert, private)
	check(t, err)
	return shown, pool
}

func TestNATSOverTLS(t *testing.T) {
	alone(t)
	ctx := limited(t)
	dir := t.TempDir()
	_, roots := pair(t, dir, "server")
	ours, _ := pair(t, dir, "client")
	other, otherRoots := pair(t, dir, "other")
	address, _ := natsServer(t, -1, fmt.Sprintf("tls { cert_file: %q, key_file: %q, ca_file: %q, verify: true }", dir+"/server.crt", dir+"/server.key", dir+"/client.crt"))
	plain, _ := natsServer(t, -1, "")
	for name, c := range map[string]struct {
		url  string
		tls  *tls.Config
		want error
	}{
		"good":              {"tls://" + address, &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{ours}}, nil},
		"no certificate":    {"tls://" + address, &tls.Config{RootCAs: roots}, fault.NotPermitted},
		"other certificate": {"tls://" + address, &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{other}}, fault.NotPermitted},
		"other root":        {"tls://" + address, &tls.Config{RootCAs: otherRoots, Certificates: []tls.Certificate{ours}}, fault.NotTrusted},
		"other name":        {"tls://" + strings.Replace(address, "127.0.0.1", "localhost", 1), &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{ours}}, fault.NotTrusted},
		"the system's":      {"tls://" + address, nil, fault.NotTrusted},
		"no TLS there":      {"tls://" + plain, &tls.Config{RootCAs: roots}, fault.NotTrusted},
	} {
		p, err := DialNATSPublisher(ctx, NATSOptions{URL: c.url, Subject: "a", TLS: c.tls})
		if err == nil {
			check(t, p.Close())
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
