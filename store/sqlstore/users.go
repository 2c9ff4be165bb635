package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"

	"keyward/store"
	"keyward/store/audit"
)

const (
	insertUser = `INSERT INTO users (name, admin, password, created, epoch) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT DO NOTHING`
	hasUser     = `SELECT 1 FROM users WHERE name = $1`
	setPassword = `UPDATE users SET password = $2, epoch = $3 WHERE name = $1`
	lastAdmin   = `SELECT 1 FROM users WHERE name = $1 AND admin AND NOT EXISTS (SELECT 1 FROM users WHERE admin AND name <> $1)`
	deleteUser  = `DELETE FROM users WHERE name = $1`

	selectUsers = `SELECT name, admin, password, created,
		(SELECT count(*) FROM keys WHERE username = name) FROM users ORDER BY name`
	selectUser = `SELECT name, admin, password, created,
		(SELECT count(*) FROM keys WHERE username = name) FROM users WHERE name = $1`
)

// AddUser adds a user.
func (s *Store) AddUser(ctx context.Context, u store.User, act audit.Act) error {
	if err := store.ValidName(u.Name); err != nil {
		return err
	}
	return s.changeKeys(ctx, u.Name, act, func(t *tx) error {
		n, err := t.exec(insertUser, userArgs(u)...)
		if err == nil && n == 0 {
			return about("user", u.Name, store.ErrExists)
		}
		return err
	})
}

func userArgs(u store.User) []any {
	return []any{u.Name, u.Admin, u.Password, micros(u.Created), newEpoch()}
}

// User finds a user by name.
func (s *Store) User(ctx context.Context, name string) (store.User, error) {
	ctx, end := s.engine.limited(ctx)
	defer end()
	u, err := scanUser(s.user.QueryRowContext(ctx, name))
	if errors.Is(err, sql.ErrNoRows) {
		return store.User{}, about("user", name, store.ErrNotFound)
	}
	return u, s.explain(err)
}

// Users lists all users.
func (s *Store) Users(ctx context.Context) ([]store.User, error) {
	ctx, end := s.engine.limited(ctx)
	defer end()
	rows, err := s.users.QueryContext(ctx)
	if err != nil {
		return nil, s.explain(err)
	}
	defer rows.Close()
	list := []store.User{}
	for rows.Next() {
		u, err := scanUser(rows)
		if err != nil {
			return nil, s.explain(err)
		}
		list = append(list, u)
	}
	if err := rows.Err(); err != nil {
		return nil, s.explain(err)
	}
	return list, nil
}

// SetPassword replaces the password hash and forgets all tokens of the user.
func (s *Store) SetPassword(ctx context.Context, name, hash string, act audit.Act) error {
	return s.change(ctx, act, func(t *tx) error {
		n, err := t.exec(setPassword, name, hash, newEpoch())
		if err == nil && n == 0 {
			return about("user", name, store.ErrNotFound)
		}
		return err
	}, nil)
}

// DeleteUser deletes a user with their keys and tokens.
func (s *Store) DeleteUser(ctx context.Context, name string, act audit.Act) error {
	return s.changeKeys(ctx, name, act, func(t *tx) error {
		last, err := t.has(lastAdmin, name)
		if err != nil {
			return err
		}
		if last {
			return about("user", name, store.ErrLastAdmin)
		}
		n, err := t.exec(deleteUser, name)
		if err == nil && n == 0 {
			return about("user", name, store.ErrNotFound)
		}
		return err
	})
}

// newEpoch makes a number that no user and no key had before: 63 random bits.
func newEpoch() int64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return int64(binary.BigEndian.Uint64(b[:]) >> 1)
}

// row is a row of an answer, *sql.Row or *sql.Rows.
type row interface{ Scan(dest ...any) error }

func scanUser(r row) (store.User, error) {
	var u store.User
	var created int64
	err := r.Scan(&u.Name, &u.Admin, &u.Password, &created, &u.Keys)
	u.Created = fromMicros(created)
	return u, err
}
