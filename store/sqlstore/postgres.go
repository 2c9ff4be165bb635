package sqlstore

import (
	"cmp"
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

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
	return transact(ctx, p.db, func(t *sql.Tx) error {
		if err := lockUnlimited(ctx, t); err != nil {
			return err
		}
		return step(ctx, t, postgresSteps)
	})
}

// beginner is *sql.DB or *sql.Conn.
type beginner interface {
	BeginTx(ctx context.Context, options *sql.TxOptions) (*sql.Tx, error)
}

// transact runs do in a transaction.
func transact(ctx context.Context, on beginner, do func(*sql.Tx) error) error {
	t, err := on.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = t.Rollback() }() // does nothing after Commit
	if err := do(t); err != nil {
		return err
	}
	return t.Commit()
}

func (p *postgres) change(ctx context.Context, do func(*tx) error, then func()) error {
	ctx, end := p.limited(ctx)
	defer end()
	return p.inTurn(ctx, then, func() error {
		return transact(ctx, p.db, func(t *sql.Tx) error {
			if err := lock(ctx, t); err != nil {
				return err
			}
			return do(&tx{ctx: ctx, conn: t})
		})
	})
}

func (p *postgres) changeAlone(ctx context.Context, do func(*tx) error, then func()) error {
	return p.inTurn(ctx, then, func() error {
		conn, err := p.db.Conn(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		return transact(ctx, conn, func(t *sql.Tx) error {
			if err := lockUnlimited(ctx, t); err != nil {
				return err
			}
			return do(&tx{ctx: ctx, conn: t, batch: batchOn(conn)})
		})
	})
}

// batchOn runs statements on a connection, in the transaction that it is in, without a wait for each one's answer.
func batchOn(conn *sql.Conn) func(context.Context, []statement) ([]int64, error) {
	return func(ctx context.Context, list []statement) (changed []int64, err error) {
		var batch pgx.Batch
		for _, s := range list {
			batch.Queue(s.query, s.args...).Exec(func(tag pgconn.CommandTag) error {
				changed = append(changed, tag.RowsAffected())
				return nil
			})
		}
		err = conn.Raw(func(driver any) error {
			return driver.(*stdlib.Conn).Conn().SendBatch(ctx, &batch).Close()
		})
		return changed, err
	}
}

// inTurn does work when no other change runs in this process, and then what is to be done once that is over.
func (p *postgres) inTurn(ctx context.Context, then func(), work func() error) error {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	err := work()
	if then != nil {
		then()
	}
	return err
}

func (p *postgres) write(ctx context.Context, do func(*tx) error) error {
	ctx, end := p.limited(ctx)
	defer end()
	return transact(ctx, p.db, func(t *sql.Tx) error { return do(&tx{ctx: ctx, conn: t}) })
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
