package durable_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keyward/fault"
	"keyward/internal/durable"
	"keyward/internal/killsweep"
)

// batchNames are the sets of a batch.
var batchNames = []string{"a", "b", "c"}

// renamed gives the files of the peer to another set.
func renamed(name string, files []durable.File) []durable.File {
	files = slices.Clone(files)
	for i := range files {
		files[i].Name = strings.Replace(files[i].Name, "peer", name, 1)
	}
	return files
}

// batchOf gives each name its version of the files in dir.
func batchOf(dir string, files []durable.File, replace bool, names ...string) []durable.Set {
	var sets []durable.Set
	for _, n := range names {
		sets = append(sets, durable.Set{Dir: dir, Name: n, Replace: replace,
			Build: func() ([]durable.File, error) { return renamed(n, files), nil }})
	}
	return sets
}

func mustPutAll(t *testing.T, sets []durable.Set) {
	t.Helper()
	if err := errors.Join(durable.PutAll(t.Context(), sets, nil)...); err != nil {
		t.Fatal(err)
	}
}

// only gives those of a folder's files that belong to the named set.
func only(got map[string]string, name string) map[string]string {
	of := map[string]string{}
	for file, text := range got {
		if strings.HasPrefix(file, name+".") {
			of[file] = text
		}
	}
	return of
}

// batchHelper is the command of a process that puts a batch.
func batchHelper(t *testing.T, dir, set string, replace bool) *exec.Cmd {
	t.Helper()
	cmd := helper(t, dir, set, replace)
	cmd.Env = append(cmd.Env, "DURABLE_BATCH="+strings.Join(batchNames, " "), "GOMAXPROCS=1")
	return cmd
}

// batchScenarios are the ways a batch is put.
var batchScenarios = []struct {
	name     string
	old, new string
	replace  bool
	always   []string
}{
	{"create", "", "new", false, nil},
	{"replace", "old", "new", true, nil},
	{"create files", "", "new1", false, nil},
	{"create without links", "", "new", false, noLinks},
	{"replace without links", "old", "new", true, noLinks},
}

// TestBatchKill kills a PutAll at each call that changes files. Each set is old or new.
func TestBatchKill(t *testing.T) {
	for _, c := range batchScenarios {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var dir string
			seen := map[string]int{}
			killsweep.Sweep{Fault: killsweep.Kill, Always: c.always, AtLeast: 30}.Run(t,
				func(t *testing.T) *exec.Cmd {
					dir = t.TempDir()
					if c.old != "" {
						mustPutAll(t, batchOf(dir, sets[c.old], false, batchNames...))
					}
					return batchHelper(t, dir, c.new, c.replace)
				},
				func(t *testing.T, r killsweep.Run) {
					if r.Exit != -1 {
						t.Error("not killed")
					}
					left := hidden(t, dir)
					var states []string
					for _, n := range batchNames {
						mine := func(file string) bool { return strings.HasPrefix(file, "."+n+".") }
						if slices.ContainsFunc(left, mine) && !slices.Contains(left, "."+n+".lock") {
							t.Errorf("left %q without the lock", left)
						}
						if err := durable.Settle(t.Context(), dir, n); err != nil {
							t.Error(err)
						}
						states = append(states, oldOrNew(only(read(t, dir), n), renamed(n, sets[c.old]), renamed(n, sets[c.new])))
					}
					seen[strings.Join(states, " ")]++
					if slices.Contains(states, "neither") || len(hidden(t, dir)) > 0 {
						t.Errorf("killed, it left %v", read(t, dir))
					}
				})
			t.Logf("%v", seen)
			if seen["old old old"] == 0 || seen["new new new"] == 0 {
				t.Errorf("saw %v, want both all old and all new", seen)
			}
		})
	}
}

// TestBatchKillThenAgain has another PutAll, not Settle, come after the kill: it ends the work.
func TestBatchKillThenAgain(t *testing.T) {
	for _, replace := range []bool{false, true} {
		t.Run(fmt.Sprintf("replace=%v", replace), func(t *testing.T) {
			t.Parallel()
			var dir string
			killsweep.Sweep{Fault: killsweep.Kill, AtLeast: 30}.Run(t,
				func(t *testing.T) *exec.Cmd {
					dir = t.TempDir()
					return batchHelper(t, dir, "new", replace)
				},
				func(t *testing.T, r killsweep.Run) {
					for _, err := range durable.PutAll(t.Context(), batchOf(dir, newSet, replace, batchNames...), nil) {
						if err != nil && (replace || !errors.Is(err, fault.Exists)) {
							t.Error(err)
						}
					}
					diff(t, dir, want(renamed("a", newSet), renamed("b", newSet), renamed("c", newSet)))
				})
		})
	}
}

