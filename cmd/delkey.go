package cmd

import (
	"github.com/urfave/cli/v2"

	"keyward/internal/fault"
	"keyward/keys"
)

func (e *env) delkeyCommand() *cli.Command {
	return &cli.Command{
		Name: "delkey", Category: userKeys,
		Usage:       "delete a registered key",
		Description: "Deletes the caller's key, or another user's where the caller is an administrator. It logs in with the password. Silent on success.",
		UsageText:   "keyward delkey -kv 32:Ihq6djlx5L9XQzRWRWy0Z2hl5fD64JhJoqa7FpDmiyg=\nkeyward delkey -kv 32:Ihq6djlx5L9XQzRWRWy0Z2hl5fD64JhJoqa7FpDmiyg= -u user1 --as admin",
		Flags: e.loginFlags(
			&cli.StringFlag{Name: "kv", Usage: "the public `KEY`"},
			aboutUserFlag("delete a key of user `NAME` (administrator)"),
		),
		Action: e.delkey,
	}
}

func (e *env) delkey(c *cli.Context) error {
	if c.String("kv") == "" {
		return fault.New(fault.Usage, "give -kv KEY; `keyward listkeys` shows the keys", "it is not said which key to delete")
	}
	key, err := keys.ParsePublic(c.String("kv"))
	if err != nil {
		return fault.New(fault.Usage, fault.HintOf(err), "-kv: %w", err)
	}
	s, err := e.login(c)
	if err != nil {
		return err
	}
	defer s.end(c)
	return s.DeleteKey(c.Context, s.token, s.about(c), key.Fingerprint())
}
