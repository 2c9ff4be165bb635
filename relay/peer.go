package relay

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"keyward/relay/message"
)

const (
	helloSize = 16 << 10         // bytes of the largest HELLO, which is kept while its peer waits
	beatTime  = 10 * time.Second // between two pings, and for the answer to one
)

// peer is a client behind its upgrade. One goroutine reads from it, from greet to dismiss.
type peer struct {
	*conn
	from *bursts // below the conn's TLS
	Visitor
	server *Server
	target string // of its request
	since  time.Time

	mate   atomic.Pointer[peer] // nil until they met
	meetup *meetup              // guarded by Server.mu
	about  *message.Hello       // guarded by Server.mu; nil until the HELLO is in
	hello  []byte               // kept until it was passed on

	why atomic.Pointer[closure] // it was closed from elsewhere than its own goroutine

	messages, bytes atomic.Int64 // that came from it and were passed on
	out             outbox       // for the mate. Only the reader has it
	lost            bool         // the mate does not take it

	beatLock sync.Mutex
	beat     *time.Timer
	still    bool // no more beats
	pinged   bool // at the last beat
}

// admit makes a peer of a connection, unless the server stops.
func (s *Server) admit(from *bursts, tc *tls.Conn, up upgraded, who Visitor) (*peer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return nil, errClosing
	}
	c := newConn(tc, up.in, ws.StateServerSide, s.cfg.MaxMessage)
	c.deflate = up.deflate
	p := &peer{conn: c, from: from, Visitor: who, server: s, target: up.target, since: s.cfg.Now()}
	s.peers[p] = true
	return p, nil
}

// greet takes the peer's HELLO and finds its place: alone, or with who waits. Its error says why it must go.
func (p *peer) greet() error {
	if _, err := meetupOf(p.target, p.server.cfg.PathPrefix); err != nil {
		return err
	}
	if err := p.permitted(nil); err != nil { // first: who may not come does not learn who is here
		return err
	}
	if _, crowded := p.server.at(p.Meetup); crowded {
		return errFull
	}
	if err := p.readHello(); err != nil {
		return err
	}
	for {
		met, err := p.settle()
		if met || err != nil {
			return err
		}
	}
}

// readHello reads the first message.
func (p *peer) readHello() error {
	if err := p.readDeadline(time.Now().Add(p.server.cfg.HelloTime)); err != nil {
		return err
	}
	p.limit = min(helloSize, p.server.cfg.MaxMessage)
	_, text, err := p.read()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &closure{code: ws.StatusNormalClosure, reason: "no HELLO came in time"}
	}
	if err != nil {
		return err
	}
	p.limit = p.server.cfg.MaxMessage
	m, err := message.ParseHello(text)
	if err != nil {
		return &closure{code: ws.StatusNormalClosure, reason: "the first message is no HELLO"}
	}
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	p.about, p.hello = &message.Hello{PeerClass: shown(m.Hello.PeerClass), PeerID: shown(m.Hello.PeerID)}, text
	return nil
}

// settle tries to wait or to meet who waits. It is tried again where others were quicker.
func (p *peer) settle() (done bool, err error) {
	m, crowded := p.server.at(p.Meetup)
	if m == nil {
		return p.wait()
	}
	if crowded {
		return false, errFull
	}
	if err := p.permitted(m.first); err != nil {
		return false, err
	}
	return p.meet(m)
}

func (p *peer) wait() (bool, error) {
	var deadline time.Time
	if w := p.server.cfg.WaitTime; w > 0 {
		deadline = time.Now().Add(w)
	}
	if err := p.readDeadline(deadline); err != nil {
		return false, err
	}
	waits := p.server.wait(p)
	if waits {
		p.server.cfg.Log.Info("peer waits", p.logged()...)
	}
	return waits, nil
}

// meet joins the first at a meetup, and gives each the other's HELLO. Until that is done nobody else writes to p, so that it
// is the first message that p gets; it is the first that the other gets, since p is not read meanwhile.
func (p *peer) meet(m *meetup) (bool, error) {
	if err := p.readDeadline(time.Time{}); err != nil {
		return false, err
	}
	first, err := p.joinFirst(m)
	if first == nil || err != nil {
		return false, err
	}
	if err := first.readDeadline(time.Time{}); err != nil {
		return false, errAlone
	}
	if err := first.write(ws.OpText, p.hello); err != nil {
		return false, errAlone
	}
	p.hello, first.hello = nil, nil
	if why := p.permitted(first); why != nil { // a Review since the first time saw no pair
		return false, why
	}
	p.server.cfg.Log.Info("peers met", "meetup", p.Meetup, slog.Group("first", first.logged()...), slog.Group("second", p.logged()...))
	return true, nil
}

