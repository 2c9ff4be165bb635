package cmd

import (
	"cmp"
	"context"
	"errors"
	"io"

	"github.com/urfave/cli/v2"

	"keyward/bus"
	"keyward/bus/natsclient"
	"keyward/fault"
)

func (e *env) busEmitCommand() *cli.Command {
	return &cli.Command{
		Name: "emit", Usage: "send to the account's own message box",
		Description: "Sends each line of stdin as a message, or the one of --data, to xbus.msgbox.ACCOUNT.EMITTER, or xbus.msgbox.ACCOUNT for an emitter of the account's own name. " +
			"The next line is sent when the NATS server has taken the one before. It ends with stdin, or with the first message that is refused: code 6 is the answer where the account has no such emitter. " +
			"While the server is away a line waits, for --timeout at most; one that was on its way when the connection broke may be there or not, and ends it with code 7 and the line's number. Whether somebody hears a message, nobody knows: ask with bus request.",
		UsageText: "keyward bus emit --connect tls://nats.example.org:4222 --client-cert alice.pkeycert.pem --ca-file root.cert.pem --data hello\n" +
			"tail -F readings | keyward bus emit --connect tls://nats.example.org:4222 --client-cert alice.pkeycert.pem --ca-file root.cert.pem --emitter readings",
		Flags: e.busFlags(
			&cli.StringFlag{Name: "emitter", EnvVars: variable("emitter"), Usage: "send as the emitter `NAME` of the account", DefaultText: "the account's name"},
			&cli.StringFlag{Name: "data", Usage: "send this `TEXT`, and not stdin's lines"},
			busTimeoutFlag("give up connecting, and each message, after this `TIME`"),
		),
		Action: e.busEmit,
	}
}

func (e *env) busEmit(c *cli.Context) error {
	if !e.call.given["data"] && c.String("client-key-password-file") == "-" {
		return fault.New(fault.Usage, "give --client-key-password-file a file", "stdin has the messages, and cannot have the key's password too")
	}
	return e.withBus(c, func(ctx context.Context, conn *natsclient.Conn) error {
		emitter := cmp.Or(bus.Name(c.String("emitter")), conn.Account())
		if e.call.given["data"] {
			return conn.Emit(ctx, emitter, []byte(c.String("data")))
		}
		e.note("ready: lines go to %s", printable(string(bus.MessageBox(conn.Account(), emitter))))
		return e.emitLines(ctx, conn, emitter)
	})
}

// maxBusMessage is the most that a NATS server can be told to take.
const maxBusMessage = 64 << 20

// emitLines sends stdin's lines.
func (e *env) emitLines(ctx context.Context, conn *natsclient.Conn, emitter bus.Name) error {
	in := make(chan inputLine)
	go readLines(e.stdin, maxBusMessage, in)
	for n := 1; ; n++ {
		select {
		case line := <-in:
			switch {
			case errors.Is(line.err, io.EOF):
				return nil
			case line.err != nil:
				return fault.New(fault.Failed, "", "cannot read stdin: %w", line.err)
			}
			if err := conn.Emit(ctx, emitter, line.text); err != nil {
				return fault.New(kindOf(err), fault.HintOf(err), "cannot send line %d of stdin: %w", n, err)
			}
		case <-conn.Ended():
			return conn.Emit(ctx, emitter, nil) // which says why
		case <-ctx.Done():
			return nil
		}
	}
}
