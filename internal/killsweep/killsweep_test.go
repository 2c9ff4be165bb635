package killsweep_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"keyward/internal/killsweep"
)

// TestKill kills a shell before each of the two folders it makes.
func TestKill(t *testing.T) {
	var dir string
	var left []int
	killsweep.Sweep{Fault: killsweep.Kill, Calls: []string{"?mkdir", "?mkdirat"}, AtLeast: 2}.Run(t,
		func(t *testing.T) *exec.Cmd {
			dir = t.TempDir()
			return exec.Command("mkdir", filepath.Join(dir, "a"), filepath.Join(dir, "b"))
		},
		func(t *testing.T, r killsweep.Run) {
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			left = append(left, len(entries))
			if r.Exit != -1 || len(entries) != r.N-1 {
				t.Errorf("%v left %d folders", r, len(entries))
			}
		})
	if len(left) != 2 {
		t.Errorf("checked %d kills, want 2", len(left))
	}
}

// TestNoSpace has no space for the one folder it makes.
func TestNoSpace(t *testing.T) {
	checked := 0
	killsweep.Sweep{Fault: killsweep.NoSpace, Calls: []string{"?mkdir", "?mkdirat"}, AtLeast: 1}.Run(t,
		func(t *testing.T) *exec.Cmd { return exec.Command("mkdir", filepath.Join(t.TempDir(), "a")) },
		func(t *testing.T, r killsweep.Run) {
			checked++
			if r.Exit != 1 || r.Call != "mkdir" && r.Call != "mkdirat" {
				t.Errorf("%v: %s", r, r.Output)
			}
		})
	if checked != 1 {
		t.Errorf("checked %d faults, want 1", checked)
	}
}

func TestTrace(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command("mkdir", filepath.Join(dir, "a"), filepath.Join(dir, "b"))
	if got := killsweep.Trace(t, cmd, "?mkdir", "?mkdirat"); len(got) != 2 {
		t.Errorf("got %q", got)
	}
}
