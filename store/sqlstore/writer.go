package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"runtime"

	"keyward/store"
)

// maxBatch bounds how many writes share a transaction, and so how long the first one waits for the last.
const maxBatch = 256

var errClosed = errors.New("the store is closed")

// writer makes all writes, in one goroutine on one connection. A sync to the disk is what a
// write costs, so those that wait while one transaction is synced share the next.
type writer struct {
	conn   *sql.Conn
	stmts  map[string]*sql.Stmt
	queue  chan *write // without a buffer: what was sent is taken, and so gets its answer
	ending chan struct{}
	ended  chan struct{}
}

// write is one write and where its outcome goes.
type write struct {
	ctx  context.Context
	do   func(*writer) error
	then func() // once it is done and before its caller knows; may be nil
	err  error
	done chan error // room for one, so that the writer never waits for a caller
}

func newWriter(conn *sql.Conn) *writer {
	w := &writer{
		conn:   conn,
		stmts:  make(map[string]*sql.Stmt),
		queue:  make(chan *write),
		ending: make(chan struct{}),
		ended:  make(chan struct{}),
	}
	go w.loop()
	return w
}

// close waits until the writes that were taken are done.
func (w *writer) close() error {
	close(w.ending)
	<-w.ended
	for _, stmt := range w.stmts {
		stmt.Close()
	}
	return w.conn.Close()
}

// write has do done in a transaction and returns its error, or the transaction's.
// An error of do that is not one of the answers of package store undoes what do did.
func (w *writer) write(ctx context.Context, do func(*writer) error, then func()) error {
	op := &write{ctx: ctx, do: do, then: then, done: make(chan error, 1)}
	select {
	case w.queue <- op:
	case <-w.ending:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-op.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) loop() {
	defer close(w.ended)
	for {
		select {
		case op := <-w.queue:
			w.commit(w.collect(op))
		case <-w.ending:
			return
		}
	}
}

// collect takes the writes that wait already.
func (w *writer) collect(first *write) []*write {
	batch := []*write{first}
	runtime.Gosched() // lets the callers of the batch before come back with their next writes
	for len(batch) < maxBatch {
		select {
		case op := <-w.queue:
			batch = append(batch, op)
		default:
			return batch
		}
	}
	return batch
}

// commit does the writes of a batch together. Where one of them fails the transaction is
// undone, and each gets one of its own, so that none suffers from another.
func (w *writer) commit(batch []*write) {
	failed, err := w.transact(batch)
	if failed && len(batch) > 1 {
		for _, op := range batch {
			w.commit([]*write{op})
		}
		return
	}
	for _, op := range batch {
		if err != nil {
			op.err = err
		}
		if op.then != nil {
			op.then()
		}
		op.done <- op.err
	}
}

// transact does the writes in one transaction. After an error nothing of them is left, and
// failed tells that a write was at fault, not the transaction.
func (w *writer) transact(batch []*write) (failed bool, err error) {
	if _, err := w.exec("BEGIN IMMEDIATE"); err != nil {
		return false, err
	}
	for _, op := range batch {
		if op.err = op.ctx.Err(); op.err != nil {
			continue
		}
		if op.err = op.do(w); op.err != nil && !isAnswer(op.err) {
			w.rollback()
			return true, op.err
		}
	}
	if _, err := w.exec("COMMIT"); err != nil {
		w.rollback()
		return false, err
	}
	return false, nil
}

// isAnswer tells the errors that say how things stand from those that are faults.
func isAnswer(err error) bool {
	return errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrNotFound)
}

// rollback ends a transaction that failed. SQLite has done so itself after some errors, and
// then says that there is none.
func (w *writer) rollback() { _, _ = w.exec("ROLLBACK") }

// exec runs a statement to its end, whatever becomes of the callers, and tells how many rows it changed.
func (w *writer) exec(query string, args ...any) (int64, error) {
	stmt, err := w.prepared(query)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// has tells whether a query finds a row.
func (w *writer) has(query string, args ...any) (bool, error) {
	stmt, err := w.prepared(query)
	if err != nil {
		return false, err
	}
	var one int
	err = stmt.QueryRowContext(context.Background(), args...).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (w *writer) prepared(query string) (*sql.Stmt, error) {
	if stmt := w.stmts[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := w.conn.PrepareContext(context.Background(), query)
	if err == nil {
		w.stmts[query] = stmt
	}
	return stmt, err
}
