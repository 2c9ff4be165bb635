// Package natsclient talks over an Xbus: it sends to message boxes, hears them, asks services and is one, for an account that a TLS
// client certificate names. The NATS server enforces who may do what; what no server can, this package does. It takes the sender of each
// message from its subject, awaits each reply in the place of the one account that may write there, and as a service replies nowhere but
// in the inbox of who asks: see the comment of package bus.
package natsclient

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"keyward/bus"
	"keyward/fault"
	"keyward/internal/natsdial"
)

// Config says where the bus is and who we are; what is zero has the default that stands with it.
type Config struct {
	URL         string        // tls://HOST:PORT, or nats://HOST:PORT for this machine's; required
	TLS         *tls.Config   // with the account's certificate, and the roots of the server's
	Account     bus.Name      // the account that opens: the one that the first of TLS.Certificates names
	TrustDomain string        // what the certificate's has to be: any
	StepTime    time.Duration // for each step of connecting, and for each answer of the server: 10 seconds
	Reconnects  int           // tries without success after which a connection that was lost ends: 10, which is one to two minutes
	Log         *slog.Logger  // hears of connections that are lost, and of requests that get no reply; nil is none
}

func (c *Config) fill() {
	c.StepTime = cmp.Or(c.StepTime, 10*time.Second)
	c.Reconnects = cmp.Or(c.Reconnects, 10)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// account finds out who we are. The error is fault.Usage, or fault.NotTrusted as bus.AccountOf has it.
func (c *Config) account() (bus.Name, error) {
	if c.Account != "" {
		return bus.ParseName(string(c.Account))
	}
	if c.TLS == nil || len(c.TLS.Certificates) == 0 || len(c.TLS.Certificates[0].Certificate) == 0 {
		return "", fault.New(fault.Usage, "give the account's certificate, or its name", "nothing says which account of the bus we are")
	}
	shown := c.TLS.Certificates[0]
	if shown.Leaf != nil {
		return AccountOf(shown.Leaf, c.TrustDomain)
	}
	leaf, err := x509.ParseCertificate(shown.Certificate[0])
	if err != nil {
		return "", fault.New(fault.InvalidFile, "", "the account's certificate: %w", err)
	}
	return AccountOf(leaf, c.TrustDomain)
}

// AccountOf is bus.AccountOf for who holds the certificate: without a trust domain it takes the certificate's own.
func AccountOf(leaf *x509.Certificate, trustDomain string) (bus.Name, error) {
	if trustDomain == "" && len(leaf.URIs) == 1 {
		trustDomain = leaf.URIs[0].Host
	}
	return bus.AccountOf(leaf, trustDomain)
}

// Conn is an account's connection to the bus. Its methods may be called at the same time. It comes back by itself where it is lost.
type Conn struct {
	account  bus.Name
	conn     *natsdial.Conn
	to       natsdial.Options
	log      *slog.Logger
	stepTime time.Duration

	turn    chan struct{} // has something in it while a call waits for the server's answer: see confirm
	refused atomic.Value  // why the server, or we, last refused to connect again, a box
	closing atomic.Bool

	mu        sync.Mutex
	listeners map[*Listener]bool
}

// box lets an atomic.Value have errors of any type, and none.
type box struct{ error }

// Connect connects an account to the bus, and tries again while the server cannot be reached. The error is fault.Usage,
// fault.NotTrusted of the server or of our own certificate, fault.NotPermitted where the server does not take the certificate, fault.LoginRefused where it
// does not take the account, or at the end of ctx context.Cause(ctx), for a deadline fault.Unreachable. After Close nothing of it runs.
func Connect(ctx context.Context, config Config) (*Conn, error) {
	config.fill()
	account, err := config.account()
	if err != nil {
		return nil, err
	}
	c := &Conn{account: account, log: config.Log, stepTime: config.StepTime, turn: make(chan struct{}, 1), listeners: map[*Listener]bool{}}
	c.to = natsdial.Options{
		URL: config.URL, TLS: config.TLS, StepTime: config.StepTime, Log: config.Log, Reconnects: config.Reconnects,
		More:       []nats.Option{nats.ErrorHandler(c.onError), nats.ReconnectHandler(c.onReconnect), nats.PermissionErrOnSubscribe(true)},
		HintSecret: "leave them out: the certificate says who we are",
		HintLogin:  "the log of the authorizer, or of keyward-bus, says which: there is no account " + string(account) + ", it is revoked or not for this certificate or trust domain, or no authorizer runs",
	}
	c.conn, err = c.to.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Account is who we are.
func (c *Conn) Account() bus.Name { return c.account }

// Ended is closed when the connection has ended for good. Every call then says why.
func (c *Conn) Ended() <-chan struct{} { return c.conn.Closed }

// Close ends all listeners and the connection, once the server has what was sent. Its error is fault.Unreachable where it may not have it.
func (c *Conn) Close() error {
	c.closing.Store(true)
	for _, l := range c.listening() {
		l.Close()
	}
	var err error
	if c.conn.IsConnected() {
		err = c.conn.FlushTimeout(c.stepTime)
	} else if waiting, _ := c.conn.Buffered(); waiting > 0 {
		err = nats.ErrDisconnected
	}
	c.conn.Close()
	<-c.conn.Closed
	if err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		return fault.New(fault.Unreachable, "", "the NATS server may not have the last messages: %w", err)
	}
	return nil
}

// onError hears what the server and the library say of no call.
func (c *Conn) onError(_ *nats.Conn, _ *nats.Subscription, err error) {
	c.log.Warn("NATS", "cause", err)
	if fault.KindOf(c.to.Fault(err)) != fault.Unreachable {
		c.refused.Store(box{err})
	}
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return
	}
	for _, l := range c.listening() {
		l.refuse(err)
	}
}

