package cmd

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/registry/wire"
)

func (e *env) userCommand() *cli.Command {
	newPasswordFlag := &cli.StringFlag{
		Name: "new-password-file", EnvVars: variable("new-password-file"), TakesFile: true,
		Usage: "the new password is the first line of `FILE`, - is stdin (after the caller's own); else asked for",
	}
	return &cli.Command{
		Name: "user", Category: services,
		Usage:       "add, list and delete the registry's users, change passwords",
		Description: "For the registry's administrator; a user may change the own password.",
		UsageText:   "keyward user add alice --as admin --password-file registry/admin-password",
		Subcommands: []*cli.Command{
			{
				Name: "add", Usage: "add a user", ArgsUsage: "NAME",
				Description: "Adds a user, who can then log in with the new password. Silent on success.",
				UsageText:   "keyward user add alice --as admin\nkeyward user add ci --as admin --password-file admin-password --new-password-file ci-password",
				Flags:       e.loginFlags(newPasswordFlag, &cli.BoolFlag{Name: "admin", Usage: "make the user an administrator"}),
				Action:      e.userAdd,
			},
			{
				Name: "list", Usage: "list the users",
				Description: "Prints a table: name, role, number of keys, since when. With --json an array of objects with name, admin, keys and created.",
				UsageText:   "keyward user list --as admin\nkeyward user list --as admin --json",
				Flags:       e.loginFlags(),
				Action:      e.userList,
			},
			{
				Name: "passwd", Usage: "change a user's password", ArgsUsage: "NAME",
				Description: "Sets a new password and ends the user's tokens. Silent on success.",
				UsageText:   "keyward user passwd alice --as admin\nkeyward user passwd \"$USER\"",
				Flags:       e.loginFlags(newPasswordFlag),
				Action:      e.userPasswd,
			},
			{
				Name: "delete", Usage: "delete a user with all keys", ArgsUsage: "NAME",
				Description: "Deletes the user, the user's keys and tokens. At a terminal it asks; elsewhere --yes says so.",
				UsageText:   "keyward user delete alice --as admin --yes",
				Flags:       e.loginFlags(&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask"}),
				Action:      e.userDelete,
			},
		},
	}
}

// userArgument is the one NAME that the command is about.
func userArgument(c *cli.Context) (string, error) {
	if c.NArg() != 1 {
		return "", fault.New(fault.Usage, "name the user: keyward user "+c.Command.Name+" NAME",
			"user %s takes one NAME, and got %q", c.Command.Name, strings.Join(c.Args().Slice(), " "))
	}
	return c.Args().First(), nil
}

func (e *env) userAdd(c *cli.Context) error {
	return e.withNewPassword(c, func(s *session, name, password string) error {
		return s.AddUser(c.Context, s.token, wire.NewUser{Name: name, Password: password, Admin: c.Bool("admin")})
	})
}

func (e *env) userPasswd(c *cli.Context) error {
	return e.withNewPassword(c, func(s *session, name, password string) error {
		return s.SetPassword(c.Context, s.token, name, password)
	})
}

// withNewPassword logs in, takes the new password and does what is to be done with it.
func (e *env) withNewPassword(c *cli.Context, do func(s *session, name, password string) error) error {
	name, err := userArgument(c)
	if err != nil {
		return err
	}
	const flag = "new-password-file"
	if c.String(flag) == "" && e.terminal() == nil {
		_, err := e.newPassword("", "--"+flag, name) // which says so, before anything is sent
		return err
	}
	s, err := e.login(c)
	if err != nil {
		return err
	}
	defer s.end(c)
	password, err := e.newPassword(c.String(flag), "--"+flag, name)
	if err != nil {
		return err
	}
	return do(s, name, password)
}

func (e *env) userList(c *cli.Context) error {
	s, err := e.login(c)
	if err != nil {
		return err
	}
	defer s.end(c)
	users, err := s.Users(c.Context, s.token)
	if err != nil {
		return err
	}
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "NAME\tROLE\tKEYS\tCREATED")
	for _, u := range users {
		role := "user"
		if u.Admin {
			role = "administrator"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", printable(u.Name), role, u.Keys, printable(u.Created))
	}
	_ = table.Flush()
	return e.print(users, b.String())
}

func (e *env) userDelete(c *cli.Context) error {
	name, err := userArgument(c)
	if err != nil {
		return err
	}
	if err := e.agree(c.Bool("yes"), fmt.Sprintf("Delete %s and all keys of %s?", name, name)); err != nil {
		return err
	}
	s, err := e.login(c)
	if err != nil {
		return err
	}
	defer s.end(c)
	return s.DeleteUser(c.Context, s.token, name)
}

// agree asks before something that cannot be undone.
func (e *env) agree(yes bool, question string) error { return e.agreeTo("--yes", yes, question) }

// agreeTo is agree where another flag says yes.
func (e *env) agreeTo(flag string, yes bool, question string) error {
	if yes {
		return nil
	}
	terminal := e.terminal()
	if terminal == nil {
		return fault.New(fault.Usage, "give "+flag, "this cannot be undone, and there is no terminal to ask at")
	}
	yes, err := terminal.Confirm(question)
	if err == nil && !yes {
		return fault.New(fault.Failed, "", "not confirmed; nothing was changed")
	}
	return err
}
