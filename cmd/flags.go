package cmd

import (
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// variable is the environment variable of a setting: KEYWARD_ and the flag's name.
// Flags that are an act and no setting (--force, --yes, whom it is about) have none.
func variable(flag string) []string {
	return []string{"KEYWARD_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))}
}

// dropEmpty makes an empty variable count as none, and gives a repeatable flag the words of its variable.
func dropEmpty(flags []cli.Flag, getenv func(string) string) {
	set := func(vars []string) []string {
		return slices.DeleteFunc(slices.Clone(vars), func(name string) bool { return getenv(name) == "" })
	}
	for _, f := range flags {
		switch f := f.(type) {
		case *cli.StringFlag:
			f.EnvVars = set(f.EnvVars)
		case *cli.BoolFlag:
			f.EnvVars = set(f.EnvVars)
		case *cli.IntFlag:
			f.EnvVars = set(f.EnvVars)
		case *cli.DurationFlag:
			f.EnvVars = set(f.EnvVars)
		case *cli.StringSliceFlag:
			for _, name := range set(f.EnvVars) {
				f.Value = cli.NewStringSlice(strings.Fields(getenv(name))...)
			}
			f.EnvVars = nil
		}
	}
}

func (e *env) keyfileFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "keyfile", EnvVars: variable("keyfile"), TakesFile: true,
		Usage: "the user key `FILE`", DefaultText: "$HOME/.vov/userkey",
	}
}

func (e *env) jsonFlag() cli.Flag {
	return &cli.BoolFlag{
		Name: "json", EnvVars: variable("json"), Destination: &e.json,
		Usage: "print data, and errors on stderr, as JSON",
	}
}

func (e *env) quietFlag() cli.Flag {
	return &cli.BoolFlag{
		Name: "quiet", Aliases: []string{"q"}, EnvVars: variable("quiet"), Destination: &e.quiet,
		Usage: "no notes on stderr",
	}
}

func forceFlag(usage string) cli.Flag {
	return &cli.BoolFlag{Name: "force", Aliases: []string{"f"}, Usage: usage}
}

func urlFlag() cli.Flag {
	return &cli.StringFlag{Name: "url", EnvVars: []string{"KEYWARD_URL", "NC_URL"}, Usage: "the registry's `URL`; a path in it does not count"}
}

func caFileFlag() cli.Flag {
	return &cli.StringFlag{Name: "ca-file", EnvVars: variable("ca-file"), TakesFile: true, Usage: "trust the roots in this PEM `FILE` and no other"}
}

func pinFlag() cli.Flag {
	return &cli.StringFlag{Name: "pin", EnvVars: variable("pin"), Usage: "trust this public key of the server alone: `sha256:HEX` of its SubjectPublicKeyInfo"}
}

// serverFlags are those of every command that talks to a registry.
func (e *env) serverFlags() []cli.Flag {
	return []cli.Flag{
		urlFlag(),
		&cli.StringFlag{Name: "server", EnvVars: variable("server"), Usage: "the registry that is kept as `NAME` (keyward servers add)"},
		caFileFlag(), pinFlag(),
		&cli.BoolFlag{Name: "allow-http", EnvVars: variable("allow-http"), Usage: "plain http to another machine: everything sent can be read on the way"},
		&cli.DurationFlag{Name: "timeout", EnvVars: variable("timeout"), Value: 30 * time.Second, Usage: "give up after this `TIME`"},
		e.quietFlag(), e.jsonFlag(),
	}
}

func asFlag() cli.Flag {
	return &cli.StringFlag{Name: "as", EnvVars: []string{"KEYWARD_USER", "USER", "LOGNAME", "USERNAME"}, Usage: "log in as `NAME`"}
}

// loginFlags are serverFlags and who the caller is.
func (e *env) loginFlags(more ...cli.Flag) []cli.Flag {
	caller := []cli.Flag{
		asFlag(),
		&cli.StringFlag{Name: "password-file", EnvVars: variable("password-file"), TakesFile: true,
			Usage: "the password is the first line of `FILE`, - is stdin; else VOV_PASSWORD, else asked for"},
	}
	return append(append(more, caller...), e.serverFlags()...)
}

// severalServers makes --server repeatable in a command's flags.
func severalServers(flags []cli.Flag) []cli.Flag {
	i := slices.IndexFunc(flags, func(f cli.Flag) bool { return f.Names()[0] == "server" })
	flags[i] = &cli.StringSliceFlag{Name: "server", EnvVars: variable("server"), Usage: "a registry that is kept as `NAME` (keyward servers add); repeatable"}
	return flags
}
