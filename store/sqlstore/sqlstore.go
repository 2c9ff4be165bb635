// Package sqlstore keeps the registry in SQL: in SQLite, embedded, without cgo, or in PostgreSQL.
//
// An SQLite database is one file for one process, under a lock. All writes go through one goroutine that
// commits those that wait together, reads through a pool of connections beside it. A PostgreSQL
// database is shared by any number of processes; their changes follow each other under a lock of its own.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"keyward/fault"
	"keyward/store"
	"keyward/store/audit"
)

// Store is a store.Store in an SQL database.
type Store struct {
	engine engine
	signer *audit.Signer
	cache  *keyCache // nil where other processes change the keys
	reads  *sql.DB
	keysOf func(ctx context.Context, user string) ([]store.Key, error) // nil where there is no such user
	selects
	unlocked string // ends a select of rows to be deleted, so that it waits for no other process that has some; may be ""
	close    func() error
}

var _ store.Store = (*Store)(nil)

// engine is where statements run.
type engine interface {
	// change runs do in a transaction while no other change runs, in any process. What do returns, but
	// for an answer of package store, undoes what it did. Then, where it is not nil, is called once
	// it is done and before change returns.
	change(ctx context.Context, do func(*tx) error, then func()) error
	// changeAlone is change for what may take long, and is done once only.
	changeAlone(ctx context.Context, do func(*tx) error, then func()) error
	// write is change for what needs no order: a write of one statement.
	write(ctx context.Context, do func(*tx) error) error
	// logIn is Store.AddLogin.
	logIn(ctx context.Context, l store.Login, t store.Token) error
	// snapshot begins a transaction that reads as of one moment. The caller calls end.
	snapshot(ctx context.Context) (t *tx, end func(), err error)
	// limited gives a call a limit, where a database could be silent for ever. The caller calls end.
	limited(ctx context.Context) (limited context.Context, end context.CancelFunc)
	// explain adds kind and hint to a fault of the database; the end of a context stays among the causes.
	explain(err error) error
	// close ends what was opened.
	close() error
}

// selects are the prepared statements that read.
type selects struct {
	user, users, allKeys, token *sql.Stmt
	account, accounts, changes  *sql.Stmt

	keys *sql.Stmt // of SQLite alone
}

// prepare prepares what reads, on the pool of connections for it.
func (s *Store) prepare(ctx context.Context) error {
	for _, p := range []struct {
		stmt  **sql.Stmt
		query string
	}{
		{&s.user, selectUser},
		{&s.users, selectUsers},
		{&s.allKeys, selectAllKeys},
		{&s.token, selectToken},
		{&s.account, selectAccount},
		{&s.accounts, selectAccounts},
		{&s.changes, selectChanges},
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

// closer closes the pool of reads, then the engine, once.
func (s *Store) closer() func() error {
	return sync.OnceValue(func() error {
		var errs []error
		if s.reads != nil {
			errs = append(errs, s.reads.Close())
		}
		return errors.Join(append(errs, s.engine.close())...)
	})
}

var errNoSigner = fault.New(fault.Policy, "open it with the audit key", "the store was opened without an audit key, so nothing is changed")

// change makes a change and records its act, in one transaction.
func (s *Store) change(ctx context.Context, act audit.Act, do func(*tx) error, then func()) error {
	if s.signer == nil {
		return errNoSigner
	}
	return s.explain(s.engine.change(ctx, s.recorded(act, do), then))
}

// recorded records the act once do is done.
func (s *Store) recorded(act audit.Act, do func(*tx) error) func(*tx) error {
	return func(t *tx) error {
		if err := do(t); err != nil {
			return err
		}
		return t.record(s.signer, act)
	}
}

// write makes a write that nobody is to answer for.
func (s *Store) write(ctx context.Context, do func(*tx) error) error {
	return s.explain(s.engine.write(ctx, do))
}

// explain leaves the answers of package store as they are; the rest are faults of the database, or the end of a context.
func (s *Store) explain(err error) error {
	if err == nil || isAnswer(err) {
		return err
	}
	return s.engine.explain(err)
}

// isAnswer tells the errors that say how things stand from those that are faults.
func isAnswer(err error) bool {
	for _, answer := range []error{store.ErrExists, store.ErrNotFound, store.ErrFull, store.ErrLastAdmin, store.ErrChanged, store.ErrRevoked} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}

// about says what an answer is about. A name may come from anybody, so it is quoted and cut.
func about(what, name string, answer error) error {
	return fmt.Errorf("%s %.80q: %w", what, name, answer)
}

// micros is how a time is kept.
func micros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }

// microsOrNone is how a time is kept that there may not be: 0 is none.
func microsOrNone(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return micros(t)
}

func fromMicrosOrNone(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return fromMicros(us)
}
