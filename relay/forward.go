package relay

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"keyward/relay/message"
)

// NewForward answers REST:REQUESTs by calling the HTTP service at base; it is for a Client's Handle. The peer chooses
// nothing but what is behind base's path. A nil client is one of 30 seconds, without the environment's proxies; of another
// its redirects are not followed either. A response of more bytes than limit (DefaultMaxMessage where zero) becomes a 502.
func NewForward(base *url.URL, client *http.Client, limit int64) func(context.Context, *message.Request) *message.Response {
	if client == nil {
		client = &http.Client{
			Timeout: callTime,
			Transport: &http.Transport{
				DisableCompression:     true,
				MaxIdleConnsPerHost:    mostRequests,
				MaxResponseHeaderBytes: 64 << 10,
			},
		}
	}
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	f := &forward{base, &own, cmp.Or(limit, DefaultMaxMessage)}
	return f.handle
}

type forward struct {
	base   *url.URL
	client *http.Client
	limit  int64
}

func (f *forward) handle(ctx context.Context, r *message.Request) *message.Response {
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		return problem(http.StatusMethodNotAllowed, r.Method+" is not forwarded")
	}
	request, err := f.request(ctx, r)
	if err != nil {
		return problem(http.StatusBadRequest, err.Error())
	}
	came, err := f.client.Do(request)
	if err != nil {
		return f.noAnswer(err)
	}
	defer came.Body.Close()
	data, err := readBody(came.Header, came.Body, f.limit)
	if err != nil {
		return f.noAnswer(err)
	}
	body, err := message.NewBody(came.Header.Get("Content-Type"), data)
	if err != nil {
		body = message.Body{Format: message.OctetStream, ContentType: came.Header.Get("Content-Type"), Bytes: data}
	}
	if body.Bytes == nil { // as of HEAD
		body.ContentType = came.Header.Get("Content-Type")
	}
	return &message.Response{
		StatusCode: came.StatusCode,
		Reason:     strings.TrimSpace(strings.TrimPrefix(came.Status, came.Status[:min(3, len(came.Status))])),
		Headers:    fieldsOf(came.Header),
		Body:       body,
	}
}

// request makes an HTTP request of a REST:REQUEST.
func (f *forward) request(ctx context.Context, r *message.Request) (*http.Request, error) {
	target, err := f.target(r)
	if err != nil {
		return nil, err
	}
	var body io.Reader
	if r.Body.Bytes != nil {
		body = bytes.NewReader(r.Body.Bytes)
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, target.String(), body)
	if err != nil {
		return nil, errors.New("it makes no HTTP request")
	}
	request.URL = target // as it is, not as its text would be read
	request.Header = headerOf(r.Headers)
	if r.Body.Bytes != nil {
		request.Header.Set("Content-Type", contentType(r.Body))
	}
	if host := request.Header.Get("Host"); host != "" {
		request.Header.Set("X-Forwarded-Host", host)
		request.Header.Del("Host")
	}
	request.Header.Del("Accept-Encoding") // so that the body comes as it is
	if request.UserAgent() == "" {
		request.Header.Set("User-Agent", "") // not Go's own
	}
	return request, nil
}

// target is the URL of a request: base's scheme and host, always.
func (f *forward) target(r *message.Request) (*url.URL, error) {
	path, query, _ := strings.Cut(r.Path, "?")
	if !inside(path) {
		return nil, errors.New("the path is not one that is forwarded: it begins with one slash, and has no dot segments, backslashes or control characters")
	}
	target := *f.base
	target.RawPath = strings.TrimSuffix(f.base.EscapedPath(), "/") + escaped(path)
	var err error
	if target.Path, err = url.PathUnescape(target.RawPath); err != nil {
		return nil, errors.New("the path is not escaped as it should be")
	}
	more, err := parseQuery(query)
	if err != nil {
		return nil, err
	}
	target.RawQuery = queryOf(append(more, r.Query...))
	target.Fragment, target.RawFragment = "", ""
	return &target, nil
}

// escaped escapes what a path has to have escaped (RFC 3986, section 3.3), and leaves alone what is.
func escaped(path string) string {
	var out strings.Builder
	for i := range len(path) {
		c := path[i]
		if c < utf8.RuneSelf && (unicode.IsLetter(rune(c)) || unicode.IsDigit(rune(c)) || strings.IndexByte("%/-._~!$&'()*+,;=:@", c) >= 0) {
			out.WriteByte(c)
			continue
		}
		fmt.Fprintf(&out, "%%%02X", c)
	}
	return out.String()
}

// mostEscapes is how often what is in a path may be escaped. Services unescape once, sloppy ones twice.
const mostEscapes = 8

// inside says whether a path stays behind the one that is put before it, however often it is unescaped.
func inside(path string) bool {
	if !strings.HasPrefix(path, "/") || strings.Contains(path, "#") {
		return false
	}
	for range mostEscapes + 1 {
		if strings.HasPrefix(path, "//") || strings.Contains(path, `\`) || strings.ContainsFunc(path, unicode.IsControl) {
			return false
		}
		if slices.ContainsFunc(strings.Split(path, "/"), isDots) {
			return false
		}
		next, err := url.PathUnescape(path)
		if err != nil || next == path {
			return true
		}
		path = next
	}
	return false
}

// isDots says whether a segment is one that leads elsewhere. Some servers look away from what follows a semicolon.
func isDots(segment string) bool {
	name, _, _ := strings.Cut(segment, ";")
	return name == "." || name == ".."
}

// queryOf is a query with its parameters in their order.
func queryOf(fields []message.Field) string {
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = url.QueryEscape(f.Name) + "=" + url.QueryEscape(f.Value)
	}
	return strings.Join(parts, "&")
}

// noAnswer answers for a service that did not. The peer does not learn where it is.
func (f *forward) noAnswer(err error) *message.Response {
	if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return problem(http.StatusGatewayTimeout, "the service did not answer in time")
	}
	if errors.Is(err, ErrTooLarge) || errors.Is(err, errEncoding) {
		return problem(http.StatusBadGateway, "the service's response cannot be sent: "+err.Error())
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return problem(http.StatusBadGateway, "the service is not there: "+errno.Error())
	}
	return problem(http.StatusBadGateway, "the service gave no answer")
}
