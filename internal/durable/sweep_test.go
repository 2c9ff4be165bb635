package durable_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keyward/fault"
	"keyward/internal/durable"
	"keyward/internal/killsweep"
)

// noLinks makes a filesystem without hard links, as Linux's vfat answers.
var noLinks = []string{"linkat:error=EPERM"}

// scenarios are the ways a set is put.
var scenarios = []struct {
	name     string
	old, new string // names in sets; old is there before
	replace  bool
	always   []string
}{
	{"create one", "", "new1", false, nil},
	{"replace one", "old1", "new1", true, nil},
	{"create set", "", "new", false, nil},
	{"replace set", "old", "new", true, nil},
	{"create one without links", "", "new1", false, noLinks},
	{"replace one without links", "old1", "new1", true, noLinks},
	{"create set without links", "", "new", false, noLinks},
	{"replace set without links", "old", "new", true, noLinks},
}

// oldOrNew tells which set a folder's listing holds in its plain names.
func oldOrNew(got map[string]string, before, after []durable.File) string {
	switch {
	case cmp.Equal(got, want(before)):
		return "old"
	case cmp.Equal(got, want(before, after)):
		return "new"
	}
	return "neither"
}

// hidden lists a folder's hidden files, and checks that none shows a private file's bytes to others.
func hidden(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	for name, text := range read(t, dir) {
		if strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
		if strings.HasSuffix(text, "key") && !strings.HasPrefix(text, "-rw------- ") {
			t.Errorf("%s: %s", name, text)
		}
	}
	return names
}

// TestKill kills a Put at each call that changes files. Afterwards Settle finds the old
// set or the new one, and the next Put leaves nothing else.
func TestKill(t *testing.T) {
	for _, c := range scenarios {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var dir string
			seen := map[string]int{}
			killsweep.Sweep{Fault: killsweep.Kill, Always: c.always, AtLeast: 10}.Run(t,
				func(t *testing.T) *exec.Cmd {
					dir = t.TempDir()
					if c.old != "" {
						mustPut(t, dir, sets[c.old], false)
					}
					return helper(t, dir, c.new, c.replace)
				},
				func(t *testing.T, r killsweep.Run) {
					if r.Exit != -1 {
						t.Error("not killed")
					}
					left := hidden(t, dir)
					if len(left) > 0 && !slices.Contains(left, ".peer.lock") {
						t.Errorf("left %q without the lock", left)
					}
					if err := durable.Settle(t.Context(), dir, "peer"); err != nil {
						t.Error(err)
					}
					state := oldOrNew(read(t, dir), sets[c.old], sets[c.new])
					seen[state]++
					if state == "neither" {
						t.Errorf("killed, it left %v", read(t, dir))
					}
				})
			t.Logf("%v", seen)
			if seen["old"] == 0 || seen["new"] == 0 {
				t.Errorf("saw %v, want both old and new", seen)
			}
		})
	}
}

// TestKillThenPut has another Put, not Settle, clean up: of the same set, and of a smaller one.
func TestKillThenPut(t *testing.T) {
	for _, next := range []string{"new", "old1"} {
		t.Run(next, func(t *testing.T) {
			t.Parallel()
			var dir string
			killsweep.Sweep{Fault: killsweep.Kill, AtLeast: 30}.Run(t,
				func(t *testing.T) *exec.Cmd {
					dir = t.TempDir()
					return helper(t, dir, "new", false)
				},
				func(t *testing.T, r killsweep.Run) {
					err := durable.Put(t.Context(), dir, "peer", sets[next], false)
					switch got := read(t, dir); {
					case cmp.Equal(got, want(sets["new"])) && (err == nil || errors.Is(err, fault.Exists)):
					case cmp.Equal(got, want(sets[next])) && err == nil:
					default:
						t.Errorf("%v, and there is %v", err, got)
					}
				})
		})
	}
}

