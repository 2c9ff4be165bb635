package cmd

import (
	"errors"
	"os"
	"path/filepath"

	"keyward/fault"
	"keyward/internal/durable"
	"keyward/keys"
	"keyward/registry/wire"
)

// makePair makes the new pair, unless an earlier rotation has.
func (r *rotation) makePair() error {
	if r.made() {
		return nil
	}
	if r.dry() {
		r.would = append(r.would, "would make "+printable(r.next()))
		return nil
	}
	pair, err := keys.Generate()
	if err != nil {
		return err
	}
	pair.Created = r.dated()
	dir, name := filepath.Dir(r.next()), filepath.Base(r.next())
	text := append(pair.Userkey(), replacesWord+r.old+"\n"...)
	if err := durable.Put(r.c.Context, dir, name, []durable.File{{Name: name, Data: text, Mode: 0o600}}, false); err != nil {
		return fault.New(kindOf(err), fault.HintOf(err), "stopped before the new key was made, and the old key still works: %w", err)
	}
	r.pair = pair
	return nil
}

func (r *rotation) registerNew() error {
	return r.each("registered the new key", func(p *place) error {
		if p.hasNew {
			return r.expireNew(p)
		}
		wanted := wire.NewKey{Key: r.pair.Public.String(), Description: p.old.Description, Labels: p.old.Labels, Expires: p.expires}
		return r.do(p, "register", "register the new key", func() error {
			err := p.AddKey(r.c.Context, p.token, p.user, wanted)
			if errors.Is(err, fault.Exists) {
				return nil
			}
			return err
		})
	})
}

// expireNew gives the new key that an earlier rotation registered the end that is asked for now.
func (r *rotation) expireNew(p *place) error {
	if r.expires.IsZero() {
		return nil
	}
	return r.do(p, "register", "let the new key expire at "+stamp(r.expires), func() error {
		return p.ExpireKey(r.c.Context, p.token, p.user, r.pair.Public.Fingerprint(), r.expires)
	})
}

// proveNew logs in with the new key at each server, also at those where an earlier rotation did: no old key is ended
// where the new one does not work.
func (r *rotation) proveNew() error {
	return r.each("logged in with the new key", func(p *place) error {
		return r.do(p, "prove", "log in with the new key", func() error {
			token, err := r.keyLogin(r.c, p.connection, r.pair)
			if err != nil {
				return err
			}
			_ = p.Revoke(r.c.Context, token) // else it ends by itself
			return nil
		})
	})
}

// putInPlace makes the new pair the user key file's.
func (r *rotation) putInPlace() error {
	if r.placed {
		return nil
	}
	if r.dry() {
		r.would = append(r.would, "would put it in the place of "+printable(r.keyfile))
		return nil
	}
	backup, err := keys.Save(r.c.Context, r.keyfile, r.pair, true, r.dated())
	if err != nil {
		return fault.New(kindOf(err), fault.HintOf(err), "stopped before the new key was put in its place, and the old key still works: %w", err)
	}
	r.backup, r.placed = backup, true
	return nil
}

// retireOld has the old key end at each server.
func (r *rotation) retireOld() error {
	return r.each("ended the old key", func(p *place) error {
		if p.old == nil {
			return nil
		}
		if r.ends.IsZero() {
			return r.do(p, "delete", "delete the old key", func() error {
				err := p.DeleteKey(r.c.Context, p.token, p.user, r.old)
				if errors.Is(err, fault.NotFound) {
					return nil
				}
				return err
			})
		}
		if p.old.Expires != "" && !instant(p.old.Expires).After(r.ends) {
			return nil // an overlap gives no longer life
		}
		return r.do(p, "expire", "let the old key expire at "+stamp(r.ends), func() error {
			return p.ExpireKey(r.c.Context, p.token, p.user, r.old, r.ends)
		})
	})
}

// finish removes the file of the next pair: from here on nothing is left to go on with.
func (r *rotation) finish() error {
	if r.dry() {
		return nil
	}
	return os.Remove(r.next())
}

// each does a step at the servers, one after the other, so that it is clear where it stopped.
func (r *rotation) each(what string, step func(*place) error) error {
	for _, p := range r.places {
		if err := step(p); err != nil {
			return r.stopped(p.server, what, err)
		}
	}
	return nil
}

// do does a step at a server, or says in a dry run what it would do.
func (r *rotation) do(p *place, code, words string, step func() error) error {
	p.done = append(p.done, code)
	if r.dry() {
		r.would = append(r.would, p.server.title()+": would "+words)
		return nil
	}
	return step()
}

func (r *rotation) stopped(s server, what string, err error) error {
	hint := "call rotatekey again: it goes on from there"
	if first := r.hintOf(err); first != "" {
		hint = first + "; then " + hint
	}
	working := "the old key still works"
	if r.placed {
		working = "the new key is in its place"
	}
	return fault.New(kindOf(err), hint, "stopped at %s while it %s (%s): %w", s.title(), what, working, err)
}
