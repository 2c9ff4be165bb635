package cmd_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"

	"keyward/internal/pgtest"
)

var update = flag.Bool("update", false, "write what the scripts saw into their cmp files")

// program is the folder with the binary under test and the links to it.
var program string

// TestMain builds the binary that the scripts drive, as a release builds it.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.fuzzworker").Value.String() == "true" { // it runs no script
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "keyward-test-")
	if err == nil {
		err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func build(dir string) error {
	args := []string{"build", "-tags", "urfave_cli_no_docs", "-o", filepath.Join(dir, "keyward"+exe()), "-ldflags", "-X main.version=1.2.3"}
	cgo := "0"
	if raceEnabled {
		args, cgo = append(args, "-race"), "1"
	}
	c := exec.Command("go", append(args, "keyward/cmd/keyward")...)
	c.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	for _, name := range []string{"vovsecurity", "gen-root-cert", "gen-intermediate-cert", "gen-leaf-cert", "websocket-test-client"} {
		if err := os.Link(filepath.Join(dir, "keyward"+exe()), filepath.Join(dir, name+exe())); err != nil {
			return err
		}
	}
	return nil
}

func exe() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

// TestScripts runs testdata/script: the commands' documentation that runs.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	if raceEnabled {
		scripts = concurrent(t, scripts)
	}
	t.Logf("%d scripts", len(scripts))
	testscript.Run(t, testscript.Params{
		Files:               scripts,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup:               setup,
		Condition:           condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":     cmdCode,
			"mode":     cmdMode,
			"registry": cmdRegistry,
			"pty":      cmdPty,
			"capture":  cmdCapture,
			"hostile":  cmdHostile,
			"aged":     cmdAged,
			"front":    cmdFront,
			"noted":    cmdNoted,
			"await":    cmdAwait,
			"kept":     cmdKept,
			"manager":  cmdManager,
			"relay":    cmdRelay,
			"peer":     cmdPeer,
			"postgres": cmdPostgres,
			"service":  cmdService,
			"exchange": cmdExchange,
			"tunnel":   cmdTunnel,

			"stockserver": cmdBuilt(stockServer),
			"busserver":   cmdBuilt(busServer),
		},
	})
}

// severalThings names the scripts that go under the race detector, where each start takes half a second: those of
// commands that do several things at once, each of these ways once.
var severalThings = regexp.MustCompile(`/(bus_authorize_restart|bus_client|hostile|keyexchange_rotate|keyexchange_subscribe_daemon|relay_connect|relay_reconnect|relay_serve|rotatekey|serve_reload|serverkey_replicas|storecopy|verifycert)\.txtar$`)

func concurrent(t *testing.T, scripts []string) []string {
	found := slices.DeleteFunc(slices.Clone(scripts), func(file string) bool { return !severalThings.MatchString(filepath.ToSlash(file)) })
	if len(found) < 13 {
		t.Errorf("only %v do several things at once", found)
	}
	return found
}

func setup(e *testscript.Env) error {
	home := filepath.Join(e.WorkDir, "home")
	e.Setenv("HOME", home)
	e.Setenv("USER", "alice")
	e.Values[registryKey{}] = map[string]*running{}
	e.Values[heardKey{}] = new(atomic.Bool)
	e.Values[keptKey{}] = map[string]*tls.Conn{}
	e.Values[relayKey{}] = map[string]*running{}
	e.Values[exchangeKey{}] = map[string]*running{}
	e.Values[peerKey{}] = map[string]net.Conn{}
	e.Setenv("PATH", program+string(os.PathListSeparator)+os.Getenv("PATH"))
	return os.Mkdir(home, 0o700)
}

