package cmd_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"keyward/internal/killsweep"
)

// sweep is a command that writes files, and how to tell that none of them is damaged.
type sweep struct {
	name    string
	files   []string   // what there is in the end
	before  [][]string // the commands that make the state to start from
	command []string   // the one that is killed, or whose disk is full
	read    []string   // a command that reads what was written, and fails where it does not belong together
	again   []string   // the next command on that name
	atLeast int        // how many calls it makes that change files
}

var issuer = []string{"--ca-certfile", "inter.cert.pem", "--ca-keyfile", "inter.key.pem"}

func sweeps() []sweep {
	root := []string{"gen-root-cert", "--cert-basename", "root", "-q"}
	inter := []string{"gen-intermediate-cert", "--cert-basename", "inter", "-q", "--ca-certfile", "root.cert.pem", "--ca-keyfile", "root.key.pem"}
	leaf := append([]string{"gen-leaf-cert", "--cert-basename", "leaf", "-q", "--force"}, issuer...)
	keygen := []string{"keygen", "--keyfile", "userkey", "-q"}
	getkey := []string{"getkey", "--keyfile", "userkey"}
	set := []string{"inter.cert.der", "inter.cert.pem", "inter.key.pem"}
	csr := []string{"gen-csr", "--cert-basename", "web", "-q", "--san", "a.example"}
	sign := append([]string{"sign-csr", "web.csr.pem", "--cert-basename", "web", "-q", "--allow", "a.example", "--dry-run"}, issuer...)
	renew := []string{"renew-cert", "--now", "--rekey", "inter", "-q", "--ca-certfile", "root.cert.pem", "--ca-keyfile", "root.key.pem"}
	web := []string{"gen-leaf-cert", "--cert-basename", "web", "-q", "--ca-certfile", "root.cert.pem", "--ca-keyfile", "root.key.pem"}
	revoke := []string{"revoke-cert", "web.cert.pem", "--yes", "-q", "--if-missing", "--ca-certfile", "root.cert.pem", "--ca-keyfile", "root.key.pem"}
	lists := []string{"root.crl.der", "root.crl.pem"}
	force := func(args []string) []string { return append(args[:len(args):len(args)], "--force") }
	export := func(name string) []string {
		return []string{"export-cert", name, "--to", "fullchain,pkeycert", "--ca-key", "--ca-certfile", "root.cert.pem", "--cert-basename", "out", "-q"}
	}
	probe := []string{"export-cert", "out.pkeycert.pem", "--to", "k8s", "--ca-key", "--ca-certfile", "root.cert.pem", "--dry-run"}
	return []sweep{
		{"keygen", []string{"userkey"}, nil, keygen, getkey, force(keygen), 8},
		{"keygen over a pair", []string{"userkey"}, [][]string{keygen}, force(keygen), getkey, force(keygen), 15},
		{"certificate", set, [][]string{root}, inter, leaf, force(inter), 20},
		{"certificate over one", set, [][]string{root, inter}, force(inter), leaf, force(inter), 20},
		{"request over one", []string{"web.csr.pem", "web.key.pem"}, [][]string{root, inter, csr}, force(csr), sign, force(csr), 20},
		{"export over one", []string{"out.fullchain.pem", "out.pkeycert.pem"}, [][]string{root, inter, export("root")}, force(export("inter")), probe, force(export("inter")), 20},
		{"revocation", lists, [][]string{root, web}, revoke, []string{"list-certs", "root.cert.pem"}, revoke, 30},
		{"renewal", set, [][]string{root, inter}, renew, leaf, renew, 20},
	}
}

func TestKilledWhileWriting(t *testing.T) {
	for _, s := range sweeps() {
		t.Run(s.name, func(t *testing.T) { s.run(t, killsweep.Kill) })
	}
}

func TestFullDisk(t *testing.T) {
	for _, s := range sweeps() {
		t.Run(s.name, func(t *testing.T) { s.run(t, killsweep.NoSpace) })
	}
}

func (s sweep) run(t *testing.T, fault string) {
	var dir string
	var old map[string]string
	prepare := func(t *testing.T) *exec.Cmd {
		dir = t.TempDir()
		for _, args := range s.before {
			must(t, dir, args)
		}
		old = contents(t, dir)
		return command(dir, s.command)
	}
	sweep := killsweep.Sweep{Fault: fault, AtLeast: s.atLeast}
	if fault == killsweep.NoSpace {
		sweep.Calls = []string{"openat", "write", "fsync", "?link", "linkat", "?rename", "?renameat", "renameat2"}
		sweep.AtLeast = 3
	}
	sweep.Run(t, prepare, func(t *testing.T, r killsweep.Run) {
		if fault == killsweep.NoSpace && r.Exit != 0 && r.Faults == 1 { // after two the next run cleans up
			unchanged(t, old, contents(t, dir))
		}
		s.whole(t, dir, old[s.files[0]] != "")
		must(t, dir, s.again)
		s.whole(t, dir, true)
		s.nothingElse(t, dir)
	})
}

// whole checks that what is there belongs together: the old files or the new ones.
func (s sweep) whole(t *testing.T, dir string, there bool) {
	t.Helper()
	out, err := command(dir, s.read).CombinedOutput()
	exit, failed := errors.AsType[*exec.ExitError](err)
	if failed && exit.ExitCode() == 4 && !there {
		return // nothing was made yet
	}
	if err != nil {
		t.Errorf("%v: %v\n%s", s.read, err, out)
	}
}

// nothingElse checks that there is no staged file, journal or lock.
func (s sweep) nothingElse(t *testing.T, dir string) {
	t.Helper()
	for name := range contents(t, dir) {
		if strings.HasPrefix(name, ".") {
			t.Errorf("%s is left", name)
		}
	}
	for _, name := range s.files {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// unchanged passes ledgers: what they note first may then not be placed.
func unchanged(t *testing.T, before, after map[string]string) {
	t.Helper()
	for name, text := range before {
		if after[name] != text && !strings.HasSuffix(name, ".ledger") {
			t.Errorf("%s was changed", name)
		}
	}
	for name := range after {
		if _, found := before[name]; !found && !strings.HasSuffix(name, ".ledger") {
			t.Errorf("%s is left", name)
		}
	}
}

func command(dir string, args []string) *exec.Cmd {
	c := exec.Command(filepath.Join(program, "keyward"), args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "HOME="+dir, "GOMAXPROCS=1")
	return c
}

func must(t *testing.T, dir string, args []string) {
	t.Helper()
	if out, err := command(dir, args).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, bytes.TrimSpace(out))
	}
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[entry.Name()] = string(text)
	}
	return all
}
