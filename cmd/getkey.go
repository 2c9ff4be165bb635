package cmd

import (
	"github.com/urfave/cli/v2"

	"keyward/keys"
)

func (e *env) getkeyCommand() *cli.Command {
	return &cli.Command{
		Name: "getkey", Category: userKeys,
		Usage:       "print the public key of the user key file",
		Description: "Prints one line and nothing else. With --json also the path, the fingerprint (SHA-256 of the key's 32 bytes) and when the pair was made.",
		UsageText:   "keyward getkey\nkeyward addkey -kv \"$(keyward getkey)\" -kd laptop",
		Flags:       []cli.Flag{e.keyfileFlag(), e.jsonFlag()},
		Action:      e.getkey,
	}
}

func (e *env) getkey(c *cli.Context) error {
	path, err := e.keyfile(c)
	if err != nil {
		return err
	}
	pair, err := keys.Load(c.Context, path)
	if err != nil {
		return err
	}
	return e.printPair(path, pair, "")
}