// TestKillTwice kills the Settle after a kill, at each call, and settles again.
func TestKillTwice(t *testing.T) {
	const names = "\"peer.key.pem\"\n\"peer.cert.pem\"\n\"peer.cert.der\"\nplace\n"
	stranger := []durable.File{{Name: "peer.cert.der", Data: []byte("stranger"), Mode: 0o644}}
	for _, c := range []struct {
		name    string
		there   []durable.File
		journal string
		always  []string
		want    map[string]string
	}{
		{"staged", oldSet, "", nil, want(oldSet)},
		{"create", nil, "create \"peer\"\n" + names, nil, want(newSet)},
		{"replace", oldSet, "replace \"peer\"\n" + names, nil, want(newSet)},
		{"replace without links", oldSet, "replace \"peer\"\n" + names, noLinks, want(newSet)},
		{"create beside a stranger", stranger, "create \"peer\"\n" + names, nil, want(stranger)},
		{"create beside a stranger without links", stranger, "create \"peer\"\n" + names, noLinks, want(stranger)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var dir string
			killsweep.Sweep{Fault: killsweep.Kill, Always: c.always, AtLeast: 10}.Run(t,
				func(t *testing.T) *exec.Cmd {
					dir = t.TempDir()
					left := slices.Concat(c.there, []durable.File{
						{Name: ".peer.lock", Mode: 0o600},
						{Name: ".peer.journal", Data: []byte(c.journal), Mode: 0o600},
					})
					for i, f := range newSet {
						left = append(left, durable.File{Name: fmt.Sprintf(".peer.%d.staged", i), Data: f.Data, Mode: f.Mode})
					}
					for _, f := range left {
						if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, f.Mode); err != nil {
							t.Fatal(err)
						}
					}
					return helper(t, dir, "", false)
				},
				func(t *testing.T, r killsweep.Run) {
					if err := durable.Settle(t.Context(), dir, "peer"); err != nil {
						t.Error(err)
					}
					diff(t, dir, c.want)
				})
		})
	}
}

// TestFault refuses each call in turn. A Put that fails has changed nothing and left nothing.
func TestFault(t *testing.T) {
	for _, f := range []string{killsweep.NoSpace, killsweep.IOError} {
		for _, c := range scenarios {
			if f == killsweep.IOError && c.always != nil {
				continue // as with no space
			}
			t.Run(f+" "+c.name, func(t *testing.T) {
				t.Parallel()
				var dir string
				failed := 0
				killsweep.Sweep{Fault: f, Always: c.always, AtLeast: 10,
					Calls: []string{"openat", "write", "fsync", "ftruncate", "linkat", "renameat", "unlinkat"},
				}.Run(t,
					func(t *testing.T) *exec.Cmd {
						dir = t.TempDir()
						if c.old != "" {
							mustPut(t, dir, sets[c.old], false)
						}
						return helper(t, dir, c.new, c.replace)
					},
					func(t *testing.T, r killsweep.Run) {
						if r.Exit != 0 {
							failed++
						}
						if r.Exit > 1 {
							t.Errorf("exit %d", r.Exit)
						}
						left := hidden(t, dir)
						if len(left) > 0 && r.Call != "unlinkat" {
							t.Errorf("left %q", left)
						}
						if err := durable.Settle(t.Context(), dir, "peer"); err != nil {
							t.Error(err)
						}
						wantState := "old"
						if r.Exit == 0 || strings.Contains(r.Output, "is replaced, but") && c.name == "replace one without links" {
							wantState = "new"
						}
						if got := oldOrNew(read(t, dir), sets[c.old], sets[c.new]); got != wantState {
							t.Errorf("want %s, there is %v", wantState, read(t, dir))
						}
					})
				if failed < 4 {
					t.Errorf("only %d runs failed", failed)
				}
			})
		}
	}
}

// TestStranger has a stranger's file appear where the last one of a killed set should
// go: what was placed is taken back, and the stranger's file stays.
func TestStranger(t *testing.T) {
	for _, c := range []struct {
		call   string
		always []string
	}{{"linkat", nil}, {"renameat", noLinks}} {
		t.Run(c.call, func(t *testing.T) {
			var dir string
			killsweep.Sweep{Fault: killsweep.Kill, Calls: []string{c.call}, Always: c.always, AtLeast: 3}.Run(t,
				func(t *testing.T) *exec.Cmd {
					dir = t.TempDir()
					return helper(t, dir, "new", false)
				},
				func(t *testing.T, r killsweep.Run) {
					stranger := []durable.File{{Name: "peer.cert.der", Data: []byte("stranger"), Mode: 0o644}}
					if err := os.WriteFile(filepath.Join(dir, "peer.cert.der"), stranger[0].Data, 0o644); err != nil {
						t.Fatal(err)
					}
					if err := durable.Settle(t.Context(), dir, "peer"); err != nil {
						t.Error(err)
					}
					diff(t, dir, want(stranger))
					if err := durable.Put(t.Context(), dir, "peer", newSet, false); !errors.Is(err, fault.Exists) {
						t.Errorf("got %v", err)
					}
					diff(t, dir, want(stranger))
				})
		})
	}
}

