package relay_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyward/relay"
	"keyward/relay/message"
)

// proxied is a pair whose first has a proxy and whose second answers what the test says.
type proxied struct {
	t       *testing.T
	proxy   http.Handler
	mu      sync.Mutex
	request *message.Request // the last one
	respond *message.Response
	peer    *running
}

func newProxied(t *testing.T) *proxied {
	t.Helper()
	w := newWorld(t)
	p := &proxied{t: t}
	second := w.client()
	second.Handle = func(_ context.Context, r *message.Request) *message.Response {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.request = r
		return p.respond
	}
	a, b := w.pair(second)
	p.proxy, p.peer = relay.NewProxy(a.Client, 0), b
	return p
}

// ask sends a request through the proxy. It is as from a server: with its Host.
func (p *proxied) ask(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	p.proxy.ServeHTTP(w, r)
	return w
}

func local(method, target string, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "localhost:5001"
	return r
}

func gzipped(s string) string {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	io.WriteString(z, s)
	z.Close()
	return out.String()
}

func TestWhatTheProxySends(t *testing.T) {
	p := newProxied(t)
	p.respond = &message.Response{StatusCode: 200}
	host := message.Field{Name: "Host", Value: "localhost:5001"}
	for name, c := range map[string]struct {
		method, target, body string
		header               http.Header
		want                 message.Request
	}{
		"a query": {
			method: "GET", target: "/a%2Fb/%C3%BC?z=1&a=2&a=1&empty&plus=a+b%26",
			want: message.Request{Method: "GET", Path: "/a%2Fb/%C3%BC", Query: fields("z", "1", "a", "2", "a", "1", "empty", "", "plus", "a b&")},
		},
		"JSON": {
			method: "PUT", target: "/", body: ` {"a": [1.0, "ü"]} `, header: http.Header{"Content-Type": {"application/json"}},
			want: message.Request{Method: "PUT", Path: "/", Body: message.Body{Format: message.JSON, Bytes: []byte(`{"a": [1.0, "ü"]}`)}},
		},
		"text": {
			method: "PATCH", target: "/", body: "grüß", header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}},
			want: message.Request{Method: "PATCH", Path: "/", Body: message.Body{Format: "text/plain; charset=utf-8", Bytes: []byte("grüß")}},
		},
		"any bytes": {
			method: "POST", target: "/", body: "\xff\x00", header: http.Header{"Content-Type": {"image/png"}},
			want: message.Request{Method: "POST", Path: "/", Body: message.Body{Format: message.OctetStream, ContentType: "image/png", Bytes: []byte("\xff\x00")}},
		},
		"gzip": {
			method: "POST", target: "/", body: gzipped("hello"), header: http.Header{"Content-Type": {"text/plain"}, "Content-Encoding": {"gzip"}},
			want: message.Request{Method: "POST", Path: "/", Body: message.Body{Format: "text/plain", Bytes: []byte("hello")}},
		},
		"headers": {
			method: "BREW", target: "/", header: http.Header{
				"X-Two": {"b", "a"}, "Cookie": {"a=1"}, "Connection": {"close, X-Hop"}, "X-Hop": {"1"}, "Te": {"trailers"}, "Upgrade": {"h2c"},
				"Proxy-Authorization": {"Basic xyz"}, "Keep-Alive": {"1"}, "Authorization": {"Bearer x"}, "X-Latin": {"gr\xfc\xdf"}, "Expect": {"100-continue"},
			},
			want: message.Request{Method: "BREW", Path: "/", Headers: fields(
				"Authorization", "Bearer x", "Cookie", "a=1", "X-Latin", "grüß", "X-Two", "b", "X-Two", "a",
			)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := local(c.method, c.target, c.body)
			r.Header = c.header
			if got := p.ask(r); got.Code != 200 {
				t.Fatalf("%d %s", got.Code, got.Body)
			}
			c.want.Headers = append([]message.Field{host}, c.want.Headers...)
			if diff := cmp.Diff(&c.want, p.request); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatTheProxyAnswers(t *testing.T) {
	p := newProxied(t)
	for name, c := range map[string]struct {
		method  string
		respond message.Response
		code    int
		header  http.Header
		body    string
	}{
		"text": {
			respond: message.Response{StatusCode: 201, Body: text("grüß")},
			code:    201, header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}, "Content-Length": {"6"}}, body: "grüß",
		},
		"JSON": {
			respond: message.Response{StatusCode: 200, Body: message.Body{Format: message.JSON, Bytes: []byte(`{"a":"ü"}`)}},
			code:    200, header: http.Header{"Content-Type": {"application/json"}, "Content-Length": {"10"}}, body: `{"a":"ü"}`,
		},
		"bytes": {
			respond: message.Response{StatusCode: 200, Body: message.Body{Format: message.OctetStream, ContentType: "image/png", Bytes: []byte("\xff\x00")}},
			code:    200, header: http.Header{"Content-Type": {"image/png"}, "Content-Length": {"2"}}, body: "\xff\x00",
		},
		"nothing": {respond: message.Response{StatusCode: 404}, code: 404, header: http.Header{"Content-Length": {"0"}}},
		"204":     {respond: message.Response{StatusCode: 204, Body: text("x")}, code: 204, header: http.Header{}},
		"304":     {respond: message.Response{StatusCode: 304, Body: text("x")}, code: 304, header: http.Header{}},
		"HEAD": {
			method: "HEAD", respond: message.Response{StatusCode: 200, Body: text("grüß")},
			code: 200, header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}, "Content-Length": {"6"}},
		},
		"HEAD with a type": {
			method: "HEAD", respond: message.Response{StatusCode: 200, Body: message.Body{ContentType: "image/png"}},
			code: 200, header: http.Header{"Content-Type": {"image/png"}},
		},
		"HEAD without a body": {method: "HEAD", respond: message.Response{StatusCode: 200}, code: 200, header: http.Header{}},
		"headers": {
			respond: message.Response{StatusCode: 302, Headers: fields(
				"Set-Cookie", "a=1", "Location", "/there", "set-cookie", "b=2", "Connection", "X-Hop", "X-Hop", "1", "Transfer-Encoding", "chunked",
				"Bad Name", "x", "X-Bad", "a\r\nX-Evil: 1", "", "x", "Trailer:X", "y", "X-Naïve", "1",
			)},
			code: 302, header: http.Header{"Set-Cookie": {"a=1", "b=2"}, "Location": {"/there"}, "Content-Length": {"0"}},
		},
		"status 99":  {respond: message.Response{StatusCode: 99}, code: 502},
		"status 100": {respond: message.Response{StatusCode: 100}, code: 502},
		"status 101": {respond: message.Response{StatusCode: 101}, code: 502},
		"status 600": {respond: message.Response{StatusCode: 600}, code: 502},
		"status -1":  {respond: message.Response{StatusCode: -1}, code: 502},
	} {
		t.Run(name, func(t *testing.T) {
			p.respond = &c.respond
			if c.method == "" {
				c.method = "GET"
			}
			got := p.ask(local(c.method, "/", ""))
			if got.Code != c.code {
				t.Fatalf("%d %s, want %d", got.Code, got.Body, c.code)
			}
			if c.header == nil {
				return
			}
			if diff := cmp.Diff(c.header, got.Header()); diff != "" {
				t.Error(diff)
			}
			if got.Body.String() != c.body {
				t.Errorf("the body is %q, want %q", got.Body, c.body)
			}
		})
	}
}

