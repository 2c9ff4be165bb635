package sqlstore_test

import (
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"keyward/fault"
	"keyward/store"
	"keyward/store/sqlstore"
	"keyward/store/storetest"
)

// refused wants Open to fail with this kind, with words in its message and its hint.
func refused(t *testing.T, path string, kind fault.Kind, message, hint string) {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), path, storetest.Signer())
	if err == nil {
		_ = s.Close()
		t.Fatal("Open takes it")
	}
	if fault.KindOf(err) != kind || !strings.Contains(err.Error(), message) || !strings.Contains(fault.HintOf(err), hint) {
		t.Fatalf("kind %v, error %q, hint %q", fault.KindOf(err), err, fault.HintOf(err))
	}
	if n := strings.Count(err.Error(), path); n > 2 {
		t.Errorf("the error names the file %d times: %v", n, err)
	}
}

func TestOpenAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a folder?#%41", "registry.db")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	if err := s.AddUser(t.Context(), store.User{Name: "ann", Created: start}, storetest.Act("test")); err != nil {
		t.Fatal(err)
	}
	refused(t, path, fault.Exists, "process "+strconv.Itoa(os.Getpid()), "another data folder")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if _, err := s.User(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
}

func TestFileModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	path := filepath.Join(t.TempDir(), "registry.db")
	s := open(t, path)
	names, err := filepath.Glob(path + "*")
	if err != nil || len(names) != 4 {
		t.Fatalf("files %v, %v; want the database, its lock and two of SQLite", names, err)
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o600 {
			t.Errorf("%s has mode %v", filepath.Base(name), info.Mode())
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	refused(t, path, fault.Policy, "0640", "chmod 600 "+path)
}

func TestOpenFaults(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := write("text.db", bytes.Repeat([]byte("no database\n"), 1000))
	refused(t, text, fault.InvalidFile, "not a database", "name a file")
	if data, _ := os.ReadFile(text); !bytes.HasPrefix(data, []byte("no database\n")) {
		t.Error("a file that is no database was changed")
	}
	refused(t, write("short.db", []byte("x")), fault.InvalidFile, "not a database", "name a file")
	refused(t, dir, fault.InvalidFile, "is a folder", "name the file")
	refused(t, filepath.Join(dir, "none", "registry.db"), fault.NotFound, "no such file", "make the data folder")
	refused(t, filepath.Join(text, "registry.db"), fault.Failed, "not a directory", "")
}

func TestReadOnlyFolder(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("modes of folders do not hold this user back")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	refused(t, filepath.Join(dir, "registry.db"), fault.Failed, "permission denied", "must be able to write")
}

// filled makes a closed database with a few keys in it.
func filled(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "registry.db")
	s := open(t, path)
	if err := s.AddUser(t.Context(), store.User{Name: "ann", Created: start}, storetest.Act("test")); err != nil {
		t.Fatal(err)
	}
	for n := range uint64(5) {
		if err := s.AddKey(t.Context(), store.Key{User: "ann", Public: number(n), Created: start}, storetest.Act("test")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDamagedFile(t *testing.T) {
	path := filled(t)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < len(data); i++ {
		data[i] = 0x5a
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, path, fault.InvalidFile, "malformed", "restore a backup")
}

func TestTruncatedFile(t *testing.T) {
	path := filled(t)
	if err := os.Truncate(path, 3*4096); err != nil {
		t.Fatal(err)
	}
	s, err := sqlstore.Open(t.Context(), path, storetest.Signer())
	if err == nil {
		_, err = s.Keys(t.Context(), "ann")
		_ = s.Close()
	}
	if !errors.Is(err, fault.InvalidFile) || !strings.Contains(fault.HintOf(err), "restore a backup") {
		t.Fatalf("error %v, hint %q", err, fault.HintOf(err))
	}
}

// change runs SQL on a closed database, beside the store.
func change(t *testing.T, path, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), query)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestNewerSchema(t *testing.T) {
	path := filled(t)
	change(t, path, `INSERT INTO schema_version (version) VALUES (9000)`)
	refused(t, path, fault.Policy, "version 9000", "newer keyward")
}

// TestForeignDatabase has another program's tables: they stay as they are.
func TestForeignDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	change(t, path, `CREATE TABLE keys (door TEXT)`)
	for range 2 { // a first try leaves no version behind
		refused(t, path, fault.Failed, "table keys already exists", "")
	}
}

func TestOpenAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	stores := make(chan *sqlstore.Store, 8)
	var all sync.WaitGroup
	for range cap(stores) {
		all.Go(func() {
			s, err := sqlstore.Open(t.Context(), path, storetest.Signer())
			if err == nil {
				stores <- s
			} else if !errors.Is(err, fault.Exists) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(stores) != 1 {
		t.Fatalf("%d of %d have it open", len(stores), cap(stores))
	}
	s := <-stores
	if err := errors.Join(s.AddUser(t.Context(), store.User{Name: "ann", Created: start}, storetest.Act("test")), s.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestNoFileLeftBehind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "registry.db")
	if _, err := sqlstore.Open(t.Context(), path, storetest.Signer()); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("error %v", err)
	}
	if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal("Open made the folder")
	}
}
