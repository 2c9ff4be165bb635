package sqlstore

import (
	"context"
	"slices"

	"keyward/store"
	"keyward/store/audit"
)

const (
	selectServerKeys = `SELECT public, since, until FROM server_keys ORDER BY until > 0, since DESC, public`
	insertServerKey  = `INSERT INTO server_keys (public, since, until) VALUES ($1, $2, $3)`
	deleteServerKeys = `DELETE FROM server_keys`
)

// ServerKeys lists the servers' public keys on record, the current one first.
func (s *Store) ServerKeys(ctx context.Context) ([]store.ServerKey, error) {
	ctx, end := s.engine.limited(ctx)
	defer end()
	list, err := (&tx{ctx: ctx, conn: s.reads}).serverKeys()
	return list, s.explain(err)
}

func (t *tx) serverKeys() ([]store.ServerKey, error) {
	rows, err := t.query(selectServerKeys)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []store.ServerKey{}
	for rows.Next() {
		k, err := scanServerKey(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, k)
	}
	return list, rows.Err()
}

// SetServerKeys replaces them, if have is what is on record.
func (s *Store) SetServerKeys(ctx context.Context, have, list []store.ServerKey, act audit.Act) error {
	return s.change(ctx, act, func(t *tx) error {
		now, err := t.serverKeys()
		if err != nil {
			return err
		}
		if !slices.EqualFunc(now, have, store.ServerKey.Equal) {
			return about("server keys", "on record", store.ErrExists)
		}
		if _, err := t.exec(deleteServerKeys); err != nil {
			return err
		}
		for _, k := range list {
			if _, err := t.exec(insertServerKey, serverKeyArgs(k)...); err != nil {
				return err
			}
		}
		return nil
	}, nil)
}

func serverKeyArgs(k store.ServerKey) []any {
	return []any{k.Public[:], micros(k.Since), microsOrNone(k.Until)}
}
