package cmd

import (
	"bufio"
	"fmt"
	"iter"
	"strings"

	"github.com/urfave/cli/v2"

	"keyward/internal/fault"
	"keyward/registry/wire"
)

func (e *env) listkeysCommand() *cli.Command {
	return &cli.Command{
		Name: "listkeys", Category: userKeys,
		Usage:       "list the registered keys",
		Description: "Prints a line a key: the user, the key, and its description, which may hold spaces. With --json an array of objects with user, key, fingerprint, description and created.",
		UsageText:   "keyward listkeys\nkeyward listkeys -a --as admin --password-file ./admin-password",
		Flags: e.loginFlags(
			&cli.BoolFlag{Name: "a", Aliases: []string{"all"}, Usage: "the keys of all users (administrator)"},
			aboutUserFlag("the keys of user `NAME` (administrator)"),
		),
		Action: e.listkeys,
	}
}

func (e *env) listkeys(c *cli.Context) error {
	if c.Bool("a") && c.String("u") != "" {
		return fault.New(fault.Usage, "take one of them", "-a and -u do not go together")
	}
	s, err := e.login(c)
	if err != nil {
		return err
	}
	defer s.end(c)
	if c.Bool("a") {
		return e.printKeys(s.AllKeys(c.Context, s.token))
	}
	list, err := s.Keys(c.Context, s.token, s.about(c))
	if err != nil {
		return err
	}
	return e.printKeys(func(yield func(wire.Key, error) bool) {
		for _, k := range list {
			if !yield(k, nil) {
				return
			}
		}
	})
}

// printKeys prints the keys as they come, however many there are.
func (e *env) printKeys(all iter.Seq2[wire.Key, error]) error {
	out := bufio.NewWriter(e.stdout)
	before, between, after := "", "", ""
	if e.json {
		before, between, after = "[\n", ",\n", "\n]\n"
	}
	separator := before
	for k, err := range all {
		if err != nil {
			_ = out.Flush()
			return err
		}
		_, _ = out.WriteString(separator)
		separator = between
		if e.json {
			err = writeJSON(out, k)
		} else {
			_, err = fmt.Fprintln(out, printable(strings.TrimSuffix(k.User+" "+k.Key+" "+k.Description, " ")))
		}
		if err != nil {
			return err
		}
	}
	if e.json && separator == before {
		_, _ = out.WriteString("[")
		after = "]\n"
	}
	_, _ = out.WriteString(after)
	return out.Flush()
}

func writeJSON(out *bufio.Writer, v any) error {
	text, err := plainJSON(v, "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "  %s", text)
	return err
}
