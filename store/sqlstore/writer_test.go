package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keyward/fault"
	"keyward/store"
	"keyward/store/storetest"
)

func opened(t *testing.T) *Store {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"), storetest.Signer())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// idleWriter is a writer without its goroutine, for batches that a test makes.
func idleWriter(t *testing.T) *writer {
	db, err := openDB(filepath.Join(t.TempDir(), "registry.db"), writing, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &writer{tx: tx{ctx: t.Context(), conn: conn, stmts: make(map[string]*sql.Stmt)}, conn: conn}
}

// commitTogether commits writes as one batch and returns their outcomes.
func commitTogether(t *testing.T, w *writer, do ...func(*tx) error) (errs []error) {
	var batch []*write
	for _, f := range do {
		batch = append(batch, &write{ctx: t.Context(), do: f, done: make(chan error, 1)})
	}
	w.commit(batch)
	for _, op := range batch {
		errs = append(errs, <-op.done)
	}
	return errs
}

func insert(name string) func(*tx) error {
	return func(w *tx) error {
		n, err := w.exec(insertUser, name, false, "", 0, 0)
		if err == nil && n == 0 {
			return store.ErrExists
		}
		return err
	}
}

func count(t *testing.T, w *writer) (n int) {
	t.Helper()
	if err := w.conn.QueryRowContext(t.Context(), "SELECT count(*) FROM users").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestFailingStatement has a write with broken SQL among good ones: it alone fails, as a whole.
func TestFailingStatement(t *testing.T) {
	w := idleWriter(t)
	broken := func(w *tx) error {
		return errors.Join(insert("half")(w), func() error { _, err := w.exec(`INSERT INTO nowhere VALUES (1)`); return err }())
	}
	errs := commitTogether(t, w, insert("a"), insert("a"), broken, insert("b"))
	if errs[0] != nil || !errors.Is(errs[1], store.ErrExists) || errs[2] == nil || isAnswer(errs[2]) || errs[3] != nil {
		t.Errorf("outcomes %v", errs)
	}
	if n := count(t, w); n != 2 {
		t.Errorf("%d users, want 2", n)
	}
}

// TestFailingCommit makes the commit itself fail: no write of the batch is said to be done.
func TestFailingCommit(t *testing.T) {
	w := idleWriter(t)
	// A foreign key that is looked at when the transaction ends only.
	orphan := func(w *tx) error {
		if _, err := w.exec("PRAGMA defer_foreign_keys = ON"); err != nil {
			return err
		}
		_, err := w.exec("INSERT INTO keys (username, created, fingerprint, public, description) VALUES ('nobody', 0, '', x'', '')")
		return err
	}
	for i, err := range commitTogether(t, w, insert("a"), orphan, insert("b")) {
		if err == nil {
			t.Errorf("write %d is said to be done", i)
		}
	}
	if n := count(t, w); n != 0 {
		t.Errorf("%d users, want none", n)
	}
	if errs := commitTogether(t, w, insert("a")); errs[0] != nil {
		t.Errorf("after it: %v", errs[0])
	}
}

// TestCancelledWrite has a write in a batch whose caller is gone: it is left out.
func TestCancelledWrite(t *testing.T) {
	w := idleWriter(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	op := &write{ctx: ctx, do: insert("a"), done: make(chan error, 1)}
	w.commit([]*write{op})
	if err := <-op.done; !errors.Is(err, context.Canceled) {
		t.Errorf("outcome %v", err)
	}
	if n := count(t, w); n != 0 {
		t.Errorf("%d users, want none", n)
	}
}

// TestFullDisk gives the database no more pages: writes say so, reads go on, and writes too
// once there is room.
func TestFullDisk(t *testing.T) {
	s := opened(t)
	if err := s.AddUser(t.Context(), store.User{Name: "ann", Created: time.Unix(0, 0)}, storetest.Act("test")); err != nil {
		t.Fatal(err)
	}
	limit := func(pages string) {
		t.Helper()
		err := s.engine.(*embedded).writer.write(t.Context(), func(w *tx) error {
			_, err := w.exec("PRAGMA max_page_count = " + pages)
			return err
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
	}
	add := func(n int) error {
		k := store.Key{User: "ann", Description: strings.Repeat("d", store.MaxDescription), Created: time.Unix(0, 0)}
		k.Public[0], k.Public[1] = byte(n), byte(n>>8)
		return s.AddKey(t.Context(), k, storetest.Act("test"))
	}
	limit("1") // SQLite makes it as many as there are
	added, err := 0, error(nil)
	for ; err == nil && added < 1000; added++ {
		err = add(added)
	}
	if !errors.Is(err, fault.Failed) || !strings.Contains(fault.HintOf(err), "free space") {
		t.Fatalf("error %v, hint %q", err, fault.HintOf(err))
	}
	list, err := s.Keys(t.Context(), "ann")
	if err != nil || len(list) != added-1 {
		t.Fatalf("%d keys, %v; want the %d that were acknowledged", len(list), err, added-1)
	}
	limit("100000")
	if err := add(added); err != nil {
		t.Fatalf("with room again: %v", err)
	}
}
