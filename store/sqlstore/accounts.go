package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"keyward/bus"
	"keyward/store"
	"keyward/store/audit"
)

// accountColumns are what scanAccount reads.
const accountColumns = `name, revision, state, not_before, content`

const (
	putAccount = `INSERT INTO accounts (name, folded, revision, state, not_before, content) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (folded) DO UPDATE SET revision = excluded.revision, state = excluded.state,
			not_before = excluded.not_before, content = excluded.content`
	revokeAccount = `UPDATE accounts SET revision = $2, state = $3 WHERE name = $1`
	// importAccount leaves what came with a revision over $7 before: it is there twice. That of what is new is higher.
	importAccount = putAccount + ` WHERE accounts.name = excluded.name AND accounts.revision <= $7`
	// revokeOthers gives those of a revision up to $2, which the import did not name, the next ones after $1 in their order.
	revokeOthers = `UPDATE accounts SET revision = $1 + others.place, state = $3
		FROM (SELECT name, row_number() OVER (ORDER BY revision) AS place FROM accounts WHERE revision <= $2) AS others
		WHERE accounts.name = others.name`
	lastRevision = `SELECT coalesce(max(revision), 0) AS latest FROM accounts`

	selectFolded   = `SELECT ` + accountColumns + ` FROM accounts WHERE folded = $1`
	selectAccount  = `SELECT ` + accountColumns + ` FROM accounts WHERE name = $1`
	exportAccounts = `SELECT ` + accountColumns + ` FROM accounts ORDER BY name`
	selectAccounts = `SELECT ` + accountColumns + ` FROM accounts WHERE name > $1 ORDER BY name LIMIT $2`

	// One statement, for one moment. Where there are no changes it gives the counter as the revision of no account.
	selectChanges = `SELECT coalesce(name, ''), coalesce(revision, latest), coalesce(state, ''), coalesce(not_before, 0), coalesce(content, '{}')
		FROM (` + lastRevision + `) AS counter
		LEFT JOIN (SELECT ` + accountColumns + ` FROM accounts WHERE revision > $1 ORDER BY revision LIMIT $2) AS changed ON true
		ORDER BY revision`
)

// content is what the column of that name holds of an account, as JSON.
type content struct {
	Roles      []bus.Role    `json:"roles,omitempty"`
	Publish    []bus.Pattern `json:"publish,omitempty"`
	Subscribe  []bus.Pattern `json:"subscribe,omitempty"`
	Identities []string      `json:"identities,omitempty"`
}

// AddAccount adds an account, also over a revoked one.
func (s *Store) AddAccount(ctx context.Context, a bus.Account, act audit.Act) (bus.Account, error) {
	return s.changeAccount(ctx, a, act, func(there *bus.Account) (notBefore time.Time, err error) {
		switch {
		case there == nil:
			return time.Time{}, nil
		case there.Name != a.Name || there.State == bus.Active:
			return time.Time{}, about("account", string(there.Name), store.ErrExists)
		}
		return nextSecond(act.Time), nil
	})
}

// nextSecond rounds up: the times in certificates have no parts of a second.
func nextSecond(t time.Time) time.Time {
	return t.Add(time.Second - time.Nanosecond).Truncate(time.Second)
}

// UpdateAccount changes the account of the revision that the caller saw.
func (s *Store) UpdateAccount(ctx context.Context, a bus.Account, act audit.Act) (bus.Account, error) {
	return s.changeAccount(ctx, a, act, func(there *bus.Account) (notBefore time.Time, err error) {
		switch {
		case there == nil || there.Name != a.Name:
			return time.Time{}, about("account", string(a.Name), store.ErrNotFound)
		case there.Revision != a.Revision:
			return time.Time{}, about("account", string(a.Name), store.ErrChanged)
		case there.State != bus.Active:
			return time.Time{}, about("account", string(a.Name), store.ErrRevoked)
		}
		return there.NotBefore, nil
	})
}

// changeAccount makes an account active as it is given. permit looks at the one that has the name, in any case, or none, and
// gives its NotBefore.
func (s *Store) changeAccount(ctx context.Context, a bus.Account, act audit.Act, permit func(there *bus.Account) (time.Time, error)) (bus.Account, error) {
	a.State, a.NotBefore = bus.Active, time.Time{}
	if err := store.ValidAccount(a); err != nil {
		return bus.Account{}, err
	}
	var changed bus.Account
	err := s.change(ctx, act, func(t *tx) error {
		there, err := t.accountLike(a.Name)
		if err != nil {
			return err
		}
		next := a
		if next.NotBefore, err = permit(there); err != nil {
			return err
		}
		changed, err = t.putAccount(next)
		return err
	}, nil)
	if err != nil {
		return bus.Account{}, err
	}
	return changed, nil
}

