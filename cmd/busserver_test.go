package cmd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// busServer builds keyward-bus, which takes its time: nats-server is in it.
var busServer = sync.OnceValue(func() error {
	c := exec.Command("go", "build", "-tags", "urfave_cli_no_docs", "-ldflags", "-X main.version=1.2.3", "-o", filepath.Join(program, "keyward-bus"+exe()), "keyward/cmd/keyward-bus")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
})

// cmdBusServer makes keyward-bus a program that scripts can run: busserver.
func cmdBusServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: busserver")
	}
	ts.Check(busServer())
}
