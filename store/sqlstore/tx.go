package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"keyward/store/audit"
)

// tx is what the statements of a transaction run on. They run to their end whatever becomes of the caller,
// unless ctx is the caller's.
type tx struct {
	ctx   context.Context //nolint:containedctx // it is of this transaction alone
	conn  conn
	stmts map[string]*sql.Stmt                                // prepared on conn; nil where the driver does that by itself
	batch func(context.Context, []statement) ([]int64, error) // runs many in one round trip; nil where there are none to save
}

// statement is a query and what its parameters are.
type statement struct {
	query string
	args  []any
}

// conn is *sql.Conn, *sql.Tx or *sql.DB.
type conn interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// exec runs a statement and tells how many rows it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	stmt, err := t.prepared(query)
	if err != nil {
		return 0, err
	}
	var result sql.Result
	if stmt == nil {
		result, err = t.conn.ExecContext(t.ctx, query, args...)
	} else {
		result, err = stmt.ExecContext(t.ctx, args...)
	}
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// execAll runs statements in their order and tells how many rows each changed.
func (t *tx) execAll(list []statement) ([]int64, error) {
	if t.batch != nil {
		return t.batch(t.ctx, list)
	}
	changed := make([]int64, len(list))
	for i, s := range list {
		var err error
		if changed[i], err = t.exec(s.query, s.args...); err != nil {
			return nil, err
		}
	}
	return changed, nil
}

// get scans the row that a query finds; found is false where it finds none.
func (t *tx) get(query string, args []any, dest ...any) (found bool, err error) {
	stmt, err := t.prepared(query)
	if err != nil {
		return false, err
	}
	var row *sql.Row
	if stmt == nil {
		row = t.conn.QueryRowContext(t.ctx, query, args...)
	} else {
		row = stmt.QueryRowContext(t.ctx, args...)
	}
	err = row.Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// has tells whether a query finds a row.
func (t *tx) has(query string, args ...any) (bool, error) {
	var one int
	return t.get(query, args, &one)
}

func (t *tx) query(query string, args ...any) (*sql.Rows, error) {
	return t.conn.QueryContext(t.ctx, query, args...)
}

func (t *tx) prepared(query string) (*sql.Stmt, error) {
	if t.stmts == nil || t.stmts[query] != nil {
		return t.stmts[query], nil
	}
	stmt, err := t.conn.PrepareContext(t.ctx, query)
	if err == nil {
		t.stmts[query] = stmt
	}
	return stmt, err
}

const (
	insertRecord = `INSERT INTO audit (seq, line, signature) VALUES ($1, $2, $3)`
	selectLast   = `SELECT seq, line, signature FROM audit ORDER BY seq DESC LIMIT 1`
)

// record writes the act as the next record.
func (t *tx) record(signer *audit.Signer, act audit.Act) error {
	head, err := t.head()
	if err != nil {
		return err
	}
	r := signer.Sign(head, act)
	_, err = t.exec(insertRecord, head.Seq+1, r.Line, r.Signature[:])
	return err
}

// head is the end of the chain.
func (t *tx) head() (audit.Head, error) {
	last, seq, err := t.last()
	if err != nil || last == nil {
		return audit.Head{}, err
	}
	return audit.Head{Seq: seq, Hash: last.Hash()}, nil
}

// last is the last record and its number; nil for none.
func (t *tx) last() (*audit.Record, int64, error) {
	var r audit.Record
	var seq int64
	var signature []byte
	found, err := t.get(selectLast, nil, &seq, &r.Line, &signature)
	if err != nil || !found {
		return nil, 0, err
	}
	copy(r.Signature[:], signature)
	return &r, seq, nil
}
