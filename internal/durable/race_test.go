package durable_test

import (
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"testing"

	"keyward/fault"
	"keyward/internal/durable"
)

// racerSet is racer i's own version of the new set.
func racerSet(i int) []durable.File {
	var files []durable.File
	for _, f := range newSet {
		files = append(files, durable.File{Name: f.Name, Data: fmt.Appendf(nil, "racer %d", i), Mode: f.Mode})
	}
	return files
}

func TestRace(t *testing.T) {
	const racers = 24
	for _, replace := range []bool{false, true} {
		t.Run(fmt.Sprintf("replace=%v", replace), func(t *testing.T) {
			dir := t.TempDir()
			errs := make([]error, racers)
			var wg sync.WaitGroup
			for i := range racers {
				wg.Go(func() { errs[i] = durable.Put(t.Context(), dir, "peer", racerSet(i), replace) })
			}
			wg.Wait()
			won, winner := 0, 0
			for i, err := range errs {
				if err == nil {
					won, winner = won+1, i
				} else if replace || !errors.Is(err, fault.Exists) {
					t.Errorf("racer %d: %v", i, err)
				}
			}
			if replace {
				oneOf(t, dir, racers)
				return
			}
			if won != 1 {
				t.Errorf("%d racers won", won)
			}
			diff(t, dir, want(racerSet(winner)))
		})
	}
}

// oneOf checks that the folder holds one racer's whole set.
func oneOf(t *testing.T, dir string, racers int) {
	t.Helper()
	got := read(t, dir)
	for i := range racers {
		if oldOrNew(got, nil, racerSet(i)) == "new" {
			return
		}
	}
	t.Errorf("no racer's set: %v", got)
}

// TestRaceOfProcesses races processes for one file and for a set.
func TestRaceOfProcesses(t *testing.T) {
	for _, set := range []string{"new1", "new"} {
		t.Run(set, func(t *testing.T) {
			dir := t.TempDir()
			var cmds []*exec.Cmd
			for range 8 {
				cmd := helper(t, dir, set, false)
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				cmds = append(cmds, cmd)
			}
			won := 0
			for _, cmd := range cmds {
				cmd.Wait()
				switch code := cmd.ProcessState.ExitCode(); fault.Kind(code) {
				case 0:
					won++
				case fault.Exists:
				default:
					t.Errorf("exit %d", code)
				}
			}
			if won != 1 {
				t.Errorf("%d processes won", won)
			}
			diff(t, dir, want(sets[set]))
		})
	}
}

// TestRaceOfSets has sets with different locks, and a file in common: link decides.
func TestRaceOfSets(t *testing.T) {
	const racers = 24
	dir := t.TempDir()
	errs := make([]error, racers)
	var wg sync.WaitGroup
	for i := range racers {
		wg.Go(func() { errs[i] = durable.Put(t.Context(), dir, fmt.Sprint("set", i), racerSet(i), false) })
	}
	wg.Wait()
	won := 0
	for i, err := range errs {
		if err == nil {
			won++
			diff(t, dir, want(racerSet(i)))
		} else if !errors.Is(err, fault.Exists) {
			t.Errorf("racer %d: %v", i, err)
		}
	}
	if won != 1 {
		t.Errorf("%d racers won", won)
	}
}
