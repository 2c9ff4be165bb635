package cmd

import (
	"cmp"
	"context"
	"io"

	"github.com/urfave/cli/v2"

	"keyward/bus"
	"keyward/bus/natsclient"
	"keyward/fault"
)

func (e *env) busRequestCommand() *cli.Command {
	return &cli.Command{
		Name: "request", Usage: "ask a service, and print its reply",
		Description: "Sends --data, or all of stdin, to a message box of the account, or to --subject, and prints what the account of --ask replies; nobody else can. " +
			"The reply ends with a new line, and what would move the cursor of a terminal is replaced; --json has it whole: from, and data, or data64 in base64 where it is no UTF-8. " +
			"Code 7 is the answer where nobody hears the request, which is told at once, or nobody replies in time; 6 where the account may not send there.",
		UsageText: "keyward bus request --connect tls://nats.example.org:4222 --client-cert alice.pkeycert.pem --ca-file root.cert.pem --ask bob --emitter echo --data hello",
		Flags: e.busFlags(
			&cli.StringFlag{Name: "ask", Usage: "ask the service of this `ACCOUNT`"},
			&cli.StringFlag{Name: "emitter", EnvVars: variable("emitter"), Usage: "send as the emitter `NAME` of the account", DefaultText: "the account's name"},
			&cli.StringFlag{Name: "subject", EnvVars: variable("subject"), Usage: "send to this `SUBJECT`, and not to a message box"},
			&cli.StringFlag{Name: "data", Usage: "send this `TEXT`, and not stdin"},
			busTimeoutFlag("give up connecting, and waiting for the reply, after this `TIME`"),
		),
		Action: e.busRequest,
	}
}

func (e *env) busRequest(c *cli.Context) error {
	given := e.call.given
	to, err := bus.ParseName(c.String("ask"))
	switch {
	case c.String("ask") == "":
		return fault.New(fault.Usage, "give it as --ask ACCOUNT", "--ask is missing: whose service is asked")
	case err != nil:
		return err
	case given["emitter"] && given["subject"]:
		return fault.New(fault.Usage, "give one of them", "--emitter and --subject do not go together")
	case !given["data"] && c.String("client-key-password-file") == "-":
		return fault.New(fault.Usage, "give --client-key-password-file a file", "stdin has the request, and cannot have the key's password too")
	}
	return e.withBus(c, func(ctx context.Context, conn *natsclient.Conn) error {
		data, err := e.requestData(ctx, c)
		if err != nil {
			return err
		}
		subject := bus.MessageBox(conn.Account(), cmp.Or(bus.Name(c.String("emitter")), conn.Account()))
		if given["subject"] || !given["emitter"] && c.String("subject") != "" {
			subject = bus.Subject(c.String("subject"))
		}
		ctx, stop := context.WithTimeout(ctx, c.Duration("timeout"))
		defer stop()
		reply, err := conn.Request(ctx, to, subject, data)
		if err != nil {
			return err
		}
		return e.print(heardMessage{From: to}.withData(reply), printableLines(string(reply))+"\n")
	})
}

// requestData is what the request has.
func (e *env) requestData(ctx context.Context, c *cli.Context) ([]byte, error) {
	if e.call.given["data"] {
		return []byte(c.String("data")), nil
	}
	data, err := io.ReadAll(io.LimitReader(untilDone(ctx, e.stdin), maxBusMessage+1))
	if err != nil {
		return nil, fault.New(fault.Failed, "", "cannot read stdin: %w", err)
	}
	return data, nil
}
