package relay

import (
	"time"

	"github.com/gobwas/ws"

	"keyward/internal/identity"
)

// meetup is what is known of a meetup id that somebody came to. It is guarded by Server.mu.
type meetup struct {
	first, second *peer // second is nil while the first waits
	since         time.Time
}

// mate is the other one of p's meetup, nil while there is none.
func (m *meetup) mate(p *peer) *peer {
	if p == m.first {
		return m.second
	}
	return m.first
}

var (
	errFull    = &closure{code: ws.StatusNormalClosure, reason: "two peers are here already"}
	errAlone   = &closure{code: ws.StatusProtocolError, reason: "the peer websocket disconnected"}
	errStopped = &closure{code: ws.StatusGoingAway, reason: "the relay is stopping"}
)

// at is the meetup of an id, nil where nobody is there. It is crowded with two.
func (s *Server) at(id string) (m *meetup, crowded bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m = s.meetups[id]
	return m, m != nil && m.second != nil
}

// wait makes p the first at its id, unless somebody is.
func (s *Server) wait(p *peer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.meetups[p.Meetup] != nil {
		return false
	}
	p.meetup = &meetup{first: p, since: s.cfg.Now()}
	s.meetups[p.Meetup] = p.meetup
	return true
}

// join makes p the second of m, if m's first still waits: what is read from either goes to the other from now on.
func (s *Server) join(p *peer, m *meetup) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.meetups[p.Meetup] != m || m.second != nil {
		return false
	}
	m.second, m.since, p.meetup = p, s.cfg.Now(), m
	p.mate.Store(m.first)
	m.first.mate.Store(p)
	s.metrics.pairs.Add(1)
	return true
}

// leave frees p's meetup id, and returns who was left alone by it.
func (s *Server) leave(p *peer) *peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.meetup == nil || s.meetups[p.Meetup] != p.meetup {
		return nil
	}
	delete(s.meetups, p.Meetup)
	return p.meetup.mate(p)
}

// forget is the last of a peer.
func (s *Server) forget(p *peer, cause error) {
	s.holders.Leave(identity.Pin(p.Certificate))
	s.mu.Lock()
	delete(s.peers, p)
	s.metrics.count(p, cause)
	s.mu.Unlock()
	s.cfg.Log.Info("peer left", append(p.logged(), "cause", cause, "messages", p.messages.Load(), "bytes", p.bytes.Load(), "seconds", int(s.cfg.Now().Sub(p.since).Seconds()))...)
}

func (s *Server) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}
