package backup

import (
	"bytes"
	"cmp"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"keyward/bus"
	"keyward/store"
)

// maxText is the length in bytes of the longest password hash or address.
const maxText = 1024

// check refuses a row that no store has, or that a line cannot hold.
func check(row store.Row) error {
	switch {
	case row.User != nil:
		u := row.User
		if err := store.ValidName(u.Name); err != nil {
			return invalid("%w", err)
		}
		return texts("user "+u.Name, []string{u.Password}, u.Created)
	case row.Key != nil:
		return checkKey(*row.Key)
	case row.Login != nil:
		return texts("a login", nil, row.Login.Until)
	case row.ServerKey != nil:
		return texts("a server key", nil, row.ServerKey.Since, row.ServerKey.Until)
	case row.Account != nil:
		return checkAccount(*row.Account)
	case row.Audit != nil:
		return nil // its chain is checked
	}
	return invalid("an empty row")
}

func checkKey(k store.Key) error {
	if err := store.ValidDescription(k.Description); err != nil {
		return invalid("%w", err)
	}
	if err := store.ValidLabels(k.Labels); err != nil {
		return invalid("%w", err)
	}
	return texts("a key of "+k.User, []string{k.LastFrom}, k.Created, k.Expires, k.LastUsed)
}

// maxRevision is the largest that every reader of JSON takes for itself.
const maxRevision = 1 << 53

// checkAccount does not ask whether the account is valid: rules become stricter, and one that is not can do nothing.
func checkAccount(a bus.Account) error {
	if _, err := bus.ParseName(string(a.Name)); err != nil {
		return invalid("%w", err)
	}
	if a.State != bus.Active && a.State != bus.Revoked || a.Revision == 0 || a.Revision > maxRevision {
		return invalid("account %s has the state %.80q and the revision %d", a.Name, string(a.State), a.Revision)
	}
	list := slices.Clone(a.Identities)
	add := func(patterns []bus.Pattern) {
		for _, p := range patterns {
			list = append(list, string(p))
		}
	}
	add(a.Publish)
	add(a.Subscribe)
	for _, r := range a.Roles {
		list = append(list, string(r.Kind), string(r.Name))
		add(r.Subjects)
	}
	return texts("account "+string(a.Name), list, a.NotBefore)
}

// texts checks what is left to the one who writes it: that it comes back as it is.
func texts(of string, list []string, times ...time.Time) error {
	for _, text := range list {
		if len(text) > maxText || !utf8.ValidString(text) {
			return invalid("%.80q has a text that is too long or no UTF-8", of)
		}
	}
	for _, at := range times {
		if year := at.UTC().Year(); year < 0 || year > 9999 {
			return invalid("%.80q has a time in the year %d", of, year)
		}
	}
	return nil
}

// check refuses a file that does not fit, or whose name is more than one.
func (f File) check() error {
	if f.Name == "." || filepath.Base(f.Name) != f.Name || !filepath.IsLocal(f.Name) || strings.ContainsAny(f.Name, `/\`) || !utf8.ValidString(f.Name) {
		return invalid("%.80q is no name of a file", f.Name)
	}
	if len(f.Data) > MaxFile {
		return invalid("the file %s has more than %d bytes", f.Name, MaxFile)
	}
	return nil
}

// place is where a row stands among those of Store.Export.
type place struct {
	row  store.Row
	keys int // of the user of the row
}

// follow moves on to the next row.
func (p *place) follow(row store.Row) error {
	before, now := part(p.row), part(row)
	if now < before || now == before && compare(p.row, row) >= 0 {
		return invalid("a row out of its order, or twice")
	}
	if row.Key != nil {
		if p.row.Key == nil || p.row.Key.User != row.Key.User {
			p.keys = 0
		}
		if p.keys++; p.keys > store.MaxKeys {
			return invalid("user %.80q has more than %d keys", row.Key.User, store.MaxKeys)
		}
	}
	p.row = row
	return nil
}

// part is which of the six parts of an export a row is of; 0 for none.
func part(row store.Row) int {
	for i, there := range []bool{row.User != nil, row.Key != nil, row.Login != nil, row.ServerKey != nil, row.Account != nil, row.Audit != nil} {
		if there {
			return i + 1
		}
	}
	return 0
}

// compare orders two rows of one part. The records of the audit log have their chain for that.
func compare(a, b store.Row) int {
	switch {
	case a.User != nil:
		return strings.Compare(a.User.Name, b.User.Name)
	case a.Key != nil:
		x, y := a.Key, b.Key
		return cmp.Or(strings.Compare(x.User, y.User), x.Created.Compare(y.Created), strings.Compare(x.Public.Fingerprint(), y.Public.Fingerprint()))
	case a.Login != nil:
		return cmp.Or(a.Login.Until.Compare(b.Login.Until), bytes.Compare(a.Login.ID[:], b.Login.ID[:]))
	case a.ServerKey != nil:
		x, y := a.ServerKey, b.ServerKey
		if x.Until.IsZero() != y.Until.IsZero() { // the current one is the first
			return x.Until.Compare(y.Until)
		}
		return cmp.Or(y.Since.Compare(x.Since), bytes.Compare(x.Public[:], y.Public[:]))
	case a.Account != nil:
		return cmp.Compare(a.Account.Name, b.Account.Name)
	}
	return -1
}
