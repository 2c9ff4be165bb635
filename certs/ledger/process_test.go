package ledger_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"keyward/certs"
	"keyward/certs/ledger"
	"keyward/fault"
	"keyward/internal/killsweep"
)

// TestMain is a helper process instead where the environment says so: it appends a number of entries, each by
// itself, and its exit code is the error's kind.
func TestMain(m *testing.M) {
	dir := os.Getenv("LEDGER_DIR")
	if dir == "" {
		os.Exit(m.Run())
	}
	runtime.LockOSThread() // so that strace's count of calls is exact
	if err := appendMany(dir, os.Getenv("LEDGER_COUNT")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(int(fault.KindOf(err)))
	}
}

func appendMany(dir, count string) error {
	ctx := context.Background()
	ca, _, err := certs.LoadIssuer(ctx, filepath.Join(dir, "root.cert.pem"), filepath.Join(dir, "root.key.pem"), nil, false)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	for i := range n {
		entry := ledger.Entry{Op: ledger.Issue, Serial: fmt.Sprintf("%08x%04x", os.Getpid(), i), NotAfter: now.AddDate(0, 3, 0)}
		if err := ledger.Append(ctx, filepath.Join(dir, "root.ledger"), ca, now, entry); err != nil {
			return err
		}
	}
	return nil
}

// newDir is a folder with a CA in it.
func newDir(t *testing.T) (dir string, ca *certs.Issuer) {
	t.Helper()
	dir = t.TempDir()
	root, err := certs.Issue(certs.Request{Role: certs.Root, Organization: "Root"}, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := certs.Write(t.Context(), filepath.Join(dir, "root"), root, certs.Placing{}); err != nil {
		t.Fatal(err)
	}
	return dir, root.Issuer()
}

func helper(t *testing.T, dir string, count int) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "LEDGER_DIR="+dir, fmt.Sprintf("LEDGER_COUNT=%d", count))
	return cmd
}

// TestTwoProcesses has two processes append at once: no line is lost, and the chain holds.
func TestTwoProcesses(t *testing.T) {
	dir, ca := newDir(t)
	const processes, each = 2, 100
	var running sync.WaitGroup
	for range processes {
		cmd := helper(t, dir, each)
		running.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	running.Wait()
	serials := map[string]bool{}
	for _, entry := range read(t, filepath.Join(dir, "root.ledger"), ca)[1:] {
		serials[entry.Serial] = true
	}
	if len(serials) != processes*each {
		t.Errorf("%d of %d entries", len(serials), processes*each)
	}
}

// TestKilled kills an Append before each of its system calls: what is there holds, and the next Append goes on.
func TestKilled(t *testing.T) {
	for _, before := range []int{0, 1} {
		t.Run(strconv.Itoa(before), func(t *testing.T) { sweep(t, killsweep.Kill, before) })
	}
}

// TestFullDisk has each of its calls meet a full or broken disk: nothing of it stays.
func TestFullDisk(t *testing.T) {
	for _, fault := range []string{killsweep.NoSpace, killsweep.IOError} {
		for _, before := range []int{0, 1} {
			t.Run(fault+" "+strconv.Itoa(before), func(t *testing.T) { sweep(t, fault, before) })
		}
	}
}

func sweep(t *testing.T, fault string, before int) {
	var dir, old string
	var ca *certs.Issuer
	s := killsweep.Sweep{Fault: fault, AtLeast: 6}
	if fault != killsweep.Kill {
		s.Calls, s.AtLeast = []string{"openat", "write", "fsync"}, 3
	}
	s.Run(t,
		func(t *testing.T) *exec.Cmd {
			dir, ca = newDir(t)
			if before > 0 {
				appendTo(t, filepath.Join(dir, "root.ledger"), ca, ledger.Issued(newLeaf(t, ca, "web.example.org")))
			}
			old = text(dir)
			return helper(t, dir, 1)
		},
		func(t *testing.T, r killsweep.Run) {
			path := filepath.Join(dir, "root.ledger")
			now := text(dir)
			if !strings.HasPrefix(now, old) {
				t.Error("what was there is gone")
			}
			if fault != killsweep.Kill && r.Exit != 0 && r.Faults == 1 && now != old {
				t.Errorf("a failed append left %q", strings.TrimPrefix(now, old))
			}
			if r.Exit == 0 && now == old {
				t.Error("it said that it was done, and nothing is there")
			}
			whole := now[:strings.LastIndex(now, "\n")+1]
			if whole != "" {
				lines := strings.Count(whole, "\n")
				if book, err := ledger.Open(path, ca.Chain[0]); err != nil || book.Head.Seq != int64(lines) {
					t.Errorf("it does not hold: %v", err)
				} else {
					book.Close()
				}
			}
			appendTo(t, path, ca, ledger.Issued(newLeaf(t, ca, "db.example.org")))
			read(t, path, ca)
			if hidden, _ := filepath.Glob(filepath.Join(dir, ".*")); len(hidden) > 0 {
				t.Errorf("%v are left", hidden)
			}
		})
}

// text is the ledger's; "" where there is none.
func text(dir string) string {
	data, _ := os.ReadFile(filepath.Join(dir, "root.ledger"))
	return string(data)
}

// TestOneSync holds that many entries cost one sync, and the first of all one of the folder.
func TestOneSync(t *testing.T) {
	dir, _ := newDir(t)
	for _, want := range []string{"write fsync fsync", "write fsync"} {
		calls := killsweep.Trace(t, helper(t, dir, 1), "write", "fsync", "fdatasync")
		if got := strings.Join(calls, " "); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
