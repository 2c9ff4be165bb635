package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"keyward/store"
)

// pruneStep is how many rows one step of Prune deletes.
const pruneStep = 500

const (
	insertToken = `INSERT INTO tokens (hash, username, epoch, from_key, expires)
		SELECT $2, name, epoch, $3, $4 FROM users WHERE name = $1
		ON CONFLICT DO NOTHING`
	deleteToken = `DELETE FROM tokens WHERE hash = $1 AND EXISTS
		(SELECT 1 FROM users WHERE users.name = tokens.username AND users.epoch = tokens.epoch)`
	selectToken = `SELECT t.from_key, t.expires, u.name, u.admin, u.password, u.created
		FROM tokens AS t JOIN users AS u ON u.name = t.username AND u.epoch = t.epoch
		WHERE t.hash = $1`

	insertLogin = `INSERT INTO logins (id, until) VALUES ($1, $2) ON CONFLICT DO NOTHING`
	deleteLogin = `DELETE FROM logins WHERE id = $1`

	pruneTokens = `DELETE FROM tokens WHERE hash IN
		(SELECT hash FROM tokens WHERE expires < $1 ORDER BY expires LIMIT $2)`
	pruneLogins = `DELETE FROM logins WHERE id IN
		(SELECT id FROM logins WHERE until < $1 ORDER BY until LIMIT $2)`
)

var errNoToken = fmt.Errorf("token: %w", store.ErrNotFound)

// AddToken adds a token.
func (s *Store) AddToken(ctx context.Context, t store.Token) error {
	return s.change(ctx, func(w *writer) error { return w.addToken(t) })
}

// AddLogin notes a used key login and adds the token it was granted.
func (s *Store) AddLogin(ctx context.Context, l store.Login, t store.Token) error {
	return s.change(ctx, func(w *writer) error {
		n, err := w.exec(insertLogin, l.ID[:], micros(l.Until))
		if err != nil {
			return err
		}
		if n == 0 {
			return about("login of", t.User, store.ErrExists)
		}
		refused := w.addToken(t)
		if refused == nil {
			return nil
		}
		if _, err := w.exec(deleteLogin, l.ID[:]); err != nil {
			return err
		}
		return refused
	})
}

func (w *writer) addToken(t store.Token) error {
	n, err := w.exec(insertToken, t.User, t.Hash[:], t.FromKey, micros(t.Expires))
	if err != nil || n > 0 {
		return err
	}
	return w.existsOrNoUser("token of", t.User, t.User)
}

// Token finds a token by its hash, together with its user.
func (s *Store) Token(ctx context.Context, hash [32]byte) (store.Token, store.User, error) {
	t := store.Token{Hash: hash}
	var u store.User
	var expires, created int64
	err := s.token.QueryRowContext(ctx, hash[:]).
		Scan(&t.FromKey, &expires, &u.Name, &u.Admin, &u.Password, &created)
	if errors.Is(err, sql.ErrNoRows) {
		err = errNoToken
	}
	if err != nil {
		return store.Token{}, store.User{}, s.explain(err)
	}
	t.User, t.Expires, u.Created = u.Name, fromMicros(expires), fromMicros(created)
	return t, u, nil
}

// DeleteToken revokes a token.
func (s *Store) DeleteToken(ctx context.Context, hash [32]byte) error {
	return s.change(ctx, func(w *writer) error {
		n, err := w.exec(deleteToken, hash[:])
		if err == nil && n == 0 {
			return errNoToken
		}
		return err
	})
}

// Prune removes the tokens and used logins whose time was before now.
func (s *Store) Prune(ctx context.Context, now time.Time) error {
	for _, query := range []string{pruneTokens, pruneLogins} {
		if err := s.prune(ctx, query, micros(now)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) prune(ctx context.Context, query string, now int64) error {
	for pruned := int64(pruneStep); pruned == pruneStep; {
		err := s.change(ctx, func(w *writer) (err error) {
			pruned, err = w.exec(query, now, pruneStep)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
