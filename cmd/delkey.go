package cmd

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/keys"
	"keyward/registry/wire"
)

func (e *env) delkeyCommand() *cli.Command {
	return &cli.Command{
		Name: "delkey", Category: userKeys,
		Usage: "delete a registered key",
		Description: "Deletes the caller's key, or another user's where the caller is an administrator: by the key, by its fingerprint or the beginning of it, or by its description. " +
			"Where several keys fit none is deleted, and they are listed. It logs in with the password. Silent on success.",
		UsageText: "keyward delkey -kv 32:Ihq6djlx5L9XQzRWRWy0Z2hl5fD64JhJoqa7FpDmiyg=\nkeyward delkey -kv 32:Ihq6djlx5L9XQzRWRWy0Z2hl5fD64JhJoqa7FpDmiyg= -u user1 --as admin\n" +
			"keyward delkey --fingerprint 9f86d081884c7d65\nkeyward delkey -kd \"my laptop\"",
		Flags: e.loginFlags(
			&cli.StringFlag{Name: "kv", Usage: "the public `KEY`"},
			&cli.StringFlag{Name: "fingerprint", Usage: "the key's `FINGERPRINT`, or its first hex digits, 8 or more"},
			&cli.StringFlag{Name: "kd", Usage: "the key's `DESCRIPTION`, all of it"},
			aboutUserFlag("delete a key of user `NAME` (administrator)"),
		),
		Action: e.delkey,
	}
}

func (e *env) delkey(c *cli.Context) error {
	fits, err := e.meant(c)
	if err != nil {
		return err
	}
	s, err := e.login(c)
	if err != nil {
		return err
	}
	defer s.end(c)
	user := s.about(c)
	list, err := s.Keys(c.Context, s.token, user)
	if err != nil {
		return err
	}
	fingerprint, err := only(slices.DeleteFunc(list, func(k wire.Key) bool { return !fits(k) }), user)
	if err != nil {
		return err
	}
	return s.DeleteKey(c.Context, s.token, user, fingerprint)
}

// meant tells the key that -kv, --fingerprint or -kd is about.
func (e *env) meant(c *cli.Context) (func(wire.Key) bool, error) {
	given := slices.DeleteFunc([]string{"kv", "fingerprint", "kd"}, func(flag string) bool { return !e.call.given[flag] })
	if len(given) > 1 {
		return nil, fault.New(fault.Usage, "take one of them", "-kv, --fingerprint and -kd do not go together")
	}
	if len(given) == 0 || c.String(given[0]) == "" {
		return nil, fault.New(fault.Usage, "give -kv KEY, --fingerprint or -kd; `keyward listkeys --long` shows the keys", "it is not said which key to delete")
	}
	switch given[0] {
	case "kv":
		key, err := keys.ParsePublic(c.String("kv"))
		if err != nil {
			return nil, fault.New(fault.Usage, fault.HintOf(err), "-kv: %w", err)
		}
		return func(k wire.Key) bool { return k.Key == key.String() }, nil
	case "fingerprint":
		return fingerprinted(c.String("fingerprint"))
	}
	return func(k wire.Key) bool { return k.Description == c.String("kd") }, nil
}

// fingerprintPrefix is what a fingerprint begins with; people may leave it out.
const fingerprintPrefix = "sha256:"

// fingerprinted tells the keys whose fingerprint begins so.
func fingerprinted(start string) (func(wire.Key) bool, error) {
	digits := strings.TrimPrefix(strings.ToLower(start), fingerprintPrefix)
	if n := len(digits); n < 8 || n > 64 || strings.Trim(digits, "0123456789abcdef") != "" {
		return nil, fault.New(fault.Usage, "give 8 to 64 hex digits; `keyward listkeys --long` shows 16", "--fingerprint: %q is none", start)
	}
	return func(k wire.Key) bool { return strings.HasPrefix(k.Fingerprint, fingerprintPrefix+digits) }, nil
}

// only is the fingerprint of the one key that fits.
func only(fitting []wire.Key, user string) (string, error) {
	switch len(fitting) {
	case 0:
		return "", fault.New(fault.NotFound, "`keyward listkeys --long` shows the keys", "%s has no such key", printable(user))
	case 1:
		return fitting[0].Fingerprint, nil
	}
	words := ""
	for _, k := range fitting {
		words += "\n  " + printable(shortFingerprint(k.Fingerprint)+" "+toMinute(k.Created)+" "+k.Description)
	}
	return "", fault.New(fault.Usage, "give more of one's --fingerprint", "%d keys fit, and none was deleted:%s", len(fitting), words)
}