// TestBatchFault refuses each call in turn. Each set is new, or is old and has an error.
func TestBatchFault(t *testing.T) {
	for _, f := range []string{killsweep.NoSpace, killsweep.IOError} {
		for _, c := range batchScenarios {
			if f == killsweep.IOError && c.always != nil {
				continue // as with no space
			}
			t.Run(f+" "+c.name, func(t *testing.T) {
				t.Parallel()
				var dir string
				seen := map[string]int{}
				killsweep.Sweep{Fault: f, Always: c.always, AtLeast: 20,
					Calls: []string{"openat", "write", "fsync", "ftruncate", "linkat", "renameat", "unlinkat"},
				}.Run(t,
					func(t *testing.T) *exec.Cmd {
						dir = t.TempDir()
						if c.old != "" {
							mustPutAll(t, batchOf(dir, sets[c.old], false, batchNames...))
						}
						return batchHelper(t, dir, c.new, c.replace)
					},
					func(t *testing.T, r killsweep.Run) {
						if left := hidden(t, dir); len(left) > 0 && r.Call != "unlinkat" {
							t.Errorf("left %q", left)
						}
						var states []string
						for _, n := range batchNames {
							if err := durable.Settle(t.Context(), dir, n); err != nil {
								t.Error(err)
							}
							wantState := "new"
							if strings.Contains(r.Output, "set "+n+": ") || r.Exit == 2 { // 2 is the Go runtime's
								wantState = "old"
							}
							state := oldOrNew(only(read(t, dir), n), renamed(n, sets[c.old]), renamed(n, sets[c.new]))
							if state != wantState {
								t.Errorf("%s: want %s, there is %v", n, wantState, read(t, dir))
							}
							states = append(states, state)
						}
						seen[strings.Join(states, " ")]++
					})
				t.Logf("%v", seen)
				if seen["old new new"] == 0 || seen["new new old"] == 0 {
					t.Errorf("saw %v, want the first and the last refused alone", seen)
				}
			})
		}
	}
}

// TestBatchRefusesOne has one set of a batch that is there, and one that cannot be built.
func TestBatchRefusesOne(t *testing.T) {
	dir := t.TempDir()
	mustPutAll(t, batchOf(dir, oldSet[1:], false, "b"))
	broken := errors.New("broken")
	todo := batchOf(dir, newSet, false, "d", "c", "b", "a", "c", "../e", "f")
	todo[0].Build = func() ([]durable.File, error) { return nil, broken }
	todo[6].Dir = filepath.Join(dir, "missing")
	var ready []int
	errs := durable.PutAll(t.Context(), todo, func(r []int) error { ready = r; return nil })
	for i, want := range []error{broken, nil, fault.Exists, nil, fault.Usage, fault.Usage, fault.NotFound} {
		if !errors.Is(errs[i], want) {
			t.Errorf("set %d: got %v, want %v", i, errs[i], want)
		}
	}
	if d := cmp.Diff([]int{3, 1}, ready); d != "" {
		t.Error(d)
	}
	diff(t, dir, want(renamed("a", newSet), renamed("b", oldSet[1:]), renamed("c", newSet)))
}

// manyNames are more sets than two batches hold, in order.
func manyNames() []string {
	var names []string
	for i := range 300 {
		names = append(names, fmt.Sprintf("set%03d", i))
	}
	return names
}

// TestBatchRecordFails has the second batch not recorded: the first is in place, the rest is undone.
func TestBatchRecordFails(t *testing.T) {
	dir, names := t.TempDir(), manyNames()
	broken, calls, first := errors.New("broken"), 0, 0
	errs := durable.PutAll(t.Context(), batchOf(dir, newSet, false, names...), func(ready []int) error {
		if calls++; calls > 1 {
			return broken
		}
		first = len(ready)
		return nil
	})
	var placed [][]durable.File
	for i, err := range errs {
		if i < first {
			placed = append(placed, renamed(names[i], newSet))
		}
		if (i < first) != (err == nil) || err != nil && !errors.Is(err, broken) {
			t.Errorf("set %d of %d: %v", i, first, err)
		}
	}
	if calls != 2 || first < 50 {
		t.Errorf("%d records, %d in the first", calls, first)
	}
	diff(t, dir, want(placed...))
}

