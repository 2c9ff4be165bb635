package sqlstore

import (
	"context"
	"strings"
	"time"

	"keyward/store"
)

const (
	addFailure = `INSERT INTO failures (subject, count, last) VALUES ($1, 1, $2)
		ON CONFLICT (subject) DO UPDATE SET last = excluded.last,
			count = CASE WHEN failures.last < $3 THEN 1 ELSE failures.count + 1 END`
	selectFailure = `SELECT count, last FROM failures WHERE subject = $1`
	deleteFailure = `DELETE FROM failures WHERE subject = $1`
)

// AddFailure counts one more refused login for each subject. A count that is too old begins anew.
func (s *Store) AddFailure(ctx context.Context, at time.Time, subjects ...string) error {
	return s.eachSubject(ctx, subjects, func(t *tx, subject string) error {
		_, err := t.exec(addFailure, subject, micros(at), micros(at.Add(-store.FailureMemory)))
		return err
	})
}

// Failures tells how often logins of these subjects were refused.
func (s *Store) Failures(ctx context.Context, subjects ...string) ([]store.Failure, error) {
	ctx, end := s.engine.limited(ctx)
	defer end()
	list := make([]store.Failure, len(subjects))
	for i, subject := range subjects {
		var last int64
		t := &tx{ctx: ctx, conn: s.reads}
		if _, err := t.get(selectFailure, []any{plain(subject)}, &list[i].Count, &last); err != nil {
			return nil, s.explain(err)
		}
		list[i].Last = fromMicrosOrNone(last)
	}
	return list, nil
}

// ForgetFailures sets the counts of these subjects back to none.
func (s *Store) ForgetFailures(ctx context.Context, subjects ...string) error {
	return s.eachSubject(ctx, subjects, func(t *tx, subject string) error {
		_, err := t.exec(deleteFailure, subject)
		return err
	})
}

func (s *Store) eachSubject(ctx context.Context, subjects []string, do func(*tx, string) error) error {
	return s.write(ctx, func(t *tx) error {
		for _, subject := range subjects {
			if err := do(t, plain(subject)); err != nil {
				return err
			}
		}
		return nil
	})
}

// plain is a subject that both databases can hold: it may have a name in it that a stranger gave.
func plain(subject string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(subject, "\uFFFD"), "\x00", "\uFFFD")
}
