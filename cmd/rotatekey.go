package cmd

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/internal/durable"
	"keyward/keys"
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

func (r *rotation) made() bool { return r.pair.Public != (keys.PublicKey{}) }

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
