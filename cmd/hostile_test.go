package cmd_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdHostile starts a server that a client must not believe, and sets KEYWARD_URL, and
// where its certificate is sound KEYWARD_CA_FILE: hostile KIND. With hostile heard it fails where a
// server got a credential that was not meant for it.
func cmdHostile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hostile html|half|large|redirect|plain|silent|crowd|expired|foreign|down|heard")
	}
	heard := ts.Value(heardKey{}).(*atomic.Bool)
	switch args[0] {
	case "html":
		serveHTTPS(ts, answer("text/html", "<html>Welcome to nginx!</html>"), sound)
	case "half":
		serveHTTPS(ts, answer("application/json", `{"access_token": "abc`), sound)
	case "large":
		serveHTTPS(ts, answer("application/json", `{"access_token": "`+strings.Repeat("a", 10<<20)), sound)
	case "redirect":
		elsewhere := httptest.NewServer(listening(heard))
		ts.Defer(elsewhere.Close)
		serveHTTPS(ts, http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect).ServeHTTP, sound)
	case "plain":
		server := httptest.NewServer(listening(heard))
		ts.Defer(server.Close)
		ts.Setenv("KEYWARD_URL", strings.Replace(server.URL, "http:", "https:", 1))
	case "silent":
		silent(ts, math.MaxInt)
	case "crowd":
		silent(ts, 8)
	case "expired":
		serveHTTPS(ts, listening(heard), expired)
	case "foreign":
		serveHTTPS(ts, listening(heard), sound)
		ts.Setenv("KEYWARD_CA_FILE", "")
	case "down":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		ts.Setenv("KEYWARD_URL", "https://"+l.Addr().String())
		ts.Check(l.Close())
	case "heard":
		if heard.Load() {
			ts.Fatalf("a server got a credential that was not meant for it")
		}
	default:
		ts.Fatalf("unknown kind %s", args[0])
	}
}

type heardKey struct{}

func answer(contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, body)
	}
}

// listening notes a request that carries a credential.
func listening(heard *atomic.Bool) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if len(body) > 0 || r.Header.Get("Authorization") != "" {
			heard.Store(true)
		}
	}
}

// The lifetimes of the servers' certificates.
const (
	sound   = time.Hour
	expired = -time.Hour
)

func serveHTTPS(ts *testscript.TestScript, handler http.HandlerFunc, life time.Duration) {
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(ts, life)}}
	server.Config.ErrorLog = nil
	server.StartTLS()
	ts.Defer(server.Close)
	file := ts.MkAbs("hostile.pem")
	ts.Check(os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	ts.Setenv("KEYWARD_URL", server.URL)
	ts.Setenv("KEYWARD_CA_FILE", file)
}

func selfSigned(ts *testscript.TestScript, life time.Duration) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(life),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	ts.Check(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// silent accepts connections and never says anything; once there are as many as most, it hangs up on all.
func silent(ts *testscript.TestScript, most int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var open []net.Conn
		for len(open) < most {
			c, err := l.Accept()
			if err != nil {
				break
			}
			open = append(open, c)
		}
		for _, c := range open {
			_ = c.Close()
		}
	}()
	ts.Defer(func() {
		_ = l.Close()
		<-ended
	})
	ts.Setenv("KEYWARD_URL", "https://"+l.Addr().String())
}
