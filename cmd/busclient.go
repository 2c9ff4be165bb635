package cmd

import (
	"context"
	"errors"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/bus"
	"keyward/bus/natsclient"
	"keyward/fault"
)

// busFlags are of every client of the bus, after those that are the command's own.
func (e *env) busFlags(own ...cli.Flag) []cli.Flag {
	return append(own,
		&cli.StringFlag{Name: "connect", EnvVars: variable("connect"), Usage: "the NATS server, as `tls://HOST:PORT`"},
		&cli.StringFlag{Name: "client-cert", EnvVars: variable("client-cert"), TakesFile: true, Usage: "show the account's certificate in PEM `FILE`, with its intermediates and key (gen-leaf-cert --account NAME --pkeycert)"},
		&cli.StringFlag{Name: "client-key", EnvVars: variable("client-key"), TakesFile: true, Usage: "its private key in PEM `FILE`", DefaultText: "in --client-cert"},
		&cli.StringFlag{Name: "client-key-password-file", EnvVars: variable("client-key-password-file"), TakesFile: true, Usage: "the password of an encrypted key is the first line of `FILE`, - is stdin", DefaultText: "asked at the terminal"},
		&cli.StringFlag{Name: "ca-file", EnvVars: variable("ca-file"), TakesFile: true, Usage: "trust the NATS server below the roots in this PEM `FILE` and no other", DefaultText: "the system's"},
		e.quietFlag(), e.jsonFlag(),
	)
}

// busTimeoutFlag is of those that do one thing after the other, and wait for each.
func busTimeoutFlag(usage string) cli.Flag {
	return &cli.DurationFlag{Name: "timeout", EnvVars: variable("timeout"), Value: 10 * time.Second, Usage: usage}
}

// withBus connects to the bus, and works until the work is done, or somebody asks it to end, which is an error where the work is not. The flag
// timeout, where the command has one, is the time for connecting and for each answer of the server.
func (e *env) withBus(c *cli.Context, work func(context.Context, *natsclient.Conn) error) error {
	config, err := e.busClientConfig(c)
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGPIPE) // it would end the program without a word
	ctx, stop := untilSignal(c.Context)
	defer stop()
	conn, err := connectBus(ctx, config)
	if err != nil {
		return err
	}
	err = work(ctx, conn)
	if closed := conn.Close(); err == nil {
		err = closed
	}
	return err
}

// endless is withBus for work without an end of its own: being asked to end is none of its errors.
func (e *env) endless(c *cli.Context, work func(context.Context, *natsclient.Conn) error) error {
	if err := e.withBus(c, work); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func connectBus(ctx context.Context, config natsclient.Config) (*natsclient.Conn, error) {
	if config.StepTime == 0 {
		return natsclient.Connect(ctx, config)
	}
	ctx, stop := context.WithTimeout(ctx, config.StepTime)
	defer stop()
	return natsclient.Connect(ctx, config)
}

// busClientConfig is what the flags say of the server and of us.
func (e *env) busClientConfig(c *cli.Context) (natsclient.Config, error) {
	config := natsclient.Config{URL: c.String("connect"), StepTime: c.Duration("timeout"), Log: e.noteLog()}
	switch {
	case config.URL == "":
		return config, fault.New(fault.Usage, "give it as --connect tls://HOST:4222", "no NATS server is named: --connect is missing")
	case c.String("client-cert") == "":
		return config, fault.New(fault.Usage, "give the account's, as `gen-leaf-cert --account NAME --pkeycert` makes it", "the bus takes nobody without a certificate, and --client-cert is missing")
	case config.StepTime < 0 || c.IsSet("timeout") && config.StepTime == 0:
		return config, fault.New(fault.Usage, "give a time as 30s", "--timeout is not more than nothing")
	}
	if !strings.Contains(config.URL, "://") {
		config.URL = "tls://" + config.URL
	}
	trust, shown, err := e.natsTLS(c, "")
	if err != nil {
		return config, err
	}
	config.TLS = trust
	config.Account, err = natsclient.AccountOf(shown.shown.Leaf, "")
	return config, err
}

// busRole is the role that the one of some flags names, with the subjects of --subject.
func busRole(c *cli.Context, kinds ...bus.Kind) (bus.Role, error) {
	var role bus.Role
	for _, kind := range kinds {
		name := c.String(string(kind))
		switch {
		case name == "":
		case role.Name != "":
			return role, fault.New(fault.Usage, "give one of them", "--%s and --%s do not go together", role.Kind, kind)
		default:
			role.Kind, role.Name = kind, bus.Name(name)
		}
	}
	if role.Name == "" {
		return role, fault.New(fault.Usage, "name the role with --"+string(kinds[0])+" or --"+string(kinds[1]), "no role of the account is named")
	}
	for _, subject := range c.StringSlice("subject") {
		role.Subjects = append(role.Subjects, bus.Pattern(subject))
	}
	_, err := bus.ParseName(string(role.Name))
	return role, err
}

func busSubjectsFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "subject", EnvVars: variable("subject"), Usage: "hear this `PATTERN`, as the role has it; repeatable", DefaultText: "the message boxes xbus.msgbox.*.NAME"}
}

// listening says what a role hears.
func (e *env) listening(conn *natsclient.Conn, role bus.Role) {
	words := make([]string, 0, len(role.Heard()))
	for _, pattern := range role.Heard() {
		words = append(words, string(pattern))
	}
	e.note("ready: %s hears %s as %s %s", conn.Account(), printable(strings.Join(words, ", ")), role.Kind, role.Name)
}
