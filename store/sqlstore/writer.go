package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
)

// maxBatch bounds how many writes share a transaction, and so how long the first one waits for the last.
const maxBatch = 256

var errClosed = errors.New("the store is closed")

// writer makes all writes, in one goroutine on one connection. A sync to the disk is what a
// write costs, so those that wait while one transaction is synced share the next.
type writer struct {
	tx
	conn   *sql.Conn
	queue  chan *write // without a buffer: what was sent is taken, and so gets its answer
	ending chan struct{}
	ended  chan struct{}
}

// write is one write and where its outcome goes.
type write struct {
	ctx   context.Context
	do    func(*tx) error
	then  func() // once it is done and before its caller knows; may be nil
	alone bool   // in a transaction of its own, and never done twice
	err   error
	done  chan error // room for one, so that the writer never waits for a caller
}

func newWriter(conn *sql.Conn) *writer {
	w := &writer{
		tx:     tx{ctx: context.Background(), conn: conn, stmts: make(map[string]*sql.Stmt)},
		conn:   conn,
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
func (w *writer) write(ctx context.Context, do func(*tx) error, then func()) error {
	return w.wait(&write{ctx: ctx, do: do, then: then, done: make(chan error, 1)})
}

// writeAlone is write for what shares no transaction.
func (w *writer) writeAlone(ctx context.Context, do func(*tx) error, then func()) error {
	return w.wait(&write{ctx: ctx, do: do, then: then, alone: true, done: make(chan error, 1)})
}

func (w *writer) wait(op *write) error {
	ctx := op.ctx
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
			for op != nil {
				var batch []*write
				batch, op = w.collect(op)
				w.commit(batch)
			}
		case <-w.ending:
			return
		}
	}
}

// collect takes the writes that wait already, up to one that shares no transaction: that is the next.
func (w *writer) collect(first *write) (batch []*write, next *write) {
	batch = []*write{first}
	if first.alone {
		return batch, nil
	}
	runtime.Gosched() // lets the callers of the batch before come back with their next writes
	for len(batch) < maxBatch {
		select {
		case op := <-w.queue:
			if op.alone {
				return batch, op
			}
			batch = append(batch, op)
		default:
			return batch, nil
		}
	}
	return batch, nil
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
		if op.err = op.do(&w.tx); op.err != nil && !isAnswer(op.err) {
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

// rollback ends a transaction that failed. SQLite has done so itself after some errors, and
// then says that there is none.
func (w *writer) rollback() { _, _ = w.exec("ROLLBACK") }
