package natsclient

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"keyward/bus"
	"keyward/fault"
)

// Message is one that came.
type Message struct {
	// From is the account that sent it, with its Emitter, proved by the subject. Both are empty for a subject that is
	// no message box: then nothing says who sent it.
	From, Emitter bus.Name

	Subject string
	Data    []byte
}

// What waits to be handled, of each subject that is heard, before more is dropped, which is logged.
const (
	maxWaiting      = 64 << 10 // messages
	maxWaitingBytes = 64 << 20
)

// Listener hears what one role of the account does.
type Listener struct {
	c    *Conn
	role bus.Role
	subs []*nats.Subscription

	in       chan *nats.Msg
	open     atomic.Int32  // subscriptions
	drained  chan struct{} // is closed with the last of them
	stop     chan struct{} // is closed when nobody hears any more
	stopping sync.Once

	refused  chan struct{} // is closed when the server takes a subscription back
	why      error
	refusing sync.Once

	unanswered atomic.Int64
}

// Listen hears what a role does: the Heard subjects of a consumer, worker or service, a worker in its queue group. It returns when the server
// has taken all of it. From then on messages wait for Consume or Reply. The error is fault.NotPermitted where the account has no such role, fault.Usage
// for an emitter, fault.Policy for what is no name or no subject, or as Emit's.
func (c *Conn) Listen(ctx context.Context, role bus.Role) (*Listener, error) {
	l := &Listener{c: c, role: role, in: make(chan *nats.Msg), drained: make(chan struct{}), stop: make(chan struct{}), refused: make(chan struct{})}
	heard := role.Heard()
	if len(heard) == 0 {
		return nil, fault.New(fault.Usage, "listen as a consumer, worker or service", "an emitter hears nothing")
	}
	if _, err := bus.ParseName(string(role.Name)); err != nil {
		return nil, err
	}
	for _, pattern := range heard {
		if _, err := bus.ParsePattern(string(pattern)); err != nil {
			return nil, err
		}
	}
	l.open.Store(int32(len(heard)))
	for _, pattern := range heard {
		if err := c.confirm(ctx, subscribe, string(pattern), func() error { return l.subscribe(string(pattern)) }); err != nil {
			l.Close()
			return nil, err
		}
	}
	c.mu.Lock()
	c.listeners[l] = true
	c.mu.Unlock()
	return l, nil
}

func (l *Listener) subscribe(pattern string) error {
	group := ""
	if l.role.Kind == bus.Worker {
		group = bus.QueueGroup(l.c.account, l.role.Name)
	}
	sub, err := l.c.conn.QueueSubscribe(pattern, group, l.take)
	if err != nil {
		return err
	}
	l.subs = append(l.subs, sub)
	sub.SetClosedHandler(func(string) {
		if l.open.Add(-1) == 0 {
			close(l.drained)
		}
	})
	return sub.SetPendingLimits(maxWaiting, maxWaitingBytes)
}

// take hands a message to who handles it.
func (l *Listener) take(m *nats.Msg) {
	select {
	case l.in <- m:
	case <-l.stop:
	}
}

// Close ends the listener, without what waits.
func (l *Listener) Close() {
	l.stopping.Do(func() { close(l.stop) })
	l.c.mu.Lock()
	delete(l.c.listeners, l)
	l.c.mu.Unlock()
	for _, sub := range l.subs {
		_ = sub.Unsubscribe() // it fails where it has ended
	}
}

// refuse ends the listener where an error is the server's refusal of one of its subscriptions, as it may come after a reconnect.
func (l *Listener) refuse(violation error) {
	for _, pattern := range l.role.Heard() {
		if strings.Contains(violation.Error(), " "+subscribe+` to "`+string(pattern)+`"`) {
			l.refusing.Do(func() {
				l.why = l.c.violation(subscribe, string(pattern))
				close(l.refused)
			})
		}
	}
}

// Consume hands messages to handle, one at a time and those of one sender in their order, until ctx ends: then those that wait are
// handled, and it returns nil, as after Close. Other ends are handle's error, and those of Connect where the connection is lost for good or the role
// is taken back. With it the listener ends. Several goroutines may call it, to handle several messages at once.
func (l *Listener) Consume(ctx context.Context, handle func(Message) error) error {
	return l.each(ctx, func(m *nats.Msg) error { return handle(message(m)) })
}

// message tells who sent it.
func message(m *nats.Msg) Message {
	account, emitter, _ := bus.Sender(m.Subject)
	return Message{From: account, Emitter: emitter, Subject: m.Subject, Data: m.Data}
}

func (l *Listener) each(ctx context.Context, handle func(*nats.Msg) error) error {
	defer l.Close()
	asked, drained := ctx.Done(), (<-chan struct{})(nil)
	for {
		select {
		case m := <-l.in:
			if err := handle(m); err != nil {
				return err
			}
		case <-asked:
			asked, drained = nil, l.drained
			l.drain()
		case <-drained:
			return nil
		case <-l.stop:
			return nil
		case <-l.refused:
			return l.why
		case <-l.c.conn.Closed:
			return l.c.ended()
		}
	}
}

// drain lets nothing more come than what is on its way. While the server is away that is what waits here, and where nothing does
// it is over at once: the library would ask the server first.
func (l *Listener) drain() {
	for _, sub := range l.subs {
		waiting, _, _ := sub.Pending() // it fails where sub has ended
		if !l.c.conn.IsConnected() && waiting == 0 || sub.Drain() != nil {
			_ = sub.Unsubscribe()
		}
	}
}

// messageBoxes are the subjects that name their sender.
const messageBoxes = bus.Pattern("xbus.msgbox.>")

// Reply answers requests, one at a time and otherwise as Consume. What answer gives is the reply; where it gives an error there is none, and the
// error is logged. A reply subject that is not in the requester's own inbox is refused: the request is counted, logged, and not even handed to answer.
// A message without a reply subject is handed to answer, and needs no reply. The error is fault.Usage for a role that never replies, or that
// hears subjects which do not name who asks.
func (l *Listener) Reply(ctx context.Context, answer func(Message) ([]byte, error)) error {
	if l.role.Kind != bus.Worker && l.role.Kind != bus.Service {
		return fault.New(fault.Usage, "reply as a worker or service", "a %s never replies", l.role.Kind)
	}
	nameless := func(p bus.Pattern) bool { return !messageBoxes.Covers(p) }
	if heard := l.role.Heard(); slices.ContainsFunc(heard, nameless) {
		return fault.New(fault.Usage, "reply on message boxes, xbus.msgbox.*.NAME, or Consume", "%q does not name who asks, so nobody can say whose inbox a reply may go to", heard[slices.IndexFunc(heard, nameless)])
	}
	return l.each(ctx, func(m *nats.Msg) error {
		l.reply(m, answer)
		return nil
	})
}

// Refused is how many requests Reply refused so far, for their reply subjects.
func (l *Listener) Refused() int64 { return l.unanswered.Load() }

func (l *Listener) reply(m *nats.Msg, answer func(Message) ([]byte, error)) {
	request := message(m)
	about := []any{"from", request.From, "subject", m.Subject, "reply", m.Reply}
	if m.Reply != "" && !bus.ReplyAllowed(request.From, m.Reply) {
		l.unanswered.Add(1)
		l.c.log.Warn("a request wants its reply where the requester has no inbox", about...)
		return
	}
	data, err := answer(request)
	if err == nil && m.Reply != "" {
		err = l.c.conn.Publish(m.Reply, data)
	}
	if err != nil {
		l.c.log.Warn("a request gets no reply", append(about, "cause", err)...)
	}
}
