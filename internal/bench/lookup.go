package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"keyward/internal/pgtest"
	"keyward/keys"
	"keyward/registry"
	"keyward/store"
	"keyward/store/audit"
	"keyward/store/sqlstore"
)

const (
	fewKeys  = 1000
	lookedUp = 1000 // users, in a turn
	boss     = "boss"
	secret   = "the right password"
)

// database is one of the two kinds of store.
type database struct {
	name  string
	skip  string
	open  func(ctx context.Context, place string) (*sqlstore.Store, error)
	place func(ctx context.Context) (string, error) // of a new one
	flags func(place string) []string               // of a server on it
}

// databases are both kinds, and what ends them.
func (b *bench) databases(ctx context.Context) (list []database, end func(), err error) {
	list = []database{{
		name: "SQLite",
		open: func(ctx context.Context, place string) (*sqlstore.Store, error) {
			return sqlstore.Open(ctx, place, signer())
		},
		place: func(context.Context) (string, error) {
			dir, err := os.MkdirTemp(b.dir, "store")
			return filepath.Join(dir, "registry.db"), err
		},
		flags: func(place string) []string { return []string{"--data-dir", filepath.Dir(place)} },
	}, {
		name: "PostgreSQL",
		skip: noPostgres(),
		open: func(ctx context.Context, place string) (*sqlstore.Store, error) {
			return sqlstore.OpenPostgres(ctx, place, signer())
		},
	}}
	if list[1].skip != "" {
		return list, func() {}, nil
	}
	server, err := pgtest.New(ctx)
	if err != nil {
		return nil, nil, err
	}
	list[1].place = server.Database
	list[1].flags = func(place string) []string {
		return []string{"--data-dir", filepath.Join(b.dir, "postgres"), "--store", place}
	}
	return list, func() { _ = server.Close() }, nil
}

// fill makes a store with n users of so many keys each, and an administrator.
func (d database) fill(ctx context.Context, n, each int) (place string, err error) {
	if place, err = d.place(ctx); err != nil {
		return "", err
	}
	db, err := d.open(ctx, place)
	if err != nil {
		return "", err
	}
	hash, err := registry.HashPassword(secret)
	if err == nil {
		err = db.Import(ctx, people(n, each, hash), audit.Act{Time: time.Now(), What: audit.Restored})
	}
	return place, errors.Join(err, db.Close())
}

// people are the rows of n users and the administrator.
func people(n, each int, hash string) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		now := time.Now()
		more := yield(store.Row{User: &store.User{Name: boss, Admin: true, Password: hash, Created: now}}, nil)
		for i := 0; more && i < n; i++ {
			name := userName(i)
			more = yield(store.Row{User: &store.User{Name: name, Password: hash, Created: now}}, nil)
			for j := 0; more && j < each; j++ {
				more = yield(store.Row{Key: &store.Key{User: name, Public: publicKey(i*each + j), Description: "laptop", Created: now}}, nil)
			}
		}
	}
}

// publicKey is the i-th of many that differ.
func publicKey(i int) (k keys.PublicKey) {
	copy(k[:], fmt.Sprintf("%032d", i))
	return k
}

// lookup measures the look-up of one user's keys among many users over one among few. No user comes twice, so that nothing
// is remembered.
func (b *bench) lookup(ctx context.Context) ([]row, error) {
	many := 1_000_000
	if b.short {
		many = 20_000
	}
	list, end, err := b.databases(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	var rows []row
	for _, d := range list {
		r := row{
			what: fmt.Sprintf("look-up of one user's keys on %s, among %d over among %d", d.name, many, fewKeys),
			unit: microseconds, target: target{sign: atMost, bound: 1.5}, skip: d.skip,
		}
		if d.skip == "" {
			if r.pairs, err = b.lookupsOn(ctx, d, many); err != nil {
				return nil, fmt.Errorf("%s: %w", d.name, err)
			}
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func (b *bench) lookupsOn(ctx context.Context, d database, many int) (p pairs, err error) {
	sizes := []int{many, fewKeys}
	places := make([]string, len(sizes))
	for i, n := range sizes {
		if places[i], err = d.fill(ctx, n, 1); err != nil {
			return p, err
		}
	}
	for i := range b.times(20) + 1 {
		var took [2]float64
		for j, n := range sizes {
			if took[j], err = d.lookups(ctx, places[j], n); err != nil {
				return p, err
			}
		}
		if i > 0 {
			p.add(took[0], took[1])
		}
	}
	return p, nil
}

// lookups is the time of one look-up, of many one after the other, in milliseconds.
func (d database) lookups(ctx context.Context, place string, n int) (float64, error) {
	db, err := d.open(ctx, place)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	order := rand.Perm(n)[:lookedUp] //nolint:gosec // which users is no secret
	for range 2 * few {              // connections are made, and statements prepared
		if _, err := db.Keys(ctx, boss); err != nil {
			return 0, err
		}
	}
	start := time.Now()
	for _, i := range order {
		if list, err := db.Keys(ctx, userName(i)); err != nil || len(list) != 1 {
			return 0, fmt.Errorf("%s has %d keys: %w", userName(i), len(list), err)
		}
	}
	return ms(time.Since(start)) / lookedUp, nil
}
