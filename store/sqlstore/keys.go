package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"strings"
	"time"

	"keyward/store"
	"keyward/store/audit"
)

// pageSize is how many keys AllKeys reads at a time.
const pageSize = 500

// keyColumns are what scanKey reads.
const keyColumns = `k.public, k.description, k.labels, k.created, k.expires, k.last_used, k.last_from`

const (
	insertKey = `INSERT INTO keys (username, created, fingerprint, public, description, labels, expires, last_used, last_from, epoch)
		SELECT name, $2, $3, $4, $5, $6, $7, $8, $9, $10 FROM users WHERE name = $1
		ON CONFLICT DO NOTHING`
	countKeys = `SELECT count(*) FROM keys WHERE username = $1`
	hasKey    = `SELECT 1 FROM keys WHERE username = $1 AND fingerprint = $2`
	expireKey = `UPDATE keys SET expires = $3 WHERE username = $1 AND fingerprint = $2`
	deleteKey = `DELETE FROM keys WHERE username = $1 AND fingerprint = $2`

	selectKeys = `SELECT k.username, ` + keyColumns + ` FROM keys AS k
		WHERE k.username = $1 ORDER BY k.created, k.fingerprint`
	selectAllKeys = `SELECT k.username, ` + keyColumns + ` FROM keys AS k
		WHERE (k.username, k.created, k.fingerprint) > ($1, $2, $3)
		ORDER BY k.username, k.created, k.fingerprint LIMIT $4`
	selectExpired = `SELECT k.username, ` + keyColumns + ` FROM keys AS k
		WHERE k.expires > 0 AND k.expires < $1 ORDER BY k.expires LIMIT $2`
)

// AddKey registers a key.
func (s *Store) AddKey(ctx context.Context, k store.Key, act audit.Act) error {
	if err := store.ValidDescription(k.Description); err != nil {
		return err
	}
	if err := store.ValidLabels(k.Labels); err != nil {
		return err
	}
	return s.changeKeys(ctx, k.User, act, func(t *tx) error { return t.addKey(k) })
}

func (t *tx) addKey(k store.Key) error {
	fingerprint := k.Public.Fingerprint()
	there, err := t.has(hasKey, k.User, fingerprint)
	if err != nil {
		return err
	}
	if there {
		return about("key", fingerprint, store.ErrExists)
	}
	var have int
	if _, err := t.get(countKeys, []any{k.User}, &have); err != nil {
		return err
	}
	if have >= store.MaxKeys {
		return about("user", k.User, store.ErrFull)
	}
	n, err := t.exec(insertKey, keyArgs(k)...)
	if err == nil && n == 0 {
		return about("user", k.User, store.ErrNotFound)
	}
	return err
}

func keyArgs(k store.Key) []any {
	return []any{k.User, micros(k.Created), k.Public.Fingerprint(), k.Public[:], k.Description,
		strings.Join(k.Labels, " "), microsOrNone(k.Expires), microsOrNone(k.LastUsed), k.LastFrom, newEpoch()}
}

// existsOrNoUser says why something of a user could not be added.
func (t *tx) existsOrNoUser(what, name, user string) error {
	found, err := t.has(hasUser, user)
	if err != nil {
		return err
	}
	if !found {
		return about("user", user, store.ErrNotFound)
	}
	return about(what, name, store.ErrExists)
}

// changeKeys makes a change after which it is read anew whether the user is there, with which keys.
func (s *Store) changeKeys(ctx context.Context, user string, act audit.Act, do func(*tx) error) error {
	return s.change(ctx, act, do, func() { s.cache.forget(user) })
}

// Keys lists the keys of a user.
func (s *Store) Keys(ctx context.Context, user string) ([]store.Key, error) {
	if store.ValidName(user) != nil {
		return nil, about("user", user, store.ErrNotFound) // and no place in the cache, for a name of any length
	}
	list, found, changes := s.cache.get(user)
	if !found {
		var err error
		ctx, end := s.engine.limited(ctx)
		defer end()
		if list, err = s.keysOf(ctx, user); err != nil {
			return nil, s.explain(err)
		}
		s.cache.put(user, list, changes)
	}
	if list == nil {
		return nil, about("user", user, store.ErrNotFound)
	}
	return list, nil
}

// readKeys reads the keys of a user: an empty list where there are none, nil where there is no such user. Who has a key is
// not looked for among the users: among a million that takes as long as the keys.
func (s *Store) readKeys(ctx context.Context, user string) ([]store.Key, error) {
	rows, err := s.keys.QueryContext(ctx, user)
	if err != nil {
		return nil, err
	}
	list, err := scanKeys(rows)
	if err != nil || len(list) > 0 {
		return list, err
	}
	found, err := (&tx{ctx: ctx, conn: s.reads}).has(hasUser, user)
	if err != nil || !found {
		return nil, err
	}
	return []store.Key{}, nil
}

