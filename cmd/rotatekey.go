package cmd

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/internal/durable"
	"keyward/internal/fault"
	"keyward/internal/term"
	"keyward/keys"
	"keyward/registry/wire"
)

func (e *env) rotatekeyCommand() *cli.Command {
	return &cli.Command{
		Name: "rotatekey", Category: userKeys,
		Usage: "put a new key in the place of the old one, wherever it is registered",
		Description: "Makes a new pair beside the user key file, as FILE.next; registers it wherever the old key is, under the old one's description, labels and expiry; logs in with it at each; " +
			"puts it in the place of the user key file, and keeps the old pair as a dated backup; then has the old key expire after an overlap. It logs in with the password. " +
			"The servers are those of --server or --url; without them all of `servers list` that have the old key, and that of KEYWARD_URL. " +
			"A failure at any step leaves the old key working, and says at which server and step it stopped; called again, it goes on from there. Others trust the new key with `getkey -u NAME --trust-new`, and files that were sealed for the old one are opened with the backup, `open --keyfile`. " +
			"With --json an object with old and new (fingerprints), overlap_ends, backup, and servers: server, url, user and done, a list of register, prove, expire and delete; with --dry-run it is what would be done.",
		UsageText: "keyward rotatekey\nkeyward rotatekey --server work --server lab --overlap 1w\nkeyward rotatekey --dry-run --password-file ./password",
		Flags: severalServers(e.loginFlags(
			&cli.StringFlag{Name: "overlap", EnvVars: variable("overlap"), Value: "24h", Usage: "the old key logs in for this `TIME` more: 12h, 7d, 2w; 0 deletes it"},
			&cli.StringFlag{Name: "expires", EnvVars: variable("expires"), Usage: "the new key logs in for this `TIME`: 90 or 90d, 12h, 12w, 1y, or the last day 2027-01-01", DefaultText: "as the old one"},
			dryRunFlag("say what would be done, and do nothing"),
			e.keyfileFlag(),
		)),
		Action: e.rotatekey,
	}
}

// rotation is the way from the old key to the new one. What is done is seen in the user key file, in the one of the next
// pair, and in the registries' lists, so that a rotation that was stopped goes on from there.
type rotation struct {
	*env
	c       *cli.Context
	keyfile string    // the user key file
	old     string    // the old key's fingerprint
	pair    keys.Pair // the new one; without a key where it is not made yet
	placed  bool      // the new pair is the user key file's
	ends    time.Time // of the old key; zero where it is deleted
	expires time.Time // of the new key; zero for the old one's
	places  []*place
	backup  string   // of the old pair; "" where an earlier run made it
	would   []string // what a dry run would have done, a line a step
}

// place is a server of a rotation.
type place struct {
	*session
	old     *wire.Key // nil where it is deleted already
	hasNew  bool
	expires string   // of the new key
	done    []string // what was done here: register, prove, expire, delete
}

func (e *env) rotatekey(c *cli.Context) error {
	r, err := e.newRotation(c)
	if err != nil {
		return err
	}
	if !c.Bool("dry-run") {
		release, err := durable.Hold(c.Context, filepath.Dir(r.keyfile), filepath.Base(r.keyfile)+".rotation")
		if err != nil {
			return err
		}
		defer release()
	}
	if err := r.load(); err != nil {
		return err
	}
	defer r.end()
	if err := r.find(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM) // not before: a prompt is ended by them
	defer stop()
	context.AfterFunc(ctx, stop) // a second one ends the program
	c.Context = ctx
	for _, step := range []func() error{r.makePair, r.registerNew, r.proveNew, r.putInPlace, r.retireOld, r.finish} {
		if err := step(); err != nil {
			return err
		}
	}
	return r.print()
}

