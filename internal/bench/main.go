// The bench command measures keyward against references that it takes in the same run, by
// turns, and prints the tables of docs/performance.md. It runs on Linux and other Unixes;
// what a machine does not have the tools for is printed as not measured.
//
//	go run -tags urfave_cli_no_docs ./internal/bench [-short] [start] [leaf] [apply] [plan] [verify] [logins]
//		[pglogins] [replicas] [lookup] [listing] [relay] [keyexchange] [bus] [packages]
//	go run -tags urfave_cli_no_docs ./internal/bench [-soak 10m] soak
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	short := flags.Bool("short", false, "few repetitions: tells whether it works, not how fast it is")
	soak := flags.Duration("soak", time.Minute, "how long the part soak takes, which is measured only where it is named")
	address := flags.String("harm", "", "be the bad couple of the soak of the relay at this `ADDRESS`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *address != "" {
		return harm(ctx, *address, flags.Arg(0), stderr)
	}
	b := &bench{short: *short, soakTime: *soak, parts: flags.Args(), log: stderr}
	defer b.close()
	if err := b.prepare(ctx); err != nil {
		return err
	}
	return b.report(ctx, stdout)
}

// The sources that are built to be measured, from the module's folder.
const (
	keywardFolder = "./cmd/keyward"
	helloFolder   = "./internal/bench/testdata/hello"
	bareFolder    = "./internal/bench/testdata/bare"
	limitFolder   = "./internal/bench/testdata/limit"
	verifyFolder  = "./internal/bench/testdata/bareverify"
	rawFolder     = "./internal/bench/testdata/rawrelay"
	shakeFolder   = "./internal/bench/testdata/bareshake"
	minicaFolder  = "internal/bench/testdata/minica" // a module of its own
	scriptFile    = "internal/bench/testdata/micronets.sh"
)

// bench is what every measurement needs.
type bench struct {
	short    bool
	soakTime time.Duration
	parts    []string // what is measured; empty: all
	log      io.Writer
	root     string   // the module's folder
	dir      string   // temporary, on a disk
	mem      string   // temporary, in memory; empty where there is no such thing
	env      []string // added to the environment of what is measured

	keyward, hello, bare, limit, bareVerify, rawRelay, bareShake string // programs
}

// prepare builds the programs.
func (b *bench) prepare(ctx context.Context) (err error) {
	if b.root, err = output(ctx, "", "go", "list", "-m", "-f", "{{.Dir}}"); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "keyward-bench"); err != nil {
		return err
	}
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		b.mem, _ = os.MkdirTemp("/dev/shm", "keyward-bench")
	}
	b.env = []string{"HOME=" + b.dir}
	for _, p := range []struct {
		program      *string
		name, folder string
	}{
		{&b.keyward, "keyward", keywardFolder},
		{&b.hello, "hello", helloFolder},
		{&b.bare, "bare", bareFolder},
		{&b.limit, "limit", limitFolder},
		{&b.bareVerify, "bareverify", verifyFolder},
		{&b.rawRelay, "rawrelay", rawFolder},
		{&b.bareShake, "bareshake", shakeFolder},
	} {
		fmt.Fprintln(b.log, "building", p.name)
		if *p.program, err = b.build(ctx, p.name, tag, p.folder); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) close() {
	for _, dir := range []string{b.dir, b.mem} {
		if dir != "" {
			_ = os.RemoveAll(dir)
		}
	}
}

// report measures all that was asked for and prints the tables.
func (b *bench) report(ctx context.Context, w io.Writer) error {
	var rows []row
	for _, part := range []struct {
		name    string
		measure func(context.Context) ([]row, error)
	}{
		{"start", b.start},
		{"leaf", b.leaf},
		{"apply", b.apply},
		{"plan", b.plan},
		{"verify", b.verify},
		{"logins", b.logins},
		{"pglogins", b.pglogins},
		{"replicas", b.replicas},
		{"lookup", b.lookup},
		{"listing", b.listing},
		{"relay", b.relayed},
		{"keyexchange", b.exchanged},
		{"bus", b.onBus},
		{"soak", b.soak},
	} {
		if !b.wants(part.name) {
			continue
		}
		more, err := part.measure(ctx)
		if err != nil {
			printRows(w, rows) // a run takes long
			return fmt.Errorf("%s: %w", part.name, err)
		}
		rows = append(rows, more...)
	}
	fmt.Fprintf(w, "%s\n\n", b.machine(ctx))
	printRows(w, rows)
	if !b.wants("packages") {
		return nil
	}
	return errors.Join(b.packages(ctx, w), b.inits(ctx, w))
}

func (b *bench) wants(part string) bool {
	if named := slices.Contains(b.parts, part); !named && (len(b.parts) > 0 || part == "soak") {
		return false
	}
	fmt.Fprintln(b.log, "measuring", part)
	return true
}

// machine says what the numbers come from.
func (b *bench) machine(ctx context.Context) string {
	openssl := "no OpenSSL"
	if version, err := exec.CommandContext(ctx, "openssl", "version").Output(); err == nil {
		openssl = strings.Join(strings.Fields(string(version))[:2], " ")
	}
	return fmt.Sprintf("%s/%s, %d cores, %s, %s. A ratio is ours over the reference: the median of the pairs of the run, and the bounds of their middle half.",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), openssl)
}

// times is how often to repeat: n, or little in a short run.
func (b *bench) times(n int) int {
	if b.short {
		return min(n, 3)
	}
	return n
}

// start measures commands that do next to nothing over a program that prints one line.
func (b *bench) start(ctx context.Context) ([]row, error) {
	if _, err := spend(ctx, b.env, b.keyward, "keygen"); err != nil {
		return nil, err
	}
	var rows []row
	for _, arg := range []string{"--version", "getkey"} {
		wall, cpu, err := b.compare(ctx, b.times(200), always(b.keyward, arg), always(b.hello))
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{
			what: "start: `keyward " + arg + "` over a Go program that prints one line",
			unit: milliseconds, pairs: wall, cpu: cpu, target: target{sign: atMost, bound: 2.5},
		})
	}
	return rows, nil
}
