package transport

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"keyward/internal/fault"
	"keyward/internal/retry"
	"keyward/internal/tlsclient"
)

// NATSOptions say how to reach a NATS server; what is zero has the default that stands with it.
type NATSOptions struct {
	URL         string                 // nats://HOST:PORT or tls://HOST:PORT, required
	Subject     string                 // required
	AllowPlain  bool                   // nats:// to another machine: all but sealed messages can be read on the way
	TLS         *tls.Config            // for tls://; its ServerName is the host's
	Credentials func() ([]byte, error) // a user's JWT and seed as nsc writes them, or USER:PASSWORD; asked at each connection; nil is none
	MaxMessage  int                    // bytes of a message that a subscriber takes: DefaultMaxMessage
	MaxQueue    int                    // bytes that wait for Receive, or for the server to be back, before messages are dropped: 64 MiB
	StepTime    time.Duration          // for connecting, and for what is left at Close: 10 seconds
	Log         *slog.Logger           // hears of connections that are lost; nil is none
}

func (o *NATSOptions) fill() {
	o.MaxMessage = cmp.Or(o.MaxMessage, DefaultMaxMessage)
	o.MaxQueue = cmp.Or(o.MaxQueue, 64<<20)
	o.StepTime = cmp.Or(o.StepTime, 10*time.Second)
	if o.TLS = o.TLS.Clone(); o.TLS == nil {
		o.TLS = new(tls.Config)
	}
	o.TLS.MinVersion = max(o.TLS.MinVersion, tls.VersionTLS12)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// check finds what is wrong with the options. The error is fault.Usage, and has no part of a URL that may be a secret.
func (o *NATSOptions) check() (host string, err error) {
	const hint = "write it as tls://HOST:PORT, or nats://HOST:PORT for this machine's"
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "nats" && u.Scheme != "tls" || u.Hostname() == "" {
		return "", fault.New(fault.Usage, hint, "the URL of the NATS server does not parse")
	}
	if u.User != nil {
		return "", fault.New(fault.Usage, "put them into a file, and name it with --nats-creds", "the URL of the NATS server has a user or a password in it")
	}
	if u.Scheme == "nats" && !o.AllowPlain && !loopback(u.Hostname()) {
		return "", fault.New(fault.Usage, hint, "plain NATS to %q can be read on the way", u.Hostname())
	}
	if o.Subject == "" || strings.ContainsAny(o.Subject, " \t\r\n*>") {
		return "", fault.New(fault.Usage, "name one, without wildcards", "%q is no NATS subject to publish to", o.Subject)
	}
	return u.Host, nil
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// connectNATS connects, and tries again while the server cannot be reached. It returns other errors at once: fault.Usage, fault.NotTrusted,
// fault.NotPermitted where the server does not take our certificate, fault.LoginRefused.
func connectNATS(ctx context.Context, o *NATSOptions) (*nats.Conn, <-chan struct{}, error) {
	o.fill()
	host, err := o.check()
	if err != nil {
		return nil, nil, err
	}
	closed := make(chan struct{})
	options, err := o.list(closed)
	dialer := &natsDialer{Dialer: net.Dialer{Timeout: o.StepTime, KeepAliveConfig: keepAlive()}, starting: ctx}
	options = append(options, nats.SetCustomDialer(dialer))
	for tries := 0; err == nil && ctx.Err() == nil; tries++ {
		var conn *nats.Conn
		if conn, err = nats.Connect(o.URL, options...); err == nil {
			dialer.started.Store(true)
			o.Log.Info("connected", "server", host)
			return conn, closed, nil
		}
		if err = natsFault(host, err); fault.KindOf(err) == fault.Unreachable {
			retry.Wait(ctx, o.Log, "no connection", tries, err, "server", host)
			err = nil
		}
	}
	return nil, nil, cmp.Or(err, context.Cause(ctx))
}

// natsDialer gives up the first connection when its context ends: the library waits for a server that is silent.
type natsDialer struct {
	net.Dialer
	starting context.Context //nolint:containedctx // the library's Dial has none
	started  atomic.Bool
}

// Dial connects as net.Dial does.
func (d *natsDialer) Dial(network, address string) (net.Conn, error) {
	if d.started.Load() {
		return d.Dialer.Dial(network, address)
	}
	conn, err := d.DialContext(d.starting, network, address)
	if err == nil {
		context.AfterFunc(d.starting, func() {
			if !d.started.Load() {
				_ = conn.Close()
			}
		})
	}
	return conn, err
}

// list is the options as the library has them.
func (o *NATSOptions) list(closed chan struct{}) ([]nats.Option, error) {
	options := []nats.Option{
		nats.Name("keyward"), nats.Timeout(o.StepTime), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(),
		nats.ReconnectBufSize(o.MaxQueue), nats.SyncQueueLen(o.MaxQueue / messageCost),
		nats.CustomReconnectDelay(func(tries int) time.Duration { return retry.Pause(tries, retry.LastPause) }),
		nats.ClosedHandler(func(*nats.Conn) { close(closed) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				o.Log.Info("connection lost", "cause", err)
			}
		}),
		nats.ReconnectHandler(func(c *nats.Conn) { o.Log.Info("connected", "server", c.ConnectedUrlRedacted()) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { o.Log.Warn("NATS", "cause", err) }),
	}
	if strings.HasPrefix(o.URL, "tls:") {
		options = append(options, nats.Secure(o.TLS))
	} else if !o.AllowPlain {
		options = append(options, nats.IgnoreDiscoveredServers()) // they may be of other machines
	}
	if o.Credentials == nil {
		return options, nil
	}
	login, err := o.login()
	return append(options, login), err
}

// login is the option of the credentials, whose form does not change while they are used.
func (o *NATSOptions) login() (nats.Option, error) {
	text, err := o.Credentials()
	if err != nil {
		return nil, err
	}
	if bytes.Contains(text, []byte("BEGIN NATS USER JWT")) {
		return nats.UserJWT(o.jwt, o.sign), nil
	}
	if !bytes.Contains(text, []byte(":")) {
		return nil, fault.New(fault.InvalidFile, "it has a user's JWT and seed, as nsc writes them, or one line USER:PASSWORD", "the NATS credentials have neither form")
	}
	return nats.UserInfoHandler(func() (user, password string) {
		text, err := o.Credentials()
		if err != nil {
			o.Log.Warn("no credentials", "cause", err)
		}
		line, _, _ := strings.Cut(string(text), "\n")
		user, password, _ = strings.Cut(strings.TrimSuffix(line, "\r"), ":")
		return user, password
	}), nil
}

func (o *NATSOptions) jwt() (string, error) {
	text, err := o.Credentials()
	if err != nil {
		return "", err
	}
	return nkeys.ParseDecoratedJWT(text)
}

func (o *NATSOptions) sign(nonce []byte) ([]byte, error) {
	text, err := o.Credentials()
	if err != nil {
		return nil, err
	}
	pair, err := nkeys.ParseDecoratedNKey(text)
	if err != nil {
		return nil, err
	}
	defer pair.Wipe()
	return pair.Sign(nonce)
}

// natsFault is why the server was not connected to. All but fault.Unreachable will be the same the next time.
func natsFault(host string, err error) error {
	server := tlsclient.Server{
		Name:     "the NATS server at " + host,
		HintRoot: "name its root",
		HintHost: "name the server as its certificate does",
		HintOurs: "name a client certificate that the server takes",
	}
	if trust := server.Fault(err); trust != nil {
		return trust
	}
	switch {
	case errors.Is(err, nats.ErrSecureConnWanted):
		return fault.New(fault.NotTrusted, "connect with nats://, or have the server offer TLS", "%s offers no TLS", server.Name)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked),
		errors.Is(err, nats.ErrAccountAuthExpired), errors.Is(err, nats.ErrNkeysNotSupported):
		return fault.New(fault.LoginRefused, "name a file with credentials that hold there", "%s refuses us: %w", server.Name, err)
	}
	return fault.New(fault.Unreachable, "", "%s: %w", server.Name, err)
}

// messageCost is about what a short message that waits takes.
const messageCost = 1 << 10

// NATSPublisher publishes to a subject.
type NATSPublisher struct {
	conn    *nats.Conn
	closed  <-chan struct{}
	opts    NATSOptions
	dropped int64
}

// DialNATSPublisher connects a Publisher, and waits until the server is there. The error is fault.Usage, fault.InvalidFile of
// the credentials, fault.NotTrusted, fault.NotPermitted, fault.LoginRefused, or context.Cause(ctx).
func DialNATSPublisher(ctx context.Context, o NATSOptions) (*NATSPublisher, error) {
	p := &NATSPublisher{opts: o}
	var err error
	if p.conn, p.closed, err = connectNATS(ctx, &p.opts); err != nil {
		return nil, err
	}
	return p, nil
}

// Publish hands a message to the server. While the server is away, messages wait for it, and are dropped when they are too many.
func (p *NATSPublisher) Publish(_ context.Context, message []byte) error {
	err := p.conn.Publish(p.opts.Subject, message)
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: %d bytes are more than the NATS server takes", ErrBad, len(message))
	case errors.Is(err, nats.ErrReconnectBufExceeded):
		p.dropped++
		return nil
	case errors.Is(err, nats.ErrConnectionClosed):
		return net.ErrClosed
	}
	return err
}

