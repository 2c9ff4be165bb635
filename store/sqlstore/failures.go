package sqlstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"keyward/store"
)

const (
	addFailure = `INSERT INTO failures (subject, count, last) VALUES ($1, 1, $2)
		ON CONFLICT (subject) DO UPDATE SET last = excluded.last,
			count = CASE WHEN failures.last < $3 THEN 1 ELSE failures.count + 1 END`
	selectFailures = `SELECT subject, count, last FROM failures WHERE subject IN `
	deleteFailure  = `DELETE FROM failures WHERE subject = $1`
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
	of, err := s.failuresOf(ctx, subjects)
	if err != nil {
		return nil, s.explain(err)
	}
	list := make([]store.Failure, len(subjects))
	for i, subject := range subjects {
		list[i] = of[plain(subject)]
	}
	return list, nil
}

// failuresOf reads the failures of those subjects that have any.
func (s *Store) failuresOf(ctx context.Context, subjects []string) (map[string]store.Failure, error) {
	of := make(map[string]store.Failure, len(subjects))
	if len(subjects) == 0 {
		return of, nil
	}
	marks, args := make([]string, len(subjects)), make([]any, len(subjects))
	for i, subject := range subjects {
		marks[i], args[i] = fmt.Sprint("$", i+1), plain(subject)
	}
	rows, err := s.reads.QueryContext(ctx, selectFailures+"("+strings.Join(marks, ", ")+")", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var subject string
		var f store.Failure
		var last int64
		if err := rows.Scan(&subject, &f.Count, &last); err != nil {
			return nil, err
		}
		f.Last = fromMicrosOrNone(last)
		of[subject] = f
	}
	return of, rows.Err()
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
