package relay

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"keyward/fault"
	"keyward/internal/retry"
	"keyward/relay/message"
)

const (
	mostRequests = 64              // of the peer, that are answered at once
	mostEvents   = 32              // that wait for OnEvent
	busyTime     = 2 * time.Second // how long requests wait for others to end, before they get 503
	takenTime    = time.Second     // after the hello: a relay that does not take us has closed by then
)

// The original test client dies of a response that is there before it waits for one, which it does some time after it has
// sent the request. A service that answers within a millisecond stops it at the first or second request.
const (
	hastyClass = "micronets-ws-test-client" // the peerClass that it, and who copied it, says
	hastyTime  = 50 * time.Millisecond      // that it has before each response
)

var errSilent = errors.New("nothing was heard of the relay for too long")

// session is one connection to a relay, and the peer that is met on it.
type session struct {
	c    *Client
	conn *conn

	gone     <-chan struct{}    // closed when the session ends
	why      func() error       // after that, what ended it
	largest  atomic.Int64       // bytes of the largest message that was sent
	turn     chan struct{}      // is held by who writes
	slots    chan struct{}      // are held by the requests that are answered
	deadline time.Time          // for a slot to be free; zero while there is one. Only the reader has it
	events   chan message.Event // for OnEvent
	met      bool               // the peer's hello came. Only the reader has it
	taking   sync.Once          // tells that the relay took us
	hasty    bool               // the peer is of hastyClass. The reader sets it before the first request

	mu      sync.Mutex
	waiting map[int64]chan<- answer // for the responses to our requests, by their ids
}

// answer is a response, or why it is none.
type answer struct {
	response *message.Response
	err      error
}

func newSession(c *Client, conn *conn) *session {
	return &session{
		c:       c,
		conn:    conn,
		turn:    make(chan struct{}, 1),
		slots:   make(chan struct{}, mostRequests),
		events:  make(chan message.Event, mostEvents),
		waiting: map[int64]chan<- answer{},
	}
}

// run says hello and serves both directions until the connection or ctx ends. When it returns, all of the session has ended.
func (s *session) run(outer context.Context) error {
	ctx, cancel := context.WithCancelCause(outer)
	s.gone, s.why = ctx.Done(), func() error { return context.Cause(ctx) }

	var parts sync.WaitGroup
	parts.Go(func() { s.watch(ctx, outer, cancel) })
	parts.Go(s.tellEvents)

	err := s.greet(ctx)
	if err == nil {
		parts.Go(func() {
			if retry.Sleep(ctx, takenTime) {
				s.tellTaken()
			}
		})
		err = s.readAll(ctx, &parts)
	}
	s.c.leave()
	cause := context.Cause(ctx)
	cancel(err)
	s.conn.finish(err)
	close(s.events)
	parts.Wait()
	if s.met {
		s.c.tellPeer(nil)
	}
	if errors.Is(cause, errSilent) {
		err = errSilent
	}
	return s.verdict(err)
}

// watch closes the connection when Run shall end, and ends it when the relay is not heard of any more: it pings us often.
func (s *session) watch(ctx, outer context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(s.c.silence() / looks)
	defer tick.Stop()
	for quiet := 0; quiet < looks; quiet++ {
		select {
		case <-ctx.Done():
			if outer.Err() != nil {
				s.conn.end(ws.StatusNormalClosure, "")
			}
			return
		case <-tick.C:
			if s.conn.heard.Swap(false) {
				quiet = -1
			}
		}
	}
	cancel(errSilent)
	_ = s.conn.Close()
}

// tellTaken says that the relay took us. It says nothing of that itself, until the peer comes.
func (s *session) tellTaken() {
	s.taking.Do(func() { s.c.log().Info("connected to the relay", "url", s.c.URL) })
}

func (s *session) tellEvents() {
	for e := range s.events {
		s.c.OnEvent(e)
	}
}

func (s *session) greet(ctx context.Context) error {
	_, err := s.send(ctx, &message.Message{ID: s.c.nextID(), Type: message.TypeHello, Hello: &s.c.Hello})
	return err
}