// Dropped is how many messages were dropped while the server was away.
func (p *NATSPublisher) Dropped() int64 { return p.dropped }

// Close waits until the server has all messages. Its error says that it may not.
func (p *NATSPublisher) Close() error {
	err := p.conn.FlushTimeout(p.opts.StepTime)
	p.conn.Close()
	<-p.closed
	if err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		return fault.New(fault.Unreachable, "", "the NATS server may not have the last messages: %w", err)
	}
	return nil
}

// NATSSubscriber reads a subject.
type NATSSubscriber struct {
	conn   *nats.Conn
	sub    *nats.Subscription
	closed <-chan struct{}
	opts   NATSOptions
}

// DialNATSSubscriber connects a Subscriber, with errors as DialNATSPublisher's.
func DialNATSSubscriber(ctx context.Context, o NATSOptions) (*NATSSubscriber, error) {
	s := &NATSSubscriber{opts: o}
	var err error
	if s.conn, s.closed, err = connectNATS(ctx, &s.opts); err != nil {
		return nil, err
	}
	if s.sub, err = s.conn.SubscribeSync(s.opts.Subject); err == nil {
		err = s.sub.SetPendingLimits(s.opts.MaxQueue/messageCost, s.opts.MaxQueue)
	}
	if err == nil {
		err = s.conn.FlushTimeout(s.opts.StepTime)
	}
	if err != nil {
		_ = s.Close()
		return nil, fault.New(fault.Unreachable, "", "cannot subscribe to %q: %w", s.opts.Subject, err)
	}
	return s, nil
}

// Receive gets the next message.
func (s *NATSSubscriber) Receive(ctx context.Context) ([]byte, error) {
	for {
		message, err := s.sub.NextMsgWithContext(ctx)
		switch {
		case err == nil && len(message.Data) > s.opts.MaxMessage:
			return nil, fmt.Errorf("%w: %d bytes are more than %d", ErrBad, len(message.Data), s.opts.MaxMessage)
		case err == nil:
			return message.Data, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrBadSubscription):
			return nil, net.ErrClosed
		case !errors.Is(err, nats.ErrSlowConsumer): // which Dropped counts
			return nil, err
		}
	}
}

// Dropped is how many messages were dropped since Receive was not called often enough.
func (s *NATSSubscriber) Dropped() int64 {
	dropped, _ := s.sub.Dropped() // the error is of a Subscriber that is closed
	return int64(dropped)
}

// Close ends the connection, and a Receive that waits.
func (s *NATSSubscriber) Close() error {
	s.conn.Close()
	<-s.closed
	return nil
}
