package cmd

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/relay"
)

// stopTime is what requests that are being answered have when the command ends.
const stopTime = 2 * time.Second

// proxy takes HTTP requests for the peer where the flags name an address. Under the test client's name it does so once a
// peer is met, which scripts wait for.
func (n *connector) proxy(ctx context.Context, c *cli.Context) error {
	host, port, flag, err := n.proxyAddress(c)
	if err != nil || port == "" {
		return err
	}
	names := append(c.StringSlice("http-proxy-name"), host)
	if n.script {
		names = append(names, "*") // as the original, which looks at no name
	}
	server := &http.Server{
		Handler:           relay.NewProxy(n.Client, c.Duration("timeout"), names...),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(n.Log.Handler(), slog.LevelWarn),
	}
	if n.script {
		n.beside(func() error {
			select {
			case <-n.first:
			case <-ctx.Done():
				return nil
			}
			door, err := listenOn(ctx, net.JoinHostPort(host, port), flag)
			if ctx.Err() != nil {
				return nil //nolint:nilerr // it ended because it was to
			}
			if err != nil {
				return err
			}
			return n.serveProxy(ctx, server, door)
		})
		return nil
	}
	door, err := listenOn(ctx, net.JoinHostPort(host, port), flag)
	if err != nil {
		return err
	}
	n.beside(func() error { return n.serveProxy(ctx, server, door) })
	return nil
}

// proxyAddress is where HTTP requests are taken, and the flag that says so; port is "" where they are not. What is given on
// the command line goes before variables.
func (n *connector) proxyAddress(c *cli.Context) (host, port, flag string, err error) {
	both, host, port := c.String("http-proxy"), c.String("http-proxy-address"), c.String("http-proxy-port")
	whole, parted := n.call.given["http-proxy"], n.call.given["http-proxy-address"] || n.call.given["http-proxy-port"]
	switch {
	case whole && !parted:
		host, port = "", ""
	case parted && !whole:
		both = ""
	}
	flag = "--http-proxy-port"
	switch {
	case both != "" && (host != "" || port != ""):
		return "", "", "", fault.New(fault.Usage, "take the one or the other", "--http-proxy and --http-proxy-address or --http-proxy-port do not go together")
	case both != "":
		flag = "--http-proxy"
		if host, port, err = net.SplitHostPort(both); err != nil {
			return "", "", "", fault.New(fault.Usage, "write it as :5001, or with a host before it", "--http-proxy: %w", err)
		}
	case host != "" || n.script:
		port = cmp.Or(port, testClientPort)
	case port == "":
		return "", "", "", nil
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", "", "", fault.New(fault.Usage, "a port is a number up to 65535", "the HTTP proxy's port is %q", port)
	}
	return cmp.Or(host, "localhost"), port, flag, nil
}

// serveProxy serves until ctx ends.
func (n *connector) serveProxy(ctx context.Context, server *http.Server, door net.Listener) error {
	n.note("HTTP requests for the peer are taken at http://%s", door.Addr())
	if tcp, ok := door.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		n.note("warning: whoever reaches this address can send the peer requests, in plain http")
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		_ = server.Shutdown(soon)
		_ = server.Close()
	})
	err := server.Serve(door)
	if stop() { // it ended by itself
		return fault.New(fault.Failed, "", "the HTTP proxy ended: %w", err)
	}
	<-stopped
	return nil
}

// forward has the peer's requests answered by the service of --forward.
func (n *connector) forward(c *cli.Context) error {
	if c.String("forward") == "" {
		return nil
	}
	base, err := url.Parse(c.String("forward"))
	switch {
	case err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return fault.New(fault.Usage, "write it as http://127.0.0.1:8080, with a path if need be", "--forward is no URL of a service")
	case base.Scheme == "http" && !onLoopback(base.Hostname()) && !c.Bool("allow-http"):
		return fault.New(fault.Policy, "use https, or accept that everyone on the way reads along with --allow-http", "--forward goes to %s by plain http", printable(base.Host))
	}
	service := &http.Client{Timeout: c.Duration("timeout"), Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute}}
	n.Handle = relay.NewForward(base, service, n.MaxMessage)
	return nil
}

func onLoopback(host string) bool { return host == "localhost" || net.ParseIP(host).IsLoopback() }
