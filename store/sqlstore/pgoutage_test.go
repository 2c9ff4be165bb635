package sqlstore_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"keyward/fault"
	"keyward/internal/pgtest"
	"keyward/store"
	"keyward/store/audit"
	"keyward/store/sqlstore"
	"keyward/store/storetest"
)

// TestPostgresRestarted stops the server under load and starts it again: calls fail at once with ErrUnavailable and later
// succeed, with what was acknowledged before and nothing else.
func TestPostgresRestarted(t *testing.T) {
	server := pgtest.Start(t)
	url, err := server.Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := openPostgres(t, url)
	fingerprint := addAlice(t, s)
	n := 0
	for name, mode := range map[string]os.Signal{"fast": pgtest.Fast, "immediate": pgtest.Immediate} {
		t.Run(name, func(t *testing.T) {
			n++
			stop := loginsUntil(t, s, fingerprint, n)
			if err := server.Stop(mode); err != nil {
				t.Fatal(err)
			}
			acknowledged := stop()
			start := time.Now()
			for what, err := range calls(t.Context(), s) {
				if !errors.Is(err, store.ErrUnavailable) || fault.KindOf(err) != fault.Unreachable {
					t.Errorf("%s while it is down: %v", what, err)
				}
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("five calls took %v to fail", took)
			}
			if err := server.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			for what, err := range calls(t.Context(), s) {
				if err != nil {
					t.Errorf("%s after the start: %v", what, err)
				}
			}
			for _, number := range acknowledged {
				if err := logIn(t.Context(), s, number, fingerprint); !errors.Is(err, store.ErrExists) {
					t.Errorf("login %d was acknowledged, and its replay says %v", number, err)
				}
			}
		})
	}
}

// loginsUntil logs in on several goroutines until the returned function is called, which tells the logins that were acknowledged.
func loginsUntil(t *testing.T, s store.Store, fingerprint string, round int) (stop func() []int) {
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var mu sync.Mutex
	var acknowledged []int
	begun := make(chan struct{}, 8)
	for g := range 8 {
		all.Go(func() {
			for n := 1_000_000*round + 100_000*g; ctx.Err() == nil; n++ {
				err := logIn(ctx, s, n, fingerprint)
				switch {
				case err == nil:
					mu.Lock()
					acknowledged = append(acknowledged, n)
					mu.Unlock()
					select {
					case begun <- struct{}{}:
					default:
					}
				case !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, context.Canceled):
					t.Errorf("a login: %v", err)
				}
			}
		})
	}
	for range 8 {
		<-begun
	}
	return func() []int {
		cancel()
		all.Wait()
		return acknowledged
	}
}

// TestPostgresSilent has a server that neither answers nor ends its connections, as one whose machine lost its power: calls
// without a limit of their own end with ErrUnavailable, and are as before once it answers.
func TestPostgresSilent(t *testing.T) {
	proxy := newProxy(t, pgtest.Database(t))
	s := openPostgres(t, proxy.url)
	addAlice(t, s)
	all := func(check func(what string, err error)) {
		var running sync.WaitGroup
		for what, call := range map[string]func() error{
			"User":       func() error { _, err := s.User(t.Context(), "alice"); return err },
			"Users":      func() error { _, err := s.Users(t.Context()); return err },
			"Keys":       func() error { _, err := s.Keys(t.Context(), "alice"); return err },
			"Note":       func() error { return s.Note(t.Context(), storetest.Act(audit.LoginRefused)) },
			"AddFailure": func() error { return s.AddFailure(t.Context(), time.Unix(1, 0), "account alice") },
			"Failures":   func() error { _, err := s.Failures(t.Context(), "account alice"); return err },
			"ServerKeys": func() error { _, err := s.ServerKeys(t.Context()); return err },
			"Changes":    func() error { _, _, err := s.AccountChanges(t.Context(), 0, 1); return err },
			"AllKeys": func() (err error) {
				for _, err = range s.AllKeys(t.Context()) {
				}
				return err
			},
			"Audit": func() (err error) {
				for _, err = range s.Audit(t.Context(), 0) {
				}
				return err
			},
		} {
			running.Go(func() { check(what, call()) })
		}
		running.Wait()
	}
	proxy.mute.Store(true)
	all(func(what string, err error) {
		if !errors.Is(err, store.ErrUnavailable) || fault.KindOf(err) != fault.Unreachable {
			t.Errorf("%s: %v", what, err)
		}
	})
	proxy.mute.Store(false)
	all(func(what string, err error) {
		if err != nil {
			t.Errorf("%s, once it answers: %v", what, err)
		}
	})
}

// calls makes a call of each sort.
func calls(ctx context.Context, s store.Store) map[string]error {
	_, errKeys := s.Keys(ctx, "alice")
	_, _, errToken := s.Token(ctx, [32]byte{1})
	if errors.Is(errToken, store.ErrNotFound) {
		errToken = nil
	}
	return map[string]error{
		"Keys":       errKeys,
		"Token":      errToken,
		"Ping":       s.Ping(ctx),
		"Note":       s.Note(ctx, storetest.Act(audit.LoginRefused)),
		"AddFailure": s.AddFailure(ctx, time.Unix(1, 0), "account alice"),
	}
}

