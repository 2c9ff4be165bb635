package restclient_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"keyward/bus"
	"keyward/fault"
	"keyward/registry/wire"
	"keyward/restclient"
)

func tlsConfig(cert tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{cert}}
}

func trusting(ca *authority) *tls.Config { return &tls.Config{RootCAs: ca.roots()} }

// everyCall runs check on the ways in which a client reads an answer.
func everyCall(t *testing.T, client *restclient.Client, check func(t *testing.T, err error)) {
	t.Helper()
	for name, call := range map[string]func(context.Context) error{
		"login": func(ctx context.Context) error { _, err := client.LoginPassword(ctx, "user1", "hunter2"); return err },
		"add": func(ctx context.Context) error {
			return client.AddKey(ctx, token, "user1", wire.NewKey{Key: parseKey(t).String(), Description: ""})
		},
		"list":     func(ctx context.Context) error { _, err := client.Keys(ctx, token, "user1"); return err },
		"list all": func(ctx context.Context) error { _, err := collect(client.AllKeys(ctx, token)); return err },
		"account":  func(ctx context.Context) error { _, err := client.Account(ctx, token, "shop"); return err },
		"accounts": func(ctx context.Context) error { _, err := collect(client.Accounts(ctx, token)); return err },
		"update": func(ctx context.Context) error {
			_, err := client.UpdateAccount(ctx, token, bus.Account{Name: "shop"})
			return err
		},
		"project": func(ctx context.Context) error { _, err := client.Project(ctx, token); return err },
		"key":     func(ctx context.Context) error { _, err := client.ServerKey(ctx); return err },
	} {
		t.Run(name, func(t *testing.T) { check(t, call(t.Context())) })
	}
}

// TestHostileAnswers is a server with a sound certificate that is not a registry.
func TestHostileAnswers(t *testing.T) {
	const not = "not a keyward registry"
	for _, test := range []struct {
		name    string
		handler http.Handler
		says    string
	}{
		{"HTML", answer(200, "text/html; charset=utf-8", "<html>Sign in</html>"), not + ": it answers 200 with text/html"},
		{"an HTML error", answer(404, "text/html", "<html>404</html>"), not + ": it answers 404 with text/html"},
		{"text that calls itself JSON", answer(200, "application/json", "<html>"), not},
		{"a gateway without its server", answer(502, "text/plain", "bad gateway"), not + ": it answers 502"},
		{"half a JSON", answer(200, "application/json", `{"access_token":"sesame`), not},
		{"half a list", answer(200, "application/json", `{"keys":[{"user":"user1"},`), not},
		{"more after the JSON", answer(200, "application/json", `{"keys":[]}{"keys":`), not},
		{"10 MB", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"keys":[{"user":"`)
			for range 10 {
				io.WriteString(w, strings.Repeat("x", 1<<20))
			}
			io.WriteString(w, `"}]}`)
		}), not + ": the answer is longer than"},
		{"10 MB of an error", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			io.WriteString(w, `{"error":"`+strings.Repeat("x", 10<<20)+`"}`)
		}), not + ": the answer is longer than"},
		{"it breaks off", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, `{"keys":[`)
		}), not},
		{"headers without end", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for i := range 1000 {
				w.Header().Add("X-"+fmt.Sprint(i), strings.Repeat("x", 1000))
			}
		}), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			client := trusted(t, test.handler, restclient.Options{})
			everyCall(t, client, func(t *testing.T, err error) {
				checkFault(t, err, fault.Unreachable, test.says, "--url")
			})
		})
	}
}

