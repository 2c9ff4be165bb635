package cmd

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"keyward/bus"
	"keyward/fault"
	"keyward/store"
)

const (
	accountFile = "file"
	removeFlag  = "remove"
)

func accountFileFlag() cli.Flag {
	return &cli.StringFlag{Name: accountFile, TakesFile: true, Usage: "take all of it from the JSON in `FILE`, as bus account show prints it; - is stdin"}
}

// accountChange is what update is to do to an account.
type accountChange struct {
	name   bus.Name
	file   *accountPage // to put in its place; nil for the parts
	add    parts
	remove []string
}

// accountChangeOf reads the flags of update.
func (e *env) accountChangeOf(c *cli.Context) (accountChange, error) {
	name, err := accountArgument(c)
	if err != nil {
		return accountChange{}, err
	}
	change := accountChange{name: name, remove: c.StringSlice(removeFlag)}
	if c.String(accountFile) != "" {
		change.file, err = e.accountFromFile(c, name)
		return change, err
	}
	change.add, err = e.partsOf(c, name)
	if err == nil && change.isNone() {
		err = fault.New(fault.Usage, "name its parts with --worker, --publish and so on, take some away with --remove, or give --file", "nobody said what to change")
	}
	return change, err
}

func (ch accountChange) isNone() bool {
	return len(ch.add.roles)+len(ch.add.publish)+len(ch.add.subscribe)+len(ch.add.identities)+len(ch.remove) == 0
}

// of is the account as it is to be. One that changed since the file was made is fault.Exists.
func (ch accountChange) of(before bus.Account) (bus.Account, error) {
	if before.State == bus.Revoked {
		return before, fault.New(fault.Policy, fault.HintOf(store.ErrRevoked), "the account %s is revoked", before.Name)
	}
	if ch.file != nil {
		return ch.file.over(before)
	}
	after := before
	for _, part := range ch.remove {
		var err error
		if after, err = without(after, part); err != nil {
			return after, err
		}
	}
	after.Roles = withRoles(after.Roles, ch.add.roles)
	after.Publish = union(after.Publish, ch.add.publish)
	after.Subscribe = union(after.Subscribe, ch.add.subscribe)
	after.Identities = union(after.Identities, ch.add.identities)
	return after, faultsOf(after)
}

// withRoles has the new roles behind the others, or in the place of those of their kind and name. A new one that is named twice
// is there twice, for which bus.Account has words.
func withRoles(roles, added []bus.Role) []bus.Role {
	all := slices.Clone(roles)
	for _, role := range added {
		i := slices.IndexFunc(roles, func(r bus.Role) bool { return r.Kind == role.Kind && r.Name == role.Name })
		if i < 0 {
			all = append(all, role)
		} else {
			all[i] = role
		}
	}
	return all
}

