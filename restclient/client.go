package restclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"keyward/fault"
)

// Options are what a Client needs to know beside its registry's URL.
type Options struct {
	// TLS says whom to trust: RootCAs, or what Pinned gives; nil is the system's roots.
	// It is cloned, and less than TLS 1.2 is never spoken.
	TLS *tls.Config
	// AllowHTTP permits plain http to a host that is not loopback.
	AllowHTTP bool
	// AltairAuth sends "Authorization: <type>:<token>", as Altair's clients do, and not
	// the standard "Bearer <token>". A keyward registry takes both.
	AltairAuth bool
	// UserAgent names the program to the server; "keyward" where empty.
	UserAgent string
	// Timeout bounds each call, and in AllKeys the wait for each key; 30 seconds where zero.
	Timeout time.Duration
	// Proxy chooses a proxy as http.Transport does; nil is none.
	Proxy func(*http.Request) (*url.URL, error)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Client calls one registry. Its methods may be called from many goroutines.
type Client struct {
	base       *url.URL
	http       *http.Client
	altairAuth bool
	userAgent  string
	timeout    time.Duration
	now        func() time.Time
}

const defaultTimeout = 30 * time.Second

// New makes a client of the registry at rawURL, which ParseURL reduces. It connects to
// nothing yet. Errors are fault.Usage, and fault.Policy for plain http without AllowHTTP
// or with a TLS that it would silently pass by.
func New(rawURL string, opts Options) (*Client, error) {
	base, err := ParseURL(rawURL)
	if err != nil {
		return nil, err
	}
	if base.Scheme == "http" && !opts.AllowHTTP && !isLoopback(base.Hostname()) {
		return nil, fault.New(fault.Policy, "use https, or accept that everyone on the way reads along with --allow-http",
			"%s is plain http, which would send the password unprotected", base)
	}
	if base.Scheme == "http" && opts.TLS != nil {
		return nil, fault.New(fault.Policy, "use https, or do without the pin or the roots",
			"%s is plain http, where no pin and no roots can be checked", base)
	}
	c := &Client{
		base:       base,
		altairAuth: opts.AltairAuth,
		userAgent:  opts.UserAgent,
		timeout:    opts.Timeout,
		now:        opts.Now,
	}
	if c.userAgent == "" {
		c.userAgent = "keyward"
	}
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}
	if c.now == nil {
		c.now = time.Now
	}
	c.http = &http.Client{
		Transport:     newTransport(opts),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

func newTransport(opts Options) *http.Transport {
	config := opts.TLS.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	if config.Time == nil {
		config.Time = opts.Now
	}
	return &http.Transport{
		TLSClientConfig:        config,
		Proxy:                  discreet(opts.Proxy),
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// discreet replaces the proxy function's errors: http.ProxyFromEnvironment's repeat the
// proxy's URL, with its password. It refuses a proxy that is spoken to in TLS, which would be
// held against the registry's roots and pin.
func discreet(proxy func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	if proxy == nil {
		return nil
	}
	return func(r *http.Request) (*url.URL, error) {
		u, err := proxy(r)
		if err != nil {
			return nil, errors.New("the proxy setting is not a valid URL")
		}
		if u != nil && u.Scheme == "https" {
			return nil, errors.New("a proxy that speaks TLS itself: what the registry is held against would count for it too")
		}
		return u, nil
	}
}

// URL is the registry's, as scheme://host:port.
func (c *Client) URL() string { return c.base.String() }

// Close closes the idle connections. The client stays usable.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call is one request of the API.
type call struct {
	method string
	path   string // escaped, as package wire makes it
	token  Token  // the zero Token sends no Authorization
	body   any    // url.Values is sent as a form, anything else as JSON, nil not at all
	need   string // the field that the answer must have
}

// do makes the call and decodes its answer into out. A nil out takes any answer of the API.
func (c *Client) do(ctx context.Context, k call, out any) error {
	at, _, body, err := c.ask(ctx, k)
	if err != nil || out == nil {
		return err
	}
	return decode(at, body, k.need, out)
}

// ask makes the call and reads its answer, which is of the API where err is nil.
func (c *Client) ask(ctx context.Context, k call) (at Error, seen Seen, body []byte, err error) {
	ctx, timer := c.limit(ctx)
	defer timer.stop()
	at = c.at(k)
	resp, err := c.send(ctx, k)
	if err != nil {
		return at, seen, nil, noAnswer(ctx, at, err, c.now())
	}
	defer resp.Body.Close()
	at.Status, seen = resp.StatusCode, seenIn(resp)
	if body, err = readAll(resp.Body); err != nil {
		return at, seen, nil, noAnswer(ctx, at, err, c.now())
	}
	return at, seen, body, judge(at, resp.Header, body, c.now())
}

// send makes the request; the caller closes the answer's body.
func (c *Client) send(ctx context.Context, k call) (*http.Response, error) {
	body, contentType, err := encode(k.body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, k.method, c.base.String()+k.path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.userAgent)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if k.token.Access != "" {
		if !k.token.sendable() {
			return nil, fault.New(fault.Usage, "log in again", "the token holds characters that no token has")
		}
		req.Header.Set("Authorization", k.token.authorization(c.altairAuth))
	}
	return c.http.Do(req)
}

func encode(body any) (r io.Reader, contentType string, err error) {
	switch body := body.(type) {
	case nil:
		return nil, "", nil
	case url.Values:
		return strings.NewReader(body.Encode()), "application/x-www-form-urlencoded", nil
	}
	data, err := json.Marshal(body)
	return bytes.NewReader(data), "application/json", err
}

// at starts the Error of the call.
func (c *Client) at(k call) Error {
	path, _, _ := strings.Cut(k.path, "?")
	return Error{Method: k.method, URL: c.base.String() + path}
}

// checkUser refuses the names that would make another path of a user's path.
func checkUser(user string) error {
	if user == "" || user == "." || user == ".." {
		return fault.New(fault.Usage, "name the user", "%q is not a user name", user)
	}
	return nil
}