// TestOtherJSON is a server that answers JSON of another API.
func TestOtherJSON(t *testing.T) {
	for _, body := range []string{``, `null`, `{}`, `[]`, `"keys"`, `{"status":"ok"}`, `{"accounts":7,"name":7,"keys":7,"rows":7,"key":7,"access_token":7}`,
		`{"access_token":"","key":"32:AAAA","rows":[],"keys":"x"}`, `{"access_token":"two words","rows":[[null]],"key":"","keys":[7]}`} {
		client := trusted(t, answer(200, "application/json", body), restclient.Options{})
		everyCall(t, client, func(t *testing.T, err error) {
			if strings.Contains(t.Name(), "/add") {
				return // its success needs no answer
			}
			checkFault(t, err, fault.Unreachable, "not a keyward registry", "--url")
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var reached atomic.Int32
	ca := newAuthority(t)
	other := serveTLS(t, tlsConfig(ca.leaf(t, nil)), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	for _, status := range []int{300, 301, 302, 303, 304, 307, 308} {
		server := serveTLS(t, tlsConfig(ca.leaf(t, nil)), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", strings.Replace(other.URL, "://", "://hunter2:hunter2@", 1)+r.URL.Path+"?token=sesame")
			w.WriteHeader(status)
		}))
		client := newClient(t, server.URL, restclient.Options{TLS: trusting(ca)})
		everyCall(t, client, func(t *testing.T, err error) {
			checkFault(t, err, fault.Unreachable, "it redirects to "+other.URL+",", "--url")
		})
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("the other server got %d requests, want none", n)
	}
}

// TestUntrusted is each way in which a certificate fails, and that nothing was sent.
func TestUntrusted(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	var requests atomic.Int32
	counting := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) })
	pinned := func(pin string) *tls.Config {
		config, err := restclient.Pinned(pin)
		if err != nil {
			t.Fatal(err)
		}
		config.Time = now
		return config
	}
	expired := ca.leaf(t, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = clock.AddDate(-1, 0, 0), clock.Add(-time.Minute) })
	early := ca.leaf(t, func(c *x509.Certificate) { c.NotBefore = clock.Add(time.Minute) })
	client := ca.leaf(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	good := ca.leaf(t, nil)
	other := restclient.Pin(ca.leaf(t, nil).Leaf)
	for _, test := range []struct {
		name       string
		cert       tls.Certificate
		trust      *tls.Config
		says, hint string
	}{
		{"unknown authority", good, trusting(stranger), "signed by an unknown authority", "--ca-file"},
		{"expired", expired, trusting(ca), "expired on 2026-03-01T11:59:00Z", "renew"},
		{"not yet valid", early, trusting(ca), "not valid before 2026-03-01T12:01:00Z", "clock"},
		{"wrong name", ca.leaf(t, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"mercury"} }), trusting(ca), "for another name", "serve --name"},
		{"wrong use", client, trusting(ca), "does not verify", "--pin"},
		{"changed pin", good, pinned(other), "it has CHANGED: pinned is " + other + ", shown was " + restclient.Pin(good.Leaf), "stop"},
		{"pinned and expired", expired, pinned(restclient.Pin(expired.Leaf)), "expired on", "renew"},
		{"pinned and not yet valid", early, pinned(restclient.Pin(early.Leaf)), "not valid before", "clock"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				config := tlsConfig(test.cert)
				config.MaxVersion = version
				server := serveTLS(t, config, counting)
				client := newClient(t, server.URL, restclient.Options{TLS: test.trust})
				everyCall(t, client, func(t *testing.T, err error) {
					checkFault(t, err, fault.NotTrusted, test.says, test.hint)
				})
			}
		})
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("untrusted servers got %d requests, want none", n)
	}
}

