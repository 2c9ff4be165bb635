package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"

	"keyward/fault"
)

// migrations has for each kind of database a file NNNN_name.sql for each version of the schema, from 0001 on without a gap.
//
//go:embed migrations
var migrations embed.FS

// The folders of the steps.
const (
	sqliteSteps   = "migrations/sqlite"
	postgresSteps = "migrations/postgres"
)

// migrate brings the schema to the newest version this binary knows, and refuses a newer one. The
// steps and their versions are one transaction, which has the write lock from its start (_txlock):
// the second of two at once finds nothing to do.
func migrate(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if err := step(ctx, tx, sqliteSteps); err != nil {
		return err
	}
	return tx.Commit()
}

// step takes the steps of a folder that the schema has not had.
func step(ctx context.Context, tx *sql.Tx, folder string) error {
	steps, err := migrations.ReadDir(folder)
	if err != nil {
		return err
	}
	have, err := schemaVersion(ctx, tx)
	if err != nil {
		return fmt.Errorf("read the schema version: %w", err)
	}
	if have > len(steps) {
		return errNewer(have, len(steps))
	}
	for i, file := range steps {
		if version := i + 1; version > have {
			if err := apply(ctx, tx, version, folder+"/"+file.Name()); err != nil {
				return fmt.Errorf("%s: %w", file.Name(), err)
			}
		}
	}
	return nil
}

func errNewer(have, known int) error {
	return fault.New(fault.Policy, "run the newer keyward that wrote it, or restore an older backup",
		"its schema has version %d, this keyward knows versions up to %d", have, known)
}

// upToDate refuses a schema that the steps of a folder would change, and tells its version.
func upToDate(ctx context.Context, db *sql.DB, folder string) (have int, err error) {
	steps, err := migrations.ReadDir(folder)
	if err != nil {
		return 0, err
	}
	if err := db.QueryRowContext(ctx, "SELECT max(version) FROM schema_version").Scan(&have); err != nil {
		return 0, fmt.Errorf("read the schema version: %w", err)
	}
	switch known := len(steps); {
	case have > known:
		return have, errNewer(have, known)
	case have < known:
		return have, fault.New(fault.Policy, "start this version of `keyward serve` once, which updates it", "its schema has the older version %d", have)
	}
	return have, nil
}

// schemaVersion is 0 for an empty database.
func schemaVersion(ctx context.Context, tx *sql.Tx) (version int, err error) {
	_, err = tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
	if err != nil {
		return 0, err
	}
	err = tx.QueryRowContext(ctx, "SELECT coalesce(max(version), 0) FROM schema_version").Scan(&version)
	return version, err
}

// apply takes the step to a version.
func apply(ctx context.Context, tx *sql.Tx, version int, name string) error {
	step, err := migrations.ReadFile(name)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, string(step)); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO schema_version (version) VALUES ($1)", version)
	return err
}
