package cmd

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/internal/durable"
)

func (e *env) demoCommand() *cli.Command {
	return &cli.Command{
		Name: "demo", Category: helpful,
		Usage: "show the whole story in a temporary folder",
		Description: "Makes a key pair, starts a registry on its own certificates, registers the key, lists it, logs in with it and deletes it; " +
			"then makes a root, an intermediate and a leaf certificate. Each step is a real command line, run as printed, over TLS on loopback.",
		UsageText: "keyward demo\nkeyward demo --keep ./demo",
		Flags:     []cli.Flag{&cli.StringFlag{Name: "keep", EnvVars: variable("keep"), Usage: "do it in `DIR`, a new or empty folder, and leave the files"}},
		Action:    e.demo,
	}
}

// demo is one run of the story.
type demo struct {
	*env
	program string // this binary
	dir     string // where it happens
	vars    []string
}

func (e *env) demo(c *cli.Context) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	dir, done, err := demoFolder(c.String("keep"))
	if err != nil {
		return err
	}
	defer done()
	ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	d := &demo{env: e, program: program, dir: dir, vars: demoVariables(dir)}
	if err := d.story(ctx); ctx.Err() != nil {
		return fault.New(fault.Failed, "", "interrupted")
	} else if err != nil {
		return err
	}
	d.say("\nWhat next: `keyward serve` starts your own registry, `keyward help` lists the commands,\nand each one's --help has examples.")
	if c.String("keep") != "" {
		d.say("The files are in %s.", dir)
	} else {
		d.say("The files are gone; `keyward demo --keep DIR` leaves them.")
	}
	return nil
}

// demoFolder is an empty folder, and what to do with it in the end.
func demoFolder(keep string) (dir string, done func(), err error) {
	if keep == "" {
		dir, err = os.MkdirTemp("", "keyward-demo-")
		return dir, func() { _ = os.RemoveAll(dir) }, err
	}
	if err := durable.MakeFolder(keep, 0o700); err != nil {
		return "", nil, err
	}
	entries, err := os.ReadDir(keep)
	if err == nil && len(entries) > 0 {
		err = fault.New(fault.Exists, "give --keep a new folder", "%s is not empty", keep)
	}
	if err != nil {
		return "", nil, err
	}
	dir, err = filepath.Abs(keep)
	return dir, func() {}, err
}

// demoVariables is the environment without what would lead the story astray.
func demoVariables(home string) []string {
	own := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "KEYWARD_") || strings.HasPrefix(v, "NC_URL=") || strings.HasPrefix(v, "VOV_PASSWORD=") ||
			strings.HasPrefix(v, "HOME=") || strings.HasPrefix(v, "USERPROFILE=") || strings.HasPrefix(v, "XDG_")
	})
	return append(own, "HOME="+home, "USERPROFILE="+home)
}

func (d *demo) story(ctx context.Context) error {
	d.say("# A key pair of your own.")
	d.export("HOME=" + d.dir)
	if err := d.run(ctx, "keygen"); err != nil {
		return err
	}
	key, err := d.output(ctx, "getkey")
	if err != nil {
		return err
	}
	if err := d.registry(ctx, key); err != nil {
		return err
	}
	d.say("\n# Certificates: a root, an intermediate below it, a leaf for a service.")
	return d.each(ctx,
		[]string{"gen-root-cert", "--cert-basename", "root", "--subject-org-name", "Example Root"},
		[]string{"gen-intermediate-cert", "--cert-basename", "intermediate", "--subject-org-name", "Example Intermediate", "--path-len", "0",
			"--ca-certfile", "root.cert.pem", "--ca-keyfile", "root.key.pem"},
		[]string{"gen-leaf-cert", "--cert-basename", "web", "--subject-org-name", "Example", "--san", "web.example.org", "--pkeycert",
			"--ca-certfile", "intermediate.cert.pem", "--ca-keyfile", "intermediate.key.pem"},
	)
}

