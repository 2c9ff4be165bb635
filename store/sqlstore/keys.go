package sqlstore

import (
	"context"
	"fmt"
	"iter"

	"keyward/store"
)

// pageSize is how many keys AllKeys reads at a time.
const pageSize = 500

const (
	insertKey = `INSERT INTO keys (username, created, fingerprint, public, description)
		SELECT name, $2, $3, $4, $5 FROM users WHERE name = $1
		ON CONFLICT DO NOTHING`
	deleteKey = `DELETE FROM keys WHERE username = $1 AND fingerprint = $2`

	// A user without keys gives one row of nulls, no user none.
	selectKeys = `SELECT k.public, k.description, k.created FROM users AS u
		LEFT JOIN keys AS k ON k.username = u.name
		WHERE u.name = $1 ORDER BY k.created, k.fingerprint`
	selectAllKeys = `SELECT username, created, fingerprint, public, description FROM keys
		WHERE (username, created, fingerprint) > ($1, $2, $3)
		ORDER BY username, created, fingerprint LIMIT $4`
)

// AddKey registers a key.
func (s *Store) AddKey(ctx context.Context, k store.Key) error {
	if err := store.ValidDescription(k.Description); err != nil {
		return err
	}
	fingerprint := k.Public.Fingerprint()
	return s.changeKeys(ctx, k.User, func(w *writer) error {
		n, err := w.exec(insertKey, k.User, micros(k.Created), fingerprint, k.Public[:], k.Description)
		if err != nil || n > 0 {
			return err
		}
		return w.existsOrNoUser("key", fingerprint, k.User)
	})
}

// existsOrNoUser says why something of a user could not be added.
func (w *writer) existsOrNoUser(what, name, user string) error {
	found, err := w.has(hasUser, user)
	if err != nil {
		return err
	}
	if !found {
		return about("user", user, store.ErrNotFound)
	}
	return about(what, name, store.ErrExists)
}

// changeKeys makes a write after which it is read anew whether the user is there, with which keys.
func (s *Store) changeKeys(ctx context.Context, user string, do func(*writer) error) error {
	return s.explain(s.writer.write(ctx, do, func() { s.cache.forget(user) }))
}

// Keys lists the keys of a user.
func (s *Store) Keys(ctx context.Context, user string) ([]store.Key, error) {
	if store.ValidName(user) != nil {
		return nil, about("user", user, store.ErrNotFound) // and no place in the cache, for a name of any length
	}
	list, found, changes := s.cache.get(user)
	if !found {
		var err error
		if list, err = s.readKeys(ctx, user); err != nil {
			return nil, err
		}
		s.cache.put(user, list, changes)
	}
	if list == nil {
		return nil, about("user", user, store.ErrNotFound)
	}
	return list, nil
}

// readKeys reads the keys of a user: an empty list where there are none, nil where there is no such user.
func (s *Store) readKeys(ctx context.Context, user string) ([]store.Key, error) {
	rows, err := s.keys.QueryContext(ctx, user)
	if err != nil {
		return nil, s.explain(err)
	}
	defer rows.Close()
	var list []store.Key
	for rows.Next() {
		if list == nil {
			list = []store.Key{}
		}
		var public []byte
		var description *string
		var created *int64
		if err := rows.Scan(&public, &description, &created); err != nil {
			return nil, s.explain(err)
		}
		if public == nil {
			continue
		}
		k := store.Key{User: user, Description: *description, Created: fromMicros(*created)}
		copy(k.Public[:], public)
		list = append(list, k)
	}
	return list, s.explain(rows.Err())
}

// AllKeys streams the keys of all users. It reads a page at a time and holds no connection while the
// caller works, so a slow caller keeps neither other readers waiting nor the log from being cut.
func (s *Store) AllKeys(ctx context.Context) iter.Seq2[store.Key, error] {
	return func(yield func(store.Key, error) bool) {
		var last place
		for {
			page, next, err := s.keysAfter(ctx, last)
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
			last = next
		}
	}
}

// place is where a key stands in the order of all keys. No key stands at the zero place.
type place struct {
	user        string
	created     int64
	fingerprint string
}

// keysAfter reads the page after a place, and tells the place of its last key.
func (s *Store) keysAfter(ctx context.Context, last place) (page []store.Key, next place, err error) {
	rows, err := s.allKeys.QueryContext(ctx, last.user, last.created, last.fingerprint, pageSize)
	if err != nil {
		return nil, place{}, err
	}
	defer rows.Close()
	for rows.Next() {
		var k store.Key
		var public []byte
		if err := rows.Scan(&next.user, &next.created, &next.fingerprint, &public, &k.Description); err != nil {
			return nil, place{}, err
		}
		k.User, k.Created = next.user, fromMicros(next.created)
		copy(k.Public[:], public)
		page = append(page, k)
	}
	return page, next, rows.Err()
}

// DeleteKey deletes the user's key with this fingerprint.
func (s *Store) DeleteKey(ctx context.Context, user, fingerprint string) error {
	return s.changeKeys(ctx, user, func(w *writer) error {
		n, err := w.exec(deleteKey, user, fingerprint)
		if err == nil && n == 0 {
			return fmt.Errorf("key %.80q of user %.80q: %w", fingerprint, user, store.ErrNotFound)
		}
		return err
	})
}