// TestPostgresNotThere holds how an open fails, and that no error tells the password.
func TestPostgresNotThere(t *testing.T) {
	server := pgtest.Start(t)
	query(t, server.URL("postgres"), "CREATE ROLE keyward LOGIN PASSWORD 'the-right-one'")
	query(t, server.URL("postgres"), "CREATE ROLE poor LOGIN PASSWORD 'tell-nobody'")
	for _, tt := range []struct {
		name, url string
		kind      fault.Kind
	}{
		{"wrong password", "postgres://keyward:tell-nobody@" + server.Address() + "/postgres", fault.LoginRefused},
		{"no such role", "postgres://nobody:tell-nobody@" + server.Address() + "/postgres", fault.LoginRefused},
		{"no such database", "postgres://poor:tell-nobody@" + server.Address() + "/missing", fault.NotFound},
		{"may make no tables", "postgres://poor:tell-nobody@" + server.Address() + "/postgres", fault.NotPermitted},
		{"nobody listens", "postgres://keyward:tell-nobody@127.0.0.1:1/postgres", fault.Unreachable},
		{"no socket", "postgres://keyward:tell-nobody@/postgres?host=" + t.TempDir(), fault.Unreachable},
		{"no such host", "postgres://keyward:tell-nobody@host.invalid/postgres?sslmode=verify-full", fault.Unreachable},
		{"no TLS there", "postgres://keyward:tell-nobody@" + server.Address() + "/postgres?sslmode=verify-full", fault.Unreachable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := sqlstore.OpenPostgres(t.Context(), tt.url, nil)
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			if kind := fault.KindOf(err); kind != tt.kind {
				t.Errorf("%v: %v", kind, err)
			}
			if said := err.Error(); strings.Contains(said, "tell-nobody") || strings.Contains(said, "\n") {
				t.Errorf("it says %q", said)
			}
			t.Log(err)
		})
	}
}

// TestReplicas holds that two processes on one database share all that they must.
func TestReplicas(t *testing.T) {
	url := pgtest.Database(t)
	one, other := openPostgres(t, url), openPostgres(t, url)
	fingerprint := addAlice(t, one)
	var all sync.WaitGroup
	wins := make(chan error, 1000)
	for n := range 1000 {
		all.Go(func() { wins <- logIn(t.Context(), []store.Store{one, other}[n%2], 7, fingerprint) })
	}
	all.Wait()
	close(wins)
	won := 0
	for err := range wins {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, store.ErrExists):
			t.Errorf("a replay: %v", err)
		}
	}
	if won != 1 {
		t.Errorf("one login was taken %d times", won)
	}
	if err := one.DeleteKey(t.Context(), "alice", fingerprint, storetest.Act(audit.KeyDeleted)); err != nil {
		t.Fatal(err)
	}
	if list, err := other.Keys(t.Context(), "alice"); err != nil || len(list) > 0 {
		t.Errorf("after a delete on the other: %v, %v", list, err)
	}
	if err := logIn(t.Context(), other, 8, fingerprint); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a login with a deleted key: %v", err)
	}
}

// TestPostgresStrangers holds that a name that no text can hold is counted and looked up like any other.
func TestPostgresStrangers(t *testing.T) {
	s := openPostgres(t, pgtest.Database(t))
	const subject, source = "account \x00\xff", "source 192.0.2.1"
	for range 2 {
		if err := s.AddFailure(t.Context(), time.Unix(1, 0), subject, source); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := s.Failures(t.Context(), subject, source); err != nil || list[0].Count != 2 || list[1].Count != 2 {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := s.Keys(t.Context(), "a\x00"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	if err := s.DeleteKey(t.Context(), "alice", "\xff", storetest.Act(audit.KeyDeleted)); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}

// TestReplicasPrune holds that processes which prune at the same moment do not stand in each other's way.
func TestReplicasPrune(t *testing.T) {
	url := pgtest.Database(t)
	replicas := []store.Store{openPostgres(t, url), openPostgres(t, url), openPostgres(t, url), openPostgres(t, url)}
	addAlice(t, replicas[0])
	for range 10 {
		query(t, url, `WITH tokens AS (INSERT INTO tokens SELECT sha256(n::text::bytea), 'alice', 1, '', 0, 1, n % 7 FROM generate_series(1, 5000) AS n),
			logins AS (INSERT INTO logins SELECT sha256(n::text::bytea), n % 7 FROM generate_series(1, 5000) AS n)
			INSERT INTO failures SELECT n::text, 1, n % 7 FROM generate_series(1, 5000) AS n`)
		var all sync.WaitGroup
		for n, s := range replicas {
			all.Go(func() {
				if err := s.Prune(t.Context(), time.Unix(7200, int64(n))); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		var left int
		query(t, url, "SELECT count(*) FROM (SELECT FROM tokens UNION ALL SELECT FROM logins UNION ALL SELECT FROM failures) AS rows", &left)
		if left > 0 {
			t.Fatalf("%d rows are left", left)
		}
	}
}
