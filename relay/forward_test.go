package relay_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyward/relay"
	"keyward/relay/message"
)

func parse(t testing.TB, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	check(t, err)
	return u
}

// service is an HTTP service that keeps what it was asked.
type service struct {
	*httptest.Server
	method, target, host, body string
	header                     http.Header
	answer                     http.HandlerFunc
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.method, s.target, s.host, s.body, s.header = r.Method, r.RequestURI, r.Host, string(body), r.Header
		if s.answer != nil {
			s.answer(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestWhatIsForwarded(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	s := newService(t)
	forward := relay.NewForward(parse(t, s.URL+"/api/"), nil, 0)
	for _, c := range []struct {
		request message.Request
		target  string
	}{
		{message.Request{Method: "GET", Path: "/"}, "/api/"},
		{message.Request{Method: "HEAD", Path: "/x"}, "/api/x"},
		{message.Request{Method: "BREW", Path: "/a%2Fb%3F/ü d//e"}, "/api/a%2Fb%3F/%C3%BC%20d//e"},
		{message.Request{Method: "GET", Path: "/x?b=1&a", Query: fields("b", "2 &", "ü", "")}, "/api/x?b=1&a=&b=2+%26&%C3%BC="},
		{message.Request{Method: "DELETE", Path: "/@evil.example:80/%40"}, "/api/@evil.example:80/%40"},
		{message.Request{Method: "GET", Path: "/http://evil.example/"}, "/api/http://evil.example/"},
		{message.Request{Method: "GET", Path: "/...;/a..b/.well-known"}, "/api/...;/a..b/.well-known"},
	} {
		response := forward(t.Context(), &c.request)
		if response.StatusCode != 200 || s.method != c.request.Method || s.target != c.target || s.host != strings.TrimPrefix(s.URL, "http://") {
			t.Errorf("%s %s: %d %s, asked %s %s of %s", c.request.Method, c.request.Path, response.StatusCode, response.Body.Bytes, s.method, s.target, s.host)
		}
	}
}

func TestWhatIsNotForwarded(t *testing.T) {
	s := newService(t)
	forward := relay.NewForward(parse(t, s.URL+"/api"), nil, 0)
	for _, path := range []string{
		"", "x", "//evil.example/", "http://evil.example/", "https:evil", "?a=b", "*", "@evil.example/", ":80/", "\\evil", "/\\evil.example", "/a\\b",
		"/..", "/../", "/..//", "/a/../../b", "/.", "/./x", "/%2e%2e/x", "/.%2E/x", "/%252e%252e/x", "/%25252e./x", "/a%2f..%2fb", "/..%2fx", "/..%5cx",
		"/%5c%5cevil", "/%2f/evil", "/%2fevil", "/..;/x", "/..;a=b/x", "/a%0d%0aX: y", "/a\r\nX: y", "/\x00", "/%00", "/a#b", "/%zz", "/%", "/x?a=%zz", "/x?a=%ff",
		" /x", "\t/x",
		"/%" + strings.Repeat("25", 1<<19) + "41", // each time that it is unescaped it is one percent sign shorter
	} {
		s.method = ""
		response := forward(t.Context(), &message.Request{Method: "GET", Path: path})
		if response.StatusCode != 400 || s.method != "" {
			t.Errorf("%q: %d, asked %s", path, response.StatusCode, s.target)
		}
	}
	for method, want := range map[string]int{"CONNECT": 405, "TRACE": 405, "GET /x HTTP/1.1\r\nX:": 400, "A B": 400} {
		s.method = ""
		response := forward(t.Context(), &message.Request{Method: method, Path: "/"})
		if response.StatusCode != want || s.method != "" {
			t.Errorf("%q: %d", method, response.StatusCode)
		}
	}
}

// Whatever the path is: what a server makes of the request line is at base, however often it unescapes it.
func FuzzForwardedPath(f *testing.F) {
	for _, seed := range []string{
		"/", "/a%2Fb/ü d?x=1&y", "//evil", "/..//", "/%2e%2e/", "/%252e%252e/x", "/..;/x", "/a%2f..%2f..%2fb", "/%5c..", "/a?b?c#d", "/@evil:80", "/%zz", "/\x80",
	} {
		f.Add(seed)
	}
	base := parse(f, "http://127.0.0.1:8080/api")
	f.Fuzz(func(t *testing.T, raw string) {
		target, err := relay.Target(base, &message.Request{Method: "GET", Path: raw})
		if err != nil {
			return
		}
		line := target.RequestURI()
		if strings.ContainsFunc(line, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			t.Fatalf("%q makes the request line %q", raw, line)
		}
		seen, err := url.ParseRequestURI(line)
		if err != nil {
			t.Fatalf("%q makes the request line %q: %v", raw, line, err)
		}
		if target.Host != base.Host || target.Scheme != "http" || target.User != nil {
			t.Fatalf("%q leads to %s", raw, target)
		}
		for at := seen.Path; ; {
			if !strings.HasPrefix(path.Clean(at)+"/", "/api/") {
				t.Fatalf("%q leads to %s", raw, at)
			}
			next, err := url.PathUnescape(at)
			if err != nil || next == at {
				return
			}
			at = next
		}
	})
}

func TestForwardedHeadersAndBody(t *testing.T) {
	s := newService(t)
	forward := relay.NewForward(parse(t, s.URL), nil, 0)
	forward(t.Context(), &message.Request{
		Method: "POST", Path: "/", Body: text("grüß"),
		Headers: fields(
			"Host", "asked.example", "X-Two", "b", "x-two", "a", "Connection", "x-hop", "X-Hop", "1", "Proxy-Authorization", "x",
			"Accept-Encoding", "gzip", "Content-Length", "99", "Transfer-Encoding", "chunked", "Bad Name", "x", "X-Bad", "a\nb", "Expect", "100-continue",
		),
	})
	want := http.Header{
		"X-Two": {"b", "a"}, "X-Forwarded-Host": {"asked.example"}, "Content-Type": {"text/plain; charset=utf-8"}, "Content-Length": {"6"},
	}
	if diff := cmp.Diff(want, s.header); diff != "" || s.body != "grüß" {
		t.Errorf("%s%q", diff, s.body)
	}
}

func TestForwardedResponses(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   message.Response
	}{
		"JSON": {
			func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Add("Set-Cookie", "a=1")
				w.Header().Add("Set-Cookie", "b=2")
				w.WriteHeader(201)
				io.WriteString(w, `{"a":1}`)
			},
			message.Response{StatusCode: 201, Reason: "Created", Headers: fields("Set-Cookie", "a=1", "Set-Cookie", "b=2"),
				Body: message.Body{Format: message.JSON, Bytes: []byte(`{"a":1}`)}},
		},
		"no JSON": {
			func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				io.WriteString(w, `{`)
			},
			message.Response{StatusCode: 200, Reason: "OK", Body: message.Body{Format: message.OctetStream, ContentType: message.JSON, Bytes: []byte(`{`)}},
		},
		"a redirect": {
			func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", "http://elsewhere.example/")
				w.WriteHeader(302)
			},
			message.Response{StatusCode: 302, Reason: "Found", Headers: fields("Location", "http://elsewhere.example/")},
		},
		"gzip that nobody asked for": {
			func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/plain")
				w.Header().Set("Content-Encoding", "gzip")
				io.WriteString(w, gzipped("hello"))
			},
			message.Response{StatusCode: 200, Reason: "OK", Body: text("hello")},
		},
		"brotli": {
			func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Encoding", "br")
				io.WriteString(w, "x")
			},
			message.Response{StatusCode: 502},
		},
		"too large": {
			func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, strings.Repeat("x", 1001)) },
			message.Response{StatusCode: 502},
		},
		"dropped": {
			func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
			message.Response{StatusCode: 502},
		},
		"half": {
			func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "100")
				io.WriteString(w, "x")
			},
			message.Response{StatusCode: 502},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			s.answer = c.answer
			got := relay.NewForward(parse(t, s.URL), nil, 1000)(t.Context(), &message.Request{Method: "GET", Path: "/"})
			var kept []message.Field
			for _, f := range got.Headers {
				if f.Name != "Date" {
					kept = append(kept, f)
				}
			}
			got.Headers = kept
			if c.want.StatusCode == 502 && got.StatusCode == 502 {
				t.Logf("%s", got.Body.Bytes)
				return
			}
			if diff := cmp.Diff(&c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestForwardWithoutAnswer(t *testing.T) {
	s := newService(t)
	end := make(chan struct{})
	defer close(end)
	s.answer = func(http.ResponseWriter, *http.Request) { <-end }
	slow := relay.NewForward(parse(t, s.URL), &http.Client{Timeout: 10 * time.Millisecond}, 0)
	if r := slow(t.Context(), &message.Request{Method: "GET", Path: "/"}); r.StatusCode != 504 {
		t.Errorf("too slow: %d %s", r.StatusCode, r.Body.Bytes)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := slow(ctx, &message.Request{Method: "GET", Path: "/"}); r.StatusCode != 502 {
		t.Errorf("nobody waits: %d %s", r.StatusCode, r.Body.Bytes)
	}

	down := relay.NewForward(parse(t, "http://127.0.0.1:1"), nil, 0)
	r := down(t.Context(), &message.Request{Method: "GET", Path: "/"})
	if r.StatusCode != 502 || strings.Contains(string(r.Body.Bytes), "127.0.0.1") {
		t.Errorf("down: %d %s", r.StatusCode, r.Body.Bytes)
	}
}