// scanKey reads a user's name and keyColumns; found is false where they are null.
func scanKey(r row) (k store.Key, found bool, err error) {
	var public []byte
	var description, labels, from sql.NullString
	var created, expires, used sql.NullInt64
	err = r.Scan(&k.User, &public, &description, &labels, &created, &expires, &used, &from)
	if err != nil || public == nil {
		return k, false, err
	}
	copy(k.Public[:], public)
	k.Description, k.LastFrom = description.String, from.String
	if labels.String != "" {
		k.Labels = strings.Split(labels.String, " ")
	}
	k.Created, k.Expires, k.LastUsed = fromMicros(created.Int64), fromMicrosOrNone(expires.Int64), fromMicrosOrNone(used.Int64)
	return k, true, nil
}

// scanKeys reads all rows.
func scanKeys(rows *sql.Rows) (list []store.Key, err error) {
	defer rows.Close()
	for rows.Next() {
		k, _, err := scanKey(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, k)
	}
	return list, rows.Err()
}

// AllKeys streams the keys of all users. It reads a page at a time and holds no connection while the
// caller works, so a slow caller keeps neither other readers waiting nor the log from being cut.
func (s *Store) AllKeys(ctx context.Context) iter.Seq2[store.Key, error] {
	return func(yield func(store.Key, error) bool) {
		var last place
		for {
			page, err := s.keysAfter(ctx, last)
			if err != nil {
				yield(store.Key{}, s.explain(err))
				return
			}
			for _, k := range page {
				if !yield(k, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			last = placeOf(page[len(page)-1])
		}
	}
}

// place is where a key stands in the order of all keys. No key stands at the zero place.
type place struct {
	user        string
	created     int64
	fingerprint string
}

func placeOf(k store.Key) place { return place{k.User, micros(k.Created), k.Public.Fingerprint()} }

// keysAfter reads the page after a place.
func (s *Store) keysAfter(ctx context.Context, last place) ([]store.Key, error) {
	ctx, end := s.engine.limited(ctx)
	defer end()
	rows, err := s.allKeys.QueryContext(ctx, last.user, last.created, last.fingerprint, pageSize)
	if err != nil {
		return nil, err
	}
	return scanKeys(rows)
}

func noKey(user, fingerprint string) error {
	return fmt.Errorf("key %.80q of user %.80q: %w", fingerprint, user, store.ErrNotFound)
}

// ExpireKey sets the expiry of the user's key with this fingerprint.
func (s *Store) ExpireKey(ctx context.Context, user, fingerprint string, at time.Time, act audit.Act) error {
	return s.changeKeys(ctx, user, act, func(t *tx) error {
		n, err := t.exec(expireKey, user, fingerprint, microsOrNone(at))
		if err == nil && n == 0 {
			return noKey(user, fingerprint)
		}
		return err
	})
}

// DeleteKey deletes the user's key with this fingerprint. Tokens count only while their key is there.
func (s *Store) DeleteKey(ctx context.Context, user, fingerprint string, act audit.Act) error {
	return s.changeKeys(ctx, user, act, func(t *tx) error {
		n, err := t.exec(deleteKey, user, fingerprint)
		if err == nil && n == 0 {
			return noKey(user, fingerprint)
		}
		return err
	})
}

// PruneKeys deletes the keys whose expiry was before then.
func (s *Store) PruneKeys(ctx context.Context, before time.Time, act audit.Act) (gone []store.Key, err error) {
	gone = []store.Key{}
	for {
		step, err := s.pruneKeys(ctx, before, act)
		gone = append(gone, step...)
		if err != nil || len(step) == 0 {
			return gone, err
		}
	}
}

// pruneKeys deletes some of them, each with its record.
func (s *Store) pruneKeys(ctx context.Context, before time.Time, act audit.Act) (gone []store.Key, err error) {
	if s.signer == nil {
		return nil, errNoSigner
	}
	err = s.engine.change(ctx, func(t *tx) error {
		rows, err := t.query(selectExpired, micros(before), pageSize)
		if err != nil {
			return err
		}
		if gone, err = scanKeys(rows); err != nil {
			return err
		}
		for _, k := range gone {
			act.User, act.Key = k.User, k.Public.Fingerprint()
			if _, err := t.exec(deleteKey, act.User, act.Key); err != nil {
				return err
			}
			if err := t.record(s.signer, act); err != nil {
				return err
			}
		}
		return nil
	}, func() {
		for _, k := range gone {
			s.cache.forget(k.User)
		}
	})
	if err != nil {
		return nil, s.explain(err)
	}
	return gone, nil
}
