// Package pgtest runs a real PostgreSQL for tests: a cluster in a temporary folder, which is gone with the process.
// Where there is no PostgreSQL the tests of a CI run (CI=true) fail, others are skipped.
package pgtest

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"
)

// startLimit is how long a start may take on a busy machine.
const startLimit = time.Minute

// shared is the server of this process, started by the first who asks. Making one takes a second, a database a twentieth.
var shared = sync.OnceValues(func() (*Server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	return New(ctx)
})

// Database makes an empty database on a server that all tests of the process share, and returns its URL.
func Database(t testing.TB) string {
	t.Helper()
	url, err := NewDatabase(t.Context())
	check(t, err)
	return url
}

// NewDatabase is Database for who has no testing.TB.
func NewDatabase(ctx context.Context) (string, error) {
	s, err := shared()
	if err != nil {
		return "", err
	}
	return s.Database(ctx)
}

// Start starts a server of the test's own, for one that stops it.
func Start(t testing.TB) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	s, err := New(ctx)
	check(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// check ends a test that has no server.
func check(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, ErrMissing) && os.Getenv("CI") != "true":
		t.Skip(err)
	default:
		t.Fatal(err)
	}
}
