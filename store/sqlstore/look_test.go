package sqlstore_test

import (
	"crypto/ed25519"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyward/fault"
	"keyward/internal/pgtest"
	"keyward/store"
	"keyward/store/audit"
	"keyward/store/sqlstore"
	"keyward/store/storetest"
)

// recorded puts something on record, and tells what a look then finds.
func recorded(t *testing.T, s store.Store) store.ServerKey {
	t.Helper()
	key := store.ServerKey{Since: time.Unix(1_800_000_000, 0).UTC()}
	key.Public[0] = 9
	err := s.SetServerKeys(t.Context(), nil, []store.ServerKey{key}, audit.Act{Time: key.Since, What: audit.ServerKeySet, Note: "by a test"})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// seen holds a glance against what recorded put on record.
func seen(t *testing.T, g sqlstore.Glance, key store.ServerKey) {
	t.Helper()
	if g.Version < 1 || len(g.ServerKeys) != 1 || !g.ServerKeys[0].Equal(key) || g.Last == nil {
		t.Fatalf("found %+v", g)
	}
	if _, _, act, err := audit.Parse(g.Last.Line); err != nil || act.Note != "by a test" {
		t.Errorf("the last record is of %+v, %v", act, err)
	}
	if !ed25519.Verify(storetest.Signer().Public(), g.Last.Line, g.Last.Signature[:]) {
		t.Error("its signature does not verify")
	}
}

// TestLookChangesNothing looks at a database that is served, one that was killed and one that was closed.
func TestLookChangesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "registry.db")
	s, err := sqlstore.Open(t.Context(), path, storetest.Signer())
	if err != nil {
		t.Fatal(err)
	}
	key := recorded(t, s)
	look := func(state string) {
		before := contents(t, dir)
		g, err := sqlstore.Look(t.Context(), path)
		if err != nil {
			t.Fatalf("%s: %v", state, err)
		}
		seen(t, g, key)
		if diff := cmp.Diff(before, contents(t, dir)); diff != "" {
			t.Errorf("%s: the look changed files:\n%s", state, diff)
		}
	}
	look("served")
	killed := contents(t, dir)
	if killed["registry.db-wal"] == "" {
		t.Fatal("there is no log to lose")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	look("closed")
	dir = t.TempDir()
	path = filepath.Join(dir, "registry.db")
	for name, text := range killed {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	look("killed")
}

// contents are the files of a folder, but for SQLite's memory that processes share.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		all[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(all, func(name, _ string) bool { return strings.HasSuffix(name, "-shm") })
	return all
}

func TestLookRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	if _, err := sqlstore.Look(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
	if err := os.WriteFile(path, []byte("this is no database at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlstore.Look(t.Context(), path); !errors.Is(err, fault.InvalidFile) {
		t.Errorf("no database: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if g, err := sqlstore.Look(t.Context(), path); !errors.Is(err, fault.NotFound) || !strings.Contains(err.Error(), "no registry's") || fault.HintOf(err) == "" {
		t.Errorf("an empty one: %+v, %v", g, err)
	}
	if _, err := sqlstore.OpenBeside(t.Context(), path, nil); !errors.Is(err, fault.NotFound) || !strings.Contains(err.Error(), "no registry's") {
		t.Errorf("an empty one, opened: %v", err)
	}
}

func TestLookPostgres(t *testing.T) {
	url := pgtest.Database(t)
	if g, err := sqlstore.LookPostgres(t.Context(), url); !errors.Is(err, fault.NotFound) || fault.HintOf(err) == "" {
		t.Errorf("an empty one: %+v, %v", g, err)
	}
	var tables int
	query(t, url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", &tables)
	if tables > 0 {
		t.Errorf("the look made %d tables", tables)
	}
	key := recorded(t, openPostgres(t, url))
	g, err := sqlstore.LookPostgres(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	seen(t, g, key)
}
