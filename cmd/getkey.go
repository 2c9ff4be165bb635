package cmd

import (
	"strings"

	"github.com/urfave/cli/v2"

	"keyward/fault"
)

func (e *env) getkeyCommand() *cli.Command {
	return &cli.Command{
		Name: "getkey", Category: userKeys,
		Usage: "print the public key of the user key file, or the keys of another user",
		Description: "Prints one line and nothing else. With --json also the path, the fingerprint (SHA-256 of the key's 32 bytes) and when the pair was made.\n\n" +
			"With -u it asks a registry for that user's keys and prints a line each. It logs in with the user key file's key, or with the password where --password-file or VOV_PASSWORD gives one. " +
			"The keys that it sees first are trusted, and kept in the file known_keys of the config folder; the note tells their fingerprints, to be compared with what `getkey --json` tells that user. " +
			"A key that comes later is refused with exit code 8 until --trust-new says that it is meant. One that the registry no longer shows, or whose time is over, is not used and no longer trusted. " +
			"With --json an array of objects with user, key, fingerprint, expires and new.",
		UsageText: "keyward getkey\nkeyward addkey -kv \"$(keyward getkey)\" -kd laptop\nkeyward getkey -u bob\nkeyward getkey -u bob --trust-new",
		Flags: e.loginFlags(
			&cli.StringFlag{Name: "u", Aliases: []string{"user"}, Usage: "the keys of user `NAME`, from the registry", DefaultText: "the user key file's"},
			&cli.BoolFlag{Name: "trust-new", Usage: "trust keys that came after the first time (with -u)"},
			e.keyfileFlag(),
		),
		Action: e.getkey,
	}
}

func (e *env) getkey(c *cli.Context) error {
	if user := c.String("u"); user != "" {
		return e.getkeysOf(c, user)
	}
	if c.Bool("trust-new") {
		return fault.New(fault.Usage, "name the user with -u", "--trust-new is about the keys of another user")
	}
	path, err := e.keyfile(c)
	if err != nil {
		return err
	}
	pair, err := e.ownPair(c)
	if err != nil {
		return err
	}
	return e.printPair(path, pair, "")
}

func (e *env) getkeysOf(c *cli.Context, user string) error {
	if err := directoryName(user); err != nil {
		return err
	}
	s, err := e.readSession(c)
	if err != nil {
		return err
	}
	defer s.end(c)
	list, err := e.directory(c, s, user)
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, k := range list {
		text.WriteString(k.Key + "\n")
	}
	return e.print(list, text.String())
}
