// Package sqlstore keeps the registry in SQL: in SQLite, embedded, without cgo.
//
// The database is one file for one process, under a lock. All writes go through one goroutine that
// commits those that wait together, reads through a pool of connections beside it. Every
// statement is prepared, and written so that PostgreSQL would take it too.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	_ "modernc.org/sqlite" // the driver named sqlite

	"keyward/internal/fault"
	"keyward/internal/secretfile"
	"keyward/store"
)

// Store is a store.Store in an SQLite file.
type Store struct {
	path   string
	lock   *flock.Flock
	writer *writer
	writes *sql.DB // one connection, the writer's
	reads  *sql.DB
	cache  keyCache
	selects
	close func() error
}

var _ store.Store = (*Store)(nil)

// selects are the prepared statements that read.
type selects struct {
	user, users, keys, allKeys, token *sql.Stmt
}

// Open opens the database file at path, makes it (mode 0600) where there is none, and brings its
// schema up to date. The folder must be there. Beside the file stand path.lock, held until Close,
// and SQLite's path-wal and path-shm; all belong together.
//
// A second Open of the file, in this process or another, is a fault.Exists; what is no database or
// a damaged one a fault.InvalidFile; a schema newer than the binary a fault.Policy, and so is a
// file of these that others can use or that belongs to another user than the caller or root.
func Open(ctx context.Context, path string) (*Store, error) {
	s := &Store{path: path}
	s.close = sync.OnceValue(s.release)
	if err := s.open(ctx); err != nil {
		_ = s.close()
		return nil, explain(path, err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) (err error) {
	for _, suffix := range []string{"", ".lock", "-wal", "-shm", "-journal"} {
		if err := checkOwner(s.path + suffix); err != nil {
			return err
		}
	}
	if err := checkFile(s.path); err != nil {
		return err
	}
	if s.lock, err = lockFile(s.path); err != nil {
		return err
	}
	if err := makeFile(s.path); err != nil {
		return err
	}
	if s.writes, err = openDB(s.path, writing, 1); err != nil {
		return err
	}
	if err := migrate(ctx, s.writes); err != nil {
		return err
	}
	conn, err := s.writes.Conn(ctx)
	if err != nil {
		return err
	}
	s.writer = newWriter(conn)
	if s.reads, err = openDB(s.path, reading, max(4, runtime.GOMAXPROCS(0))); err != nil {
		return err
	}
	return s.prepare(ctx)
}

// The options of connections. Rows keyed by a hash fall on pages at random, so a log of 8,000 pages
// (32 MiB) and a cache of that size save a good part of the reading and copying of pages.
const (
	common  = "_busy_timeout=5000&_defensive=1&_dqs=0&_error_rc=1"
	reading = common + "&mode=ro&_query_only=1"
	writing = common + "&_txlock=immediate&_foreign_keys=1&_journal_mode=WAL&_synchronous=FULL" +
		"&_pragma=wal_autocheckpoint(8000)&_pragma=journal_size_limit(33554432)&_pragma=cache_size(-32768)"
)

// openDB opens a pool of up to size connections, which it keeps.
func openDB(path, options string, size int) (*sql.DB, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	slashed := filepath.ToSlash(full)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // C:/folder
	}
	file := url.URL{Scheme: "file", Path: slashed}
	db, err := sql.Open("sqlite", file.String()+"?"+options)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db, nil
}

// checkOwner refuses another user's file, and another user's link to one. Who planted a log beside
// the database would write to it: SQLite plays a log that it finds.
func checkOwner(path string) error {
	for _, look := range []func(string) (fs.FileInfo, error){os.Lstat, os.Stat} {
		if info, err := look(path); err == nil && secretfile.Foreign(info) {
			return fault.New(fault.Policy, "move it away, or give keyward a data folder of its own", "%s belongs to another user", path)
		}
	}
	return nil
}

// checkFile refuses what is there at path and cannot be the database, before anything is written.
func checkFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fault.New(fault.InvalidFile, "name the file of the database", "database %s is %s, not a file", path, kindOf(info))
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return fault.New(fault.Policy, "chmod 600 "+path, "database %s can be used by others: mode %04o", path, info.Mode().Perm())
	case info.Size() > 0:
		return checkHeader(path)
	}
	return nil
}

// checkHeader wants SQLite's mark at the start. SQLite itself takes a short file for an empty one
// and overwrites it.
func checkHeader(path string) error {
	const mark = "SQLite format 3\x00"
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	start := make([]byte, len(mark))
	if _, err := io.ReadFull(f, start); err != nil || string(start) != mark {
		return fault.New(fault.InvalidFile, "name a file that keyward made, or one that does not exist yet",
			"%s is not a database", path)
	}
	return nil
}

func kindOf(info fs.FileInfo) string {
	if info.IsDir() {
		return "a folder"
	}
	return "a " + info.Mode().Type().String()
}

// makeFile makes the file where there is none, so that SQLite gives its mode to the files beside it.
func makeFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func (s *Store) prepare(ctx context.Context) error {
	for _, p := range []struct {
		stmt  **sql.Stmt
		query string
	}{
		{&s.user, selectUser},
		{&s.users, selectUsers},
		{&s.keys, selectKeys},
		{&s.allKeys, selectAllKeys},
		{&s.token, selectToken},
	} {
		var err error
		if *p.stmt, err = s.reads.PrepareContext(ctx, p.query); err != nil {
			return err
		}
	}
	return nil
}

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if _, err := s.User(ctx, ""); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// Close ends the store after the writes that it took. A second Close does nothing.
func (s *Store) Close() error { return s.close() }

// release closes what open opened, the lock last.
func (s *Store) release() error {
	var errs []error
	if s.reads != nil {
		errs = append(errs, s.reads.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	if s.writes != nil {
		errs = append(errs, s.writes.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// change makes a write.
func (s *Store) change(ctx context.Context, do func(*writer) error) error {
	return s.explain(s.writer.write(ctx, do, nil))
}

// explain leaves the answers of package store and the ends of contexts as they are; the rest
// are faults of the database.
func (s *Store) explain(err error) error {
	switch {
	case err == nil, isAnswer(err), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return explain(s.path, err)
}

// about says what an answer is about. A name may come from anybody, so it is quoted and cut.
func about(what, name string, answer error) error {
	return fmt.Errorf("%s %.80q: %w", what, name, answer)
}

// micros is how a time is kept.
func micros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }
