package natsclient

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/nats-io/nats.go"

	"keyward/bus"
	"keyward/fault"
)

// Emit sends to the message box of one of our emitters, and returns when the server has taken it. The error is fault.NotPermitted where the account has
// no such emitter, fault.Policy for what is no name or too large, or fault.Unreachable: the server may then have it or not.
func (c *Conn) Emit(ctx context.Context, emitter bus.Name, data []byte) error {
	if _, err := bus.ParseName(string(emitter)); err != nil {
		return err
	}
	return c.send(ctx, &nats.Msg{Subject: string(bus.MessageBox(c.account, emitter)), Data: data})
}

func (c *Conn) send(ctx context.Context, m *nats.Msg) error {
	return c.confirm(ctx, publish, m.Subject, func() error { return c.conn.PublishMsg(m) })
}

// ErrNoResponders is in the error of a request that nobody hears.
var ErrNoResponders = errors.New("no responders")

// Request sends to a subject, such as a message box of ours, and gives what one service replies. The service's name is part of the place where
// the reply is awaited: nobody else can write there, and no other request's reply comes there. The error is fault.Unreachable with
// ErrNoResponders at once where nobody hears the subject, fault.Unreachable with context.DeadlineExceeded at the end of ctx, and else as Emit's.
func (c *Conn) Request(ctx context.Context, service bus.Name, subject bus.Subject, data []byte) ([]byte, error) {
	if _, err := bus.ParseName(string(service)); err != nil {
		return nil, err
	}
	if _, err := bus.ParseSubject(string(subject)); err != nil {
		return nil, err
	}
	place := bus.ReplyPrefix(c.account, service) + "." + rand.Text()
	sub, err := c.conn.SubscribeSync(place)
	if err != nil {
		return nil, c.fault(ctx, err)
	}
	defer func() { _ = sub.Unsubscribe() }() // it fails where the connection has ended
	if err := c.send(ctx, &nats.Msg{Subject: string(subject), Reply: place, Data: data}); err != nil {
		return nil, err
	}
	m, err := sub.NextMsgWithContext(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fault.New(fault.Unreachable, "see whether it runs, and may hear "+string(subject), "%s did not reply in time: %w", service, err)
	case errors.Is(err, nats.ErrNoResponders):
		return nil, fault.New(fault.Unreachable, "see whether "+string(service)+" runs, and may hear it", "nobody hears %q: %w", subject, ErrNoResponders)
	case errors.Is(err, nats.ErrPermissionViolation):
		return nil, c.violation(subscribe, place)
	case err != nil:
		return nil, c.fault(ctx, err)
	case m.Subject != place:
		return nil, fault.New(fault.NotTrusted, "check the permissions that the NATS server enforces", "a reply came to %q, which is not the place of %s", m.Subject, service)
	}
	return m.Data, nil
}
