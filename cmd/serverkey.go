package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/internal/durable"
	"keyward/internal/secretfile"
	"keyward/keys"
)

func (e *env) serverkeyCommand() *cli.Command {
	return &cli.Command{
		Name: "serverkey", Category: services,
		Usage: "look at the server's key files, and replace the key",
		Description: "Works on the files of the server's NaCl key pair, on the host of the registry and as the user that it runs as. Clients seal their key logins for that key, and remember it. " +
			"`serve` reads the files when it starts and at a SIGHUP.",
		UsageText: "keyward serverkey show\nkeyward serverkey rotate",
		Subcommands: []*cli.Command{
			{
				Name: "show", Usage: "print the server's public keys",
				Description: "Prints a table of the key, of the old one that it replaced, and of the next one that rotate --prepare made, as far as they are there: the public key, when it was made, and for the old one when its overlap ends. " +
					"With --json an object with file and current, old and next, each with public_key, fingerprint, created and file, and overlap_ends.",
				UsageText: "keyward serverkey show\nkeyward serverkey show --server-key /etc/keyward/serverkey --json",
				Flags:     []cli.Flag{dataDirFlag(), serverKeyFlag(), e.quietFlag(), e.jsonFlag()},
				Action:    e.serverkeyShow,
			},
			{
				Name: "rotate", Usage: "put a new server key in the place of the old one",
				Description: "Makes a new pair and puts it in the place of the key file FILE, and the old pair beside it as FILE.old, both or neither. " +
					"A registry that starts or gets a SIGHUP then puts the new key on record. For the overlap it takes logins for either key, and its answer to a login for the old one vouches for the new one: " +
					"clients that knew the old key follow by themselves. Who does not log in with a key within that time is told that the key has changed. " +
					"Where the old key was stolen give --overlap 0: who has it could vouch for any other. " +
					"With several replicas every one must hold the new key before the first tells it. 1. Call rotate --prepare on one, which makes FILE.next. 2. Copy that to all the others, mode 0600. " +
					"3. Reload all: they take logins for it from now on. 4. Call rotate on each and reload it, in any order and with the same overlap. " +
					"It is safe to stop between any two of these steps. A replica that lacks the key on record refuses to start, and to reload. " +
					"Where FILE is lost, in all backups too, --lost takes the fingerprint of the key on record, which serve names: there is no overlap then, and every client has to be told. " +
					"It is refused while there is a FILE: move one that is damaged, or is another key, away first.",
				UsageText: "keyward serverkey rotate\nkeyward serverkey rotate --prepare\nkeyward serverkey rotate --overlap 0\nkeyward serverkey rotate --lost sha256:5f0c...",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "overlap", EnvVars: variable("overlap"), Value: "30d", Usage: "the old key is taken for this `TIME` more: 12h, 30d, 2w; 0 ends it at once"},
					&cli.BoolFlag{Name: "prepare", Usage: "only make the pair, as FILE.next, to be copied to the other replicas"},
					&cli.StringFlag{Name: "lost", Usage: "replace the key with this `FINGERPRINT`, which nobody has any more"},
					forceFlag("rotate though the last rotation is not over: the key before the old one is not taken any more"),
					dataDirFlag(), serverKeyFlag(), e.quietFlag(), e.jsonFlag(),
				},
				Action: e.serverkeyRotate,
			},
		},
	}
}

// serverKeyPath is the server key file that the flags name.
func (e *env) serverKeyPath(c *cli.Context) (string, error) {
	dir := c.String("data-dir")
	if dir == "" && c.String("server-key") == "" {
		var err error
		if dir, err = e.dataDir(); err != nil {
			return "", err
		}
	}
	return fileOr(c, "server-key", dir, serverKeyFile), nil
}

func (e *env) serverkeyShow(c *cli.Context) error {
	path, err := e.serverKeyPath(c)
	if err != nil {
		return err
	}
	files, err := readServerKeys(c.Context, path)
	if err != nil {
		return noServerKey(path, err)
	}
	return e.printServerKeys(path, files)
}

