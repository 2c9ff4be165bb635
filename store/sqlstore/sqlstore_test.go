package sqlstore_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"keyward/store"
	"keyward/store/sqlstore"
	"keyward/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, filepath.Join(t.TempDir(), "registry.db"))
	})
}

func open(t testing.TB, path string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), path, storetest.Signer())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestFailuresBound has one subject more fail than are kept: the oldest is forgotten.
func TestFailuresBound(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "registry.db"))
	first := time.Unix(1_000_000, 0)
	subjects := make([]string, store.MaxFailures)
	for i := range subjects {
		subjects[i] = fmt.Sprint("source:", i)
	}
	last := first.Add(time.Second)
	if err := errors.Join(s.AddFailure(t.Context(), first, "oldest"), s.AddFailure(t.Context(), last, subjects...), s.Prune(t.Context(), last)); err != nil {
		t.Fatal(err)
	}
	of, err := s.Failures(t.Context(), "oldest", subjects[0])
	if err != nil || of[0].Count != 0 || of[1].Count != 1 {
		t.Errorf("%v, %v", of, err)
	}
}
