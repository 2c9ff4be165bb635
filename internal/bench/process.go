package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// cost is what a process took: milliseconds from its start to its end, and of CPU with that
// of the processes it started.
type cost struct {
	wall, cpu float64
	peak      float64 // the most memory it held, in KiB; 0 where the system does not tell
}

// job is a command to be run, its output thrown away.
type job struct {
	dir  string
	env  []string // added to this program's
	code int      // with which it ends
	argv []string
}

// spend runs a command that ends well.
func spend(ctx context.Context, env []string, argv ...string) (cost, error) {
	return job{env: env, argv: argv}.spend(ctx)
}

func (j job) spend(ctx context.Context) (cost, error) {
	c := exec.CommandContext(ctx, j.argv[0], j.argv[1:]...)
	c.Dir = j.dir
	c.Env = append(os.Environ(), j.env...)
	start := time.Now()
	err := c.Run()
	wall := time.Since(start)
	switch {
	case c.ProcessState == nil:
		return cost{}, err
	case c.ProcessState.ExitCode() != j.code:
		return cost{}, explain(ctx, c, fmt.Errorf("exit code %d", c.ProcessState.ExitCode()))
	}
	return cost{ms(wall), ms(c.ProcessState.UserTime() + c.ProcessState.SystemTime()), peak(c.ProcessState)}, nil
}

// explain runs a command that failed once more, for what it says.
func explain(ctx context.Context, c *exec.Cmd, err error) error {
	again := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	again.Dir, again.Env = c.Dir, c.Env
	said, _ := again.CombinedOutput()
	return fmt.Errorf("%s: %w\n%s", c.Args, err, bytes.TrimSpace(said))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// command is what makes the i-th command line: each run may have a folder of its own.
type command func(i int) ([]string, error)

// always is a command that is the same each time.
func always(argv ...string) command {
	return func(int) ([]string, error) { return argv, nil }
}

// compare runs two commands by turns, n times after one turn that does not count, and
// returns their times and their CPU times.
func (b *bench) compare(ctx context.Context, n int, ours, ref command) (wall, cpu pairs, err error) {
	for i := range n + 1 {
		var costs [2]cost
		for j, next := range []command{ref, ours} {
			argv, err := next(i)
			if err != nil {
				return wall, cpu, err
			}
			if costs[j], err = spend(ctx, b.env, argv...); err != nil {
				return wall, cpu, err
			}
		}
		if i > 0 {
			wall.add(costs[1].wall, costs[0].wall)
			cpu.add(costs[1].cpu, costs[0].cpu)
		}
	}
	return wall, cpu, nil
}
