package relay_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"keyward/fault"
	"keyward/relay"
)

// between is a proxy that does with each request to connect what the test says.
func between(t *testing.T, play func(net.Conn, *http.Request)) *url.URL {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.SetDeadline(time.Now().Add(20 * time.Second))
			if asked, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				play(c, asked)
			}
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return &url.URL{Scheme: "http", Host: l.Addr().String(), User: url.UserPassword("user", "s3cret:%")}
}

// leading answers a request to connect, and connects to an address whatever it asks for.
func leading(t *testing.T, to, answer string, asked chan<- *http.Request) func(net.Conn, *http.Request) {
	return func(c net.Conn, r *http.Request) {
		asked <- r
		fmt.Fprint(c, answer)
		far, err := net.Dial("tcp", to)
		if err != nil {
			t.Error(err)
			return
		}
		defer far.Close()
		back := make(chan struct{})
		go func() {
			defer close(back)
			io.Copy(c, far)
			c.Close()
		}()
		io.Copy(far, c)
		far.Close()
		<-back
	}
}

func TestThroughAProxy(t *testing.T) {
	noLeaks(t)
	ca := newAuthority(t)
	for name, c := range map[string]struct {
		names []string // of the relay
		want  fault.Kind
	}{
		"the relay":    {[]string{"relay.example"}, fault.NotPermitted}, // it closes so
		"someone else": {[]string{"other.example"}, fault.NotTrusted},
	} {
		t.Run(name, func(t *testing.T) {
			asked := make(chan *http.Request, 1)
			addr := stage(t, ca.serving(t, c.names...), closing(1008, ""))
			proxy := between(t, leading(t, addr, "HTTP/1.1 200 Connection established\r\n\r\n", asked))
			client := &relay.Client{URL: "wss://relay.example/x", TLS: ca.trusting(t), Proxy: http.ProxyURL(proxy)}
			if err := client.Run(t.Context()); fault.KindOf(err) != c.want {
				t.Errorf("got %v", err)
			}
			r := got(t, asked)
			credentials := "Basic " + base64.StdEncoding.EncodeToString([]byte("user:s3cret:%"))
			if r.Method != "CONNECT" || r.Host != "relay.example:443" || r.RequestURI != "relay.example:443" || r.Header.Get("Proxy-Authorization") != credentials {
				t.Errorf("it was asked %+v", r)
			}
		})
	}
}

func TestBadProxies(t *testing.T) {
	noLeaks(t)
	says := func(text string) func(net.Conn, *http.Request) {
		return func(c net.Conn, _ *http.Request) { fmt.Fprint(c, text) }
	}
	for name, c := range map[string]struct {
		play func(net.Conn, *http.Request)
		want string
	}{
		"407":            {says("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 9\r\n\r\ns3cret:%!"), "it answers 407"},
		"503":            {says("HTTP/1.1 503 s3cret\r\n\r\n"), "it answers 503"},
		"nothing":        {says(""), "gave no answer: unexpected EOF"},
		"no HTTP":        {says("220 mail ready\r\n"), "gave no answer: malformed HTTP"},
		"more behind it": {says("HTTP/1.1 200 OK\r\n\r\nx"), "more behind its answer"},
		"no end": {func(c net.Conn, _ *http.Request) {
			_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for err == nil {
				_, err = io.WriteString(c, "X: "+strings.Repeat("x", 1000)+"\r\n")
			}
		}, "gave no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			client := &relay.Client{URL: "wss://relay.example/x", Once: true, Proxy: http.ProxyURL(between(t, c.play))}
			err := client.Run(t.Context())
			if fault.KindOf(err) != fault.Unreachable || !strings.Contains(err.Error(), c.want) || !strings.Contains(fault.HintOf(err), "HTTPS_PROXY") {
				t.Errorf("got %v (%s)", err, fault.HintOf(err))
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error repeats what the proxy says, or a password: %v", err)
			}
		})
	}
}

// A setting that no proxy can be made of is told at once, and not tried again.
func TestBadProxySettings(t *testing.T) {
	for name, c := range map[string]struct {
		choose func(*http.Request) (*url.URL, error)
		kind   fault.Kind
	}{
		"no URL":     {func(*http.Request) (*url.URL, error) { return nil, errors.New("bad http://user:s3cret@") }, fault.Usage},
		"a slash":    {http.ProxyURL(parse(t, "http://user:12/s3cret@127.0.0.1:1")), fault.Usage},
		"a question": {http.ProxyURL(parse(t, "http://user:12?s3cret@127.0.0.1:1")), fault.Usage},
		"a hash":     {http.ProxyURL(parse(t, "http://user:12#s3cret@127.0.0.1:1")), fault.Usage},
		"TLS itself": {http.ProxyURL(&url.URL{Scheme: "https", Host: "127.0.0.1:1", User: url.User("s3cret")}), fault.Usage},
		"socks":      {http.ProxyURL(&url.URL{Scheme: "socks5", Host: "127.0.0.1:1", User: url.User("s3cret")}), fault.Usage},
	} {
		err := (&relay.Client{URL: "wss://relay.example/x", Proxy: c.choose}).Run(t.Context())
		if fault.KindOf(err) != c.kind || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "12") {
			t.Errorf("%s: %v", name, err)
		}
	}
	gone := &url.URL{Scheme: "http", Host: "127.0.0.1:1", User: url.User("s3cret")}
	err := (&relay.Client{URL: "wss://relay.example/x", Proxy: http.ProxyURL(gone), Once: true}).Run(t.Context())
	if fault.KindOf(err) != fault.Unreachable || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "cannot connect to the proxy at 127.0.0.1:1") {
		t.Error(err)
	}
}

// A proxy that says nothing holds nobody up who wants to end.
func TestSilentProxy(t *testing.T) {
	noLeaks(t)
	asked := make(chan struct{})
	proxy := between(t, func(c net.Conn, _ *http.Request) {
		close(asked)
		io.Copy(io.Discard, c)
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	client := &relay.Client{URL: "wss://relay.example/x", Proxy: http.ProxyURL(proxy)}
	go func() { done <- client.Run(ctx) }()
	got(t, asked)
	cancel()
	check(t, got(t, done))
}
