package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/bus"
	"keyward/fault"
)

func (e *env) busAccountCommand() *cli.Command {
	return &cli.Command{
		Name: "account", Usage: "add, show, change and revoke the accounts of the bus",
		Description: "For the registry's administrator. An account has a name (1 to 64 of A-Z a-z 0-9 _ -), roles, extra patterns of subjects, and the identities of the certificates that open it. " +
			"An emitter sends to its message box, xbus.msgbox.ACCOUNT, or xbus.msgbox.ACCOUNT.EMITTER where it has another name. A consumer hears subjects. " +
			"Workers and services hear subjects and reply; each message goes to one of the connections of a worker.",
		UsageText: "keyward bus account add shop --trust-domain example.org --emitter orders --as admin\nkeyward bus account list --as admin",
		Subcommands: []*cli.Command{
			{
				Name: "add", Usage: "add an account", ArgsUsage: "NAME",
				Description: "Adds an account, which certificates with its identity open at once (gen-leaf-cert --account). " +
					"A role is written NAME, which hears xbus.msgbox.*.NAME, the message boxes of everybody's emitters of that name, or NAME=SUBJECT,SUBJECT. An emitter called like its account is in none of these: it is heard at xbus.msgbox.ACCOUNT, and all such at xbus.msgbox.*. * stands for one word of a subject, and > for all words that follow. " +
					"An account that was revoked is made anew, and certificates from before then do not open it. " +
					"With --json the account is printed, as bus account show does.",
				UsageText: "keyward bus account add shop --trust-domain example.org --emitter orders --as admin\n" +
					"keyward bus account add billing --trust-domain example.org --worker orders --publish \"bills.*.sent\" --as admin\n" +
					"keyward bus account add geo --trust-domain example.org --service \"places=geo.find,geo.list.>\" --stock-replies --as admin",
				Flags: e.loginFlags(append(partFlags(),
					accountFileFlag(),
					&cli.BoolFlag{Name: "if-missing", Usage: "succeed where it is there already, as asked for"})...),
				Action: e.accountAdd,
			},
			{
				Name: "list", Usage: "list the accounts",
				Description: "Prints a table: name, state, roles, identities. With --json an array of accounts with name, roles, publish, subscribe, identities, state, revision and not_before.",
				UsageText:   "keyward bus account list --as admin\nkeyward bus account list --as admin --json",
				Flags:       e.loginFlags(),
				Action:      e.accountList,
			},
			{
				Name: "show", Usage: "show an account and exactly what it may do", ArgsUsage: "NAME",
				Description: "Prints the account, its permissions as the NATS server has them, and the inbox prefixes for clients that are no keyward ones. " +
					"With --json an object with the account's fields and permissions, inbox_prefix and reply_prefixes. " +
					"With --explain it says instead whether the account may publish to and subscribe to a subject, and why.",
				UsageText: "keyward bus account show billing --as admin\n" +
					"keyward bus account show billing --explain xbus.msgbox.shop.orders --as admin\n" +
					"keyward bus account show billing --explain \"xbus.msgbox.*.orders billing.orders\" --as admin",
				Flags:  e.loginFlags(&cli.StringFlag{Name: "explain", Usage: "say what becomes of `SUBJECT`, or of \"SUBJECT QUEUE\" for a subscription in a queue group"}),
				Action: e.accountShow,
			},
			{
				Name: "update", Usage: "change an account", ArgsUsage: "NAME",
				Description: "Changes what the flags name and leaves the rest: a role is added, or replaces the one of its kind and name; patterns and identities are added; --remove takes away. " +
					"Or puts all that is in --file in place of the account. Permissions, state and not_before are not taken from there. " +
					"Live connections of the account are ended at once, and may connect again. " +
					"Where somebody else was faster nothing is changed, with the exit code 3; for a file the revision in it says what it was made from.",
				UsageText: "keyward bus account update billing --subscribe \"rates.>\" --remove worker=orders --as admin\n" +
					"keyward bus account update billing --trust-domain new.example.org --as admin\n" +
					"keyward bus account update billing --file billing.json --as admin",
				Flags: e.loginFlags(append(partFlags(),
					&cli.StringSliceFlag{Name: removeFlag, Usage: "take `PART` away: worker=NAME and so on for a role, publish=PATTERN, subscribe=PATTERN or identity=URI; repeatable"},
					accountFileFlag())...),
				Action: e.accountUpdate,
			},
			{
				Name: "revoke", Usage: "revoke an account and end its connections", ArgsUsage: "NAME",
				Description: "From now on no certificate opens the account, and its live connections are ended. It stays in the list. At a terminal it asks; elsewhere --yes says so.",
				UsageText:   "keyward bus account revoke billing --as admin --yes",
				Flags:       e.loginFlags(&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask"}),
				Action:      e.accountRevoke,
			},
		},
	}
}

// accountArgument is the one NAME that the command is about.
func accountArgument(c *cli.Context) (bus.Name, error) {
	if c.NArg() != 1 {
		return "", fault.New(fault.Usage, "name the account: keyward bus account "+c.Command.Name+" NAME",
			"bus account %s takes one NAME, and got %q", c.Command.Name, strings.Join(c.Args().Slice(), " "))
	}
	return bus.ParseName(c.Args().First())
}

func (e *env) accountAdd(c *cli.Context) error {
	account, err := e.newAccount(c)
	if err != nil {
		return err
	}
	s, err := e.login(c)
	if err != nil {
		return err
	}
	defer s.end(c)
	added, err := s.AddAccount(c.Context, s.token, account)
	if errors.Is(err, fault.Exists) && c.Bool("if-missing") {
		added, err = s.accountAsAsked(c, account, err)
	}
	if err != nil {
		return err
	}
	if !added.NotBefore.IsZero() {
		e.untilOpen(c.Context, added)
		e.note("note: certificates that start before %s were for an earlier account %s, and do not open this one", stamp(added.NotBefore), account.Name)
	}
	return e.printChanged(added)
}

// untilOpen waits, for a second at most, until a certificate that is made now opens an account that was made again: the times in
// certificates have no parts of a second.
func (e *env) untilOpen(ctx context.Context, a bus.Account) {
	if wait := a.NotBefore.Sub(e.now()); wait > 0 && wait <= time.Second {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// accountAsAsked is the account that is there, if it is no other than the one that was asked for.
func (s *session) accountAsAsked(c *cli.Context, asked bus.Account, exists error) (bus.Account, error) {
	there, err := s.Account(c.Context, s.token, asked.Name)
	switch {
	case errors.Is(err, fault.NotFound):
		return there, exists // a name in another case is taken
	case err == nil && !sameAccount(there, asked):
		err = fault.New(fault.Exists, "look at it with `keyward bus account show`, and change it with `keyward bus account update`",
			"the account %s is there already, and other than asked for", asked.Name)
	}
	return there, err
}

// printChanged prints an account that was added or changed, where programs read.
func (e *env) printChanged(account bus.Account) error {
	if !e.json {
		return nil
	}
	return e.print(pageOf(account), "")
}

func (e *env) accountList(c *cli.Context) error {
	s, err := e.login(c)
	if err != nil {
		return err
	}
	defer s.end(c)
	accounts := []bus.Account{}
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "NAME\tSTATE\tROLES\tIDENTITIES")
	for a, err := range s.Accounts(c.Context, s.token) {
		if err != nil {
			return err
		}
		accounts = append(accounts, a)
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", printable(string(a.Name)), printable(string(a.State)), rolesInShort(a.Roles), list(a.Identities))
	}
	_ = table.Flush()
	return e.print(accounts, b.String())
}

// rolesInShort is how many there are of each kind.
func rolesInShort(roles []bus.Role) string {
	var parts []string
	for _, kind := range roleKinds() {
		n := 0
		for _, role := range roles {
			if role.Kind == kind {
				n++
			}
		}
		switch {
		case n == 1:
			parts = append(parts, "1 "+string(kind))
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", n, kind))
		}
	}
	return list(parts)
}

func (e *env) accountRevoke(c *cli.Context) error {
	name, err := accountArgument(c)
	if err != nil {
		return err
	}
	if err := e.agree(c.Bool("yes"), fmt.Sprintf("Revoke the account %s and end its connections?", name)); err != nil {
		return err
	}
	s, err := e.login(c)
	if err != nil {
		return err
	}
	defer s.end(c)
	return s.RevokeAccount(c.Context, s.token, name)
}

func (e *env) accountUpdate(c *cli.Context) error {
	change, err := e.accountChangeOf(c)
	if err != nil {
		return err
	}
	s, err := e.login(c)
	if err != nil {
		return err
	}
	defer s.end(c)
	before, err := s.Account(c.Context, s.token, change.name)
	if err != nil {
		return err
	}
	after, err := change.of(before)
	if err != nil {
		return err
	}
	if sameAccount(before, after) {
		e.note("nothing to change: the account is so already")
		return e.printChanged(before)
	}
	after, err = s.UpdateAccount(c.Context, s.token, after)
	if err != nil {
		return err
	}
	return e.printChanged(after)
}