// TestStrangerInTheMiddle has link(2) find a stranger's file at each target in turn.
func TestStrangerInTheMiddle(t *testing.T) {
	var dir string
	killsweep.Sweep{Fault: "error=EEXIST", Calls: []string{"linkat"}, AtLeast: 3}.Run(t,
		func(t *testing.T) *exec.Cmd {
			dir = t.TempDir()
			return helper(t, dir, "new", false)
		},
		func(t *testing.T, r killsweep.Run) {
			if fault.Kind(r.Exit) != fault.Exists || !strings.Contains(r.Output, filepath.Join(dir, newSet[r.N-1].Name)) {
				t.Errorf("exit %d: %s", r.Exit, r.Output)
			}
			diff(t, dir, want())
		})
}

// TestReadOnly has a read-only filesystem. It is asked of strace, since no mode stops root.
func TestReadOnly(t *testing.T) {
	for _, f := range []string{"error=EROFS", "error=EACCES"} {
		t.Run(f, func(t *testing.T) {
			var dir string
			refused := 0
			killsweep.Sweep{Fault: f, Calls: []string{"openat"}, AtLeast: 8}.Run(t,
				func(t *testing.T) *exec.Cmd {
					dir = t.TempDir()
					return helper(t, dir, "new", false)
				},
				func(t *testing.T, r killsweep.Run) {
					switch {
					case r.Exit == 0: // a call of the Go runtime's
						diff(t, dir, want(newSet))
					case fault.Kind(r.Exit) == fault.NotPermitted && strings.Contains(r.Output, dir):
						refused++
						diff(t, dir, want())
					default:
						t.Errorf("exit %d: %s", r.Exit, r.Output)
					}
				})
			if refused < 6 {
				t.Errorf("only %d refusals", refused)
			}
		})
	}
}

// TestPowerCut has what a power cut can leave beyond what a kill can.
func TestPowerCut(t *testing.T) {
	for name, left := range map[string][]string{
		"torn journal":            {".peer.lock", ".peer.journal", ".peer.0.staged", ".peer.1.staged"},
		"no first staged file":    {".peer.lock", ".peer.1.staged"},
		"staged without its lock": {".peer.0.staged", ".peer.2.staged", ".peer.1.old"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, n := range left {
				if err := os.WriteFile(filepath.Join(dir, n), make([]byte, 20), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			mustPut(t, dir, newSet, false)
			diff(t, dir, want(newSet))
		})
	}
}

// TestSyncs holds the package comment's law: what is synced before what, and no more.
func TestSyncs(t *testing.T) {
	for _, c := range []struct {
		old, new string
		want     string
	}{
		{"", "new1", "fsync linkat fsync"},
		{"old1", "new1", "fsync linkat renameat fsync"},
		{"", "old", "fsync fsync fsync write fsync linkat linkat fsync ftruncate"},
		{"old", "old", "fsync fsync fsync write fsync linkat renameat linkat renameat fsync ftruncate"},
	} {
		dir := t.TempDir()
		if c.old != "" {
			mustPut(t, dir, sets[c.old], false)
		}
		calls := killsweep.Trace(t, helper(t, dir, c.new, c.old != ""), "write", "fsync", "ftruncate", "linkat", "renameat")
		got := strings.Join(calls[len(sets[c.new]):], " ") // after the writing of the staged files
		if got != c.want {
			t.Errorf("%s over %q:\ngot  %s\nwant %s", c.new, c.old, got, c.want)
		}
	}
}

// TestBatchSyncs has three sets cost the syncs of their files and three more, and one lock and one journal.
func TestBatchSyncs(t *testing.T) {
	dir := t.TempDir()
	calls := killsweep.Trace(t, batchHelper(t, dir, "new", false), "fsync", "linkat", "renameat", "ftruncate", "unlinkat")
	for call, want := range map[string]int{
		"fsync":     9 + 3,
		"linkat":    9 + 2 + 2, // a lock and a journal more of the second set and the third
		"unlinkat":  9 + 3 + 3,
		"renameat":  0,
		"ftruncate": 1,
	} {
		if got := len(slices.DeleteFunc(slices.Clone(calls), func(c string) bool { return c != call })); got != want {
			t.Errorf("%d calls of %s, want %d", got, call, want)
		}
	}
}
