package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/gofrs/flock"
	_ "modernc.org/sqlite" // the driver named sqlite

	"keyward/fault"
	"keyward/internal/secretfile"
	"keyward/store"
	"keyward/store/audit"
)

// embedded is the engine in a file.
type embedded struct {
	path   string
	lock   *flock.Flock // nil beside the process that has it
	writer *writer
	writes *sql.DB // one connection, the writer's
	reads  *sql.DB
	cache  *keyCache
}

// Open opens the database file at path, makes it (mode 0600) where there is none, and brings its
// schema up to date. The folder must be there. Beside the file stand path.lock, held until Close,
// and SQLite's path-wal and path-shm; all belong together. The signer signs the audit records;
// without one every change is refused.
//
// A second Open of the file, in this process or another, is a fault.Exists; what is no database or
// a damaged one a fault.InvalidFile; a schema newer than the binary a fault.Policy, and so is a
// file of these that others can use or that belongs to another user than the caller or root.
func Open(ctx context.Context, path string, signer *audit.Signer) (*Store, error) {
	return openSQLite(ctx, path, signer, false)
}

// OpenBeside opens a database file that another process may serve, for Export and Import. It makes
// none, and leaves a schema that is not the newest to Open: fault.Policy.
func OpenBeside(ctx context.Context, path string, signer *audit.Signer) (*Store, error) {
	return openSQLite(ctx, path, signer, true)
}

func openSQLite(ctx context.Context, path string, signer *audit.Signer, beside bool) (*Store, error) {
	q := &embedded{path: path}
	s := &Store{engine: q, signer: signer, cache: &keyCache{imported: path + ".lock"}}
	q.cache = s.cache
	s.close, s.keysOf = s.closer(), s.readKeys
	err := q.open(ctx, beside)
	if err == nil {
		s.reads = q.reads
		err = s.prepare(ctx)
	}
	if err == nil {
		s.keys, err = s.reads.PrepareContext(ctx, selectKeys)
	}
	if err != nil {
		_ = s.close()
		return nil, explain(path, err)
	}
	return s, nil
}

func (q *embedded) open(ctx context.Context, beside bool) (err error) {
	if err := q.check(); err != nil {
		return err
	}
	if beside {
		if _, err := os.Stat(q.path); err != nil {
			return err
		}
	} else if q.lock, err = lockFile(q.path); err != nil {
		return err
	} else if err := makeFile(q.path); err != nil {
		return err
	}
	if q.writes, err = openDB(q.path, writing, 1); err != nil {
		return err
	}
	if beside {
		_, err = upToDate(ctx, q.writes, sqliteSteps)
	} else {
		err = migrate(ctx, q.writes)
	}
	if err != nil {
		return err
	}
	conn, err := q.writes.Conn(ctx)
	if err != nil {
		return err
	}
	q.writer = newWriter(conn)
	q.reads, err = openDB(q.path, reading, max(4, runtime.GOMAXPROCS(0)))
	return err
}

// check refuses files that others have a hand in, and what is no database.
func (q *embedded) check() error {
	for _, suffix := range []string{"", ".lock", "-wal", "-shm", "-journal"} {
		if err := checkOwner(q.path + suffix); err != nil {
			return err
		}
	}
	return checkFile(q.path)
}

func (q *embedded) change(ctx context.Context, do func(*tx) error, then func()) error {
	return q.writer.write(ctx, do, then)
}

func (q *embedded) changeAlone(ctx context.Context, do func(*tx) error, then func()) error {
	return q.writer.writeAlone(ctx, do, then)
}

func (q *embedded) write(ctx context.Context, do func(*tx) error) error {
	return q.writer.write(ctx, do, nil)
}

func (q *embedded) logIn(ctx context.Context, l store.Login, t store.Token) error {
	used := false
	return q.writer.write(ctx, func(x *tx) (err error) {
		used, err = x.logIn(l, t)
		return err
	}, func() {
		if used {
			q.cache.forget(t.User)
		}
	})
}

// snapshot holds one of the reading connections: its transaction keeps the log from being cut.
func (q *embedded) snapshot(ctx context.Context) (*tx, func(), error) {
	t, err := q.reads.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, nil, err
	}
	return &tx{ctx: ctx, conn: t}, func() { _ = t.Rollback() }, nil
}

func (*embedded) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return ctx, func() {}
}

func (q *embedded) explain(err error) error {
	if ended(err) {
		return err
	}
	return explain(q.path, err)
}

// ended tells whether a context did.
func ended(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// close closes what open opened, but for the reads; the lock last.
func (q *embedded) close() error {
	var errs []error
	if q.writer != nil {
		errs = append(errs, q.writer.close())
	}
	if q.writes != nil {
		errs = append(errs, q.writes.Close())
	}
	if q.lock != nil {
		errs = append(errs, q.lock.Close())
	}
	return errors.Join(errs...)
}

// The options of connections. Rows keyed by a hash fall on pages at random, so a log of 8,000 pages
// (32 MiB) and a cache of that size save a good part of the reading and copying of pages. Who reads is better off with little: each
// commit empties the cache, and a page that it grows by costs more than one read from the system's. 64 hold all but the lowest
// two levels of a million keys.
const (
	common  = "_busy_timeout=5000&_defensive=1&_dqs=0&_error_rc=1"
	reading = common + "&mode=ro&_query_only=1&_pragma=cache_size(64)"
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
