package cmd

import (
	"errors"

	"github.com/urfave/cli/v2"

	"keyward/internal/fault"
	"keyward/keys"
)

func (e *env) addkeyCommand() *cli.Command {
	return &cli.Command{
		Name: "addkey", Category: userKeys,
		Usage: "register a public key with the registry",
		Description: "Registers the key for the caller, or for another user where the caller is an administrator. " +
			"It logs in with the password: a key cannot register keys. Silent on success.",
		UsageText: "keyward addkey -kd \"my laptop\"\nVOV_PASSWORD=... keyward addkey -kv 32:Ihq6djlx5L9XQzRWRWy0Z2hl5fD64JhJoqa7FpDmiyg= -kd \"Backup key\" --url https://mercury:9100",
		Flags: e.loginFlags(
			&cli.StringFlag{Name: "kv", Usage: "the public `KEY`", DefaultText: "the user key file's"},
			&cli.StringFlag{Name: "kd", Usage: "its `DESCRIPTION`: one line"},
			aboutUserFlag("register it for user `NAME` (administrator)"),
			&cli.BoolFlag{Name: "if-missing", Usage: "succeed where the key is there already"},
			e.keyfileFlag(),
		),
		Action: e.addkey,
	}
}

// aboutUserFlag is -u: whom the command is about. It has no environment variable.
func aboutUserFlag(usage string) cli.Flag {
	return &cli.StringFlag{Name: "u", Aliases: []string{"user"}, Usage: usage, DefaultText: "the caller"}
}

func (e *env) addkey(c *cli.Context) error {
	key, err := e.keyArgument(c)
	if err != nil {
		return err
	}
	s, err := e.login(c)
	if err != nil {
		return err
	}
	defer s.end(c)
	err = s.AddKey(c.Context, s.token, s.about(c), key, c.String("kd"))
	if c.Bool("if-missing") && errors.Is(err, fault.Exists) {
		return nil
	}
	return err
}

// keyArgument is the key of -kv, else the user key file's.
func (e *env) keyArgument(c *cli.Context) (keys.PublicKey, error) {
	if kv := c.String("kv"); kv != "" {
		key, err := keys.ParsePublic(kv)
		if err != nil {
			return key, fault.New(fault.Usage, fault.HintOf(err), "-kv: %w", err)
		}
		return key, nil
	}
	path, err := e.keyfile(c)
	if err != nil {
		return keys.PublicKey{}, err
	}
	pair, err := keys.Load(c.Context, path)
	return pair.Public, err
}

// about is whom the command is about: -u, else the caller.
func (s *session) about(c *cli.Context) string {
	if user := c.String("u"); user != "" {
		return user
	}
	return s.user
}
