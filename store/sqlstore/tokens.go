package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"keyward/store"
)

const (
	// The second is for the token of a key, which must be there.
	insertToken    = intoTokens + ` LEFT JOIN ` + tokenOfKey
	insertKeyToken = intoTokens + ` JOIN ` + tokenOfKey
	intoTokens     = `INSERT INTO tokens (hash, username, epoch, fingerprint, key_epoch, scopes, expires)
		SELECT $2, u.name, u.epoch, $3, coalesce(k.epoch, 0), $4, $5 FROM users AS u`
	tokenOfKey = `keys AS k ON k.username = u.name AND k.fingerprint = $3 WHERE u.name = $1
		ON CONFLICT DO NOTHING`
	deleteToken = `DELETE FROM tokens WHERE hash = $1 AND EXISTS
		(SELECT 1 FROM users WHERE users.name = tokens.username AND users.epoch = tokens.epoch) AND (fingerprint = '' OR EXISTS
		(SELECT 1 FROM keys AS k WHERE k.username = tokens.username AND k.fingerprint = tokens.fingerprint AND k.epoch = tokens.key_epoch))`
	selectToken = `SELECT t.fingerprint, t.scopes, CASE WHEN k.expires > 0 AND k.expires < t.expires THEN k.expires ELSE t.expires END,
			u.name, u.admin, u.password, u.created
		FROM tokens AS t JOIN users AS u ON u.name = t.username AND u.epoch = t.epoch
		LEFT JOIN keys AS k ON k.username = t.username AND k.fingerprint = t.fingerprint AND k.epoch = t.key_epoch
		WHERE t.hash = $1 AND (t.fingerprint = '' OR k.epoch IS NOT NULL)`

	insertLogin = `INSERT INTO logins (id, until) VALUES ($1, $2) ON CONFLICT DO NOTHING`
	deleteLogin = `DELETE FROM logins WHERE id = $1`
	useKey      = `UPDATE keys SET last_used = $3, last_from = $4 WHERE username = $1 AND fingerprint = $2
		AND (last_used < $5 OR last_from <> $4)`
)

// useStep is how far apart the uses of a key are that are written down.
const useStep = time.Minute

var errNoToken = fmt.Errorf("token: %w", store.ErrNotFound)

// AddToken adds a token.
func (s *Store) AddToken(ctx context.Context, token store.Token) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.insertToken(insertToken, token)
		if err != nil || n > 0 {
			return err
		}
		return t.existsOrNoUser("token of", token.User, token.User)
	})
}

func (t *tx) insertToken(query string, token store.Token) (int64, error) {
	return t.exec(query, token.User, token.Hash[:], token.Key, int64(token.Scopes), micros(token.Expires))
}

// AddLogin notes a used key login, adds the token it was granted, and notes the use of the key.
func (s *Store) AddLogin(ctx context.Context, l store.Login, t store.Token) error {
	return s.explain(s.engine.logIn(ctx, l, t))
}

// logIn does so, a statement each; used tells whether the use of the key was written down.
func (t *tx) logIn(l store.Login, token store.Token) (used bool, err error) {
	n, err := t.exec(insertLogin, l.ID[:], micros(l.Until))
	if err != nil {
		return false, err
	}
	if n == 0 {
		return false, about("login of", token.User, store.ErrExists)
	}
	if refused := t.grant(token); refused != nil {
		_, err := t.exec(deleteLogin, l.ID[:])
		return false, cmp.Or(err, refused)
	}
	n, err = t.exec(useKey, token.User, token.Key, micros(l.At), l.From, micros(l.At.Add(-useStep)))
	return n > 0, err
}

// grant adds the token of a key that is there.
func (t *tx) grant(token store.Token) error {
	n, err := t.insertToken(insertKeyToken, token)
	if err != nil || n > 0 {
		return err
	}
	found, err := t.has(hasKey, token.User, token.Key)
	if err != nil {
		return err
	}
	if !found {
		return noKey(token.User, token.Key)
	}
	return about("token of", token.User, store.ErrExists)
}

// Token finds a token by its hash, together with its user. It ends with its key at the latest.
func (s *Store) Token(ctx context.Context, hash [32]byte) (store.Token, store.User, error) {
	ctx, end := s.engine.limited(ctx)
	defer end()
	t := store.Token{Hash: hash}
	var u store.User
	var expires, created int64
	err := s.token.QueryRowContext(ctx, hash[:]).
		Scan(&t.Key, &t.Scopes, &expires, &u.Name, &u.Admin, &u.Password, &created)
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
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(deleteToken, hash[:])
		if err == nil && n == 0 {
			return errNoToken
		}
		return err
	})
}
