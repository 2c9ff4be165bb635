package sqlstore

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"keyward/fault"
)

// noTables is what helps where a database has none of ours.
const noTables = "name the database of a registry, or start `keyward serve` on this one once, which makes its tables"

// explain adds kind and hint to a fault of the database file at path.
func explain(path string, err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	kind, hint := fault.Failed, ""
	switch code(err) {
	case sqlite3.SQLITE_NOTADB:
		kind, hint = fault.InvalidFile, "name a file that keyward made, or one that does not exist yet"
	case sqlite3.SQLITE_CORRUPT:
		kind, hint = fault.InvalidFile, "the file is damaged: stop keyward and restore a backup"
	case sqlite3.SQLITE_FULL:
		hint = "free space on the disk of the data folder"
	case sqlite3.SQLITE_IOERR:
		hint = "look at the disk of the data folder: it may be full, failing or gone"
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		hint = "keyward must be able to write to the data folder and the database in it"
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		hint = "end the other program that has the database open for writing"
	}
	switch {
	case strings.Contains(err.Error(), "no such table: "):
		kind, hint = fault.NotFound, noTables
		err = fmt.Errorf("it is no registry's: %w", err)
	case errors.Is(err, fs.ErrPermission):
		hint = "keyward must be able to write to the data folder and the database in it"
	case errors.Is(err, fs.ErrNotExist):
		kind, hint = fault.NotFound, "make the data folder first"
	}
	return fault.New(kind, hint, "database %s: %w", path, err)
}

// code is the primary result code of SQLite in err; 0 where there is none.
func code(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return sqlite3.SQLITE_OK
}
