package sqlstore

import (
	"context"
	"time"

	"keyward/store"
)

// pruneStep is how many rows one step of Prune deletes.
const pruneStep = 500

const (
	// Each ends with Store.unlocked and a parenthesis.
	pruneTokens = `DELETE FROM tokens WHERE hash IN
		(SELECT hash FROM tokens WHERE expires < $1 ORDER BY expires LIMIT $2`
	pruneLogins = `DELETE FROM logins WHERE id IN
		(SELECT id FROM logins WHERE until < $1 ORDER BY until LIMIT $2`
	pruneFailures = `DELETE FROM failures WHERE subject IN
		(SELECT subject FROM failures WHERE last < $1 ORDER BY last LIMIT $2`

	// The last failure of the oldest that is kept.
	oldestFailure = `SELECT last FROM failures ORDER BY last DESC LIMIT 1 OFFSET $1`
)

// Prune removes what has expired.
func (s *Store) Prune(ctx context.Context, now time.Time) error {
	if err := s.prune(ctx, pruneTokens, micros(now)); err != nil {
		return err
	}
	if err := s.prune(ctx, pruneLogins, micros(now)); err != nil {
		return err
	}
	oldest, err := s.oldestFailure(ctx)
	if err != nil {
		return err
	}
	return s.prune(ctx, pruneFailures, max(oldest, micros(now.Add(-store.FailureMemory))))
}

// oldestFailure is when the oldest of MaxFailures failed last; 0 where there are fewer.
func (s *Store) oldestFailure(ctx context.Context) (last int64, err error) {
	err = s.write(ctx, func(t *tx) error {
		_, err := t.get(oldestFailure, []any{store.MaxFailures - 1}, &last)
		return err
	})
	return last, err
}

func (s *Store) prune(ctx context.Context, query string, before int64) error {
	for pruned := int64(pruneStep); pruned >= pruneStep; {
		err := s.write(ctx, func(t *tx) (err error) {
			pruned, err = t.exec(query+s.unlocked+")", before, pruneStep)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
