package restclient_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"keyward/restclient"
)

// TestMain fails when a test leaves a goroutine of a connection or a server behind.
func TestMain(m *testing.M) {
	code := m.Run()
	if left := leftGoroutines(); left != "" && code == 0 {
		fmt.Fprintln(os.Stderr, "goroutines are left:\n"+left)
		code = 1
	}
	os.Exit(code)
}

// leftGoroutines waits for goroutines that are about to end: a closed connection's
// loops have no event to wait for.
func leftGoroutines() string {
	left := ""
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if left = networkGoroutines(); left == "" {
			return ""
		}
	}
	return left
}

func networkGoroutines() string {
	buf := make([]byte, 1<<20)
	var left []string
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "net/http") || strings.Contains(stack, "restclient.(") {
			left = append(left, stack)
		}
	}
	return strings.Join(left, "\n\n")
}

// TestLeftGoroutinesAreSeen is the case that the leak check must catch.
func TestLeftGoroutinesAreSeen(t *testing.T) {
	if networkGoroutines() != "" {
		t.Skip("another test's connections are still closing")
	}
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	if networkGoroutines() == "" {
		t.Error("a running server's goroutines are not seen")
	}
}

// clock is a machine's, one hour into the life of the tests' certificates.
var clock = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func now() time.Time { return clock }

// authority signs the certificates of test servers.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "Test Root"},
		NotBefore:             clock.AddDate(-1, 0, 0),
		NotAfter:              clock.AddDate(9, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	return &authority{cert: sign(t, template, template, key, key), key: key}
}

func (a *authority) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// leaf signs a server's certificate; edit may spoil it.
func (a *authority) leaf(t testing.TB, edit func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "Test Server"},
		NotBefore:    clock.Add(-time.Hour),
		NotAfter:     clock.Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if edit != nil {
		edit(template)
	}
	cert := sign(t, template, a.cert, key, a.key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// serveTLS runs a server until the test ends, on HTTP/2 as the registry does.
func serveTLS(t testing.TB, config *tls.Config, handler http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.TLS = config
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// trusted runs a server with a sound certificate and a client that trusts it.
func trusted(t testing.TB, handler http.Handler, opts restclient.Options) *restclient.Client {
	t.Helper()
	ca := newAuthority(t)
	server := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, nil)}}, handler)
	opts.TLS = &tls.Config{RootCAs: ca.roots()}
	return newClient(t, server.URL, opts)
}

func newClient(t testing.TB, url string, opts restclient.Options) *restclient.Client {
	t.Helper()
	if opts.Now == nil {
		opts.Now = now
	}
	client, err := restclient.New(url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// answer is a handler that always says the same.
func answer(status int, contentType, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
}