// readAll reads messages and sees to each, until the connection ends. What is read while it is closed goes nowhere.
func (s *session) readAll(ctx context.Context, parts *sync.WaitGroup) error {
	for {
		_, text, err := s.conn.read()
		if err != nil {
			return err
		}
		if ctx.Err() == nil {
			s.take(ctx, parts, text)
		}
	}
}

func (s *session) take(ctx context.Context, parts *sync.WaitGroup, text []byte) {
	m, err := message.Parse(text)
	unsound, isUnsound := errors.AsType[*message.ContentError](err)
	switch {
	case isUnsound && s.met:
		s.refuse(ctx, unsound)
	case err != nil:
		s.c.log().Debug("a message of the peer is none", "error", err)
	case m.Hello != nil && !s.met:
		s.met = true
		s.tellTaken()
		s.hasty = m.Hello.PeerClass == hastyClass
		s.c.enter(s)
		s.c.tellPeer(m.Hello)
	case !s.met || m.Hello != nil:
		s.c.log().Debug("a message where none of its type belongs", "type", m.Type)
	case m.Request != nil:
		s.serve(ctx, parts, m)
	case m.Response != nil:
		s.settle(*m.InResponseTo, answer{response: m.Response})
	case m.Event != nil && s.c.OnEvent != nil:
		select {
		case s.events <- *m.Event:
		case <-ctx.Done():
		}
	}
}

// refuse sees to a message whose head alone is sound.
func (s *session) refuse(ctx context.Context, e *message.ContentError) {
	s.c.log().Debug("a message of the peer is not what it should be", "id", e.Head.ID, "error", e)
	switch {
	case e.Head.Type == message.TypeRequest:
		s.respond(ctx, &e.Head, problem(http.StatusBadRequest, e.Error()))
	case e.Head.Type == message.TypeResponse && e.Head.InResponseTo != nil:
		s.settle(*e.Head.InResponseTo, answer{err: e})
	}
}

// serve answers a request, beside others.
func (s *session) serve(ctx context.Context, parts *sync.WaitGroup, m *message.Message) {
	if !s.slot(ctx) {
		s.respond(ctx, m, problem(http.StatusServiceUnavailable, "too many requests at once"))
		return
	}
	parts.Go(func() {
		defer func() { <-s.slots }()
		s.respond(ctx, m, s.c.handle(ctx, m.Request))
	})
}