// TestUnreachable is each way in which there is nothing to talk to.
func TestUnreachable(t *testing.T) {
	ca := newAuthority(t)
	closing := listen(t, func(conn net.Conn) { conn.Close() })
	shouting := listen(t, func(conn net.Conn) { io.WriteString(conn, "SSH-2.0-OpenSSH_10.0\r\n"); conn.Close() })
	plain := httptest.NewServer(answer(200, "application/json", "{}"))
	t.Cleanup(plain.Close)
	old := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, nil)}, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}, http.NotFoundHandler())
	overTLS := serveTLS(t, tlsConfig(ca.leaf(t, nil)), http.NotFoundHandler())
	for _, test := range []struct{ name, url, says, hint string }{
		{"down", "https://127.0.0.1:1", "cannot connect: connection refused", "registry runs"},
		{"no such host", "https://mercury.invalid:9100", "mercury.invalid", "--url"},
		{"not TLS but HTTP", strings.Replace(plain.URL, "http:", "https:", 1), "answers, but not TLS", "http://"},
		{"not TLS but SSH", "https://" + shouting, "answers, but not TLS", "http://"},
		{"not HTTP but SSH", "http://" + shouting, "no usable answer", "--url"},
		{"not HTTP but TLS", strings.Replace(overTLS.URL, "https:", "http:", 1), "it answers 400", "begins with https://"},
		{"closes at once", "https://" + closing, "", "--url"},
		{"only old TLS", old.URL, "protocol version", "--url"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var trust *tls.Config
			if strings.HasPrefix(test.url, "https:") {
				trust = trusting(ca)
			}
			client := newClient(t, test.url, restclient.Options{TLS: trust})
			everyCall(t, client, func(t *testing.T, err error) {
				checkFault(t, err, fault.Unreachable, test.says, test.hint)
			})
		})
	}
}

// listen hands each connection to handle, until the test ends.
func listen(t *testing.T, handle func(net.Conn)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			handle(conn)
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return listener.Addr().String()
}

func TestStoppedByTheCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client := trusted(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}), restclient.Options{})
	_, err := client.LoginPassword(ctx, "user1", "hunter2")
	checkFault(t, err, fault.Failed, "stopped", "")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not context.Canceled", err)
	}
}

func TestProxySettingIsNotRepeated(t *testing.T) {
	client := newClient(t, "https://mercury:9100", restclient.Options{
		Proxy: func(*http.Request) (*url.URL, error) { return nil, errors.New("bad proxy http://user:hunter2@proxy") },
	})
	_, err := client.ServerKey(t.Context())
	checkFault(t, err, fault.Unreachable, "proxy setting", "")
}

// A proxy in TLS would be held against the registry's pin, and shown to a person as the registry.
func TestProxyInTLSIsRefused(t *testing.T) {
	client := newClient(t, "https://mercury:9100", restclient.Options{
		Proxy: func(*http.Request) (*url.URL, error) { return &url.URL{Scheme: "https", Host: "127.0.0.1:1"}, nil },
	})
	_, err := client.ServerKey(t.Context())
	checkFault(t, err, fault.Unreachable, "proxy that speaks TLS", "")
}

func TestProxyIsUsed(t *testing.T) {
	var asked string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.Host
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(proxy.Close)
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := newClient(t, "https://mercury:9100", restclient.Options{Proxy: http.ProxyURL(at)})
	_, err = client.ServerKey(t.Context())
	checkFault(t, err, fault.Unreachable, "Forbidden", "")
	if asked != "CONNECT mercury:9100" {
		t.Errorf("the proxy was asked %q", asked)
	}
}

// TestAllKeysIsUnbounded reads more than an answer may have otherwise, and stops early.
func TestAllKeysIsUnbounded(t *testing.T) {
	const n = 3 * wire.MaxAnswer / 1000
	client := trusted(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"keys":[`)
		for i := range n {
			if i > 0 {
				io.WriteString(w, ",")
			}
			fmt.Fprintf(w, `{"user":"user%d","description":%q}`, i, strings.Repeat("x", 1000))
		}
		io.WriteString(w, `]}`)
	}), restclient.Options{})
	all, err := collect(client.AllKeys(t.Context(), token))
	if err != nil || len(all) != n {
		t.Errorf("%d keys, %v; want %d", len(all), err, n)
	}
	seen := 0
	for _, err := range client.AllKeys(t.Context(), token) {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen == 3 {
			break
		}
	}
	if seen != 3 {
		t.Errorf("%d keys before the break, want 3", seen)
	}
}
