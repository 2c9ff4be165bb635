package cmd

import (
	"cmp"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/bus"
	"keyward/fault"
)

// roleKinds are the kinds of roles, each of which is a flag's name.
func roleKinds() []bus.Kind { return []bus.Kind{bus.Emitter, bus.Consumer, bus.Worker, bus.Service} }

// The other flags that name parts of an account, and what --remove calls them.
const (
	publishFlag      = "publish"
	subscribeFlag    = "subscribe"
	identityFlag     = "identity"
	stockRepliesFlag = "stock-replies"
)

// partFlags name the parts of an account.
func partFlags() []cli.Flag {
	return []cli.Flag{
		trustDomainFlag("it is opened by the certificates of gen-leaf-cert --account in this `TRUST-DOMAIN`, such as example.org"),
		&cli.StringSliceFlag{Name: identityFlag, Usage: "it is opened by certificates with this `URI`, spiffe://TRUST-DOMAIN/bus/account/NAME; repeatable"},
		&cli.StringSliceFlag{Name: string(bus.Emitter), Usage: "it sends as the emitter `NAME`; repeatable"},
		&cli.StringSliceFlag{Name: string(bus.Consumer), Usage: "it hears as `NAME=SUBJECT,...`; without subjects the message boxes of all emitters of that name; repeatable"},
		&cli.StringSliceFlag{Name: string(bus.Worker), Usage: "it hears and replies as `NAME=SUBJECT,...`, or NAME as for --consumer, and each message goes to one of its connections; repeatable"},
		&cli.StringSliceFlag{Name: string(bus.Service), Usage: "it hears and replies as `NAME=SUBJECT,...`, or NAME as for --consumer; repeatable"},
		&cli.BoolFlag{Name: stockRepliesFlag, Usage: "its workers and services that this call names reply to clients which set no inbox prefix for them, and are trusted to fake nothing there"},
		&cli.StringSliceFlag{Name: publishFlag, Usage: "it may publish to `PATTERN`,... besides; repeatable"},
		&cli.StringSliceFlag{Name: subscribeFlag, Usage: "it may subscribe to `PATTERN`,... besides; repeatable"},
	}
}

// parts are what the flags name of an account.
type parts struct {
	roles              []bus.Role
	publish, subscribe []bus.Pattern
	identities         []string
}

// partsOf reads the part flags.
func (e *env) partsOf(c *cli.Context, name bus.Name) (parts, error) {
	p := parts{
		publish: patterns(c.StringSlice(publishFlag)), subscribe: patterns(c.StringSlice(subscribeFlag)),
		identities: c.StringSlice(identityFlag),
	}
	stock := false
	for _, kind := range roleKinds() {
		for _, text := range c.StringSlice(string(kind)) {
			role := parseRole(kind, text)
			role.Stock = c.Bool(stockRepliesFlag) && (kind == bus.Worker || kind == bus.Service)
			stock = stock || role.Stock
			p.roles = append(p.roles, role)
		}
	}
	if c.Bool(stockRepliesFlag) && !stock {
		return p, fault.New(fault.Usage, "name them with --worker or --service", "--stock-replies is for workers and services, and none is named")
	}
	if !e.call.given["trust-domain"] { // its variable counts for a new account alone
		return p, nil
	}
	identity, err := e.identityOf(c, name)
	if err == nil && !slices.Contains(p.identities, identity) {
		p.identities = append(p.identities, identity)
	}
	return p, err
}

// parseRole reads NAME or NAME=SUBJECT,SUBJECT. Whether they are good is bus.Account's to say.
func parseRole(kind bus.Kind, text string) bus.Role {
	name, subjects, given := strings.Cut(text, "=")
	role := bus.Role{Kind: kind, Name: bus.Name(name)}
	if given {
		role.Subjects = patterns([]string{subjects})
	}
	return role
}

// patterns splits each text at its commas.
func patterns(texts []string) []bus.Pattern {
	var all []bus.Pattern
	for _, text := range texts {
		for one := range strings.SplitSeq(text, ",") {
			all = append(all, bus.Pattern(one))
		}
	}
	return all
}

// newAccount is the account that add is to add.
func (e *env) newAccount(c *cli.Context) (bus.Account, error) {
	name, err := accountArgument(c)
	if err != nil {
		return bus.Account{}, err
	}
	if c.String(accountFile) != "" {
		page, err := e.accountFromFile(c, name)
		if err != nil {
			return bus.Account{}, err
		}
		account := page.Account
		account.State, account.Revision, account.NotBefore = bus.Active, 0, time.Time{}
		return account, faultsOf(account)
	}
	p, err := e.partsOf(c, name)
	if err != nil {
		return bus.Account{}, err
	}
	if len(p.identities) == 0 {
		identity, err := e.identityOf(c, name)
		if err != nil {
			return bus.Account{}, err
		}
		p.identities = []string{identity}
	}
	account := bus.Account{Name: name, Roles: p.roles, Publish: p.publish, Subscribe: p.subscribe, Identities: p.identities, State: bus.Active}
	return account, faultsOf(account)
}

// faultsOf is nil for an account without faults, else all of them in one error.
func faultsOf(account bus.Account) error {
	err := account.Validate()
	if err == nil {
		return nil
	}
	if faults, ok := errors.AsType[bus.Faults](err); ok && len(faults) > 1 {
		return fault.New(fault.KindOf(err), "", "account %s has %d faults:\n%w", account.Name, len(faults), err)
	}
	return fault.New(fault.KindOf(err), fault.HintOf(err), "account %s: %w", account.Name, err)
}

// sameAccount tells whether two accounts say the same, in any order and whatever was of them before.
func sameAccount(a, b bus.Account) bool { return reflect.DeepEqual(said(a), said(b)) }

// said is what somebody says of an account, sorted.
func said(a bus.Account) bus.Account {
	a.State, a.Revision, a.NotBefore = "", 0, time.Time{}
	a.Roles = slices.SortedFunc(slices.Values(a.Roles), func(x, y bus.Role) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Name, y.Name))
	})
	for i, role := range a.Roles {
		a.Roles[i].Subjects = slices.Sorted(slices.Values(role.Subjects))
	}
	a.Publish, a.Subscribe = slices.Sorted(slices.Values(a.Publish)), slices.Sorted(slices.Values(a.Subscribe))
	a.Identities = slices.Sorted(slices.Values(a.Identities))
	return a
}
