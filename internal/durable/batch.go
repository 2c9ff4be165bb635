package durable

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"keyward/fault"
)

const (
	// maxOpen is how many files a batch may hold open before it takes no further set. Two
	// batches are open at once, so that with the sets in the making they stay under the usual limit of 1024.
	maxOpen = 256
	// maxHold is how long a batch takes in sets, all of them locked: far less than the patience of others.
	maxHold = time.Second
	// maxSyncs is how many syncs run side by side. The disk does those that wait together in one go.
	maxSyncs = 64
)

// PutAll is Change of many sets, each all or none by itself, with the syncs of a few. Each Build is called
// once its set is locked, on up to GOMAXPROCS goroutines. The locks are taken in the order of folders
// and names, whatever that of sets is, so that two calls over the same sets never wait for each other for ever.
//
// The sets are put in batches of a hundred at most. record, where not nil, runs once a batch, on one goroutine at
// a time: when the files of all its sets are staged, and before the first of them is decided. The next batch is
// being built meanwhile. ready has the indices of those that nothing is against. Its error undoes the batch, and
// is the error of all sets that come after; those of earlier batches stay in place. So it is with a context
// that ends. A kill leaves the sets of earlier batches new, those of later ones old, and of the
// two batches at work any, but each whole.
//
// The errors are those of the sets, by index; nil where the set is in place for good. What one set meets does
// not stop the others. One set twice is fault.Usage, as is a set with a Record of its own.
func PutAll(ctx context.Context, sets []Set, record func(ready []int) error) []error {
	errs := make([]error, len(sets))
	for i, s := range sets {
		if s.Record != nil {
			errs[i] = fault.New(fault.Usage, "", "set %q has a Record of its own", s.Name)
		}
	}
	putAll(ctx, sets, record, errs)
	return errs
}

// putAll puts the sets that have no error yet. While one batch is made to last the next one is filled.
func putAll(ctx context.Context, sets []Set, record func(ready []int) error, errs []error) {
	todo := inOrder(sets, errs)
	var sealing sync.WaitGroup
	var stop error // what ended the batch before
	for len(todo) > 0 {
		b := &batch{folders: map[string]*folder{}}
		todo = b.fill(ctx, sets, todo)
		sealing.Wait()
		if stop != nil {
			b.dropAll(stop)
		}
		seal := func() {
			stop = cmp.Or(stop, b.seal(ctx, record))
			b.close(errs)
		}
		if stop != nil || len(todo) == 0 {
			seal()
			break
		}
		sealing.Go(seal)
	}
	for _, i := range todo {
		errs[i] = stop
	}
}