// slot waits for one to be free. While none is, all requests together wait for busyTime: a peer is slowed down, but what
// comes behind its requests, pings and responses to ours, is not held up for long.
func (s *session) slot(ctx context.Context) bool {
	select {
	case s.slots <- struct{}{}:
		s.deadline = time.Time{}
		return true
	default:
	}
	if s.deadline.IsZero() {
		s.deadline = time.Now().Add(busyTime)
	}
	timer := time.NewTimer(time.Until(s.deadline))
	defer timer.Stop()
	select {
	case s.slots <- struct{}{}:
		s.deadline = time.Time{}
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// respond sends the response to a request, where it wants one. A response that cannot be sent is told as 502.
func (s *session) respond(ctx context.Context, to *message.Message, r *message.Response) {
	if !to.RequiresResponse {
		return
	}
	m := &message.Message{ID: s.c.nextID(), Type: message.TypeResponse, InResponseTo: &to.ID, Response: r}
	text, err := s.encode(m)
	if err != nil {
		s.c.log().Debug("a response cannot be sent", "id", to.ID, "error", err)
		m.Response = problem(http.StatusBadGateway, "the response cannot be sent: "+err.Error())
		text, err = s.encode(m)
	}
	if s.hasty {
		retry.Sleep(ctx, hastyTime)
	}
	if err == nil {
		err = s.write(ctx, text)
	}
	if err != nil {
		s.c.log().Debug("a response was not sent", "id", to.ID, "error", err)
	}
}

// do sends a request and waits for its response.
func (s *session) do(ctx context.Context, r *message.Request) (*message.Response, error) {
	m := &message.Message{ID: s.c.nextID(), Type: message.TypeRequest, RequiresResponse: true, Request: r}
	came := make(chan answer, 1)
	s.wait(m.ID, came)
	defer s.forget(m.ID)
	size, err := s.send(ctx, m)
	if err != nil {
		return nil, err
	}
	select {
	case a := <-came:
		return a.response, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.gone:
	}
	select {
	case a := <-came: // just before the end
		return a.response, a.err
	default:
		return nil, s.lost(size)
	}
}

// lost is the error of a message of so many bytes that was sent just before the session ended. If the relay ended it for a
// message that is too large, it was the largest one: none before was.
func (s *session) lost(size int) error {
	end, ok := errors.AsType[*closure](s.why())
	if ok && errors.Is(end, ErrTooLarge) && int64(size) == s.largest.Load() {
		return fmt.Errorf("%w: it has %d bytes, and the relay says %q (--max-message)", ErrTooLarge, size, end.reason)
	}
	return ErrPeerGone
}

func (s *session) wait(id int64, came chan<- answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting[id] = came
}

func (s *session) forget(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, id)
}

// settle hands the answer with this id to who waits for it. One that is late, or comes twice, is for nobody.
func (s *session) settle(id int64, a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	came, ok := s.waiting[id]
	if !ok {
		s.c.log().Debug("a response that nobody waits for", "inResponseTo", id)
		return
	}
	delete(s.waiting, id)
	came <- a // has room for one
}

// send sends a message, and says how many bytes it has.
func (s *session) send(ctx context.Context, m *message.Message) (size int, err error) {
	text, err := s.encode(m)
	if err != nil {
		return 0, err
	}
	err = s.write(ctx, text)
	if errors.Is(err, ErrPeerGone) {
		select {
		case <-s.gone:
			err = s.lost(len(text))
		case <-ctx.Done():
		}
	}
	return len(text), err
}

func (s *session) encode(m *message.Message) ([]byte, error) {
	text, err := m.Marshal()
	if err != nil {
		return nil, err
	}
	if limit := s.c.limit(); int64(len(text)) > limit {
		return nil, tooLarge(limit)
	}
	return text, nil
}

// write sends a message when its turn comes. One that is half written is not given up for ctx, but for the connection's own
// time to write.
func (s *session) write(ctx context.Context, text []byte) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.gone:
		return ErrPeerGone
	}
	defer func() { <-s.turn }()
	s.largest.Store(max(s.largest.Load(), int64(len(text)))) // it is our turn: nobody else does
	err := s.conn.write(ws.OpText, text)
	if err == nil {
		return nil
	}
	if !errors.Is(err, errClosing) {
		_ = s.conn.Close() // the reader notices
	}
	return fmt.Errorf("%w: %w", ErrPeerGone, err)
}

// verdict says what the end of the connection means.
func (s *session) verdict(err error) error {
	end, ok := errors.AsType[*closure](err)
	if !ok || !end.theirs {
		return fault.New(fault.Unreachable, hintRelay, "the connection to the relay at %s is lost: %w", s.c.URL, err)
	}
	switch {
	case errors.Is(end, ErrTooLarge):
		return fault.New(fault.Unreachable, "give --max-message the relay's own limit",
			"the relay at %s takes no message as large as one that was sent (--max-message): %w", s.c.URL, end)
	case end.code == ws.StatusPolicyViolation:
		return fault.New(fault.NotPermitted, "ask who runs the relay to let this certificate come to this meetup id",
			"the relay at %s does not permit it: %w", s.c.URL, end)
	case end.code == ws.StatusInternalServerError && !s.met:
		return fault.New(fault.NotFound, "check the path: a relay's is /micronets/v1/ws-proxy/ and a meetup id, where it was not given another",
			"the relay at %s has no such path: %w", s.c.URL, end)
	case s.met:
		return fault.New(fault.Unreachable, "", "%w: %w", ErrPeerGone, end)
	case end.code == ws.StatusNormalClosure:
		return fault.New(fault.Unreachable, hintSentAway(end.reason), "the relay at %s sends us away: %w", s.c.URL, end)
	}
	return fault.New(fault.Unreachable, hintRelay, "the relay at %s: %w", s.c.URL, end)
}

// hintSentAway says what to do about a relay that closes with 1000. The original has one reason for all.
func hintSentAway(reason string) string {
	switch reason {
	case "no peer came in time":
		return "have the peer come to the same meetup id within the relay's --wait-timeout"
	case errFull.reason, "":
		return "are there two peers at this meetup id already?"
	}
	return "the relay does not take what was sent first: is it another sort of relay?"
}