// noServerKey gives a key that is not there its own words: those of package keys are for users.
func noServerKey(path string, err error) error {
	if !errors.Is(err, fault.NotFound) {
		return err
	}
	return fault.New(fault.NotFound, "give --data-dir or --server-key as `keyward serve` has them; its first start makes the key", "there is no server key in %s", path)
}

// shownKey is one of the server's keys in JSON.
type shownKey struct {
	PublicKey   string `json:"public_key"`
	Fingerprint string `json:"fingerprint"`
	Created     string `json:"created,omitempty"` // RFC 3339
	File        string `json:"file"`
}

// printServerKeys prints the public keys of the files.
func (e *env) printServerKeys(path string, f serverKeyFiles) error {
	v := struct {
		Current     *shownKey `json:"current"`
		Old         *shownKey `json:"old,omitempty"`
		Next        *shownKey `json:"next,omitempty"`
		OverlapEnds string    `json:"overlap_ends,omitempty"` // where the registry was told of the rotation at once
	}{show(path, f.own), show(path+oldSuffix, f.old), show(path+nextSuffix, f.next), stamp(f.ends())}
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(what string, k *shownKey, more string) {
		if k != nil {
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\tmade %s%s\n", what, k.PublicKey, k.Fingerprint, orUnknown(k.Created), more)
		}
	}
	row("current", v.Current, "")
	row("old", v.Old, overlapWords(f.replacement, e.now()))
	row("next", v.Next, ", for `keyward serverkey rotate`")
	_ = table.Flush()
	return e.print(v, b.String())
}

func show(file string, p keys.Pair) *shownKey {
	if p == (keys.Pair{}) {
		return nil
	}
	return &shownKey{p.Public.String(), p.Public.Fingerprint(), stamp(p.Created), file}
}

func orUnknown(when string) string {
	if when == "" {
		return "at some time"
	}
	return when
}

func overlapWords(r replacement, now time.Time) string {
	if now.Before(r.ends()) {
		return ", taken until " + stamp(r.ends())
	}
	return ", not taken any more"
}

func (e *env) serverkeyRotate(c *cli.Context) error {
	path, err := e.serverKeyPath(c)
	if err != nil {
		return err
	}
	overlap, err := parseSpan("overlap", c.String("overlap"), e.now())
	if err != nil {
		return err
	}
	lost := c.String("lost")
	if lost != "" && c.Bool("prepare") {
		return fault.New(fault.Usage, "take one of them", "--lost and --prepare do not go together")
	}
	release, err := durable.Hold(c.Context, filepath.Dir(path), filepath.Base(path)+".rotation")
	if err != nil {
		return err
	}
	defer release()
	files, err := readServerKeys(c.Context, path)
	if lost != "" {
		if files, err = besideLost(c.Context, path, lost, err); err != nil {
			return err
		}
		return e.replaceServerKey(c, path, files, replacement{replaces: lost, rotated: e.now()})
	}
	if err != nil {
		return noServerKey(path, err)
	}
	if files.own.Public == files.next.Public { // a rotation was killed after its last step but one
		return e.endRotation(path, files)
	}
	if c.Bool("prepare") {
		return e.prepareServerKey(c, path, files)
	}
	return e.replaceServerKey(c, path, files, replacement{files.own.Public.Fingerprint(), e.now(), overlap})
}

// prepareServerKey makes the pair that is to come.
func (e *env) prepareServerKey(c *cli.Context, path string, files serverKeyFiles) error {
	if files.next != (keys.Pair{}) {
		return fault.New(fault.Exists, "copy it to the other replicas, and call rotate on each; or remove it", "the next server key is there: %s", path+nextSuffix)
	}
	pair, err := keys.Generate()
	if err != nil {
		return err
	}
	pair.Created = e.now().UTC().Truncate(time.Second)
	if _, err := keys.Save(c.Context, path+nextSuffix, pair, false, e.now()); err != nil {
		return err
	}
	files.next = pair
	e.note("copy %s to every replica and reload them all, before `keyward serverkey rotate` on each", path+nextSuffix)
	return e.printServerKeys(path, files)
}

// settling is for how long at least a rotation counts as not over: a registry may not have read it yet.
const settling = time.Hour

