package cmd_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"keyward/internal/killsweep"
)

const (
	small  = "certificates:\n  root: {}\n  web: {issuer: root, san: web.example.org}\nuser-keys: {ci: }\n"
	change = "certificates:\n  root: {}\n  web: {issuer: root, san: [web.example.org, www.example.org], outputs: pkeycert}\nuser-keys: {ci: }\n"
)

// TestApplyKilled kills an apply at each of its calls that change files: plan still understands what is
// there, and apply again ends the work.
func TestApplyKilled(t *testing.T) {
	for name, before := range map[string][]string{"from nothing": nil, "over others": {small}} {
		t.Run(name, func(t *testing.T) { sweepApply(t, killsweep.Sweep{Fault: killsweep.Kill, AtLeast: 40}, before) })
	}
}

// TestApplyFullDisk refuses space at each call: what was made stays whole.
func TestApplyFullDisk(t *testing.T) {
	sweepApply(t, killsweep.Sweep{
		Fault: killsweep.NoSpace, AtLeast: 10,
		Calls: []string{"openat", "write", "fsync", "?link", "linkat", "?rename", "?renameat", "renameat2", "mkdirat"},
	}, []string{small})
}

func sweepApply(t *testing.T, sweep killsweep.Sweep, before []string) {
	var dir string
	prepare := func(t *testing.T) *exec.Cmd {
		dir = t.TempDir()
		for _, text := range before {
			manifest(t, dir, text)
			must(t, dir, []string{"apply", "-q"})
		}
		manifest(t, dir, change)
		return command(dir, []string{"apply", "--parallel", "1"})
	}
	sweep.Run(t, prepare, func(t *testing.T, r killsweep.Run) {
		understood(t, dir, r)
		must(t, dir, []string{"apply"})
		asManifest(t, dir)
	})
}

func manifest(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "keyward.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// understood checks that plan finds nothing that is damaged.
func understood(t *testing.T, dir string, r killsweep.Run) {
	t.Helper()
	out, err := command(dir, []string{"plan"}).CombinedOutput()
	if exit, failed := errors.AsType[*exec.ExitError](err); !failed || exit.ExitCode() != 10 && exit.ExitCode() != 12 {
		t.Errorf("plan after %v: %v\n%s\n%s", r, err, out, r.Output)
	}
}

// asManifest checks that everything is there, whole, noted and verified, and nothing else.
func asManifest(t *testing.T, dir string) {
	t.Helper()
	out, err := command(dir, []string{"plan"}).CombinedOutput()
	if exit, failed := errors.AsType[*exec.ExitError](err); !failed || exit.ExitCode() != 12 {
		t.Errorf("plan after apply: %v\n%s", err, out)
	}
	must(t, dir, []string{"verify-cert", "--ca-file", "root.cert.pem", "--name", "www.example.org", "web.cert.pem", "web.pkeycert.pem"})
	must(t, dir, []string{"ledger", "verify", "root.ledger", "--ca-certfile", "root.cert.pem"})
	must(t, dir, []string{"getkey", "--keyfile", "ci.userkey"})
	for name := range contents(t, dir) {
		if strings.HasPrefix(name, ".") {
			t.Errorf("%s is left", name)
		}
	}
}

// TestApplyTwoAtOnce lets several runs make the same folder: each certificate is signed once.
func TestApplyTwoAtOnce(t *testing.T) {
	const runs, leaves = 4, 40
	dir := t.TempDir()
	var text strings.Builder
	text.WriteString("certificates:\n  root: {}\n  inter: {issuer: root, role: intermediate}\n")
	for i := range leaves {
		text.WriteString("  leaf" + strings.Repeat("x", i) + ": {issuer: inter, san: leaf.example.org, outputs: pkeycert}\n")
	}
	text.WriteString("user-keys: {ci: }\n")
	manifest(t, dir, text.String())
	var started sync.WaitGroup
	for range runs {
		started.Go(func() {
			if out, err := command(dir, []string{"apply"}).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	started.Wait()
	out, err := command(dir, []string{"list-certs", "inter.ledger"}).Output()
	if err != nil {
		t.Fatal(err)
	}
	if signed := strings.Count(string(out), "leaf.example.org"); signed != leaves {
		t.Errorf("%d certificates in the ledger, want %d", signed, leaves)
	}
	out, err = command(dir, []string{"plan"}).CombinedOutput()
	if exit, failed := errors.AsType[*exec.ExitError](err); !failed || exit.ExitCode() != 12 {
		t.Errorf("plan: %v\n%s", err, out)
	}
}
