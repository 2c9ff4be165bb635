package cmd

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"keyward/fault"
	"keyward/keyexchange"
)

// TestExchangeKeysFollow holds that who follows the keys is told of each change, whoever read it, and of nothing else.
func TestExchangeKeysFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := keyexchange.Create(t.Context(), path, keyexchange.NewRing(time.Now()), nil); err != nil {
		t.Fatal(err)
	}
	k := &exchangeKeys{path: path, log: slog.New(slog.DiscardHandler), now: time.Now}
	k.file = followed{what: "exchange keys", names: []string{path}, read: k.read}
	if err := k.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	changed := make(chan *keyexchange.Ring)
	ctx, stop := context.WithCancel(t.Context())
	var following sync.WaitGroup
	defer following.Wait()
	defer stop()
	following.Go(func() {
		k.follow(ctx, func() {
			select {
			case changed <- k.Ring():
			case <-ctx.Done():
			}
		})
	})
	moment := time.Now()
	rotate := func() *keyexchange.Ring {
		t.Helper()
		moment = moment.Add(time.Hour)
		ring, err := keyexchange.Update(t.Context(), path, nil, func(r *keyexchange.Ring) (*keyexchange.Ring, error) { return r.Rotate(moment, moment, 0) })
		if err != nil {
			t.Fatal(err)
		}
		return ring
	}
	want := rotate()
	if got := <-changed; got.At(moment.Add(time.Minute)).Verify != want.At(moment.Add(time.Minute)).Verify {
		t.Error("other keys than in the file")
	}
	want = rotate()
	if err := k.reload(t.Context()); err != nil { // as a signal has it
		t.Fatal(err)
	}
	if got := <-changed; got.At(moment.Add(time.Minute)).Verify != want.At(moment.Add(time.Minute)).Verify {
		t.Error("other keys than in the file")
	}
}

// TestExchangeKeysPassword holds that the password is asked for once, and not while a service runs that needed none.
func TestExchangeKeysPassword(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	asked := 0
	k := &exchangeKeys{path: path, log: slog.New(slog.DiscardHandler), now: time.Now, ask: func() ([]byte, error) { asked++; return []byte("sesame"), nil }}
	k.file = followed{what: "exchange keys", names: []string{path}, read: k.read}
	if err := keyexchange.Create(t.Context(), path, keyexchange.NewRing(time.Now()), []byte("sesame")); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := k.reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	before := k.Ring().At(time.Now()).Verify
	if err := k.create(t.Context(), true); err != nil || k.Ring().At(time.Now()).Verify != before {
		t.Errorf("keys that another command made meanwhile: %v", err)
	}
	k.password = nil // as where the file was not encrypted at the start
	if err := k.reload(t.Context()); fault.KindOf(err) != fault.Usage || asked != 1 {
		t.Errorf("%v, asked %d times", err, asked)
	}
}