func TestWhatTheProxyRefuses(t *testing.T) {
	p := newProxied(t)
	p.respond = &message.Response{StatusCode: 200}
	long := strings.Repeat("x", relay.DefaultMaxMessage)
	for name, c := range map[string]struct {
		method, target, body, host string
		header                     http.Header
		code                       int
	}{
		"no JSON":           {body: "{", header: http.Header{"Content-Type": {"application/json"}}, code: 400},
		"no gzip":           {body: "x", header: http.Header{"Content-Encoding": {"gzip"}}, code: 400},
		"half a gzip":       {body: gzipped("hello")[:12], header: http.Header{"Content-Encoding": {"gzip"}}, code: 400},
		"brotli":            {body: "x", header: http.Header{"Content-Encoding": {"br"}}, code: 415},
		"gzip twice":        {body: "x", header: http.Header{"Content-Encoding": {"gzip, gzip"}}, code: 415},
		"too large":         {body: long + "x", code: 413},
		"too large coded":   {body: long, code: 413},
		"too large escaped": {body: strings.Repeat("\x01", 300_000), header: http.Header{"Content-Type": {"text/plain"}}, code: 413},
		"a gzip bomb":       {body: gzipped(strings.Repeat("x", 50<<20)), header: http.Header{"Content-Encoding": {"gzip"}}, code: 413},
		"query":             {target: "/?a=%zz", code: 400},
		"query not UTF-8":   {target: "/?a=%ff", code: 400},
		"CONNECT":           {method: "CONNECT", target: "/x", code: 405},
		"rebound":           {host: "evil.example:5001", code: 403},
		"rebound with dot":  {host: "localhost.evil.example", code: 403},
		"no host":           {host: " ", code: 403},
		"cross-site":        {body: "x", header: http.Header{"Sec-Fetch-Site": {"cross-site"}}, code: 403},
		"another origin":    {body: "x", header: http.Header{"Origin": {"https://evil.example"}}, code: 403},
		"same origin":       {body: "x", header: http.Header{"Origin": {"http://localhost:5001"}}, code: 200},
		"IPv4":              {host: "127.0.0.1:5001", code: 200},
		"IPv6":              {host: "[::1]:5001", code: 200},
		"IPv6, no port":     {host: "[::1]", code: 200},
		"localhost":         {host: "LocalHost", code: 200},
		"under localhost":   {host: "hub.localhost:5001", code: 200},
	} {
		t.Run(name, func(t *testing.T) {
			if c.method == "" {
				c.method = "POST"
			}
			if c.target == "" {
				c.target = "/"
			}
			r := local(c.method, c.target, c.body)
			if c.header != nil {
				r.Header = c.header
			}
			if c.host != "" {
				r.Host = c.host
			}
			if got := p.ask(r); got.Code != c.code {
				t.Errorf("%d %s, want %d", got.Code, got.Body, c.code)
			}
		})
	}
}

