package relay

import (
	"cmp"
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"keyward/internal/identity"
)

// Status is who is at a relay, in the order of their meetup ids.
type Status struct {
	Arriving int      `json:"arriving"` // connections before their HELLO
	Meetups  []Meetup `json:"meetups"`
}

// Meetup is an id that somebody is at.
type Meetup struct {
	ID    string       `json:"meetup"`
	State string       `json:"state"` // StateWaiting or StatePaired
	Since time.Time    `json:"since"` // when the state began
	Peers []PeerStatus `json:"peers"` // one or two, the first one first
}

// The states of a Meetup.
const (
	StateWaiting = "waiting"
	StatePaired  = "paired"
)

// PeerStatus is one peer. What came from the network is as it came.
type PeerStatus struct {
	Address   string    `json:"address"`
	Subject   string    `json:"subject"` // of its certificate, RFC 2253
	Names     []string  `json:"names"`   // its alternative names, with their kind: dns:, ip:, email:, uri:
	Pin       string    `json:"pin"`     // SHA-256 of its SubjectPublicKeyInfo: "sha256:" and 64 hex digits
	PeerClass string    `json:"peerClass"`
	PeerID    string    `json:"peerId"`
	Since     time.Time `json:"since"`    // when it connected
	Messages  int64     `json:"messages"` // that came from it and were passed on
	Bytes     int64     `json:"bytes"`
}

// Status tells who is here.
func (s *Server) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Status{Arriving: s.arriving(), Meetups: make([]Meetup, 0, len(s.meetups))}
	for id, m := range s.meetups {
		row := Meetup{ID: id, State: StateWaiting, Since: m.since, Peers: []PeerStatus{m.first.status()}}
		if m.second != nil {
			row.State, row.Peers = StatePaired, append(row.Peers, m.second.status())
		}
		out.Meetups = append(out.Meetups, row)
	}
	slices.SortFunc(out.Meetups, func(a, b Meetup) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// arriving counts the connections before their HELLO. It needs Server.mu.
func (s *Server) arriving() int {
	n := len(s.shaking)
	for p := range s.peers {
		if p.about == nil {
			n++
		}
	}
	return n
}

// status needs Server.mu.
func (p *peer) status() PeerStatus {
	return PeerStatus{
		Address:   p.Address.String(),
		Subject:   p.Certificate.Subject.String(),
		Names:     identity.Names(p.Certificate),
		Pin:       identity.Pin(p.Certificate),
		PeerClass: p.about.PeerClass,
		PeerID:    p.about.PeerID,
		Since:     p.since,
		Messages:  p.messages.Load(),
		Bytes:     p.bytes.Load(),
	}
}

// LogAttrs is what a log tells of a certificate, as identity.LogAttrs.
func LogAttrs(cert *x509.Certificate) []any { return identity.LogAttrs(cert) }

// shown is as much of what a peer says of itself as is kept to be shown: 256 bytes.
func shown(text string) string {
	const most = 256
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