// replaceServerKey puts the next pair, or a new one, in place, and the old one beside it.
func (e *env) replaceServerKey(c *cli.Context, path string, files serverKeyFiles, r replacement) error {
	if err := checkRotation(c, files, r); err != nil {
		return err
	}
	was, pair := files, files.next
	if pair == (keys.Pair{}) {
		var err error
		if pair, err = keys.Generate(); err != nil {
			return err
		}
		pair.Created = r.rotated.UTC().Truncate(time.Second)
	}
	set, err := rotatedSet(path, was, pair, r)
	if err != nil {
		return err
	}
	dir, name := filepath.Split(path)
	if err := durable.Put(c.Context, filepath.Clean(dir), name, set, true); err != nil {
		return err
	}
	return e.endRotation(path, serverKeyFiles{own: pair, old: was.own, next: was.next, replacement: r})
}

// besideLost are the files beside a server key file that is lost. One that could be read, or is damaged, is not lost, nor
// is a key that a file beside it has: in its place a registry would look for the wrong key on record, and find none.
func besideLost(ctx context.Context, path, lost string, read error) (f serverKeyFiles, err error) {
	digits, ok := strings.CutPrefix(lost, fingerprintPrefix)
	if !ok || len(digits) != 64 || strings.Trim(digits, "0123456789abcdef") != "" {
		return f, fault.New(fault.Usage, "give the fingerprint of the key on record, sha256: and 64 hex digits, as `serve` names it", "--lost %.80q is no fingerprint", lost)
	}
	if read == nil || errors.Is(read, fault.InvalidFile) {
		return f, fault.New(fault.Policy, "rotate without --lost; where that file is damaged, or is not the key on record, move it away first", "the server key is not lost: it is in %s", path)
	}
	if !errors.Is(read, fault.NotFound) {
		return f, read
	}
	for suffix, pair := range map[string]*keys.Pair{oldSuffix: &f.old, nextSuffix: &f.next} {
		if *pair, err = loadIfThere(ctx, path+suffix); err != nil {
			return f, err
		}
		if pair.Public.Fingerprint() == lost {
			return f, fault.New(fault.Policy, "move that file to "+path, "the server key is not lost: it is in %s", path+suffix)
		}
	}
	return f, nil
}

// checkRotation refuses a rotation that would end another before its time.
func checkRotation(c *cli.Context, files serverKeyFiles, r replacement) error {
	over := files.ends()
	if earliest := files.rotated.Add(settling); over.Before(earliest) {
		over = earliest
	}
	if files.replaces != "" && r.rotated.Before(over) && !c.Bool("force") {
		return fault.New(fault.Exists, "wait for that, or end it with --force", "the last rotation is not over before %s", stamp(over))
	}
	return nil
}

// rotatedSet are the files of a rotation. An old pair that another takes the place of is kept under a dated name, since
// a registry may have it on record still.
func rotatedSet(path string, was serverKeyFiles, pair keys.Pair, r replacement) ([]durable.File, error) {
	name := filepath.Base(path)
	set := []durable.File{{Name: name, Data: append(pair.Userkey(), r.text()...), Mode: 0o600}}
	if was.own == (keys.Pair{}) {
		return set, nil
	}
	set = append(set, durable.File{Name: name + oldSuffix, Data: was.own.Userkey(), Mode: 0o600})
	if was.old == (keys.Pair{}) {
		return set, nil
	}
	text, _, err := secretfile.Read(path+oldSuffix, maxServerKey)
	backup := name + oldSuffix + "." + r.rotated.UTC().Format("20060102T150405Z") + ".bak"
	return append(set, durable.File{Name: backup, Data: text, Mode: 0o600}), err
}

const maxServerKey = 4 << 10 // bytes

// endRotation removes the file of the pair that is in place now, and tells what there is.
func (e *env) endRotation(path string, files serverKeyFiles) error {
	if err := os.Remove(path + nextSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	files.next = keys.Pair{}
	e.note("the new server key is in place; have the registry read it: systemctl reload keyward, or kill -HUP")
	return e.printServerKeys(path, files)
}
