package relay

import (
	"bufio"
	"cmp"
	"context"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/url"

	"keyward/fault"
)

const hintProxy = "check HTTPS_PROXY, its user and password too, or name the relay in NO_PROXY"

// connect makes a connection to the relay's port, through the proxy where there is one for it.
func (c *Client) connect(ctx context.Context, target *url.URL) (net.Conn, error) {
	address := net.JoinHostPort(target.Hostname(), cmp.Or(target.Port(), "443"))
	proxy, err := c.proxyOf(address)
	if err != nil {
		return nil, err
	}
	if proxy == nil {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(proxy.Hostname(), cmp.Or(proxy.Port(), "80")))
	if err != nil {
		return nil, fault.New(fault.Unreachable, hintProxy, "cannot connect to the proxy at %s: %w", proxy.Host, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	err = tunnel(conn, proxy, address)
	if !stop() {
		err = fault.New(fault.Unreachable, hintProxy, "the proxy at %s: %w", proxy.Host, ctx.Err())
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// proxyOf is the proxy for an address, nil where there is none. No error repeats its URL, which may have a password.
func (c *Client) proxyOf(address string) (*url.URL, error) {
	if c.Proxy == nil {
		return nil, nil
	}
	proxy, err := c.Proxy(&http.Request{URL: &url.URL{Scheme: "https", Host: address}})
	switch {
	case err == nil && proxy == nil:
		return nil, nil
	case err != nil || !bare(proxy):
		return nil, fault.New(fault.Usage, "write HTTPS_PROXY as http://[USER:PASSWORD@]HOST:PORT, and in the password / as %2F, ? as %3F and # as %23",
			"the proxy setting is not a valid URL")
	case proxy.Scheme != "http":
		return nil, fault.New(fault.Usage, "write HTTPS_PROXY as http://HOST:PORT", "a proxy that is spoken to in %s: relays are reached through http ones alone", proxy.Scheme)
	}
	return proxy, nil
}

// bare says whether there is nothing behind a URL's host. In http://user:12/34@host that is what the password has behind its
// slash, and the rest of it would be told as the port.
func bare(u *url.URL) bool {
	return (u.Path == "" || u.Path == "/") && u.RawQuery == "" && u.Fragment == ""
}

// tunnel has a proxy connect us to an address (RFC 9110, section 9.3.6).
func tunnel(conn net.Conn, proxy *url.URL, address string) error {
	ask := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if user := proxy.User; user != nil {
		password, _ := user.Password()
		ask.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	in := bufio.NewReader(io.LimitReader(conn, mostHeader))
	err := ask.Write(conn)
	if err == nil {
		var answer *http.Response
		if answer, err = http.ReadResponse(in, ask); err == nil { //nolint:bodyclose // it would wait for the tunnel's end
			return tunneled(proxy, answer, in.Buffered())
		}
	}
	return fault.New(fault.Unreachable, hintProxy, "the proxy at %s gave no answer: %w", proxy.Host, err)
}

// tunneled says what a proxy's answer means. Nobody speaks before us in TLS, so that what comes with it is the proxy's.
func tunneled(proxy *url.URL, answer *http.Response, early int) error {
	switch {
	case answer.StatusCode < 200 || answer.StatusCode > 299:
		return fault.New(fault.Unreachable, hintProxy, "the proxy at %s does not connect us to the relay: it answers %d", proxy.Host, answer.StatusCode)
	case early > 0:
		return fault.New(fault.Unreachable, hintProxy, "the proxy at %s: there is more behind its answer", proxy.Host)
	}
	return nil
}
