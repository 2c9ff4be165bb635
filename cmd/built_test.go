package cmd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// stockServer builds the NATS server that go.mod names, without a line of ours: Debian's is too old for the bus.
var stockServer = built("stock-nats-server", "github.com/nats-io/nats-server/v2")

// built is a build of a program that scripts can run, done once and when it is wanted: nats-server takes its time.
func built(name string, args ...string) func() error {
	return sync.OnceValue(func() error {
		c := exec.Command("go", append([]string{"build", "-o", filepath.Join(program, name+exe())}, args...)...)
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, out)
		}
		return nil
	})
}

// cmdBuilt makes a program that scripts can run: stockserver, busserver.
func cmdBuilt(build func() error) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) > 0 {
			ts.Fatalf("it takes nothing")
		}
		ts.Check(build())
	}
}

// busServer builds keyward-bus.
var busServer = built("keyward-bus", "-tags", "urfave_cli_no_docs", "-ldflags", "-X main.version=1.2.3", "keyward/cmd/keyward-bus")
