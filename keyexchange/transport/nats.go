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
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"keyward/fault"
	"keyward/internal/natsdial"
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
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Check finds what is wrong with the URL and the subject, and connects to nothing. The error is fault.Usage.
func (o *NATSOptions) Check() error {
	if o.Subject == "" || strings.ContainsAny(o.Subject, " \t\r\n*>") {
		return fault.New(fault.Usage, "name one, without wildcards", "%q is no NATS subject to publish to", o.Subject)
	}
	return o.server().Check()
}

// server is the NATS server as natsdial is told of it.
func (o *NATSOptions) server() natsdial.Options {
	to := natsdial.Options{
		URL: o.URL, AllowPlain: o.AllowPlain, TLS: o.TLS, StepTime: o.StepTime, Log: o.Log,
		HintSecret: "put them into a file, and name it with --nats-creds",
		HintLogin:  "name a file with credentials that hold there with --nats-creds",
		HintRoot:   "name the server's root with --nats-ca-file",
		HintOurs:   "name a certificate that the server takes with --nats-client-cert; this one may have ended, or be revoked",
	}
	if strings.HasPrefix(o.URL, "nats:") {
		to.HintRoot = "the server demands TLS: write tls:// for nats://, and name its root with --nats-ca-file"
	}
	if o.TLS == nil || o.TLS.GetClientCertificate == nil && len(o.TLS.Certificates) == 0 {
		to.HintNone = "name one that the server takes with --nats-client-cert"
	}
	return to
}

// connect connects, with the errors of Check, of natsdial and of the credentials.
func (o *NATSOptions) connect(ctx context.Context) (*natsdial.Conn, error) {
	o.fill()
	if err := o.Check(); err != nil {
		return nil, err
	}
	to := o.server()
	to.More = []nats.Option{nats.ReconnectBufSize(o.MaxQueue), nats.SyncQueueLen(o.MaxQueue / messageCost), nats.PermissionErrOnSubscribe(true)}
	if o.Credentials != nil {
		login, err := o.login()
		if err != nil {
			return nil, err
		}
		to.More = append(to.More, login)
	}
	return to.Connect(ctx)
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

// denied is fault.NotPermitted where an error is that the server lets us not publish or subscribe, as verb says; else nil.
func (o *NATSOptions) denied(verb string, err error) error {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return nil
	}
	return fault.New(fault.NotPermitted, "name another --subject, or have the user of --nats-creds permitted there", "the NATS server does not let us %s to %q", verb, o.Subject)
}

// messageCost is about what a short message that waits takes.
const messageCost = 1 << 10

// NATSPublisher publishes to a subject.
type NATSPublisher struct {
	conn    *natsdial.Conn
	opts    NATSOptions
	dropped int64
}

// DialNATSPublisher connects a Publisher, and waits until the server is there. The error is fault.Usage, fault.InvalidFile of
// the credentials, fault.NotTrusted, fault.NotPermitted, fault.LoginRefused, or context.Cause(ctx).
func DialNATSPublisher(ctx context.Context, o NATSOptions) (*NATSPublisher, error) {
	p := &NATSPublisher{opts: o}
	var err error
	if p.conn, err = p.opts.connect(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// Publish hands a message to the server. While the server is away, messages wait for it, and are dropped when they are too many.
// The error is fault.NotPermitted where the server refused one before it.
func (p *NATSPublisher) Publish(_ context.Context, message []byte) error {
	if err := p.opts.denied("publish", p.conn.LastError()); err != nil {
		return err
	}
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

// Close waits until the server has all messages. Its error says that it may not, or is fault.NotPermitted where it refused one.
func (p *NATSPublisher) Close() error {
	err := p.conn.FlushTimeout(p.opts.StepTime)
	denied := p.opts.denied("publish", p.conn.LastError()) // the server says so before it answers the flush
	p.conn.Close()
	<-p.conn.Closed
	if denied != nil {
		return denied
	}
	if err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		return fault.New(fault.Unreachable, "", "the NATS server may not have the last messages: %w", err)
	}
	return nil
}

// NATSSubscriber reads a subject.
type NATSSubscriber struct {
	conn *natsdial.Conn
	sub  *nats.Subscription
	opts NATSOptions
}

// DialNATSSubscriber connects a Subscriber, with errors as DialNATSPublisher's; a subject that is not for us is fault.NotPermitted.
func DialNATSSubscriber(ctx context.Context, o NATSOptions) (*NATSSubscriber, error) {
	s := &NATSSubscriber{opts: o}
	var err error
	if s.conn, err = s.opts.connect(ctx); err != nil {
		return nil, err
	}
	if s.sub, err = s.conn.SubscribeSync(s.opts.Subject); err == nil {
		err = s.sub.SetPendingLimits(s.opts.MaxQueue/messageCost, s.opts.MaxQueue)
	}
	if err == nil {
		err = s.conn.FlushTimeout(s.opts.StepTime)
	}
	denied := s.opts.denied("subscribe", s.conn.LastError()) // the server says so before it answers the flush
	if denied != nil || err != nil {
		_ = s.Close()
	}
	if denied != nil {
		return nil, denied
	}
	if err != nil {
		return nil, fault.New(fault.Unreachable, "", "cannot subscribe to %q: %w", s.opts.Subject, err)
	}
	return s, nil
}

// Receive gets the next message. The error is fault.NotPermitted where the server, which may have come back with other rules, does
// not let us subscribe any more.
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
		case errors.Is(err, nats.ErrPermissionViolation):
			return nil, s.opts.denied("subscribe", err)
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
	<-s.conn.Closed
	return nil
}
