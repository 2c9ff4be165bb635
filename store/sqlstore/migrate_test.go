package sqlstore

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestStepNames holds that a step's place by name is its number, which migrate goes by.
func TestStepNames(t *testing.T) {
	kinds, err := migrations.ReadDir("migrations")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range kinds {
		steps, err := migrations.ReadDir("migrations/" + kind.Name())
		if err != nil || len(steps) == 0 {
			t.Errorf("%s: %d steps, %v", kind.Name(), len(steps), err)
		}
		for i, step := range steps {
			if want := fmt.Sprintf("%04d_", i+1); !strings.HasPrefix(step.Name(), want) {
				t.Errorf("step %s; want %s…", step.Name(), want)
			}
		}
	}
}

// TestMigrateAtOnce goes without the lock of Open, as on a database that several processes share.
func TestMigrateAtOnce(t *testing.T) {
	for name, before := range map[string]string{
		"new":     "",
		"waiting": "CREATE TABLE schema_version (version INTEGER NOT NULL)", // reads before it writes
	} {
		t.Run(name, func(t *testing.T) { migrateAtOnce(t, before) })
	}
}

func migrateAtOnce(t *testing.T, before string) {
	path := filepath.Join(t.TempDir(), "registry.db")
	db := pool(t, path)
	if _, err := db.ExecContext(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		db := pool(t, path)
		all.Go(func() {
			if err := migrate(t.Context(), db); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var steps, newest int
	err := db.QueryRowContext(t.Context(), "SELECT count(*), max(version) FROM schema_version").Scan(&steps, &newest)
	if err != nil || steps != newest || newest == 0 {
		t.Errorf("%d steps were taken to version %d, %v", steps, newest, err)
	}
}

func pool(t *testing.T, path string) *sql.DB {
	db, err := openDB(path, writing, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}
