package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"

	"keyward/store"
	"keyward/store/audit"
)

// Glance is what a look at a database finds.
type Glance struct {
	Version    int               // of the schema, the newest
	ServerKeys []store.ServerKey // as Store.ServerKeys
	Last       *audit.Record     // the last record of the audit log; nil for none
}

// Look looks at a database file as OpenBeside would, and changes nothing: neither the file nor the log that a
// killed process left beside it.
func Look(ctx context.Context, path string) (g Glance, err error) {
	q := &embedded{path: path}
	if err := q.check(); err != nil {
		return g, explain(path, err)
	}
	if _, err := os.Stat(path); err != nil {
		return g, explain(path, err)
	}
	options := reading
	if _, err := os.Lstat(path + "-wal"); errors.Is(err, fs.ErrNotExist) {
		options += "&immutable=1" // else SQLite makes a log, and cannot remove it
	}
	db, err := openDB(path, options, 1)
	if err != nil {
		return g, explain(path, err)
	}
	defer db.Close()
	if g, err = glance(ctx, db, sqliteSteps); err != nil {
		return g, q.explain(err)
	}
	return g, nil
}

// LookPostgres looks at the database at a URL, as OpenPostgres opens it, and changes nothing.
func LookPostgres(ctx context.Context, url string) (g Glance, err error) {
	config, _, err := postgresConfig(url)
	if err != nil {
		return g, err
	}
	config.RuntimeParams["default_transaction_read_only"] = "on"
	db := connect(config, 1)
	defer db.Close()
	if g, err = glance(ctx, db, postgresSteps); err != nil {
		return g, explainPostgres(placeOfDatabase(&config.Config), err)
	}
	return g, nil
}

func glance(ctx context.Context, db *sql.DB, steps string) (g Glance, err error) {
	if g.Version, err = upToDate(ctx, db, steps); err != nil {
		return g, err
	}
	t := &tx{ctx: ctx, conn: db}
	if g.ServerKeys, err = t.serverKeys(); err != nil {
		return g, err
	}
	g.Last, _, err = t.last()
	return g, err
}