func union[T comparable](list, added []T) []T {
	all := slices.Clone(list)
	for _, one := range added {
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}

// without is the account without a part, KIND=WHAT as --remove has it. fault.NotFound where it does not have it.
func without(a bus.Account, part string) (bus.Account, error) {
	kind, what, _ := strings.Cut(part, "=")
	var there bool
	switch kind {
	case publishFlag:
		a.Publish, there = less(a.Publish, bus.Pattern(what))
	case subscribeFlag:
		a.Subscribe, there = less(a.Subscribe, bus.Pattern(what))
	case identityFlag:
		a.Identities, there = less(a.Identities, what)
	default:
		if !slices.Contains(roleKinds(), bus.Kind(kind)) {
			return a, fault.New(fault.Usage, "write worker=NAME, or emitter, consumer, service, publish, subscribe or identity in place of worker", "--remove %q names no part of an account", part)
		}
		i := slices.IndexFunc(a.Roles, func(r bus.Role) bool { return string(r.Kind) == kind && string(r.Name) == what })
		if there = i >= 0; there {
			a.Roles = slices.Delete(slices.Clone(a.Roles), i, i+1)
		}
	}
	if !there {
		return a, fault.New(fault.NotFound, "see what it has with `keyward bus account show "+string(a.Name)+"`", "the account %s has no %s %q", a.Name, kind, what)
	}
	return a, nil
}

// less is the list without one of its elements, and whether that was there.
func less[T comparable](list []T, gone T) ([]T, bool) {
	i := slices.Index(list, gone)
	if i < 0 {
		return list, false
	}
	return slices.Delete(slices.Clone(list), i, i+1), true
}

// accountFromFile reads --file, which nothing else goes with, and holds it to the name of the account.
func (e *env) accountFromFile(c *cli.Context, name bus.Name) (*accountPage, error) {
	for _, f := range slices.Concat(partFlags(), []cli.Flag{&cli.StringSliceFlag{Name: removeFlag}}) {
		if flag := f.Names()[0]; e.call.given[flag] {
			return nil, fault.New(fault.Usage, "put it into the file", "--file and --%s do not go together", flag)
		}
	}
	file := c.String(accountFile)
	if file == "-" && c.String("password-file") == "-" {
		return nil, fault.New(fault.Usage, "name a file for one of them", "--file and --password-file are both stdin")
	}
	text, err := e.readAccountFile(file)
	if err != nil {
		return nil, err
	}
	page, err := parseAccountPage(text)
	if err != nil {
		return nil, fault.New(fault.InvalidFile, "write it as `keyward bus account show --json` prints it", "%s: %w", file, err)
	}
	if page.Name != name {
		return nil, fault.New(fault.Usage, "name the account that is in the file", "%s is of the account %.80q, not %s", file, string(page.Name), name)
	}
	return page, nil
}

// maxAccountFile is the size of the largest --file in bytes: an account and its permissions have room in it.
const maxAccountFile = 4 << 20

func (e *env) readAccountFile(file string) ([]byte, error) {
	var from io.Reader = e.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, maxAccountFile+1))
	if err == nil && len(text) > maxAccountFile {
		err = fault.New(fault.InvalidFile, "name a file with one account", "%s has more than %d bytes", file, maxAccountFile)
	}
	return text, err
}

// parseAccountPage reads an account in JSON, and nothing that it does not know: a field in another spelling would be dropped
// without a word.
func parseAccountPage(text []byte) (*accountPage, error) {
	page := new(accountPage)
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(page); err != nil {
		return nil, err
	}
	if _, err := in.Token(); err != io.EOF {
		return nil, fault.New(fault.InvalidFile, "", "there is more behind the account")
	}
	return page, nil
}

// over is the account before it with what is in the file in its place.
func (p *accountPage) over(before bus.Account) (bus.Account, error) {
	if p.Revision != 0 && p.Revision != before.Revision {
		return before, fault.New(fault.Exists, "take the account as it is now from `keyward bus account show --json`, and change that",
			"the account %s was changed since the file was made: it has the revision %d, and the file %d", before.Name, before.Revision, p.Revision)
	}
	after := p.Account
	after.State, after.Revision, after.NotBefore = before.State, before.Revision, before.NotBefore
	if p.State == bus.Revoked {
		return after, fault.New(fault.Policy, "use `keyward bus account revoke "+string(before.Name)+"`", "the file says that the account is revoked, which is not taken from there")
	}
	if !p.NotBefore.IsZero() && !p.NotBefore.Equal(before.NotBefore) {
		return after, fault.New(fault.Policy, "leave it out: it says when the account was made again", "the file has another not_before than the account, which is not taken from there")
	}
	if p.Permissions != nil && p.Revision != 0 && !reflect.DeepEqual(*p.Permissions, before.Permissions()) {
		return after, fault.New(fault.Policy, "change the roles, publish or subscribe, of which they follow", "the permissions in the file were changed, which are not taken from there")
	}
	return after, faultsOf(after)
}