// accountLike is the account that has a name in any case; nil for none.
func (t *tx) accountLike(name bus.Name) (*bus.Account, error) {
	var r accountRow
	found, err := t.get(selectFolded, []any{folded(name)}, r.dest()...)
	if err != nil || !found {
		return nil, err
	}
	a, err := r.account()
	return &a, err
}

func folded(name bus.Name) string { return strings.ToLower(string(name)) }

// putAccount writes an account with the next revision, and gives it as it will be read.
func (t *tx) putAccount(a bus.Account) (bus.Account, error) {
	revision, err := t.nextRevision()
	if err != nil {
		return a, err
	}
	r, err := newAccountRow(a, revision)
	if err != nil {
		return a, err
	}
	if _, err := t.exec(putAccount, r.args()...); err != nil {
		return a, err
	}
	return r.account()
}

func (t *tx) nextRevision() (int64, error) {
	var last int64
	_, err := t.get(lastRevision, nil, &last)
	return last + 1, err
}

// RevokeAccount revokes an account.
func (s *Store) RevokeAccount(ctx context.Context, name bus.Name, act audit.Act) error {
	return s.change(ctx, act, func(t *tx) error {
		revision, err := t.nextRevision()
		if err != nil {
			return err
		}
		n, err := t.exec(revokeAccount, string(name), revision, string(bus.Revoked))
		if err == nil && n == 0 {
			return about("account", string(name), store.ErrNotFound)
		}
		return err
	}, nil)
}

// Account finds an account by name.
func (s *Store) Account(ctx context.Context, name bus.Name) (bus.Account, error) {
	ctx, end := s.engine.limited(ctx)
	defer end()
	a, err := scanAccount(s.account.QueryRowContext(ctx, string(name)))
	if errors.Is(err, sql.ErrNoRows) {
		return bus.Account{}, about("account", string(name), store.ErrNotFound)
	}
	return a, s.explain(err)
}

// Accounts lists accounts behind a name.
func (s *Store) Accounts(ctx context.Context, after bus.Name, limit int) ([]bus.Account, error) {
	return s.listAccounts(ctx, s.accounts, string(after), max(limit, 0))
}

// AccountChanges lists the accounts whose revision is over since.
func (s *Store) AccountChanges(ctx context.Context, since int64, limit int) (changed []bus.Account, next int64, err error) {
	changed, err = s.listAccounts(ctx, s.changes, since, max(limit, 1))
	if err != nil {
		return nil, 0, err
	}
	last := changed[len(changed)-1]
	if last.Name == "" {
		changed = changed[:0]
	}
	return changed, int64(last.Revision), nil
}

func (s *Store) listAccounts(ctx context.Context, query *sql.Stmt, args ...any) ([]bus.Account, error) {
	ctx, end := s.engine.limited(ctx)
	defer end()
	rows, err := query.QueryContext(ctx, args...)
	if err != nil {
		return nil, s.explain(err)
	}
	defer rows.Close()
	list := []bus.Account{}
	for rows.Next() {
		a, err := scanAccount(rows)
		if err != nil {
			return nil, s.explain(err)
		}
		list = append(list, a)
	}
	if err := rows.Err(); err != nil {
		return nil, s.explain(err)
	}
	return list, nil
}

// accountRow is an account as accountColumns have it.
type accountRow struct {
	name      string
	revision  int64
	state     string
	notBefore int64
	content   string
}

func newAccountRow(a bus.Account, revision int64) (accountRow, error) {
	text, err := json.Marshal(content{a.Roles, a.Publish, a.Subscribe, a.Identities})
	return accountRow{string(a.Name), revision, string(a.State), microsOrNone(a.NotBefore), string(text)}, err
}

func scanAccount(from row) (bus.Account, error) {
	var r accountRow
	if err := from.Scan(r.dest()...); err != nil {
		return bus.Account{}, err
	}
	return r.account()
}

func (r *accountRow) dest() []any {
	return []any{&r.name, &r.revision, &r.state, &r.notBefore, &r.content}
}

// args are those of putAccount.
func (r *accountRow) args() []any {
	return []any{r.name, folded(bus.Name(r.name)), r.revision, r.state, r.notBefore, r.content}
}

func (r *accountRow) account() (bus.Account, error) {
	var c content
	if err := json.Unmarshal([]byte(r.content), &c); err != nil {
		return bus.Account{}, fmt.Errorf("account %s: %w", r.name, err)
	}
	return bus.Account{
		Name: bus.Name(r.name), Roles: c.Roles, Publish: c.Publish, Subscribe: c.Subscribe, Identities: c.Identities,
		State: bus.State(r.state), Revision: uint64(r.revision), NotBefore: fromMicrosOrNone(r.notBefore),
	}, nil
}
