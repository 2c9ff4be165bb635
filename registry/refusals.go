package registry

import (
	"context"
	"errors"
	"net/netip"
	"sync"

	"keyward/internal/limit"
	"keyward/store/audit"
)

// The bounds on the records of refused logins, each of which is a synced write. What is past the first two is
// counted, and the counts are written when the minute ends: a record for each source, and one for those that found
// the table full.
const (
	refusalsOfSource = 10 // a minute
	refusalsInAll    = 100
	maxRefused       = 256 // sources in the table
)

// refusals counts the refused logins of a minute.
type refusals struct {
	mu      sync.Mutex
	written int
	of      map[netip.Prefix]refused
	others  int // of sources that the table had no place for
}

// refused is of one source: how many have a record of their own, and how many are only counted.
type refused struct{ written, counted int }

func newRefusals() *refusals { return &refusals{of: make(map[netip.Prefix]refused)} }

// add counts one, and tells whether it is to have a record of its own.
func (r *refusals) add(from netip.Prefix) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, known := r.of[from]
	if !known && len(r.of) == maxRefused {
		r.others++
		return false
	}
	own := n.written < refusalsOfSource && r.written < refusalsInAll
	if own {
		n.written++
		r.written++
	} else {
		n.counted++
	}
	r.of[from] = n
	return own
}

// end begins the next minute, and gives what was counted.
func (r *refusals) end() (of map[netip.Prefix]refused, others int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of, others = r.of, r.others
	r.written, r.of, r.others = 0, make(map[netip.Prefix]refused), 0
	return of, others
}

// again counts in this minute what could not be written.
func (r *refusals) again(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.others += n
}

// noteRefusal records that a login was refused; other errors of a login it lets pass. The record has the name only of
// a user who is there: any other may be a password typed into the wrong field. It is written before the answer, also
// for a caller that is gone.
func (s *Server) noteRefusal(c *call, err error) error {
	r, ok := errors.AsType[*refusal](err)
	if !ok || loginResult(r.status) == loginFailed {
		return err
	}
	if !s.refused.add(limit.Source(c.r.RemoteAddr)) {
		return err
	}
	act := s.act(c, audit.LoginRefused)
	act.By, act.User, act.Note = c.user, "", c.grant+": "+string(r.body.Error)
	if fault := s.cfg.Store.Note(context.WithoutCancel(c.r.Context()), act); fault != nil {
		return fault
	}
	return err
}

// noteCounted records the refused logins that were only counted, and begins the next minute.
func (s *Server) noteCounted(ctx context.Context) {
	of, others := s.refused.end()
	for from, n := range of {
		if n.counted > 0 {
			s.noteCount(ctx, prefixText(from), n.counted)
		}
	}
	if others > 0 {
		s.noteCount(ctx, "", others)
	}
}

// prefixText is a source: an address by itself, without the length of a prefix.
func prefixText(source netip.Prefix) string {
	switch {
	case !source.IsValid():
		return ""
	case source.IsSingleIP():
		return source.Addr().String()
	}
	return source.String()
}

func (s *Server) noteCount(ctx context.Context, from string, n int) {
	act := audit.Act{Time: s.cfg.Now(), What: audit.LoginRefused, From: from, Count: n, Note: "more in a minute than have records of their own"}
	if err := s.cfg.Store.Note(ctx, act); err != nil {
		s.refused.again(n)
		s.metrics.storeErrors.Add(1)
		s.cfg.Log.Error("record refused logins", "error", err, "from", from, "count", n) // at a stop it is all that is left of them
	}
}