// TestBatchCancelled has the context end in the record of the first batch, which is too late for that one.
func TestBatchCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	first := 0
	todo := batchOf(dir, newSet, false, manyNames()...)
	errs := durable.PutAll(ctx, todo, func(ready []int) error {
		first = len(ready)
		cancel()
		return nil
	})
	var placed [][]durable.File
	for i, err := range errs {
		if i < first {
			placed = append(placed, renamed(todo[i].Name, newSet))
		}
		if (i < first) != (err == nil) || err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("set %d of %d: %v", i, first, err)
		}
	}
	diff(t, dir, want(placed...))
}

// TestBatchOwnRecord has a set with a Record of its own.
func TestBatchOwnRecord(t *testing.T) {
	dir := t.TempDir()
	todo := batchOf(dir, newSet, false, batchNames...)
	todo[1].Record = func() error { return nil }
	errs := durable.PutAll(t.Context(), todo, nil)
	if errs[0] != nil || !errors.Is(errs[1], fault.Usage) || errs[2] != nil {
		t.Errorf("got %v", errs)
	}
	diff(t, dir, want(renamed("a", newSet), renamed("c", newSet)))
}

// TestBatchFolders has more sets than a batch holds, each in a folder of its own, under two names of it.
func TestBatchFolders(t *testing.T) {
	dir := t.TempDir()
	var todo []durable.Set
	for i := range 200 {
		sub := filepath.Join(dir, fmt.Sprint(i))
		if err := os.Mkdir(sub, 0o700); err != nil {
			t.Fatal(err)
		}
		todo = append(todo, batchOf(sub, newSet, false, "peer")...)
	}
	if err := os.Symlink("7", filepath.Join(dir, "seven")); err != nil {
		t.Fatal(err)
	}
	twice := batchOf(filepath.Join(dir, "seven"), newSet, false, "peer")
	most := 0
	errs := durable.PutAll(t.Context(), append(todo, twice...), func([]int) error {
		open, _ := os.ReadDir("/proc/self/fd") // none where there is no /proc
		most = max(most, len(open))
		return nil
	})
	if !errors.Is(errs[200], fault.Usage) {
		t.Errorf("got %v", errs[200])
	}
	if t.Logf("%d files open", most); most > 700 {
		t.Errorf("%d files open", most)
	}
	for _, s := range todo {
		diff(t, s.Dir, want(newSet))
	}
}

// TestBatchRace has many PutAlls over the same sets at once, in each order, and Puts of single ones.
func TestBatchRace(t *testing.T) {
	const racers = 8
	for _, replace := range []bool{false, true} {
		t.Run(fmt.Sprintf("replace=%v", replace), func(t *testing.T) {
			dir := t.TempDir()
			var names []string
			for i := range 30 {
				names = append(names, fmt.Sprintf("set%02d", i))
			}
			errs := make([][]error, racers)
			var wg sync.WaitGroup
			for i := range racers {
				mine := slices.Clone(names)
				if i%2 == 1 {
					slices.Reverse(mine)
				}
				todo := batchOf(dir, racerSet(i), replace, mine...)
				wg.Go(func() {
					if i%4 == 3 {
						for _, s := range todo {
							errs[i] = append(errs[i], durable.Change(t.Context(), s))
						}
						return
					}
					errs[i] = durable.PutAll(t.Context(), todo, nil)
				})
			}
			wg.Wait()
			won := 0
			for i, of := range errs {
				for _, err := range of {
					if err == nil {
						won++
					} else if replace || !errors.Is(err, fault.Exists) {
						t.Errorf("racer %d: %v", i, err)
					}
				}
			}
			if !replace && won != len(names) {
				t.Errorf("%d sets won, want %d", won, len(names))
			}
			got := read(t, dir)
			if len(got) != 3*len(names) {
				t.Errorf("there are %d files", len(got))
			}
			for _, n := range names {
				whole := false
				for i := range racers {
					whole = whole || oldOrNew(only(got, n), nil, renamed(n, racerSet(i))) == "new"
				}
				if !whole {
					t.Errorf("%s is of no racer: %v", n, only(got, n))
				}
			}
		})
	}
}
