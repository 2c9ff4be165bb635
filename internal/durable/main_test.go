package durable_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"keyward/fault"
	"keyward/internal/durable"
)

// sets are what a helper process can be told to put.
var sets = map[string][]durable.File{"old1": oldSet[:1], "new1": newSet[:1], "old": oldSet, "new": newSet}

// TestMain is a helper process instead where the environment says so: it puts one set or
// a batch, or settles where none is named, and its exit code is the error's kind.
func TestMain(m *testing.M) {
	dir := os.Getenv("DURABLE_DIR")
	if dir == "" {
		os.Exit(m.Run())
	}
	runtime.LockOSThread() // so that strace's count of calls is exact
	replace := os.Getenv("DURABLE_REPLACE") == "true"
	var err error
	if names := os.Getenv("DURABLE_BATCH"); names != "" {
		todo := batchOf(dir, sets[os.Getenv("DURABLE_SET")], replace, strings.Fields(names)...)
		for i, e := range durable.PutAll(context.Background(), todo, nil) {
			if e != nil {
				err = fmt.Errorf("set %s: %w", todo[i].Name, e)
				fmt.Fprintln(os.Stderr, err)
			}
		}
	} else if set := os.Getenv("DURABLE_SET"); set == "" {
		err = durable.Settle(context.Background(), dir, "peer")
	} else {
		err = durable.Put(context.Background(), dir, "peer", sets[set], replace)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(int(fault.KindOf(err)))
	}
}

// helper is the command of a process that puts one set, or settles.
func helper(t *testing.T, dir, set string, replace bool) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "DURABLE_DIR="+dir, "DURABLE_SET="+set, fmt.Sprintf("DURABLE_REPLACE=%v", replace))
	return cmd
}
