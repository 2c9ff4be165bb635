package sqlstore

import (
	"context"
	"database/sql"
	"iter"

	"keyward/store/audit"
)

const selectRecords = `SELECT seq, line, signature FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2`

// Note records an act that changed nothing here.
func (s *Store) Note(ctx context.Context, act audit.Act) error {
	return s.change(ctx, act, func(*tx) error { return nil }, nil)
}

// Audit streams the records after the one with this number, a page at a time.
func (s *Store) Audit(ctx context.Context, after int64) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for {
			page, last, err := s.recordsAfter(ctx, after)
			if err != nil {
				yield(audit.Record{}, s.explain(err))
				return
			}
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			after = last
		}
	}
}

// recordsAfter reads the page after a number, and tells the number of its last.
func (s *Store) recordsAfter(ctx context.Context, after int64) (page []audit.Record, last int64, err error) {
	ctx, end := s.engine.limited(ctx)
	defer end()
	rows, err := s.reads.QueryContext(ctx, selectRecords, after, pageSize)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		r, seq, err := scanRecord(rows)
		if err != nil {
			return nil, 0, err
		}
		page, last = append(page, r), seq
	}
	return page, last, rows.Err()
}

func scanRecord(rows *sql.Rows) (r audit.Record, seq int64, err error) {
	var signature []byte
	err = rows.Scan(&seq, &r.Line, &signature)
	copy(r.Signature[:], signature)
	return r, seq, err
}