// condition skips what a laptop lacks; CI must have it all. Under the race detector the rounds of a password take
// seconds instead of a seventh of one: scripts that are about passwords leave it to the others.
func condition(name string) (bool, error) {
	if name == "race" {
		return raceEnabled, nil
	}
	tool, found := strings.CutPrefix(name, "has:")
	if !found {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	if os.Getenv("CI") == "true" {
		return true, nil
	}
	if tool == "postgres" {
		return pgtest.Installed(), nil
	}
	if module, isPython := strings.CutPrefix(tool, "python3:"); isPython {
		return exec.Command("/usr/bin/python3", "-c", "import "+module).Run() == nil, nil
	}
	if header, isC := strings.CutPrefix(tool, "c:"); isC {
		return exec.Command("gcc", "-fsyntax-only", "-include", header, "-x", "c", os.DevNull).Run() == nil, nil
	}
	_, err := exec.LookPath(tool)
	return err == nil, nil
}

// cmdCode runs a program and holds its exit code: code 3 keyward keygen.
func cmdCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N program [args]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// cmdMode holds files' permissions: mode 0600 FILE...
func cmdMode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: mode MODE file...")
	}
	for _, file := range args[1:] {
		info, err := os.Stat(ts.MkAbs(file))
		ts.Check(err)
		if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
			ts.Fatalf("%s has mode %s, want %s", file, got, args[0])
		}
	}
}

// cmdCapture puts the last command's stdout, or the group of a pattern in a file, into a variable:
// capture NAME stdout, or capture NAME FILE PATTERN.
func cmdCapture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: capture NAME FILE [PATTERN]")
	}
	text := ts.ReadFile(args[1])
	if len(args) == 3 {
		found := regexp.MustCompile(args[2]).FindStringSubmatch(text)
		if len(found) < 2 {
			ts.Fatalf("%s is not in %s", args[2], args[1])
		}
		text = found[1]
	}
	ts.Setenv(args[0], strings.TrimSpace(text))
}

// running is a service of a script.
type running struct {
	*exec.Cmd
	log *os.File
}

// registryKey has the script's registries by their folders.
type registryKey struct{}

// cmdRegistry starts a registry on a free port with its data in a folder, registry/ where none is named, and sets
// KEYWARD_URL and KEYWARD_CA_FILE: registry start|stop|kill|hangup [FOLDER] [flags].
func cmdRegistry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: registry start|stop|kill|hangup [folder] [flags]")
	}
	folder, flags := "registry", args[1:]
	if len(flags) > 0 && !strings.HasPrefix(flags[0], "-") {
		folder, flags = flags[0], flags[1:]
	}
	all := ts.Value(registryKey{}).(map[string]*running)
	if args[0] == "start" {
		all[folder] = startRegistry(ts, folder, flags)
		return
	}
	all[folder].tell(ts, args[0])
}

// tell stops or kills a service, or has it read its files again.
func (r *running) tell(ts *testscript.TestScript, what string) {
	switch what {
	case "stop":
		ts.Check(r.Process.Signal(os.Interrupt))
		ts.Check(r.Wait())
	case "hangup":
		ts.Check(r.Process.Signal(syscall.SIGHUP))
	case "kill":
		ts.Check(r.Process.Kill())
		_ = r.Wait()
	}
}

func startRegistry(ts *testscript.TestScript, folder string, flags []string) *running {
	service, url := startService(ts, folder+".log", append([]string{"serve", "--data-dir", folder}, flags...))
	ts.Setenv("KEYWARD_URL", url)
	ts.Setenv("KEYWARD_CA_FILE", ts.MkAbs(folder+"/ca.cert.pem"))
	return service
}

