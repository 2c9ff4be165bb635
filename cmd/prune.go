package cmd

import (
	"cmp"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/registry/wire"
)

func (e *env) pruneCommand() *cli.Command {
	return &cli.Command{
		Name: "prune", Category: userKeys,
		Usage: "delete the expired keys of all users (administrator)",
		Description: "Deletes the keys whose expiry is over, and tells how many. They log nobody in any more; until then they stay in the lists, as who had them may ask why. " +
			"--dry-run lists them in the layout of listkeys and deletes nothing. With --json an object with deleted, how many, and keys, as listkeys has them; with --dry-run the array of listkeys.",
		UsageText: "keyward prune --as admin --password-file ./admin-password\nkeyward prune --older-than 30d --dry-run --as admin",
		Flags: e.loginFlags(
			&cli.StringFlag{Name: "older-than", EnvVars: variable("older-than"), Usage: "only keys that expired this `TIME` ago or earlier: 30 or 30d, 12h, 12w, 1y", DefaultText: "all that expired"},
			dryRunFlag("list the keys, and delete nothing"),
		),
		Action: e.prune,
	}
}

func (e *env) prune(c *cli.Context) error {
	before, err := e.pruneBefore(c)
	if err != nil {
		return err
	}
	s, err := e.login(c)
	if err != nil {
		return err
	}
	defer s.end(c)
	if c.Bool("dry-run") {
		over := func(k wire.Key) bool { return hasExpired(k, cmp.Or(before, e.now())) }
		return e.printKeys(those(s.AllKeys(c.Context, s.token), over), false)
	}
	gone, err := s.PruneKeys(c.Context, s.token, before)
	if err != nil {
		return err
	}
	words := fmt.Sprintf("%d expired keys deleted\n", len(gone))
	if len(gone) == 1 {
		words = "1 expired key deleted\n"
	}
	return e.print(struct {
		Deleted int        `json:"deleted"`
		Keys    []wire.Key `json:"keys"`
	}{len(gone), gone}, words)
}

// pruneBefore is the time before which a key must have expired; zero for the server's now.
func (e *env) pruneBefore(c *cli.Context) (time.Time, error) {
	if !e.says(c, "older-than") {
		return time.Time{}, nil
	}
	span, err := parseSpan("older-than", c.String("older-than"), e.now())
	if err != nil || span == 0 {
		return time.Time{}, err
	}
	return e.now().Add(-span), nil
}
