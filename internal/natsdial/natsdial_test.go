package natsdial_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"keyward/fault"
	"keyward/internal/natsdial"
)

// listen has a server on loopback, whose connections go one after the other to serve, until the test's end. It gives its host and port.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}

// server is a NATS server as far as a client that connects sees it: INFO with info at its end, TLS, and what it says behind its PONG, after
// which it closes the connection.
func server(t *testing.T, shown tls.Certificate, info, after string) string {
	t.Helper()
	return listen(t, func(conn net.Conn) {
		fmt.Fprintf(conn, `INFO {"server_id":"x","version":"2.15.2","headers":true,"max_payload":1024,"proto":1,"tls_required":true%s}`+"\r\n", info)
		secured := tls.Server(conn, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{shown}})
		for lines := bufio.NewScanner(secured); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "PING") {
				fmt.Fprint(secured, "PONG\r\n"+after)
				if after != "" {
					return
				}
			}
		}
	})
}

// certificate is a server's for 127.0.0.1, its own root.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{{127, 0, 0, 1}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	leaf, err := x509.ParseCertificate(der)
	check(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// limited is a context that ends a test that hangs.
func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(stop)
	return ctx
}

// connect connects, and ends the connection again.
func connect(t *testing.T, url string, roots *x509.CertPool) error {
	t.Helper()
	conn, err := natsdial.Options{URL: url, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}.Connect(limited(t))
	if err == nil {
		conn.Close()
		<-conn.Closed
	}
	return err
}

// What is said before TLS leads nowhere: anybody on the way could lead us to a server of theirs, which has a good certificate for its own name.
func TestUnprovedServers(t *testing.T) {
	good, roots := certificate(t)
	bad, _ := certificate(t)
	theirs := server(t, good, "", "")
	check(t, connect(t, "tls://"+theirs, roots))
	for _, member := range []string{"connect_urls", "CONNECT_URLS", "connect_url\u017f"} {
		asked := server(t, bad, fmt.Sprintf(`,%q:[%q]`, member, theirs), "")
		if err := connect(t, "tls://"+asked, roots); !errors.Is(err, fault.NotTrusted) {
			t.Errorf("%s: %v", member, err)
		}
	}
}

// What is said below TLS is the server's word: it names the others of its cluster, and the library goes there when it is gone.
func TestProvedServers(t *testing.T) {
	shown, roots := certificate(t)
	other := server(t, shown, "", "")
	asked := server(t, shown, "", fmt.Sprintf(`INFO {"connect_urls":[%q]}`+"\r\n", other))
	again := make(chan string, 1)
	conn, err := natsdial.Options{
		URL: "tls://" + asked, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		More: []nats.Option{nats.ReconnectHandler(func(c *nats.Conn) { again <- c.ConnectedAddr() })},
	}.Connect(limited(t))
	check(t, err)
	if got := <-again; got != other {
		t.Errorf("it went to %s", got)
	}
	conn.Close()
	<-conn.Closed
}

// Whatever the URL's case, and also where the server alone wants TLS, it is our roots that count.
func TestRoots(t *testing.T) {
	shown, roots := certificate(t)
	_, others := certificate(t)
	for _, scheme := range []string{"tls://", "TLS://", "nats://"} {
		address := server(t, shown, "", "")
		if err := connect(t, scheme+address, roots); err != nil {
			t.Errorf("%s: %v", scheme, err)
		}
		if err := connect(t, scheme+address, others); !errors.Is(err, fault.NotTrusted) {
			t.Errorf("%s of others: %v", scheme, err)
		}
	}
}

// A server that does not take our certificate says so behind our handshake. Where we write before we read it, it is lost with the connection.
func TestLostAlert(t *testing.T) {
	shown, roots := certificate(t)
	var tries atomic.Int32
	address := listen(t, func(conn net.Conn) {
		tries.Add(1)
		fmt.Fprint(conn, `INFO {"tls_required":true}`+"\r\n")
		if err := tls.Server(conn, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{shown}}).Handshake(); err != nil {
			t.Error(err)
		}
		conn.(*net.TCPConn).SetLinger(0)
	})
	if err := connect(t, "tls://"+address, roots); !errors.Is(err, fault.NotPermitted) || tries.Load() != 2 {
		t.Errorf("%v, after %d tries", err, tries.Load())
	}
}

// What is no NATS server is told, and no line of one is taken without an end.
func TestGreeting(t *testing.T) {
	for name, says := range map[string]string{
		"another":  "SSH-2.0-OpenSSH_9.9\r\n",
		"no JSON":  "INFO {\r\n",
		"a tab":    "\tINFO {}\r\n",
		"no end":   `INFO {"version":"` + strings.Repeat("x", 1<<20) + `"}` + "\r\n",
		"no words": "\r\n",
	} {
		ctx, stop := context.WithCancel(limited(t))
		address := listen(t, func(conn net.Conn) {
			fmt.Fprint(conn, says)
			conn.Read(make([]byte, 1)) // until the client ends it
			stop()
		})
		var log bytes.Buffer
		_, err := natsdial.Options{URL: "nats://" + address, Log: slog.New(slog.NewTextHandler(&log, nil))}.Connect(ctx)
		if !errors.Is(err, context.Canceled) || !strings.Contains(log.String(), "INFO not received") {
			t.Errorf("%s: %v, and\n%s", name, err, log.String())
		}
	}
}
