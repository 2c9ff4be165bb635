package cmd

import (
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/keys"
)

func (e *env) keygenCommand() *cli.Command {
	return &cli.Command{
		Name: "keygen", Category: userKeys,
		Usage: "make a NaCl key pair in the user key file",
		Description: "Writes a new Curve25519 pair to $HOME/.vov/userkey, readable by its owner alone. " +
			"Where there is one already, it is asked at a terminal and refused elsewhere; " +
			"the pair that is replaced is kept beside it as a dated backup.",
		UsageText: "keyward keygen\nkeyward keygen --keyfile ./ci.userkey --json",
		Flags:     []cli.Flag{e.keyfileFlag(), forceFlag("replace the pair, and keep the old one as a dated backup"), e.quietFlag(), e.jsonFlag()},
		Action:    e.keygen,
	}
}

func (e *env) keygen(c *cli.Context) error {
	path, err := e.keyfile(c)
	if err != nil {
		return err
	}
	pair, err := keys.Generate()
	if err != nil {
		return err
	}
	backup, err := e.overwriting(c.Bool("force"), path, func(replace bool) (string, error) {
		return keys.Save(c.Context, path, pair, replace, e.dated())
	})
	if err != nil {
		return err
	}
	if backup != "" {
		e.note("the old pair is kept in %s", backup)
	}
	if e.json {
		pair, err = keys.Load(c.Context, path)
		if err != nil {
			return err
		}
		return e.printPair(path, pair, backup)
	}
	e.note("wrote %s", path)
	return nil
}

// overwriting runs write, and once more with replace where something is there
// already and the person at the terminal says yes.
func (e *env) overwriting(force bool, what string, write func(replace bool) (string, error)) (string, error) {
	out, err := write(force)
	if kindOf(err) != fault.Exists || force || e.script {
		return out, err
	}
	terminal := e.terminal()
	if terminal == nil {
		return out, err
	}
	yes, askErr := terminal.Confirm(fmt.Sprintf("%s is there already. Replace it?", what))
	if askErr != nil {
		return out, askErr
	}
	if !yes {
		return out, err
	}
	return write(true)
}

// keyfile is the user key file's path: the flag, its variable, or the default.
func (e *env) keyfile(c *cli.Context) (string, error) {
	if path := c.String("keyfile"); path != "" {
		return path, nil
	}
	home, err := e.home()
	return keys.DefaultPath(home), err
}

// printPair prints what may be shown of a pair: the public key, or with --json all but the private one.
func (e *env) printPair(path string, pair keys.Pair, backup string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	v := struct {
		PublicKey   string `json:"public_key"`
		Fingerprint string `json:"fingerprint"`
		Path        string `json:"path"`
		Created     string `json:"created,omitempty"` // RFC 3339, UTC, as all times
		Modified    string `json:"modified"`
		Backup      string `json:"backup,omitempty"`
	}{pair.Public.String(), pair.Public.Fingerprint(), path, stamp(pair.Created), stamp(info.ModTime()), backup}
	return e.print(v, pair.Public.String()+"\n")
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
