package sqlstore

import (
	"cmp"
	"context"
	"database/sql"

	"keyward/store"
	"keyward/store/audit"
)

// statements is how many of a gather are on their way at a time. While one waits for its sync the next is worked on;
// more would make the batches smaller.
const statements = 2

// postgres is the engine in a PostgreSQL database that several processes share.
type postgres struct {
	place  string // for messages
	db     *sql.DB
	turn   chan struct{} // holds one while a change of this process waits or runs: it needs no more than one connection
	logins *gather[grant, error]
	keys   *gather[string, []store.Key]
}

// OpenPostgres opens the database at a URL, such as postgres://keyward@db.example.com/keyward?sslmode=verify-full, and brings
// its schema up to date, while other processes wait that do the same. The tables are in the first schema of the
// search_path. The password may be in PGPASSWORD or PGPASSFILE, and libpq's other variables count too. The signer signs the
// audit records; without one every change is refused.
//
// A URL that cannot be read is a fault.Usage; a way off the machine on which nobody checks the server's certificate, a
// server before PostgreSQL 15 and a schema newer than the binary are a fault.Policy; a server that cannot be reached is
// store.ErrUnavailable, and so is a call while it cannot. No error has a password in it.
func OpenPostgres(ctx context.Context, url string, signer *audit.Signer) (*Store, error) {
	config, size, err := postgresConfig(url)
	if err != nil {
		return nil, err
	}
	p := &postgres{place: placeOfDatabase(&config.Config), db: connect(config, size), turn: make(chan struct{}, 1)}
	p.logins, p.keys = newGather(statements, p.logInAll), newGather(statements, p.keysOfAll)
	s := &Store{engine: p, signer: signer, reads: p.db, unlocked: " FOR UPDATE SKIP LOCKED"}
	s.close, s.keysOf = s.closer(), p.keys.get
	err = p.migrate(ctx)
	if err == nil {
		err = s.prepare(ctx)
	}
	if err != nil {
		_ = s.close()
		return nil, s.explain(err)
	}
	return s, nil
}

// changesLock is the advisory lock that changes hold, of every process that shares the database. The number is "keyward" in ASCII.
const changesLock = 0x6b657977617264

// lock takes the lock of changes until the transaction ends.
func lock(ctx context.Context, t *sql.Tx) error {
	_, err := t.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", changesLock)
	return err
}

// unlimited lifts the time limits of statements in a transaction: what is long may take long.
func unlimited(ctx context.Context, t *sql.Tx) error {
	_, err := t.ExecContext(ctx, "SELECT set_config(name, '0', true) FROM unnest($1::text[]) AS name",
		[]string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"})
	return err
}

// lockUnlimited takes the lock for what may take long.
func lockUnlimited(ctx context.Context, t *sql.Tx) error {
	if err := unlimited(ctx, t); err != nil {
		return err
	}
	return lock(ctx, t)
}

// migrate brings the schema to the newest version, one process at a time.
func (p *postgres) migrate(ctx context.Context) error {
	return p.transact(ctx, nil, func(ctx context.Context, t *sql.Tx) error {
		if err := lockUnlimited(ctx, t); err != nil {
			return err
		}
		return step(ctx, t, postgresSteps)
	})
}

// transact runs do in a transaction.
func (p *postgres) transact(ctx context.Context, options *sql.TxOptions, do func(context.Context, *sql.Tx) error) error {
	t, err := p.db.BeginTx(ctx, options)
	if err != nil {
		return err
	}
	defer func() { _ = t.Rollback() }() // does nothing after Commit
	if err := do(ctx, t); err != nil {
		return err
	}
	return t.Commit()
}

func (p *postgres) change(ctx context.Context, do func(*tx) error, then func()) error {
	ctx, end := p.limited(ctx)
	defer end()
	return p.changeWith(ctx, lock, do, then)
}

func (p *postgres) changeAlone(ctx context.Context, do func(*tx) error, then func()) error {
	return p.changeWith(ctx, lockUnlimited, do, then)
}

// changeWith runs do after begin, when no other change runs in this process.
func (p *postgres) changeWith(ctx context.Context, begin func(context.Context, *sql.Tx) error, do func(*tx) error, then func()) error {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	err := p.transact(ctx, nil, func(ctx context.Context, t *sql.Tx) error {
		if err := begin(ctx, t); err != nil {
			return err
		}
		return do(&tx{ctx: ctx, conn: t})
	})
	if then != nil {
		then()
	}
	return err
}

func (p *postgres) write(ctx context.Context, do func(*tx) error) error {
	ctx, end := p.limited(ctx)
	defer end()
	return p.transact(ctx, nil, func(ctx context.Context, t *sql.Tx) error { return do(&tx{ctx: ctx, conn: t}) })
}

func (p *postgres) logIn(ctx context.Context, l store.Login, t store.Token) error {
	ctx, end := p.limited(ctx)
	defer end()
	answer, err := p.logins.get(ctx, grant{l, t})
	if sqlState(err) == uniqueViolation {
		return about("token of", t.User, store.ErrExists)
	}
	return cmp.Or(err, answer)
}

func (p *postgres) snapshot(ctx context.Context) (*tx, func(), error) {
	t, err := p.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return nil, nil, err
	}
	end := func() { _ = t.Rollback() }
	if err := unlimited(ctx, t); err != nil {
		end()
		return nil, nil, err
	}
	return &tx{ctx: ctx, conn: t}, end, nil
}

// limited is for what is no longer than answerLimit unless the server is gone without a word.
func (*postgres) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, answerLimit)
}

func (p *postgres) explain(err error) error { return explainPostgres(p.place, err) }

func (p *postgres) close() error {
	p.logins.close()
	p.keys.close()
	return p.db.Close()
}
