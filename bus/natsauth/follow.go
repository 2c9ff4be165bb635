package natsauth

import (
	"context"
	"time"

	"keyward/bus"
)

// changesPage is how many changes are asked for at a time.
const changesPage = 1000

// Follower follows the accounts of a store.
type Follower struct {
	Accounts Accounts
	Every    time.Duration // between two questions to the store

	// Changed gets accounts that changed, and those that are there at the start. anew says that these are the first of all
	// there are, of another store than what came before: at the start, or when a file was replaced by another.
	Changed func(changed []bus.Account, anew bool)

	// Failed gets the store's error when it stops answering, and nil when it answers again.
	Failed func(error)

	Metrics *Metrics // hear when the store was read

	since  int64
	begun  bool
	failed bool
}

// Read asks the store until it has no more changes. Its error is the store's.
func (f *Follower) Read(ctx context.Context) error {
	for {
		changed, next, err := f.Accounts.AccountChanges(ctx, f.since, changesPage)
		if err != nil {
			return err
		}
		if next < f.since {
			f.since, f.begun = 0, false
			continue
		}
		if len(changed) > 0 || !f.begun {
			f.Changed(changed, !f.begun)
		}
		f.since, f.begun = next, true
		if len(changed) == 0 {
			f.Metrics.StoreRead()
			return nil
		}
	}
}

// Follow reads until ctx ends.
func (f *Follower) Follow(ctx context.Context) {
	ticker := time.NewTicker(f.Every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := f.Read(ctx)
		if ctx.Err() == nil && (err != nil) != f.failed {
			f.failed = err != nil
			f.Failed(err)
		}
	}
}
