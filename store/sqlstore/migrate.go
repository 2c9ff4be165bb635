package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	sqlite3 "modernc.org/sqlite/lib"

	"keyward/internal/fault"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema to the newest version this binary knows, and refuses a newer one.
func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	// goose takes any error here for a missing table, and hides that the file is damaged.
	if _, err := db.ExecContext(ctx, "SELECT max(version_id) FROM goose_db_version"); code(err) == sqlite3.SQLITE_CORRUPT {
		return err
	}
	have, known, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema version: %w", err)
	}
	if have > known {
		return fault.New(fault.Policy, "run the newer keyward that wrote it, or restore an older backup",
			"its schema has version %d, this keyward knows versions up to %d", have, known)
	}
	if have == known {
		return nil
	}
	_, err = provider.Up(ctx)
	return err
}
