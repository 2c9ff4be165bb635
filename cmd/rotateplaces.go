package cmd

import (
	"errors"
	"slices"

	"keyward/fault"
	"keyward/internal/term"
	"keyward/registry/wire"
)

// place is a server of a rotation.
type place struct {
	*session
	old     *wire.Key // nil where it is deleted already
	hasNew  bool
	expires string   // of the new key
	done    []string // what was done here: register, prove, expire, delete
}

// find logs in to the servers and looks for the keys.
func (r *rotation) find() error {
	servers, named, err := r.candidates()
	if err != nil {
		return err
	}
	for _, s := range servers {
		p, err := r.look(s, len(servers) > 1)
		if errors.Is(err, term.ErrInterrupted) {
			return err
		}
		if err != nil {
			return r.stopped(s, "looked for the old key", err)
		}
		r.places = append(r.places, p)
		if p.old == nil && !p.hasNew && named {
			return r.stopped(s, "looked for the old key", fault.New(fault.NotFound, "register it with `keyward addkey`, or leave the server out", "the key is not registered there for %s", printable(p.user)))
		}
	}
	r.places = slices.DeleteFunc(r.places, func(p *place) bool {
		gone := p.old == nil && !p.hasNew
		if gone {
			r.note("%s: the key is not registered there", p.server.title())
			p.end(r.c)
		}
		return gone
	})
	if len(r.places) == 0 {
		return fault.New(fault.NotFound, "register it with `keyward addkey`, or name another key with --keyfile", "the key of %s is registered nowhere", r.keyfile)
	}
	return nil
}

// candidates are the servers to look at, and whether the caller named them.
func (r *rotation) candidates() (all []server, named bool, err error) {
	if r.call.given["url"] || len(keptNames(r.c)) > 0 {
		all, err = r.servers(r.c)
		return all, true, err
	}
	kept, err := r.keptServers()
	if err != nil {
		return nil, false, err
	}
	for _, s := range kept.sorted() {
		all = append(all, r.overridden(r.c, s))
	}
	if len(all) > 0 && r.c.String("url") == "" {
		return all, false, nil
	}
	one, err := r.flaggedServer(r.c)
	if err != nil {
		return nil, false, err
	}
	host, err := one.host()
	if err != nil {
		return nil, false, err
	}
	same := func(s server) bool { h, _ := s.host(); return h == host && s.User == one.User }
	if !slices.ContainsFunc(all, same) {
		all = append(all, one)
	}
	return all, false, nil
}

// look logs in to a server and finds the two keys there.
func (r *rotation) look(s server, oneOfSeveral bool) (*place, error) {
	conn, password, err := r.prepare(r.c, s, oneOfSeveral)
	if err != nil {
		return nil, err
	}
	in, err := conn.login(r.c.Context, password)
	if err != nil {
		conn.Close()
		return nil, err
	}
	p := &place{session: in}
	if err := r.see(p); err != nil {
		p.end(r.c)
		return nil, err
	}
	return p, nil
}

// see finds the two keys in the server's list.
func (r *rotation) see(p *place) error {
	list, err := p.Keys(r.c.Context, p.token, p.user)
	if err != nil {
		return err
	}
	for _, k := range list {
		if k.Fingerprint == r.old {
			p.old = &k
		}
		p.hasNew = p.hasNew || r.made() && k.Key == r.pair.Public.String()
	}
	if p.hasNew || p.old == nil {
		return nil
	}
	p.expires = p.old.Expires
	if !r.expires.IsZero() {
		p.expires = stamp(r.expires)
	} else if hasExpired(*p.old, r.now()) {
		return fault.New(fault.Policy, "say with --expires how long the new one is to live", "the old key expired there at %s", printable(p.old.Expires))
	}
	return nil
}