func (c *Conn) onReconnect(conn *nats.Conn) {
	c.refused.Store(box{})
	c.log.Info("connected", "server", conn.ConnectedUrlRedacted())
}

// ended is why the connection, which is closed, is no more.
func (c *Conn) ended() error {
	<-c.conn.Closed // by then the library has told its errors
	if c.closing.Load() {
		return fault.New(fault.Failed, "", "%w", nats.ErrConnectionClosed)
	}
	if refused, _ := c.refused.Load().(box); refused.error != nil {
		return c.to.Fault(refused.error)
	}
	return c.to.Fault(cmp.Or(c.conn.LastError(), nats.ErrConnectionClosed))
}

// confirm does something with the connection, and returns when the server has taken it, or has not. The server says what it refuses before
// it answers the ping that follows, and the library then has it as its last error: so calls take turns. Where another error comes in
// the moment between, the refusal is only logged. verb and subject are the server's words for what is done.
func (c *Conn) confirm(ctx context.Context, verb, subject string, do func() error) error {
	ctx, stop := context.WithTimeout(ctx, c.stepTime)
	defer stop()
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return c.fault(ctx, ctx.Err())
	}
	before := c.conn.LastError()
	err := do()
	if err == nil {
		err = c.conn.FlushWithContext(ctx)
	}
	for verb == subscribe && errors.Is(err, nats.ErrConnectionClosed) && !c.conn.IsClosed() {
		err = c.conn.FlushWithContext(ctx) // the connection was lost, and the library subscribes again when it is back
	}
	if err != nil {
		return c.fault(ctx, err)
	}
	err = c.conn.LastError()
	if errors.Is(err, before) || !errors.Is(err, nats.ErrPermissionViolation) || !strings.Contains(err.Error(), " "+verb+` to "`+subject+`"`) {
		return nil
	}
	return c.violation(verb, subject)
}

func (c *Conn) violation(verb, subject string) error {
	word := map[string]string{publish: "publish to", subscribe: "subscribe to"}[verb]
	return fault.New(fault.NotPermitted, "`keyward bus account show "+string(c.account)+" --explain '"+subject+"'` says why", "the account %s may not %s %q", c.account, word, subject)
}

// The verbs, as the server has them.
const (
	publish   = "Publish"
	subscribe = "Subscription"
)

// fault is why a call failed.
func (c *Conn) fault(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return context.Cause(ctx)
	case errors.Is(err, nats.ErrMaxPayload):
		return fault.New(fault.Policy, "send less at once, or have the server take more with max_payload", "the message is larger than the NATS server takes")
	case c.conn.IsClosed():
		return c.ended()
	case errors.Is(err, nats.ErrConnectionClosed):
		return fault.New(fault.Unreachable, "try again, if it does no harm twice", "the connection to the NATS server was lost, which may have it or not")
	}
	return c.to.Fault(err)
}

func (c *Conn) listening() []*Listener {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]*Listener, 0, len(c.listeners))
	for l := range c.listeners {
		list = append(list, l)
	}
	return list
}
