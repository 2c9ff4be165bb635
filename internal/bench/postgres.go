package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"keyward/internal/pgtest"
	"keyward/keys"
	"keyward/store/sqlstore"
)

// shared is a registry on PostgreSQL beside the same users' registry on SQLite, which shares its server key.
type shared struct {
	database *pgtest.Server
	url      string
	sqlite   *server
	replicas []*server
	pairs    []keys.Pair
	key      keys.PublicKey
	roots    *x509.CertPool
}

// noPostgres says why what needs PostgreSQL is not measured; "" where it is.
func noPostgres() string {
	if pgtest.Installed() {
		return ""
	}
	return "PostgreSQL is not installed"
}

// pglogins measures key logins on PostgreSQL against those on SQLite. The database is on the same two cores and disk.
func (b *bench) pglogins(ctx context.Context) ([]row, error) {
	rows := []row{
		{what: fmt.Sprintf("key logins on PostgreSQL, %d users on %d connections, over SQLite", users, users), target: target{sign: atLeast, bound: 0.5}},
		{what: fmt.Sprintf("key logins on PostgreSQL, %d users on %d connections, over SQLite", users, few)},
	}
	return b.onPostgres(ctx, 1, rows, func(s *shared, i int) (row, error) {
		n := []int{users, few}[i]
		return b.keyLogins(ctx, s.pairs, s.key, side{s.sqlite, newClient(s.roots, n, s.sqlite)}, side{s.replicas[0], newClient(s.roots, n, s.replicas[0])})
	})
}

// replicas measures key logins on two replicas against those on one.
func (b *bench) replicas(ctx context.Context) ([]row, error) {
	rows := []row{
		{what: fmt.Sprintf("key logins on PostgreSQL, %d users on %d connections to two replicas, over one", users, users), target: target{sign: atLeast, bound: 0.9}},
		{what: fmt.Sprintf("key logins on PostgreSQL, %d users on %d connections to two replicas, over one", users, few)},
	}
	return b.onPostgres(ctx, 2, rows, func(s *shared, i int) (row, error) {
		n := []int{users, few}[i]
		return b.keyLogins(ctx, s.pairs, s.key, side{s.replicas[0], newClient(s.roots, n, s.replicas[0])}, side{s.replicas[0], newClient(s.roots, n, s.replicas...)})
	})
}

// onPostgres measures rows on so many replicas. The CPU time would be that of one process of several, so there is none.
func (b *bench) onPostgres(ctx context.Context, replicas int, rows []row, measure func(*shared, int) (row, error)) ([]row, error) {
	if why := noPostgres(); why != "" {
		for i := range rows {
			rows[i].skip = why
		}
		return rows, nil
	}
	s, err := b.share(ctx, replicas)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	for i := range rows {
		r, err := measure(s, i)
		if err != nil {
			return nil, err
		}
		rows[i].unit, rows[i].pairs = r.unit, r.pairs
	}
	return rows, nil
}

// share starts them.
func (b *bench) share(ctx context.Context, replicas int) (s *shared, err error) {
	s = &shared{}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	dir, err := os.MkdirTemp(b.dir, "shared")
	if err != nil {
		return s, err
	}
	data := filepath.Join(dir, "registry")
	if s.sqlite, s.pairs, err = b.registry(ctx, data); err != nil {
		return s, err
	}
	if s.key, s.roots, err = identity(ctx, data); err != nil {
		return s, err
	}
	if s.database, err = pgtest.New(ctx); err != nil {
		return s, err
	}
	if s.url, err = s.database.Database(ctx); err != nil {
		return s, err
	}
	db, err := sqlstore.OpenPostgres(ctx, s.url, signer())
	if err != nil {
		return s, err
	}
	if err := errors.Join(addUsers(ctx, db, s.pairs), db.Close()); err != nil {
		return s, err
	}
	for range replicas {
		replica, err := b.serveRegistry(ctx, data, "--store", s.url)
		if err != nil {
			return s, err
		}
		s.replicas = append(s.replicas, replica)
	}
	return s, nil
}

func (s *shared) stop() {
	for _, r := range s.replicas {
		r.stop()
	}
	if s.sqlite != nil {
		s.sqlite.stop()
	}
	if s.database != nil {
		_ = s.database.Close()
	}
}
