package keyexchange

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// authority is a root that signs what a test needs.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
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

// issue makes a leaf that change may change before it is signed.
func (a *authority) issue(t testing.TB, change ...func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{Organization: []string{"test leaf"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
	}
	for _, c := range change {
		c(template)
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

// file is the root in a PEM file.
func (a *authority) file(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "root.pem")
	check(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}), 0o600))
	return path
}

// world is a server and who trusts it.
type world struct {
	*Server
	ca   *authority
	addr string
	ring atomic.Pointer[Ring]
	now  atomic.Pointer[time.Time] // nil: the real time
	stop func()
}

// newWorld starts a server. When the test is over, nothing of this package may run.
func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	noLeaks(t)
	w := &world{ca: newAuthority(t)}
	w.ring.Store(NewRing(time.Now()))
	config := Config{TLS: &tls.Config{Certificates: []tls.Certificate{w.ca.issue(t)}}, Ring: w.ring.Load, Now: w.time}
	for _, c := range change {
		c(&config)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	check(t, err)
	w.addr = l.Addr().String()
	w.Server = NewServer(config)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Serve(ctx, l) }()
	w.stop = func() {
		cancel()
		if err, ok := <-done; ok {
			check(t, err)
			close(done)
		}
	}
	t.Cleanup(w.stop)
	return w
}

func (w *world) time() time.Time {
	if now := w.now.Load(); now != nil {
		return *now
	}
	return time.Now()
}

func (w *world) client() *Client {
	return &Client{Address: w.addr, TLS: &tls.Config{RootCAs: w.ca.roots()}}
}

// keys are those that seal now.
func (w *world) keys() OpenKeys { return w.ring.Load().At(w.time()).OpenKeys }

// given waits until so many clients have keys.
func (w *world) given(t testing.TB, count int) {
	t.Helper()
	eventually(t, "clients with keys", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		n := 0
		for v := range w.visits {
			if v.hasKeys {
				n++
			}
		}
		return n == count
	})
}

// open waits until so many connections are open.
func (w *world) open(t testing.TB, count int64) {
	t.Helper()
	eventually(t, "open connections", func() bool { return w.Status().Open == count })
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not in time: " + what)
		}
	}
}

// rotate makes other keys hold at once.
func (w *world) rotate(t testing.TB) {
	t.Helper()
	now := w.time().Add(10 * time.Second)
	r, err := w.ring.Load().Rotate(now, now, time.Hour)
	check(t, err)
	now = now.Add(2 * time.Second)
	w.now.Store(&now)
	w.ring.Store(r)
	w.Review()
}

// dial makes a TLS connection.
func (w *world) dial(t testing.TB) *tls.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", w.addr)
	check(t, err)
	secure := tls.Client(conn, &tls.Config{RootCAs: w.ca.roots(), InsecureSkipVerify: true}) // who we talk to is not what is tested
	t.Cleanup(func() { _ = conn.Close() })
	check(t, secure.SetDeadline(time.Now().Add(20*time.Second)))
	return secure
}

// noLeaks holds that no goroutine of this package is left when the test is over.
func noLeaks(t testing.TB) {
	t.Cleanup(func() {
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			stacks := make([]byte, 1<<20)
			stacks = stacks[:runtime.Stack(stacks, true)]
			left := 0
			for stack := range strings.SplitSeq(string(stacks), "\n\n") {
				if strings.Contains(stack, "keyexchange.(*") && !strings.Contains(stack, "testing.tRunner") {
					left++
				}
			}
			if left == 0 {
				return
			}
			if time.Now().After(deadline) {
				t.Errorf("%d goroutines are left:\n%s", left, stacks)
				return
			}
		}
	})
}

const pythonPath = "/usr/bin/python3" // Debian's, which has python3-nacl and python3-u-msgpack

func needPython(t *testing.T) {
	t.Helper()
	if err := exec.CommandContext(t.Context(), pythonPath, "-c", "import nacl, umsgpack").Run(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI has to install python3-nacl and python3-u-msgpack: ", err)
		}
		t.Skip("python3-nacl or python3-u-msgpack is not installed: ", err)
	}
}

// python gives what a script prints.
func python(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), pythonPath, args...)
	c.Stdin = strings.NewReader(stdin)
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %v: %s", args, err, stderr.String())
	}
	return string(out)
}
