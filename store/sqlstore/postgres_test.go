package sqlstore_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"keyward/fault"
	"keyward/internal/pgtest"
	"keyward/keys"
	"keyward/store"
	"keyward/store/audit"
	"keyward/store/sqlstore"
	"keyward/store/storetest"
)

func TestPostgres(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return openPostgres(t, pgtest.Database(t)) })
}

// openPostgres opens the store at a URL as serve does.
func openPostgres(t testing.TB, url string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.OpenPostgres(t.Context(), url, storetest.Signer())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// query scans the row of a query that goes past the store.
func query(t testing.TB, url, text string, dest ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), text).Scan(dest...); err != nil && !errors.Is(err, pgx.ErrNoRows) {
		t.Fatal(err)
	}
}

// addAlice adds a user with a key, and tells its fingerprint.
func addAlice(t testing.TB, s store.Store) (fingerprint string) {
	t.Helper()
	key := store.Key{User: "alice", Public: keys.PublicKey{9}, Created: time.Unix(1, 0)}
	act := storetest.Act(audit.UserAdded)
	if err := errors.Join(s.AddUser(t.Context(), store.User{Name: "alice", Created: time.Unix(1, 0)}, act), s.AddKey(t.Context(), key, act)); err != nil {
		t.Fatal(err)
	}
	return key.Public.Fingerprint()
}

// logIn makes the n-th login of alice.
func logIn(ctx context.Context, s store.Store, n int, fingerprint string) error {
	var id [32]byte
	binary.BigEndian.PutUint64(id[:], uint64(n))
	at := time.Unix(int64(1000*n), 0)
	return s.AddLogin(ctx, store.Login{ID: id, Until: at, At: at, From: "192.0.2.1"},
		store.Token{Hash: id, User: "alice", Key: fingerprint, Scopes: store.ScopeRead, Expires: at})
}

// TestPostgresAtOnce opens an empty database eight times at once, as replicas do that start together.
func TestPostgresAtOnce(t *testing.T) {
	url := pgtest.Database(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			s, err := sqlstore.OpenPostgres(t.Context(), url, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var steps, newest int
	query(t, url, "SELECT count(*), max(version) FROM schema_version", &steps, &newest)
	if steps != newest || newest == 0 {
		t.Errorf("%d steps were taken to version %d", steps, newest)
	}
}

func TestPostgresNewer(t *testing.T) {
	url := pgtest.Database(t)
	if err := openPostgres(t, url).Close(); err != nil {
		t.Fatal(err)
	}
	query(t, url, "INSERT INTO schema_version VALUES (1000)")
	s, err := sqlstore.OpenPostgres(t.Context(), url, nil)
	if err == nil {
		s.Close()
	}
	if fault.KindOf(err) != fault.Policy || !strings.Contains(err.Error(), "1000") {
		t.Errorf("a newer schema: %v", err)
	}
}

// TestChangesOfReplicas follows the accounts through one process while three change them. A revision that was given
// earlier, and committed later, would be missed.
func TestChangesOfReplicas(t *testing.T) {
	url := pgtest.Database(t)
	storetest.FollowChanges(t, openPostgres(t, url), openPostgres(t, url), openPostgres(t, url))
}

// TestTwoRoundTrips holds what a key login costs: the user's keys, and one statement for all that a login writes.
func TestTwoRoundTrips(t *testing.T) {
	proxy := newProxy(t, pgtest.Database(t))
	s := openPostgres(t, proxy.url)
	fingerprint := addAlice(t, s)
	keyLogin := func(n int) {
		t.Helper()
		if _, err := s.Keys(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		if err := logIn(t.Context(), s, n, fingerprint); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 20 { // on each connection a statement is prepared when it is first used
		keyLogin(n)
	}
	const logins = 10
	before := proxy.trips.Load()
	for n := range logins {
		keyLogin(100 + n)
	}
	if trips := proxy.trips.Load() - before; trips != 2*logins {
		t.Errorf("%d round trips for %d logins", trips, logins)
	}
}

// TestFewRoundTrips holds what is asked before each login, and what an import of many rows costs.
func TestFewRoundTrips(t *testing.T) {
	proxy := newProxy(t, pgtest.Database(t))
	s := openPostgres(t, proxy.url)
	trips := func(do func() error) int64 {
		t.Helper()
		before := proxy.trips.Load()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		return proxy.trips.Load() - before
	}
	ask := func() error {
		_, err := s.Failures(t.Context(), "192.0.2.1", "alice", "alice 192.0.2.1")
		return err
	}
	if trips(ask); trips(ask) != 1 { // the first one prepares
		t.Error("the failures of a login's subjects take more than one round trip")
	}
	const keysOfOne, rows = 100, 10_000
	n := trips(func() error {
		return s.Import(t.Context(), func(yield func(store.Row, error) bool) {
			for i := range rows {
				user := fmt.Sprint("user", i/keysOfOne)
				key := store.Key{User: user, Public: keys.PublicKey{byte(i), byte(i >> 8)}, Created: time.Unix(1, 0)}
				if i%keysOfOne == 0 && !yield(store.Row{User: &store.User{Name: user, Created: time.Unix(1, 0)}}, nil) || !yield(store.Row{Key: &key}, nil) {
					return
				}
			}
		}, storetest.Act(audit.Restored))
	})
	if t.Logf("%d round trips for %d rows", n, rows); n > rows/10 {
		t.Errorf("an import of %d rows takes %d round trips", rows, n)
	}
}

// proxy stands before a server and counts its round trips.
type proxy struct {
	url    string
	trips  atomic.Int64
	mute   atomic.Bool // passes nothing on
	server string
}

// newProxy takes connections on a socket of its own for the server at a URL.
func newProxy(t *testing.T, text string) *proxy {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	socket := "/.s.PGSQL." + u.Query().Get("port")
	p := &proxy{server: u.Query().Get("host") + socket}
	dir := t.TempDir()
	listener, err := net.Listen("unix", filepath.Join(dir, socket))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	p.url = strings.Replace(text, url.QueryEscape(u.Query().Get("host")), url.QueryEscape(dir), 1)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(client, server)
		client.Close()
	}()
	p.count(client, server)
}

// count passes the client's messages on. A round trip ends with a Sync or a simple Query (PostgreSQL's documentation,
// "Frontend/Backend Protocol"). The first message has no type.
func (p *proxy) count(client io.Reader, server io.Writer) {
	for kind := 0; ; kind = 1 {
		head := make([]byte, kind+4)
		if _, err := io.ReadFull(client, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[kind:])-4)
		if _, err := io.ReadFull(client, body); err != nil {
			return
		}
		if kind == 1 && (head[0] == 'S' || head[0] == 'Q') {
			p.trips.Add(1)
		}
		if p.mute.Load() {
			continue
		}
		if _, err := server.Write(slices.Concat(head, body)); err != nil {
			return
		}
	}
}