// joinFirst publishes the pair and sends p the first one's HELLO, in one. It returns no first where p did not join.
func (p *peer) joinFirst(m *meetup) (*peer, error) {
	p.writing.Lock()
	defer p.writing.Unlock()
	if p.closing {
		return nil, errClosing
	}
	if !p.server.join(p, m) {
		return nil, nil
	}
	return m.first, p.writeLocked(ws.OpText, true, framed(m.first.hello), writeTime)
}

// pass gives the mate what the peer sends, as it comes, until one of them ends.
func (p *peer) pass() error {
	p.from.idle = p.flush
	defer p.out.empty()
	defer p.flush()
	for {
		op, err := p.begin()
		mate := p.mate.Load()
		switch {
		case p.lost:
			return errAlone
		case errors.Is(err, os.ErrDeadlineExceeded) && mate == nil:
			return &closure{code: ws.StatusNormalClosure, reason: "no peer came in time"}
		case err != nil:
			return err
		case mate == nil:
			return &closure{code: ws.StatusNormalClosure, reason: "a message came before the peer"}
		}
		if err := p.passMessage(op); err != nil {
			return err
		}
	}
}

// passMessage takes one message for the mate: as one frame where it is small, else in parts, each when the one before was
// taken. Small ones that came as one frame are gathered.
func (p *peer) passMessage(op ws.OpCode) error {
	if !p.last || p.left > p.out.left() || p.flat != nil {
		p.flush()
	}
	for {
		n, end, err := p.fill(p.out.space())
		if err != nil {
			return err
		}
		p.out.add(op, end, n)
		p.bytes.Add(int64(n))
		if end {
			p.messages.Add(1)
			return nil
		}
		p.flush()
		if p.lost {
			return errAlone
		}
		op = ws.OpContinuation
	}
}

// flush gives the mate what was gathered for it: before p is waited for, so that nothing that came is held up.
func (p *peer) flush() {
	if frames := p.out.take(); frames != nil && !p.lost {
		if err := p.mate.Load().send(frames); err != nil {
			p.lost = true
			p.expel(errAlone)
		}
	}
	if !p.open {
		p.out.empty()
	}
}

// logged is who the log says that p is.
func (p *peer) logged() []any {
	return append([]any{"meetup", p.Meetup, "remote", p.Address}, LogAttrs(p.Certificate)...)
}

// permitted asks whether p may be here, with that mate.
func (p *peer) permitted(mate *peer) *closure {
	var other *Visitor
	if mate != nil {
		other = &mate.Visitor
	}
	if err := p.server.cfg.Permit(p.Visitor, other); err != nil {
		p.server.cfg.Log.Warn("not permitted", append(p.logged(), "error", err)...)
		return &closure{code: ws.StatusPolicyViolation, reason: "not permitted"}
	}
	return nil
}

// expel closes a peer from elsewhere than its own goroutine. Its id is free at once, whatever it still does.
func (p *peer) expel(why *closure) {
	mate := p.server.leave(p)
	p.close(why)
	mate.abandoned()
}

// close tells a peer why it must go. Its own goroutine, which reads the answer, frees it.
func (p *peer) close(why *closure) {
	p.why.CompareAndSwap(nil, why)
	p.end(why.code, why.reason)
}

// abandoned tells a peer, where there is one, that its mate is gone.
func (p *peer) abandoned() {
	if p == nil {
		return
	}
	why := errAlone
	if p.server.isStopping() {
		why = errStopped
	}
	p.close(why)
}

// dismiss is the end of a peer.
func (p *peer) dismiss(cause error) {
	p.server.leave(p).abandoned()
	p.stopBeat()
	p.finish(cause)
	if why := p.why.Load(); why != nil {
		cause = why
	}
	p.server.forget(p, cause)
}

// startBeat pings the peer now and every ten seconds.
func (p *peer) startBeat() {
	p.pinged = p.ping()
	p.beatLock.Lock()
	defer p.beatLock.Unlock()
	p.server.running.Add(1)
	p.beat = time.AfterFunc(beatTime, p.onBeat)
}

// onBeat looks whether anything came since the last ping. Who is not read from since its mate does not take what came is not
// blamed: that lasts for writeTime at most, which is not longer than a beat, and then the mate is gone.
func (p *peer) onBeat() {
	defer p.server.running.Done()
	heard := p.heard.Swap(false)
	if p.pinged && !heard {
		p.expel(&closure{code: ws.StatusProtocolError, reason: fmt.Sprintf("Ping timed out (%d seconds)", beatTime/time.Second)})
		return
	}
	p.pinged = p.ping()
	p.beatLock.Lock()
	defer p.beatLock.Unlock()
	if !p.still {
		p.server.running.Add(1)
		p.beat.Reset(beatTime)
	}
}

func (p *peer) stopBeat() {
	p.beatLock.Lock()
	defer p.beatLock.Unlock()
	p.still = true
	if p.beat.Stop() {
		p.server.running.Done()
	}
}
