package cmd

import (
	"context"

	"github.com/urfave/cli/v2"

	"keyward/bus"
	"keyward/bus/natsclient"
)

func (e *env) busServeEchoCommand() *cli.Command {
	return &cli.Command{
		Name: "serve-echo", Usage: "answer each request with what it says",
		Description: "A service for trying out a bus: it hears as a service or a worker of the account, and replies to each request with its own data. " +
			"A request whose reply subject is not in the requester's own inbox gets no reply, and is told on stderr: else whoever asks could have it write to somebody else. " +
			"It runs until it is interrupted. It waits for a server that is not there yet, and connects again where the connection is lost, for a minute or two.",
		UsageText: "keyward bus serve-echo --connect tls://nats.example.org:4222 --client-cert bob.pkeycert.pem --ca-file root.cert.pem --service echo",
		Flags: e.busFlags(
			&cli.StringFlag{Name: "service", EnvVars: variable("service"), Usage: "serve as the service `NAME`"},
			&cli.StringFlag{Name: "worker", EnvVars: variable("worker"), Usage: "serve as the worker `NAME`, which shares the requests with others of that name"},
			busSubjectsFlag(),
		),
		Action: e.busServeEcho,
	}
}

func (e *env) busServeEcho(c *cli.Context) error {
	role, err := busRole(c, bus.Service, bus.Worker)
	if err != nil {
		return err
	}
	return e.endless(c, func(ctx context.Context, conn *natsclient.Conn) error {
		l, err := conn.Listen(ctx, role)
		if err != nil {
			return err
		}
		e.listening(conn, role)
		answered := 0
		err = l.Reply(ctx, func(m natsclient.Message) ([]byte, error) {
			answered++
			return m.Data, nil
		})
		e.note("answered %d, refused %d", answered, l.Refused())
		return err
	})
}
