package cmd

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/bus"
	"keyward/fault"
)

// accountPage is an account with what follows from it, as --json prints it.
type accountPage struct {
	bus.Account
	Permissions   *bus.Permissions `json:"permissions,omitempty"`
	InboxPrefix   string           `json:"inbox_prefix,omitempty"`   // of all that it gets replies on
	ReplyPrefixes *replyPrefixes   `json:"reply_prefixes,omitempty"` // for clients that are no keyward ones
}

// replyPrefixes are the inbox prefixes that clients set; somebody's name goes in the place of ACCOUNT.
type replyPrefixes struct {
	ToAsk string `json:"to_ask"`          // it asks ACCOUNT
	Asked string `json:"asked,omitempty"` // ACCOUNT asks it; none where it does not reply
}

// another stands for any other account.
const another bus.Name = "ACCOUNT"

func pageOf(a bus.Account) accountPage {
	permissions := a.Permissions()
	prefixes := &replyPrefixes{ToAsk: bus.ReplyPrefix(a.Name, another)}
	if len(repliers(a, false)) > 0 {
		prefixes.Asked = bus.ReplyPrefix(another, a.Name)
	}
	return accountPage{a, &permissions, bus.InboxOf(a.Name), prefixes}
}

func (e *env) accountShow(c *cli.Context) error {
	name, err := accountArgument(c)
	if err != nil {
		return err
	}
	subject := c.String("explain")
	if e.call.given["explain"] {
		if _, err := explain(bus.Account{}, subject); err != nil {
			return err // before anything is asked
		}
	}
	s, err := e.login(c)
	if err != nil {
		return err
	}
	defer s.end(c)
	account, err := s.Account(c.Context, s.token, name)
	if err != nil {
		return err
	}
	if !e.call.given["explain"] {
		return e.print(pageOf(account), accountText(account))
	}
	found, err := explain(account, subject)
	if err != nil {
		return err
	}
	return e.print(found, found.text())
}

// explained is what becomes of a subject, as --explain prints it.
type explained struct {
	Account   bus.Name     `json:"account"`
	Subject   string       `json:"subject"`
	Publish   *bus.Verdict `json:"publish,omitempty"` // none for a queue group, in which nobody publishes
	Subscribe bus.Verdict  `json:"subscribe"`
}

func explain(a bus.Account, subject string) (explained, error) {
	x := explained{Account: a.Name, Subject: subject}
	var err error
	if x.Subscribe, err = bus.Explain(a, bus.Subscribe, subject); err != nil {
		return x, fault.New(fault.KindOf(err), fault.HintOf(err), "--explain: %w", err)
	}
	if strings.Contains(subject, " ") {
		return x, nil
	}
	publish, err := bus.Explain(a, bus.Publish, subject)
	x.Publish = &publish
	return x, err
}

func (x explained) text() string {
	var b strings.Builder
	if x.Publish != nil {
		fmt.Fprintf(&b, "publish    %s\n", verdictText(*x.Publish))
	}
	fmt.Fprintf(&b, "subscribe  %s\n", verdictText(x.Subscribe))
	return b.String()
}

func verdictText(v bus.Verdict) string {
	text := fmt.Sprintf("%-8s  %s", v.Decision, v.Reason)
	if v.Rule != "" {
		text += " (" + v.Rule + ")"
	}
	return printable(text)
}

// accountText is an account for people.
func accountText(a bus.Account) string {
	var b strings.Builder
	fmt.Fprintf(&b, "account    %s\n", printable(string(a.Name)))
	fmt.Fprintf(&b, "state      %s\n", printable(string(a.State)))
	if err := a.Validate(); err != nil {
		fmt.Fprintf(&b, "           it is not valid, and can do nothing: %s\n", printable(strings.ReplaceAll(err.Error(), "\n", "; ")))
	}
	fmt.Fprintf(&b, "revision   %d\n", a.Revision)
	for _, identity := range a.Identities {
		fmt.Fprintf(&b, "opened by  %s\n", printable(identity))
	}
	if !a.NotBefore.IsZero() {
		fmt.Fprintf(&b, "           with certificates that start at %s or later\n", a.NotBefore.UTC().Format(time.RFC3339))
	}
	writeRoles(&b, a)
	permissions := a.Permissions()
	writePermissions(&b, "publish", permissions.Publish)
	writePermissions(&b, "subscribe", permissions.Subscribe)
	if a.State == bus.Active {
		writePrefixes(&b, a)
	}
	return b.String()
}

func writeRoles(b *strings.Builder, a bus.Account) {
	if len(a.Roles) == 0 {
		return
	}
	b.WriteString("\nroles\n")
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, role := range a.Roles {
		_, _ = fmt.Fprintf(table, "  %s %s\t%s\n", printable(string(role.Kind)), printable(string(role.Name)), printable(roleText(a.Name, role)))
	}
	_ = table.Flush()
}

// roleText says what a role does.
func roleText(account bus.Name, role bus.Role) string {
	if role.Kind == bus.Emitter {
		return "sends to " + string(bus.MessageBox(account, role.Name))
	}
	var subjects []string
	for _, pattern := range role.Heard() {
		subjects = append(subjects, string(pattern))
	}
	text := "hears " + strings.Join(subjects, ", ")
	if role.Kind == bus.Worker {
		text += " in the queue group " + bus.QueueGroup(account, role.Name)
	}
	if role.Stock {
		text += ", and replies to stock clients too"
	}
	return text
}

func writePermissions(b *strings.Builder, verb string, list bus.List) {
	fmt.Fprintf(b, "\nmay %s\n", verb)
	for _, entry := range list.Allow {
		fmt.Fprintf(b, "  %s\n", printable(entry))
	}
	for _, entry := range list.Deny {
		fmt.Fprintf(b, "  not %s\n", printable(entry))
	}
}

// writePrefixes tells clients that are no keyward ones where to await replies.
func writePrefixes(b *strings.Builder, a bus.Account) {
	b.WriteString("\ninbox prefix of stock clients\n")
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	line := func(prefix, use string) { _, _ = fmt.Fprintf(table, "  %s\t%s\n", printable(prefix), printable(use)) }
	line(bus.ReplyPrefix(a.Name, another), "for this account to ask "+string(another))
	line(bus.InboxOf(a.Name), "for this account to ask who replies to stock clients")
	if all := repliers(a, false); len(all) > 0 {
		line(bus.ReplyPrefix(another, a.Name), "for "+string(another)+" to ask "+strings.Join(all, ", "))
	}
	if stock := repliers(a, true); len(stock) > 0 {
		line(bus.InboxOf(another), "for "+string(another)+" to ask "+strings.Join(stock, ", "))
	}
	_ = table.Flush()
}

// repliers are an account's workers and services, or those that reply to stock clients too.
func repliers(a bus.Account, stock bool) []string {
	var names []string
	for _, role := range a.Roles {
		if (role.Kind == bus.Worker || role.Kind == bus.Service) && (role.Stock || !stock) {
			names = append(names, string(role.Kind)+" "+string(role.Name))
		}
	}
	return names
}