// newRotation reads the flags.
func (e *env) newRotation(c *cli.Context) (*rotation, error) {
	keyfile, err := e.keyfile(c)
	if err != nil {
		return nil, err
	}
	r := &rotation{env: e, c: c, keyfile: keyfile}
	overlap, err := parseSpan("overlap", c.String("overlap"), e.now())
	if err != nil {
		return nil, err
	}
	if overlap > 0 {
		r.ends = e.now().Add(overlap).Truncate(time.Second)
	}
	if e.says(c, "expires") {
		r.expires, err = parseEnd("expires", c.String("expires"), e.now())
	}
	return r, err
}

func (r *rotation) dry() bool { return r.c.Bool("dry-run") }

// next is the file of the next pair.
func (r *rotation) next() string { return r.keyfile + ".next" }

// load finds in the files how far an earlier rotation came.
func (r *rotation) load() error {
	current, err := keys.Load(r.c.Context, r.keyfile)
	if err != nil {
		return err
	}
	r.old = current.Public.Fingerprint()
	next, err := keys.Load(r.c.Context, r.next())
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	r.pair = next
	replaces, err := replaced(r.next())
	if err != nil {
		return err
	}
	r.placed = next.Public == current.Public
	switch {
	case r.placed && replaces != "":
		r.old = replaces
	case r.placed, replaces != "" && replaces != r.old:
		return fault.New(fault.Policy, "remove the file to begin anew", "%s is the next pair of another key than that of %s", r.next(), r.keyfile)
	}
	return nil
}

// The file of the next pair has a line that names the fingerprint of the key that it replaces, for a rotation that was stopped
// once that one is no more in its place. Readers of user keys take no notice of it.
const replacesWord = "replaces "

func replaced(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if fingerprint, ok := strings.CutPrefix(line, replacesWord); ok {
			return strings.TrimSpace(fingerprint), nil
		}
	}
	return "", nil
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

func (r *rotation) made() bool { return r.pair.Public != (keys.PublicKey{}) }

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

// each does a step at the servers, one after the other, so that it is clear where it stopped.
func (r *rotation) each(what string, step func(*place) error) error {
	for _, p := range r.places {
		if err := step(p); err != nil {
			return r.stopped(p.server, what, err)
		}
	}
	return nil
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

// do does a step at a server, or says in a dry run what it would do.
func (r *rotation) do(p *place, code, words string, step func() error) error {
	p.done = append(p.done, code)
	if r.dry() {
		r.would = append(r.would, p.server.title()+": would "+words)
		return nil
	}
	return step()
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

// end ends the sessions.
func (r *rotation) end() {
	for _, p := range r.places {
		p.end(r.c)
	}
}

// rotated is what became of the keys at a server.
type rotated struct {
	Server string   `json:"server,omitempty"`
	URL    string   `json:"url"`
	User   string   `json:"user"`
	Done   []string `json:"done"` // register, prove, expire, delete
}

// print tells what was done, or with --dry-run what would be.
func (r *rotation) print() error {
	v := struct {
		Old         string    `json:"old"`           // fingerprint
		New         string    `json:"new,omitempty"` // left out where it is not made yet
		DryRun      bool      `json:"dry_run,omitempty"`
		OverlapEnds string    `json:"overlap_ends,omitempty"` // RFC 3339; left out where the old key is deleted
		Backup      string    `json:"backup,omitempty"`
		Servers     []rotated `json:"servers"`
	}{Old: r.old, DryRun: r.dry(), OverlapEnds: stamp(r.ends), Backup: r.backup}
	if r.made() {
		v.New = r.pair.Public.Fingerprint()
	}
	for _, p := range r.places {
		v.Servers = append(v.Servers, rotated{p.server.Name, p.server.URL, p.user, append([]string{}, p.done...)})
	}
	if r.dry() {
		return r.env.print(v, strings.Join(r.would, "\n")+"\n")
	}
	r.note("the new key is in %s", printable(r.keyfile))
	if r.backup != "" {
		r.note("the old pair is kept in %s", printable(r.backup))
	}
	return r.env.print(v, "")
}
