// Package natsdial connects to NATS servers, as all our clients of them do.
package natsdial

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"

	"keyward/fault"
	"keyward/internal/retry"
	"keyward/internal/tlsclient"
)

// Options say how to reach a NATS server; what is zero has the default that stands with it.
type Options struct {
	URL        string        // nats://HOST:PORT or tls://HOST:PORT, required
	AllowPlain bool          // nats:// to another machine: all that is sent can be read on the way
	TLS        *tls.Config   // for tls://; its ServerName is the host's
	StepTime   time.Duration // for each step of connecting: 10 seconds
	Log        *slog.Logger  // hears of connections that are lost; nil is none
	Reconnects int           // tries without success after which a connection that was lost ends: it never does
	More       []nats.Option // come after ours

	HintSecret string // what to do with a user or a password, which the URL may not have
	HintLogin  string // what to do where the server lets us not in
	HintRoot   string // what to do where the server is not below our roots: "name the root of its certificate"
	HintOurs   string // what to do where the server does not take our certificate: "name a client certificate that the server takes"
	HintNone   string // what to do where it wants one; "" where one is shown
}

func (o *Options) fill() {
	o.StepTime = cmp.Or(o.StepTime, 10*time.Second)
	o.Reconnects = cmp.Or(o.Reconnects, -1)
	if o.TLS = o.TLS.Clone(); o.TLS == nil {
		o.TLS = new(tls.Config)
	}
	o.TLS.MinVersion = max(o.TLS.MinVersion, tls.VersionTLS12)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// server finds what is wrong with the URL, and gives its host and port, and whether it is of TLS. The error is fault.Usage, and has no part of
// a URL that may be a secret.
func (o *Options) server() (host string, secure bool, err error) {
	const hint = "write it as tls://HOST:PORT, or nats://HOST:PORT for this machine's"
	u, err := url.Parse(o.URL)
	if err == nil && u.Host != "" && u.Scheme != "nats" && u.Scheme != "tls" {
		return "", false, fault.New(fault.Usage, hint, "%s:// is not for a NATS server", u.Scheme)
	}
	if err != nil || u.Hostname() == "" {
		return "", false, fault.New(fault.Usage, hint, "the URL of the NATS server does not parse")
	}
	if u.User != nil {
		return "", false, fault.New(fault.Usage, o.HintSecret, "the URL of the NATS server has a user or a password in it")
	}
	if u.Scheme == "nats" && !o.AllowPlain && !loopback(u.Hostname()) {
		return "", false, fault.New(fault.Usage, hint, "plain NATS to %q can be read on the way", u.Hostname())
	}
	return u.Host, u.Scheme == "tls", nil
}

// Check finds what is wrong with the URL before anything is connected to. The error is fault.Usage.
func (o Options) Check() error {
	_, _, err := o.server()
	return err
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// Conn is a connection of the library, and its end.
type Conn struct {
	*nats.Conn
	Closed <-chan struct{} // is closed when the connection has ended for good, and nothing of it runs
}

// Connect connects, and tries again while the server cannot be reached. It returns other errors at once: fault.Usage, fault.NotTrusted,
// fault.NotPermitted where the server does not take our certificate, the second time where it says so by closing alone, fault.LoginRefused. At the end of ctx it is context.Cause(ctx), for a deadline
// with the last try's error.
func (o Options) Connect(ctx context.Context) (*Conn, error) {
	host, secure, err := o.server()
	if err != nil {
		return nil, err
	}
	o.fill()
	closed := make(chan struct{})
	gone := net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3} // notices it within half a minute
	dialer := &dialer{Dialer: net.Dialer{Timeout: o.StepTime, KeepAliveConfig: gone}, starting: ctx}
	options := append(o.list(secure, closed), nats.SetCustomDialer(dialer), nats.CustomReconnectDelay(dialer.pause))
	options = append(options, o.More...)
	for tries := 0; ctx.Err() == nil; tries++ {
		var conn *nats.Conn
		if conn, err = nats.Connect(o.URL, options...); err == nil {
			dialer.library.Store(conn)
			if tries > 0 {
				o.Log.Info("connected", "server", host)
			}
			return &Conn{conn, closed}, nil
		}
		if err = o.Fault(err); fault.KindOf(err) != fault.Unreachable && (!isClosed(err) || tries > 0) {
			return nil, err
		}
		retry.Wait(ctx, o.Log, "no connection", tries, err, "server", host)
	}
	if cause := context.Cause(ctx); err == nil || !errors.Is(cause, context.DeadlineExceeded) {
		return nil, cause
	}
	return nil, fault.New(fault.Unreachable, "", "%w (%w)", err, context.Cause(ctx))
}

// dialer gives up the first connection when its context ends: the library waits for a server that is silent.
type dialer struct {
	net.Dialer
	starting context.Context           //nolint:containedctx // the library's Dial has none
	library  atomic.Pointer[nats.Conn] // nil until it has connected
}

// Dial connects as net.Dial does.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	conn, err := d.dial(network, address)
	if err != nil {
		return nil, err
	}
	return &greeted{Conn: conn}, nil
}

