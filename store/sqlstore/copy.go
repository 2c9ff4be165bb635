package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"iter"

	"keyward/bus"
	"keyward/fault"
	"keyward/keys"
	"keyward/store"
	"keyward/store/audit"
)

const (
	exportUsers   = `SELECT name, admin, password, created, 0 FROM users ORDER BY name`
	exportKeys    = `SELECT k.username, ` + keyColumns + ` FROM keys AS k ORDER BY k.username, k.created, k.fingerprint`
	exportLogins  = `SELECT id, until FROM logins ORDER BY until, id`
	exportRecords = `SELECT seq, line, signature FROM audit ORDER BY seq`
	selectLine    = `SELECT line FROM audit WHERE seq = $1`
)

// Export streams all but tokens and failures, as of one moment.
func (s *Store) Export(ctx context.Context) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		t, end, err := s.engine.snapshot(ctx)
		if err != nil {
			yield(store.Row{}, s.explain(err))
			return
		}
		defer end()
		for _, part := range []struct {
			query string
			scan  func(*sql.Rows) (store.Row, error)
		}{
			{exportUsers, userRow},
			{exportKeys, keyRow},
			{exportLogins, loginRow},
			{selectServerKeys, serverKeyRow},
			{exportAccounts, accountRowOf},
			{exportRecords, recordRow},
		} {
			more, err := t.each(part.query, part.scan, yield)
			if err != nil {
				yield(store.Row{}, s.explain(err))
				return
			}
			if !more {
				return
			}
		}
	}
}

// each yields the rows of a query; more is false where the caller wants none.
func (t *tx) each(query string, scan func(*sql.Rows) (store.Row, error), yield func(store.Row, error) bool) (more bool, err error) {
	rows, err := t.query(query)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return false, err
		}
		if !yield(r, nil) {
			return false, nil
		}
	}
	return true, rows.Err()
}

func userRow(rows *sql.Rows) (store.Row, error) {
	u, err := scanUser(rows)
	return store.Row{User: &u}, err
}

func keyRow(rows *sql.Rows) (store.Row, error) {
	k, _, err := scanKey(rows)
	return store.Row{Key: &k}, err
}

func loginRow(rows *sql.Rows) (store.Row, error) {
	var id []byte
	var until int64
	err := rows.Scan(&id, &until)
	l := store.Login{Until: fromMicros(until)}
	copy(l.ID[:], id)
	return store.Row{Login: &l}, err
}

func serverKeyRow(rows *sql.Rows) (store.Row, error) {
	k, err := scanServerKey(rows)
	return store.Row{ServerKey: &k}, err
}

func scanServerKey(rows *sql.Rows) (store.ServerKey, error) {
	var public []byte
	var since, until int64
	err := rows.Scan(&public, &since, &until)
	k := store.ServerKey{Since: fromMicros(since), Until: fromMicrosOrNone(until)}
	copy(k.Public[:min(len(public), keys.Size)], public)
	return k, err
}

func accountRowOf(rows *sql.Rows) (store.Row, error) {
	a, err := scanAccount(rows)
	return store.Row{Account: &a}, err
}

func recordRow(rows *sql.Rows) (store.Row, error) {
	r, _, err := scanRecord(rows)
	return store.Row{Audit: &r}, err
}

// Import replaces all that Export streams.
func (s *Store) Import(ctx context.Context, rows iter.Seq2[store.Row, error], act audit.Act) error {
	if s.signer == nil {
		return errNoSigner
	}
	var end func() error // of the import for the caches of others; nil before
	var told error
	err := s.engine.changeAlone(ctx, s.recorded(act, func(t *tx) (err error) {
		for _, query := range []string{
			"DELETE FROM keys", "DELETE FROM users", "DELETE FROM tokens", "DELETE FROM failures", deleteServerKeys,
		} {
			if _, err := t.exec(query); err != nil {
				return err
			}
		}
		in := importer{tx: t}
		if err := in.begin(act); err != nil {
			return err
		}
		for r, err := range rows {
			if err == nil {
				err = ctx.Err()
			}
			if err == nil {
				err = in.add(r)
			}
			if err != nil {
				return err
			}
		}
		if err := in.end(); err != nil {
			return err
		}
		end, err = s.cache.beginImport()
		return err
	}), func() {
		if end != nil {
			told = end()
		}
	})
	if err != nil {
		return s.explain(err)
	}
	return told
}

