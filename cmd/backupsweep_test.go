package cmd_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"keyward/internal/killsweep"
	"keyward/internal/pgtest"
	"keyward/store"
	"keyward/store/backup"
)

// writeBackup makes a backup with these users in a folder.
func writeBackup(t *testing.T, file string, users ...string) {
	t.Helper()
	slices.Sort(users)
	var text bytes.Buffer
	_, err := backup.Write(&text, backup.Header{Time: time.Unix(1, 0), Keyward: "1.2.3"}, func(yield func(store.Row, error) bool) {
		for _, name := range users {
			if !yield(store.Row{User: &store.User{Name: name, Admin: true, Password: "hash", Created: time.Unix(1, 0)}}, nil) {
				return
			}
		}
	}, nil)
	check(t, err)
	check(t, os.WriteFile(file, text.Bytes(), 0o600))
}

// usersIn are the users of a store by its backup, which also sees that the audit log is whole.
func usersIn(t *testing.T, dir string, where ...string) string {
	t.Helper()
	c := command(dir, append([]string{"backup", "-"}, where...))
	text, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %v", c.Args, err)
	}
	var names []string
	for row, err := range backup.Rows(bytes.NewReader(text)) {
		check(t, err)
		if row.User != nil {
			names = append(names, row.User.Name)
		}
	}
	return strings.Join(names, " ")
}

// TestRestoreKilled kills a restore at each of its calls that change files, or that talk to PostgreSQL: all of the old
// store is there, or all of the new one, and the next restore ends the work.
func TestRestoreKilled(t *testing.T) {
	run := func(t *testing.T, users int, calls []string, at ...string) {
		many := []string{"zoe"}
		for n := range users {
			many = append(many, fmt.Sprint("user", n))
		}
		old, now := "ann bob", strings.Join(slices.Sorted(slices.Values(many)), " ")
		at = append(at, "--data-dir", "data")
		var dir string
		prepare := func(t *testing.T) *exec.Cmd {
			dir = t.TempDir()
			writeBackup(t, filepath.Join(dir, "old"), "ann", "bob")
			writeBackup(t, filepath.Join(dir, "new"), many...)
			must(t, dir, append([]string{"restore", "old", "--replace", "-q"}, at...))
			return command(dir, append([]string{"restore", "new", "--replace"}, at...))
		}
		seen := map[string]int{}
		sweep := killsweep.Sweep{Fault: killsweep.Kill, AtLeast: 8, Calls: calls}
		sweep.Run(t, prepare, func(t *testing.T, r killsweep.Run) {
			users := usersIn(t, dir, at...)
			seen[users]++
			if users != old && users != now {
				t.Errorf("after %v: users %s", r, users)
			}
			must(t, dir, append([]string{"restore", "new", "--replace", "-q"}, at...))
			if users := usersIn(t, dir, at...); users != now {
				t.Errorf("after the next restore: users %s", users)
			}
		})
		if seen[old] == 0 || seen[now] == 0 {
			t.Errorf("old after %d kills, new after %d", seen[old], seen[now])
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		run(t, 300, []string{"pwrite64", "fsync", "fdatasync", "ftruncate", "unlinkat", "exit_group"})
	})
	t.Run("postgres", func(t *testing.T) {
		url := pgtest.Database(t)
		// One audit key for all runs, since the log goes on.
		run(t, 5, []string{"write", "exit_group"}, "--store", url, "--audit-key", filepath.Join(t.TempDir(), "audit-key"))
	})
}

// TestBackupFullDisk refuses space at each call of a backup: there is the old file, or a whole new one, and nothing else.
func TestBackupFullDisk(t *testing.T) {
	var dir string
	prepare := func(t *testing.T) *exec.Cmd {
		dir = t.TempDir()
		writeBackup(t, filepath.Join(dir, "old"), "ann", "bob")
		must(t, dir, []string{"restore", "old", "--data-dir", "data", "-q"})
		return command(dir, []string{"backup", "old", "--force", "--data-dir", "data"})
	}
	sweep := killsweep.Sweep{Fault: killsweep.NoSpace, AtLeast: 5, Calls: []string{"openat", "write", "fsync", "?link", "linkat", "?rename", "?renameat", "renameat2"}}
	sweep.Run(t, prepare, func(t *testing.T, r killsweep.Run) { wholeBackup(t, dir, r) })
}

// TestBackupKilled kills a backup at each of its calls that change files.
func TestBackupKilled(t *testing.T) {
	var dir string
	prepare := func(t *testing.T) *exec.Cmd {
		dir = t.TempDir()
		writeBackup(t, filepath.Join(dir, "old"), "ann", "bob")
		must(t, dir, []string{"restore", "old", "--data-dir", "data", "-q"})
		return command(dir, []string{"backup", "old", "--force", "--data-dir", "data"})
	}
	sweep := killsweep.Sweep{Fault: killsweep.Kill, AtLeast: 5, Calls: []string{"write", "fsync", "?link", "linkat", "?rename", "?renameat", "renameat2", "unlinkat"}}
	sweep.Run(t, prepare, func(t *testing.T, r killsweep.Run) { wholeBackup(t, dir, r) })
}

func wholeBackup(t *testing.T, dir string, r killsweep.Run) {
	t.Helper()
	if _, err := backup.Check(bytes.NewReader(read(t, filepath.Join(dir, "old")))); err != nil {
		t.Errorf("after %v: %v", r, err)
	}
	must(t, dir, []string{"backup", "old", "--force", "--data-dir", "data", "-q"})
	entries, err := os.ReadDir(dir)
	check(t, err)
	for _, entry := range entries {
		if name := entry.Name(); strings.HasPrefix(name, ".") {
			t.Errorf("after %v: %s is left", r, name)
		}
	}
}