// inOrder gives the indices of the sets in the order of their locks, without those that cannot be put.
func inOrder(sets []Set, errs []error) []int {
	full := map[string]string{}
	for _, s := range sets {
		if _, ok := full[s.Dir]; !ok {
			full[s.Dir] = fullPath(s.Dir)
		}
	}
	compare := func(i, j int) int {
		return cmp.Or(cmp.Compare(full[sets[i].Dir], full[sets[j].Dir]), cmp.Compare(sets[i].Name, sets[j].Name))
	}
	var order []int
	for i, s := range sets {
		if errs[i] == nil {
			errs[i] = checkNames(s.Name, nil)
		}
		if errs[i] == nil {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, compare)
	return slices.CompactFunc(order, func(i, j int) bool {
		twice := compare(i, j) == 0
		if twice {
			errs[max(i, j)] = fault.New(fault.Usage, "give each set its own name", "%s is there twice", filepath.Join(sets[j].Dir, sets[j].Name))
		}
		return twice
	})
}

// fullPath is one name of a folder that has many, where it can be found.
func fullPath(dir string) string {
	if followed, err := filepath.EvalSymlinks(dir); err == nil {
		dir = followed
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return dir
}

// batch is some locked sets that go through the steps together.
type batch struct {
	folders map[string]*folder
	lock    *flock.Flock // has a name for each set, where the filesystem has links
	sets    []*set
	open    atomic.Int64 // how many files
}

// fill locks and stages sets until the batch is full, and gives the others.
func (b *batch) fill(ctx context.Context, sets []Set, todo []int) []int {
	start := time.Now()
	workers := min(runtime.GOMAXPROCS(0), len(todo))
	gate := make(chan struct{}, workers)
	var working sync.WaitGroup
	defer working.Wait()
	for n, i := range todo {
		if n > 0 && (b.open.Load() >= maxOpen || time.Since(start) > maxHold) {
			return todo[n:]
		}
		s := &set{index: i, name: sets[i].Name, kept: map[string]bool{}}
		b.sets = append(b.sets, s)
		if s.err = b.claim(ctx, s, sets[i].Dir); s.err != nil {
			continue
		}
		stage := func() {
			s.err = s.prepare(sets[i])
			b.open.Add(int64(len(s.open)))
		}
		if workers == 1 {
			stage()
			continue
		}
		gate <- struct{}{}
		working.Go(func() { stage(); <-gate })
	}
	return nil
}

// claim opens the set's folder and locks the set. What was left under its name is finished or
// discarded first, under its own lock: whoever holds one set waits only for a later one.
func (b *batch) claim(ctx context.Context, s *set, dir string) error {
	f, ok := b.folders[dir]
	if !ok {
		var err error
		if f, err = openFolder(dir); err != nil {
			return err
		}
		b.folders[dir] = f
		b.open.Add(3) // with its journal
	}
	s.folder = f
	for {
		if ctx.Err() != nil {
			return s.notLocked(ctx, ctx.Err())
		}
		free, err := s.claim(b.lock)
		if err != nil {
			return s.notLocked(ctx, err)
		}
		if free {
			break
		}
		if err := f.tidy(ctx, s.name); err != nil {
			return err
		}
	}
	if s.lock != b.lock {
		b.lock = s.lock
		b.open.Add(1)
	}
	return nil
}

// ready gives the sets that nothing is against yet.
func (b *batch) ready() []*set {
	return slices.DeleteFunc(slices.Clone(b.sets), func(s *set) bool { return s.err != nil })
}

// seal decides the staged sets and puts them in place. The error is what is against all of
// them, and all after them.
func (b *batch) seal(ctx context.Context, record func(ready []int) error) error {
	journals := b.startJournals()
	b.syncStaged()
	err := b.recorded(ctx, record)
	if err != nil {
		b.dropAll(err)
	}
	b.commit(journals)
	for _, s := range b.ready() {
		s.err = s.placeAll(s.record)
	}
	failed := syncAll(b.folderSyncs(b.ready()))
	for _, s := range b.ready() {
		if err := failed[s]; err != nil {
			s.err = s.undo(s.record, s.explain("sync folder", "", err))
		}
	}
	for _, j := range journals {
		j.cut()
	}
	for _, s := range b.ready() {
		s.finish()
	}
	return err
}

// recorded has the caller record what is about to be decided: the last moment to stop.
func (b *batch) recorded(ctx context.Context, record func(ready []int) error) error {
	var indices []int
	for _, s := range b.ready() {
		indices = append(indices, s.index)
	}
	if err := ctx.Err(); err != nil || record == nil || indices == nil {
		return err
	}
	return record(indices)
}

// dropAll gives up what is staged.
func (b *batch) dropAll(why error) {
	for _, s := range b.ready() {
		s.drop("write in", why)
	}
}

// startJournals makes the empty journals, one for all sets of a folder that need one.
func (b *batch) startJournals() []*journal {
	var journals []*journal
	for _, s := range b.ready() {
		if !s.record.journaled() {
			continue
		}
		if err := s.startJournal(); err != nil {
			s.drop("write in", err)
			continue
		}
		if j := s.folder.log; !slices.Contains(journals, j) {
			journals = append(journals, j)
		}
		s.folder.log.sets = append(s.folder.log.sets, s)
	}
	return journals
}

// syncStaged makes the staged files durable, and the names of those that have a journal.
func (b *batch) syncStaged() {
	var syncs []syncing
	var journaled []*set
	for _, s := range b.ready() {
		for _, f := range s.open {
			syncs = append(syncs, syncing{f.Sync, []*set{s}})
		}
		if s.record.journaled() {
			journaled = append(journaled, s)
		}
	}
	failed := syncAll(append(syncs, b.folderSyncs(journaled)...))
	for _, s := range b.ready() {
		s.closeStaged()
		if err := failed[s]; err != nil {
			s.drop("sync", err)
		}
	}
}

// folderSyncs are the syncs of the folders that have the sets.
func (b *batch) folderSyncs(sets []*set) []syncing {
	of := map[*folder][]*set{}
	for _, s := range sets {
		of[s.folder] = append(of[s.folder], s)
	}
	var syncs []syncing
	for f, sets := range of {
		syncs = append(syncs, syncing{func() error { return syncFolder(f.handle) }, sets})
	}
	return syncs
}

// commit decides the sets of the journals, and closes these.
func (b *batch) commit(journals []*journal) {
	var commits []syncing
	for _, j := range journals {
		commits = append(commits, syncing{j.commit, j.sets})
	}
	failed := syncAll(commits)
	for _, s := range b.ready() {
		if err := failed[s]; err != nil {
			s.drop("write in", err)
		}
	}
}

// close lets go of the sets, and tells how they fared.
func (b *batch) close(errs []error) {
	locks := map[*flock.Flock][]string{}
	for _, s := range b.sets {
		s.closeStaged()
		errs[s.index] = s.err
		switch {
		case s.lock == nil:
		case s.keep:
			locks[s.lock] = append(locks[s.lock], "")
		default:
			locks[s.lock] = append(locks[s.lock], s.path(lockName(s.name)))
		}
	}
	for lock, paths := range locks {
		release(lock, slices.DeleteFunc(paths, func(p string) bool { return p == "" }))
	}
	for _, f := range b.folders {
		f.close()
	}
}

// syncing is a sync, and the sets that depend on it.
type syncing struct {
	do   func() error
	sets []*set
}

// syncAll does the syncs side by side and gives the sets for which one failed.
func syncAll(syncs []syncing) map[*set]error {
	errs := make([]error, len(syncs))
	var next atomic.Int64
	work := func() {
		for i := next.Add(1) - 1; i < int64(len(syncs)); i = next.Add(1) - 1 {
			errs[i] = syncs[i].do()
		}
	}
	var others sync.WaitGroup
	for range min(len(syncs), maxSyncs) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	failed := map[*set]error{}
	for i, err := range errs {
		if err == nil {
			continue
		}
		for _, s := range syncs[i].sets {
			failed[s] = errors.Join(failed[s], err)
		}
	}
	return failed
}