// importBatch is how many rows go to the database at a time.
const importBatch = 500

// importRecord is insertRecord, but that a record of that number may be there.
const importRecord = insertRecord + ` ON CONFLICT DO NOTHING`

// importer adds rows, many at a time.
type importer struct {
	*tx
	head       audit.Head  // of the records that came
	before     int64       // the last revision of an account that was there
	revision   int64       // the last that was given
	rows       []store.Row // that wait
	statements []statement // that add them
}

// begin finds where revisions go on: behind those of this store, and of a store that was lost, of which the rows know no more
// than there was when they were taken.
func (in *importer) begin(act audit.Act) error {
	_, err := in.get(lastRevision, nil, &in.before)
	in.revision = max(in.before, micros(act.Time))
	return err
}

// end adds the rows that wait, and revokes the accounts that were not among the rows.
func (in *importer) end() error {
	if err := in.flush(); err != nil {
		return err
	}
	_, err := in.exec(revokeOthers, in.revision, in.before, string(bus.Revoked))
	return err
}

func (in *importer) add(r store.Row) error {
	var s statement
	switch {
	case r.User != nil:
		s = statement{insertUser, userArgs(*r.User)}
	case r.Key != nil:
		s = statement{insertKey, keyArgs(*r.Key)}
	case r.Login != nil:
		s = statement{insertLogin, []any{r.Login.ID[:], micros(r.Login.Until)}}
	case r.ServerKey != nil:
		s = statement{insertServerKey, serverKeyArgs(*r.ServerKey)}
	case r.Account != nil:
		in.revision = max(in.revision, int64(r.Account.Revision)) + 1
		row, err := newAccountRow(*r.Account, in.revision)
		if err != nil {
			return err
		}
		s = statement{importAccount, append(row.args(), in.before)}
	case r.Audit != nil:
		next, _, err := in.head.Follow(*r.Audit)
		if err != nil {
			return err
		}
		in.head = next
		s = statement{importRecord, []any{next.Seq, r.Audit.Line, r.Audit.Signature[:]}}
	}
	in.rows, in.statements = append(in.rows, r), append(in.statements, s)
	if len(in.rows) < importBatch {
		return nil
	}
	return in.flush()
}

// flush adds the rows that wait.
func (in *importer) flush() error {
	changed, err := in.execAll(in.statements)
	if err != nil {
		return err
	}
	for i, n := range changed {
		if n > 0 {
			continue
		}
		if err := in.notAdded(in.rows[i]); err != nil {
			return err
		}
	}
	in.rows, in.statements = in.rows[:0], in.statements[:0]
	return nil
}

// notAdded tells what is wrong with a row that changed nothing: nothing with a login that is there, or a record that is the
// one that is there.
func (in *importer) notAdded(r store.Row) error {
	switch {
	case r.Login != nil:
		return nil
	case r.Audit == nil:
		return fault.New(fault.InvalidFile, "", "something is there twice, or a key has no user")
	}
	seq, _, _, err := audit.Parse(r.Audit.Line)
	if err != nil {
		return err
	}
	var line []byte
	if _, err := in.get(selectLine, []any{seq}, &line); err != nil {
		return err
	}
	if !bytes.Equal(line, r.Audit.Line) {
		return fault.New(fault.Policy, "import into an empty store",
			"the audit log here and the one that comes are two: they differ from record %d on", seq)
	}
	return nil
}