func (d *dialer) dial(network, address string) (net.Conn, error) {
	if d.library.Load() != nil {
		return d.Dialer.Dial(network, address)
	}
	conn, err := d.DialContext(d.starting, network, address)
	if err == nil {
		context.AfterFunc(d.starting, func() {
			if d.library.Load() == nil {
				_ = conn.Close()
			}
		})
	}
	return conn, err
}

// pause is how long the library waits before it connects again. It is where we hear why it could not before: of TLS the library tells nobody.
func (d *dialer) pause(tries int) time.Duration {
	if library := d.library.Load(); library != nil {
		if err := library.LastError(); errors.Is(err, nats.ErrTLS) {
			library.ErrorHandler()(library, nil, err)
		}
	}
	return retry.Pause(tries, retry.LastPause)
}

// list is the options as the library has them.
func (o *Options) list(secure bool, closed chan struct{}) []nats.Option {
	trust := func(library *nats.Options) error {
		library.TLSConfig, library.Secure = o.TLS, secure // a server that is asked for no TLS may want it
		return nil
	}
	options := []nats.Option{
		trust,
		nats.Name("keyward"), nats.Timeout(o.StepTime), nats.MaxReconnects(o.Reconnects), nats.IgnoreAuthErrorAbort(),
		nats.ClosedHandler(func(*nats.Conn) { close(closed) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				o.Log.Info("connection lost", "cause", err)
			}
		}),
		nats.ReconnectHandler(func(c *nats.Conn) { o.Log.Info("connected", "server", c.ConnectedUrlRedacted()) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { o.Log.Warn("NATS", "cause", err) }),
	}
	if !secure && !o.AllowPlain {
		options = append(options, nats.IgnoreDiscoveredServers()) // they may be of other machines
	}
	return options
}

// Fault is why the server was not connected to, or does not have us any more. All but fault.Unreachable will be the same the next time.
func (o Options) Fault(err error) error {
	host, _, _ := o.server()
	server := tlsclient.Server{
		Name:     "the NATS server at " + host,
		HintRoot: cmp.Or(o.HintRoot, "name the root of the NATS server's certificate; that of the registry is another"),
		HintHost: "name the server as its certificate does",
		HintOurs: cmp.Or(o.HintOurs, "name a client certificate that the server takes"),
		HintNone: o.HintNone,
	}
	if trust := server.Fault(err); trust != nil {
		return trust
	}
	switch {
	case errors.Is(err, nats.ErrTLS) && isClosed(err):
		return server.Refuses(err)
	case errors.Is(err, nats.ErrSecureConnWanted):
		return fault.New(fault.NotTrusted, "connect with nats://, or have the server offer TLS", "%s offers no TLS", server.Name)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked),
		errors.Is(err, nats.ErrAccountAuthExpired), errors.Is(err, nats.ErrNkeysNotSupported):
		return fault.New(fault.LoginRefused, o.HintLogin, "%s refuses us: %w", server.Name, err)
	}
	return fault.New(fault.Unreachable, "", "%s: %w", server.Name, err)
}

// isClosed says whether an error is that the other end closed the connection. With TLS 1.3 a server judges our certificate after
// our handshake, and its alert is lost where we write meanwhile. A server that was too busy for its own time limit does the same, and
// not twice.
func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}
