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
var stockServer = sync.OnceValue(func() error {
	c := exec.Command("go", "build", "-o", filepath.Join(program, "stock-nats-server"+exe()), "github.com/nats-io/nats-server/v2")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
})

// cmdStockServer makes stock-nats-server a program that scripts can run: stockserver.
func cmdStockServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: stockserver")
	}
	ts.Check(stockServer())
}