// startService runs a command that listens, on a free port unless it has one, and prints its URL when it is ready.
func startService(ts *testscript.TestScript, logFile string, args []string) (*running, string) {
	log, err := os.OpenFile(ts.MkAbs(logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	if !slices.Contains(args, "--listen") && !slices.Contains(args, "--auth-port") {
		args = append(args, "--listen", "127.0.0.1:0")
	}
	c := exec.Command(filepath.Join(program, "keyward"+exe()), args...)
	c.Dir, c.Env, c.Stderr = ts.MkAbs("."), environ(ts), log
	stdout, err := c.StdoutPipe()
	ts.Check(err)
	ts.Check(c.Start())
	ts.Defer(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		_ = log.Close()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		ts.Fatalf("it ended: %v\n%s", err, ts.ReadFile(logFile))
	}
	return &running{c, log}, strings.TrimSpace(line)
}

// cmdPostgres makes an empty database and sets PG_URL to its URL: postgres. The scripts share a server, which the first
// one starts. A script that uses it begins with [!has:postgres] skip 'PostgreSQL is not installed'.
func cmdPostgres(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: postgres")
	}
	url, err := pgtest.NewDatabase(context.Background())
	ts.Check(err)
	ts.Setenv("PG_URL", url)
}

// environ is the script's environment.
func environ(ts *testscript.TestScript) []string {
	var vars []string
	for _, name := range []string{"HOME", "USER", "PATH", "TMPDIR", "VOV_PASSWORD", "NC_URL", "TERM", "NO_COLOR", "CI",
		"KEYWARD_HOME", "KEYWARD_URL", "KEYWARD_CA_FILE", "KEYWARD_USER", "KEYWARD_PASSWORD_FILE", "KEYWARD_PIN"} {
		if value := ts.Getenv(name); value != "" {
			vars = append(vars, name+"="+value)
		}
	}
	return vars
}

// cmdPty runs a program at a pseudo-terminal and holds a dialogue with it:
// pty CODE DIALOGUE program [args]. A line "< text" of the dialogue waits for the
// text, a line "> text" types it, ^C interrupts. What was seen is left in the file tty.
func cmdPty(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: pty CODE dialogue program [args]")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	path := filepath.Join(program, args[2]+exe())
	if _, err := os.Stat(path); err != nil {
		path = args[2]
	}
	c := exec.CommandContext(ctx, path, args[3:]...)
	c.Dir, c.Env = ts.MkAbs("."), environ(ts)
	tty, err := pty.StartWithSize(c, &pty.Winsize{Rows: 25, Cols: 200})
	ts.Check(err)
	screen := &screen{tty: tty, changed: make(chan struct{}, 1), closed: make(chan struct{})}
	go screen.read()
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		line = strings.TrimSuffix(line, "\n")
		if text, found := strings.CutPrefix(line, ">"); found {
			_, err := tty.WriteString(strings.TrimPrefix(text, " ") + "\r")
			ts.Check(err)
		} else if line == "^C" {
			_, err := tty.Write([]byte{3})
			ts.Check(err)
		} else if text, found := strings.CutPrefix(line, "< "); found && !screen.await(ctx, text) {
			ts.Fatalf("waited for %q and saw:\n%s", text, screen.text())
		}
	}
	err = c.Wait()
	<-screen.closed
	_ = tty.Close()
	ts.Check(os.WriteFile(ts.MkAbs("tty"), []byte(screen.text()), 0o600))
	if got := strconv.Itoa(c.ProcessState.ExitCode()); got != args[0] {
		ts.Fatalf("exit code %s, want %s: %v\n%s", got, args[0], err, screen.text())
	}
}

// screen is what a program wrote to its pseudo-terminal.
type screen struct {
	tty     *os.File
	changed chan struct{}
	closed  chan struct{}

	mu   sync.Mutex
	seen []byte
	done int // how much of it the dialogue went past
}

func (s *screen) read() {
	defer close(s.closed)
	buf := make([]byte, 4096)
	for {
		n, err := s.tty.Read(buf)
		s.mu.Lock()
		s.seen = append(s.seen, buf[:n]...)
		s.mu.Unlock()
		select {
		case s.changed <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (s *screen) await(ctx context.Context, text string) bool {
	for {
		s.mu.Lock()
		at := bytes.Index(s.seen[s.done:], []byte(text))
		if at >= 0 {
			s.done += at + len(text)
		}
		s.mu.Unlock()
		if at >= 0 {
			return true
		}
		select {
		case <-s.changed:
		case <-s.closed:
			return strings.Contains(s.text()[s.done:], text)
		case <-ctx.Done():
			return false
		}
	}
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.seen)
}
