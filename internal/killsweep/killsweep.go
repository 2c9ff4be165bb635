// Package killsweep tests what a command leaves behind when it dies, or is refused, at
// any one of its file system calls. It runs the command under strace again and again,
// with the fault at the first such call, at the second, and so on, until a run gets by
// without meeting it.
//
// Between two calls that change the file system nothing on the disk differs, so a kill
// at the entry of each of them shows every state that a kill can leave.
//
// strace counts the calls of each thread on its own. A command that holds one thread
// (runtime.LockOSThread in the test's helper process) is swept without a gap; else the
// log tells of more calls than runs.
package killsweep

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The faults, as strace's inject names them.
const (
	Kill    = "signal=SIGKILL" // before the call is made
	NoSpace = "error=ENOSPC"
	IOError = "error=EIO"
)

// changing are the system calls that change files or make them last. The question mark
// is strace's: some machines lack the older ones.
var changing = []string{
	"?open", "openat", "write", "pwrite64", "ftruncate", "fallocate", "fsync", "fdatasync", "flock",
	"?link", "linkat", "?symlink", "symlinkat", "?rename", "?renameat", "renameat2", "?unlink", "unlinkat", "?mkdir", "mkdirat", "?rmdir",
	"fchmod", "?chmod", "fchmodat", "fchown", "fchownat", "exit_group",
}

// Sweep says which fault to put into which calls of a command.
type Sweep struct {
	Fault   string   // Kill, NoSpace or another part of strace's inject
	Calls   []string // system calls; empty means all that change files
	Always  []string // faults of every run, as "linkat:error=EPERM"
	AtLeast int      // how many faults there must be: fewer fail the test
}

// Run is one run that met the fault.
type Run struct {
	Call   string // the system call
	N      int    // which one of the thread's, from 1
	Faults int    // how many calls met an error: more than one where threads made them
	Exit   int    // the exit code; -1 where it was killed
	Output string // stdout and stderr
}

func (r Run) String() string { return fmt.Sprintf("%s %d (exit %d)", r.Call, r.N, r.Exit) }

// Run sweeps. Before each run prepare makes the state it starts from and returns the
// command; after each that met the fault check looks at what it left.
//
// Where strace is missing, or may not trace, the test is skipped, but fails if CI is "true".
func (s Sweep) Run(t *testing.T, prepare func(t *testing.T) *exec.Cmd, check func(t *testing.T, r Run)) {
	t.Helper()
	need(t)
	calls := s.Calls
	if len(calls) == 0 {
		calls = changing
	}
	swept, made := 0, 0
	for _, call := range calls {
		name := strings.TrimPrefix(call, "?")
		if s.always(name) {
			continue
		}
		for n := 1; ; n++ {
			run, log := s.once(t, call, n, prepare(t))
			if !met(run, log) {
				made += count(log, name)
				break
			}
			swept++
			check(t, run)
			if t.Failed() {
				t.Fatalf("%s at %v\n%s\n%s", s.Fault, run, run.Output, log)
			}
		}
	}
	t.Logf("%s: %d runs, %d calls in a run without", s.Fault, swept, made)
	if swept < s.AtLeast {
		t.Errorf("%s: only %d runs met the fault, want %d", s.Fault, swept, s.AtLeast)
	}
}

// always tells whether a call has its fault already.
func (s Sweep) always(call string) bool {
	return slices.ContainsFunc(s.Always, func(a string) bool { return strings.HasPrefix(a, call+":") })
}

// once runs the command with the fault at the nth call of a thread, and gives strace's log.
func (s Sweep) once(t *testing.T, call string, n int, cmd *exec.Cmd) (Run, string) {
	t.Helper()
	args := []string{"trace=" + strings.Join(changing, ","), fmt.Sprintf("inject=%s:%s:when=%d", call, s.Fault, n)}
	for _, a := range s.Always {
		args = append(args, "inject="+a)
	}
	run, log := strace(t, cmd, args)
	run.Call, run.N = strings.TrimPrefix(call, "?"), n
	return run, log
}

// Trace runs the command and lists those of the calls that it made, in order. It skips
// and fails as Sweep.Run does.
func Trace(t *testing.T, cmd *exec.Cmd, calls ...string) []string {
	t.Helper()
	need(t)
	_, log := strace(t, cmd, []string{"trace=" + strings.Join(calls, ",")})
	var made []string
	for _, m := range regexp.MustCompile(`(?m)^\d+ +(\w+)\(`).FindAllStringSubmatch(log, -1) {
		made = append(made, m[1])
	}
	return made
}

// strace runs the command under strace with some -e arguments.
func strace(t *testing.T, cmd *exec.Cmd, exprs []string) (Run, string) {
	t.Helper()
	logFile := filepath.Join(t.TempDir(), "strace")
	// Not with --seccomp-bpf: it is faster, and then strace 6.1 injects no signal.
	args := []string{"-f", "-q", "-o", logFile}
	for _, e := range exprs {
		args = append(args, "-e", e)
	}
	args = append(append(args, "--", cmd.Path), cmd.Args[1:]...)
	traced := exec.Command("strace", args...)
	traced.Dir, traced.Env, traced.Stdin = cmd.Dir, cmd.Env, cmd.Stdin
	out, err := traced.CombinedOutput()
	if traced.ProcessState == nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(logFile)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	faults := strings.Count(string(log), "(INJECTED)")
	return Run{Faults: faults, Exit: traced.ProcessState.ExitCode(), Output: string(out)}, string(log)
}

// met tells whether the run came to its fault.
func met(r Run, log string) bool {
	if strings.Contains(log, "+++ killed by SIGKILL") {
		return true
	}
	return regexp.MustCompile(`(?m)\b` + r.Call + `( resumed>.*|\(.*)\(INJECTED\)$`).MatchString(log)
}

// count counts a call in strace's log, all threads together.
func count(log, call string) int {
	return len(regexp.MustCompile(`(?m)^\d+ +`+call+`\(`).FindAllString(log, -1))
}

// need skips the test where strace cannot trace, and under the race detector, which is
// ten times slower under strace and sees nothing there that it does not see elsewhere.
func need(t *testing.T) {
	t.Helper()
	if race {
		t.Skip("swept without the race detector")
	}
	out, err := exec.Command("strace", "-f", "-o", os.DevNull, "true").CombinedOutput()
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("CI needs strace: %v\n%s", err, out)
	}
	t.Skipf("no sweep without strace: %v\n%s", err, out)
}
