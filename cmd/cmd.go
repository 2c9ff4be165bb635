// Package cmd is keyward's command tree: flags, prompts, output and exit codes.
// One file holds one command or a small family, and is named like it.
//
// A command runs in three steps: Main makes the env, tidy finds the command and
// orders its arguments, and the command's action does the work and returns an
// error, whose kind becomes the exit code in report.
package cmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/fault"
)

// The categories of commands, in the order of the help.
const (
	userKeys     = "USER KEYS"
	certificates = "CERTIFICATES"
	services     = "SERVICES"
	helpful      = "HELP"
)

// ownName is the program's. Under other names it is one of the originals.
const ownName = "keyward"

// Main runs the program on the process's own arguments and files and returns its exit code.
func Main(version string) int {
	e := newEnv(version)
	app, args := e.called(os.Args)
	return e.main(context.Background(), app, args)
}

func newEnv(version string) *env {
	return &env{
		version: version,
		stdin:   os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		getenv: os.Getenv,
		now:    time.Now,
	}
}

func (e *env) main(ctx context.Context, app *cli.App, args []string) int {
	wantsJSON := e.wantsJSON(args)
	c, args, err := tidy(app, args)
	switch {
	case err != nil:
	case c.help:
		err = e.help(app, c)
	case c.twice != nil && (e.name == ownName || e.name == busServer): // an original takes the last value, and scripts may rely on it
		err = c.twice
	default:
		e.call = c
		dropEmpty(c.command().Flags, e.getenv)
		err = app.RunContext(ctx, args)
	}
	if !e.running {
		e.json = wantsJSON // it was not parsed, or not to the end
	}
	return e.report(err)
}

// called gives the app and the arguments for the name that the program was called
// by: a link named like one of the originals is that tool.
func (e *env) called(args []string) (*cli.App, []string) {
	e.name = strings.TrimSuffix(filepath.Base(args[0]), ".exe")
	switch e.name {
	case "gen-root-cert", "gen-intermediate-cert", "gen-leaf-cert":
		e.script = true
		return e.app(e.name), append([]string{"keyward", e.name}, args[1:]...)
	case testClient:
		e.script = true
		app := e.app("relay")
		app.Name = testClient
		return app, append([]string{"keyward", "relay", "connect"}, args[1:]...)
	case "vovsecurity":
	default:
		e.name = ownName
	}
	if len(args) > 1 && args[1] == "--version" {
		args = append([]string{e.name, "version"}, args[2:]...)
	}
	first := ""
	if len(args) > 1 {
		first = args[1]
	}
	app := e.app(first)
	app.Name = e.name
	return app, append([]string{e.name}, args[1:]...)
}

// tree is the whole command tree, for what is generated from it.
func tree() *cli.App { return new(env).app("") }

// maker makes a command when it is needed: a start is felt each time.
type maker struct {
	name string
	make func() *cli.Command
}

// commands are all commands, in the order of the help.
func (e *env) commands() []maker {
	return []maker{
		{"keygen", e.keygenCommand},
		{"getkey", e.getkeyCommand},
		{"addkey", e.addkeyCommand},
		{"listkeys", e.listkeysCommand},
		{"delkey", e.delkeyCommand},
		{"rotatekey", e.rotatekeyCommand},
		{"prune", e.pruneCommand},
		{"getserverkey", e.getserverkeyCommand},
		{"login", e.loginCommand},
		{"seal", e.sealCommand},
		{"open", e.openCommand},
		{"servers", e.serversCommand},
		{"gen-root-cert", e.genRootCertCommand},
		{"gen-intermediate-cert", e.genIntermediateCertCommand},
		{"gen-leaf-cert", e.genLeafCertCommand},
		{"gen-csr", e.genCSRCommand},
		{"sign-csr", e.signCSRCommand},
		{"renew-cert", e.renewCertCommand},
		{"show-cert", e.showCertCommand},
		{"verify-cert", e.verifyCertCommand},
		{"export-cert", e.exportCertCommand},
		{"list-certs", e.listCertsCommand},
		{"revoke-cert", e.revokeCertCommand},
		{"gen-crl", e.genCRLCommand},
		{"ledger", e.ledgerCommand},
		{"check-expiry", e.checkExpiryCommand},
		{"plan", e.planCommand},
		{"apply", e.applyCommand},
		{"ensure", e.ensureCommand},
		{"serve", e.serveCommand},
		{"user", e.userCommand},
		{"backup", e.backupCommand},
		{"restore", e.restoreCommand},
		{"store", e.storeCommand},
		{"audit", e.auditCommand},
		{"serverkey", e.serverkeyCommand},
		{"relay", e.relayCommand},
		{"keyexchange", e.keyexchangeCommand},
		{"bus", e.busCommand},
		{"demo", e.demoCommand},
		{"doctor", e.doctorCommand},
		{"completion", e.completionCommand},
		{"version", e.versionCommand},
	}
}

// app has the one command that is called, or all where that is none of them.
func (e *env) app(called string) *cli.App {
	commands := e.commands()
	if i := slices.IndexFunc(commands, func(m maker) bool { return m.name == called }); i >= 0 {
		commands = commands[i : i+1]
	}
	app := e.emptyApp()
	for _, c := range commands {
		e.give(app, c.make())
	}
	return app
}

// give gives an app a command.
func (e *env) give(app *cli.App, c *cli.Command) {
	e.takeOver(c)
	app.Commands = append(app.Commands, c)
}

func (e *env) emptyApp() *cli.App {
	return &cli.App{
		Name:                      "keyward",
		Usage:                     "makes, keeps, registers and uses a team's keys and certificates",
		HideHelp:                  true,
		HideVersion:               true,
		DisableSliceFlagSeparator: true,
		Writer:                    e.stdout,
		ErrWriter:                 e.stderr,
		// urfave/cli would print and exit by itself.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   e.usageError,
	}
}

// takeOver takes the help and the usage errors of c and its subcommands from urfave/cli.
func (e *env) takeOver(c *cli.Command) {
	c.HideHelp = true
	c.OnUsageError = e.usageError
	if act := c.Action; act != nil {
		c.Action = func(ctx *cli.Context) error {
			e.running = true
			return act(ctx)
		}
	}
	for _, sub := range c.Subcommands {
		e.takeOver(sub)
	}
}

// usageError is what package flag says of a value, with the flag as people type it, or what is wrong with a variable.
func (e *env) usageError(_ *cli.Context, err error, _ bool) error {
	var value, kind, name string
	if _, other := fmt.Sscanf(err.Error(), "could not parse %q as %s value from environment variable %q", &value, &kind, &name); other == nil {
		hint := map[string]string{"bool": "write true or false", "int": "write a number in digits alone", "duration": "write a time as 10s or 5m"}[kind]
		return fault.New(fault.Usage, hint+"; "+e.call.helpHint(), "%s cannot be %q", name, value)
	}
	words, hint := strings.Replace(err.Error(), "flag -", "flag --", 1), e.call.helpHint()
	if strings.HasPrefix(words, "invalid value ") && strings.HasSuffix(words, ": parse error") {
		hint = "write a time as 10s or 5m, and a number in digits alone; " + hint
	}
	return fault.New(fault.Usage, hint, "%s", words)
}
