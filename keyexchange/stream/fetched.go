package stream

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"keyward/keyexchange"
)

const (
	maxFetched = 4                // keys that a Fetched knows
	keepTime   = 10 * time.Minute // of keys after others came
)

// Fetched is the Keys of an exchange: those that it gives, and those that it gave before, which may have sealed what is still
// on its way: three at most, for ten minutes.
type Fetched struct {
	Client *keyexchange.Client

	mu    sync.Mutex // held while known changes
	known atomic.Pointer[fetched]
}

// fetched is what a Fetched knows at a time. It is not changed.
type fetched struct {
	keys []keyexchange.OpenKeys // the latest first
	ends []time.Time            // when each but the first is forgotten
}

// Watch keeps the keys those of the exchange until ctx ends. It is Client.Watch.
func (f *Fetched) Watch(ctx context.Context, changed func(keyexchange.OpenKeys)) error {
	return f.Client.Watch(ctx, func(keys keyexchange.OpenKeys) {
		f.learn(keys, now())
		changed(keys)
	})
}

// Known are the keys. There are none before Watch calls changed, or Renew returns nil.
func (f *Fetched) Known() []keyexchange.OpenKeys {
	known := f.known.Load()
	if known == nil {
		return nil
	}
	if last := len(known.ends) - 1; last > 0 && now().After(known.ends[last]) {
		known = f.forget(now())
	}
	return known.keys
}

// Renew gets the keys anew. Its errors are those of Client.Fetch.
func (f *Fetched) Renew(ctx context.Context) error {
	keys, err := f.Client.Fetch(ctx)
	if err == nil {
		f.learn(keys, now())
	}
	return err
}

// learn puts keys first.
func (f *Fetched) learn(keys keyexchange.OpenKeys, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known.Store(newFetched(keys, f.known.Load(), now))
}

// forget leaves out the keys whose time is over.
func (f *Fetched) forget(now time.Time) *fetched {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.known.Load()
	f.known.Store(newFetched(old.keys[0], old, now))
	return f.known.Load()
}

// newFetched is old, which may be nil, with these keys as the latest.
func newFetched(keys keyexchange.OpenKeys, old *fetched, now time.Time) *fetched {
	f := &fetched{keys: []keyexchange.OpenKeys{keys}, ends: []time.Time{{}}}
	if old != nil {
		f.remember(old, now)
	}
	return f
}

func (f *fetched) remember(old *fetched, now time.Time) {
	for i, keys := range old.keys {
		end := old.ends[i]
		if i == 0 {
			end = now.Add(keepTime)
		}
		if keys != f.keys[0] && end.After(now) && len(f.keys) < maxFetched {
			f.keys, f.ends = append(f.keys, keys), append(f.ends, end)
		}
	}
}