// registry tells the part of the story that needs a server.
func (d *demo) registry(ctx context.Context, key string) error {
	d.say("\n# A registry: the first start makes its keys, its certificates and an administrator.")
	stop, url, err := d.serve(ctx)
	if err != nil {
		return err
	}
	d.export("KEYWARD_URL="+url, "KEYWARD_CA_FILE=registry/ca.cert.pem")
	if err := d.password("alice-password"); err != nil {
		return err
	}
	err = d.each(ctx,
		[]string{"user", "add", "alice", "--as", "admin", "--password-file", "registry/admin-password", "--new-password-file", "alice-password"},
		[]string{"getserverkey"},
	)
	if err == nil {
		d.say("\n# Alice registers the key with her password, and from then on logs in with the key itself.")
		d.export("KEYWARD_USER=alice", "KEYWARD_PASSWORD_FILE=alice-password")
		err = d.each(ctx,
			[]string{"addkey", "-kd", "my laptop"},
			[]string{"listkeys"},
			[]string{"login", "--with-key"},
			[]string{"delkey", "-kv", key},
			[]string{"listkeys"},
		)
	}
	if stopErr := stop(); err == nil {
		err = stopErr
	}
	return err
}

// password writes a new password into a file.
func (d *demo) password(file string) error {
	password := rand.Text()
	d.say("$ (umask 077; echo %s >%s)", password, file)
	return os.WriteFile(filepath.Join(d.dir, file), []byte(password+"\n"), 0o600)
}

// serve starts the registry and gives its URL once it is ready, and what stops it.
func (d *demo) serve(ctx context.Context) (stop func() error, url string, err error) {
	args := []string{"serve", "--listen", "127.0.0.1:0", "--data-dir", "registry"}
	d.say("$ keyward %s &", quoted(args))
	ctx, cancel := context.WithCancel(ctx)
	c := d.command(ctx, args)
	c.Cancel = func() error { return interrupt(c.Process) }
	c.WaitDelay = 20 * time.Second
	var log strings.Builder // a line a request
	c.Stderr = &log
	stdout, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		cancel()
		return nil, "", err
	}
	stop = func() error {
		cancel()
		if err := c.Wait(); err != nil && c.ProcessState.ExitCode() != 0 && ctx.Err() == nil {
			return fmt.Errorf("the registry: %w", err)
		}
		return nil
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		_ = stop()
		return nil, "", fmt.Errorf("the registry did not start: %w\n%s", err, log.String())
	}
	d.say("%s", strings.TrimSpace(line))
	return stop, strings.TrimSpace(line), nil
}

func (d *demo) each(ctx context.Context, lines ...[]string) error {
	for _, args := range lines {
		if err := d.run(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) run(ctx context.Context, args ...string) error {
	_, err := d.output(ctx, args...)
	return err
}

// output prints a command line, runs it, prints what it says and returns its stdout.
func (d *demo) output(ctx context.Context, args ...string) (string, error) {
	d.say("$ keyward %s", quoted(args))
	c := d.command(ctx, args)
	var out strings.Builder
	c.Stdout = io.MultiWriter(&out, d.stdout)
	c.Stderr = d.stdout
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("keyward %s: %w", args[0], err)
	}
	return strings.TrimSpace(out.String()), nil
}

func (d *demo) command(ctx context.Context, args []string) *exec.Cmd {
	c := exec.CommandContext(ctx, d.program, args...) //nolint:gosec // this program, with the story's arguments
	c.Dir, c.Env = d.dir, d.vars
	return c
}

func (d *demo) export(vars ...string) {
	d.vars = append(d.vars, vars...)
	d.say("$ export %s", strings.Join(vars, " "))
}

func (d *demo) say(format string, args ...any) { _, _ = fmt.Fprintf(d.stdout, format+"\n", args...) }

// quoted writes arguments as they would be typed.
func quoted(args []string) string {
	words := slices.Clone(args)
	for i, word := range words {
		if strings.ContainsAny(word, " $\"'&;|<>()*?") {
			words[i] = "'" + word + "'"
		}
	}
	return strings.Join(words, " ")
}
