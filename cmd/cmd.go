// Package cmd is keyward's command tree: flags, prompts, output and exit codes.
// One file holds one command or a small family, and is named like it.
//
// A command runs in three steps: Main makes the env, tidy finds the command and
// orders its arguments, and the command's action does the work and returns an
// error, whose kind becomes the exit code in report.
package cmd

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/internal/fault"
)

// The categories of commands, in the order of the help.
const (
	userKeys     = "USER KEYS"
	certificates = "CERTIFICATES"
	services     = "SERVICES"
	helpful      = "HELP"
)

// Main runs the program on the process's own arguments and files and returns its exit code.
func Main(version string) int {
	e := &env{
		version: version,
		stdin:   os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		getenv: os.Getenv,
		now:    clock(os.Getenv("SOURCE_DATE_EPOCH"), time.Now),
	}
	return e.main(context.Background(), os.Args)
}

func (e *env) main(ctx context.Context, args []string) int {
	app, args := e.called(args)
	c, args, err := tidy(app, args)
	if err == nil && c.help {
		return e.report(e.help(app, c))
	}
	if err != nil {
		e.json = asksJSON(args)
		return e.report(err)
	}
	e.given = c.given
	return e.report(app.RunContext(ctx, args))
}

// called gives the app and the arguments for the name that the program was called
// by: a link named like one of the originals is that tool.
func (e *env) called(args []string) (*cli.App, []string) {
	e.name = strings.TrimSuffix(filepath.Base(args[0]), ".exe")
	switch e.name {
	case "gen-root-cert", "gen-intermediate-cert", "gen-leaf-cert":
		e.script = true
		return e.app(), append([]string{"keyward", e.name}, args[1:]...)
	case "vovsecurity":
	default:
		e.name = "keyward"
	}
	app := e.app()
	app.Name = e.name
	return app, append([]string{e.name}, args[1:]...)
}

// tree is the command tree, for what is generated from it.
func tree() *cli.App { return new(env).app() }

func (e *env) app() *cli.App {
	app := &cli.App{
		Name:  "keyward",
		Usage: "makes, keeps, registers and uses a team's keys and certificates",
		Commands: []*cli.Command{
			e.keygenCommand(),
			e.getkeyCommand(),
			e.addkeyCommand(),
			e.listkeysCommand(),
			e.delkeyCommand(),
			e.getserverkeyCommand(),
			e.loginCommand(),
			e.genRootCertCommand(),
			e.genIntermediateCertCommand(),
			e.genLeafCertCommand(),
			e.serveCommand(),
			e.userCommand(),
			e.demoCommand(),
			e.completionCommand(),
			e.versionCommand(),
		},
		HideHelp:                  true,
		HideVersion:               true,
		DisableSliceFlagSeparator: true,
		Writer:                    e.stdout,
		ErrWriter:                 e.stderr,
		// urfave/cli would print and exit by itself.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   usageError,
	}
	for _, c := range app.Commands {
		quiet(c)
	}
	return app
}

// quiet takes the help and the usage errors of c and its subcommands from urfave/cli.
func quiet(c *cli.Command) {
	c.HideHelp = true
	c.OnUsageError = usageError
	for _, sub := range c.Subcommands {
		quiet(sub)
	}
}

func usageError(_ *cli.Context, err error, _ bool) error {
	return fault.New(fault.Usage, "see `keyward help`", "%w", err)
}
