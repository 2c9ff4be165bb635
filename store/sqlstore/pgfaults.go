package sqlstore

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"keyward/fault"
	"keyward/store"
)

// The SQLSTATEs (PostgreSQL's appendix A) that are answers.
const (
	uniqueViolation       = "23505"
	characterNotInCharset = "22021" // a NUL, or no UTF-8
)

// sqlState is the code of an error of PostgreSQL; "" of another.
func sqlState(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// explainPostgres adds kind and hint to a fault of the database at a place; store.ErrUnavailable is among its causes where
// another try may succeed. The end of a context stays among the causes.
func explainPostgres(place string, err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return explainCode(place, e)
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fault.New(fault.NotTrusted, "name its certificate authority with sslrootcert in the URL", "database %s: %w", place, e)
	}
	switch {
	case errors.Is(err, context.Canceled): // by the caller, also while it connected
		return err
	case lost(err):
		return unavailable(place, err)
	case ended(err): // the caller's limit, or a call's own
		return fault.New(fault.Unreachable, "see that the database server answers", "database %s: %w: %w", place, store.ErrUnavailable, err)
	}
	return fault.New(fault.Failed, "", "database %s: %w", place, err)
}

// lost tells the errors of a connection, which may be there again, from others. A context that ended is a net.Error too.
func lost(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	_, ok := errors.AsType[*net.OpError](err)
	return ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, driver.ErrBadConn)
}

func unavailable(place string, err error) error {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		err = e // of several addresses one
	} else if e, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		err = e.Unwrap()
	}
	return fault.New(fault.Unreachable, "see that the database server runs, and that the store's URL names it",
		"database %s: %w: %s", place, store.ErrUnavailable, strings.Join(strings.Fields(err.Error()), " "))
}

// explainCode tells by the SQLSTATE what an error is about.
func explainCode(place string, e *pgconn.PgError) error {
	kind, hint := fault.Failed, ""
	switch e.Code {
	case characterNotInCharset: // a text that no column can hold is in none
		return store.ErrNotFound
	case "53300", "53400", // too_many_connections, configuration_limit_exceeded
		"57014", "55P03", // query_canceled and lock_not_available: one of the time limits
		"57P01", "57P02", "57P03", "57P05", // the server stops or starts
		"25006",          // read_only_sql_transaction: a standby
		"25P03",          // idle_in_transaction_session_timeout
		"40001", "40P01": // serialization_failure, deadlock_detected
		return unavailable(place, e)
	case "28000", "28P01":
		kind, hint = fault.LoginRefused, "give the right user in the URL, and the password in PGPASSWORD or PGPASSFILE"
	case "3D000":
		kind, hint = fault.NotFound, "make it: createdb --owner=USER DATABASE"
	case "42P01": // undefined_table
		kind, hint = fault.NotFound, noTables
	case "42501", "3F000": // insufficient_privilege, invalid_schema_name
		kind, hint = fault.NotPermitted, "make the user of the URL the owner of the database, or of a schema in its search_path"
	case "53100", "53200":
		hint = "free space on the database server"
	}
	if strings.HasPrefix(e.Code, "08") || strings.HasPrefix(e.Code, "58") && e.Severity == "FATAL" {
		return unavailable(place, e)
	}
	return fault.New(kind, hint, "database %s: %w", place, e)
}