func TestHostsOfAProxy(t *testing.T) {
	w := newWorld(t)
	for host, hosts := range map[string][]string{"hub.example": {"hub.example"}, "any.example": {"*"}} {
		r := local("GET", "/", "")
		r.Host = host + ":80"
		got := httptest.NewRecorder()
		relay.NewProxy(w.client(), 0, hosts...).ServeHTTP(got, r)
		if got.Code != 503 || got.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", host, got.Code, got.Body)
		}
	}
}

func TestProxyWithoutAnswers(t *testing.T) {
	w := newWorld(t)
	a := run(t, w.client())
	f := w.foreigner()
	a.meets(t)
	f.hear()
	ask := func(path string, timeout time.Duration) <-chan int {
		code := make(chan int, 1)
		go func() {
			got := httptest.NewRecorder()
			relay.NewProxy(a.Client, timeout).ServeHTTP(got, local("GET", path, ""))
			code <- got.Code
		}()
		return code
	}
	if code := got(t, ask("/short", time.Millisecond)); code != 504 { // it may be over before it is sent
		t.Errorf("no answer in time: %d", code)
	}
	code := ask("/long", time.Minute)
	for f.hear().Path != "/long" {
	}
	f.Close()
	if code := got(t, code); code != 502 {
		t.Errorf("gone: %d", code)
	}
	a.loses(t)
	if code := got(t, ask("/", time.Minute)); code != 503 {
		t.Errorf("nobody there: %d", code)
	}
}

func TestBodyThatDoesNotCome(t *testing.T) {
	w := newWorld(t)
	a, _ := w.pair(w.client())
	proxy := httptest.NewServer(relay.NewProxy(a.Client, 50*time.Millisecond))
	defer proxy.Close()
	c, err := net.Dial("tcp", proxy.Listener.Addr().String())
	check(t, err)
	defer c.Close()
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345")
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	check(t, err)
	r.Body.Close()
	if r.StatusCode != 408 {
		t.Errorf("got %d", r.StatusCode)
	}
}

// The issue's own case: a REST service behind two clients and a relay, asked by many at once over real connections.
func TestServiceBehindARelay(t *testing.T) {
	w := newWorld(t)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header()["X-Host"] = []string{r.Host, r.Header.Get("X-Forwarded-Host")}
		io.WriteString(w, r.Method+" "+r.URL.String()+" ")
		io.Copy(w, r.Body)
	}))
	defer service.Close()
	second := w.client()
	second.Handle = relay.NewForward(parse(t, service.URL), nil, 0)
	a, _ := w.pair(second)
	proxy := httptest.NewServer(relay.NewProxy(a.Client, 0))
	defer proxy.Close()
	client := proxy.Client()

	var calls sync.WaitGroup
	for i := range 200 {
		calls.Go(func() {
			body := strings.Repeat("ü", i)
			r, err := client.Post(proxy.URL+"/a%20b?n=1&n=2", "text/plain", strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Body.Close()
			got, err := io.ReadAll(r.Body)
			if err != nil || string(got) != "POST /a%20b?n=1&n=2 "+body || r.ContentLength != int64(len(got)) {
				t.Errorf("got %q, %v", got, err)
			}
			hosts := []string{strings.TrimPrefix(service.URL, "http://"), strings.TrimPrefix(proxy.URL, "http://")}
			if diff := cmp.Diff(hosts, r.Header["X-Host"]); diff != "" {
				t.Error(diff)
			}
		})
	}
	calls.Wait()
	client.CloseIdleConnections()
}

// A request above the relay's limit ends the connection, and its caller is told why.
func TestLargerThanTheRelayTakes(t *testing.T) {
	w := newWorld(t)
	first := w.client()
	first.MaxMessage = 4 * relay.DefaultMaxMessage
	a, b := run(t, first), run(t, w.client())
	a.meets(t)
	b.meets(t)
	got := httptest.NewRecorder()
	relay.NewProxy(a.Client, 0).ServeHTTP(got, local("POST", "/", strings.Repeat("x", relay.DefaultMaxMessage)))
	if got.Code != 413 || !strings.Contains(got.Body.String(), "--max-message") {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}
