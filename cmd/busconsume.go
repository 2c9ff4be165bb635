package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"keyward/bus"
	"keyward/bus/natsclient"
	"keyward/fault"
)

func (e *env) busConsumeCommand() *cli.Command {
	return &cli.Command{
		Name: "consume", Usage: "print what a role of the account hears",
		Description: "Hears as a consumer or a worker of the account, and prints each message as a line of JSON: from and emitter, which are the account and the emitter that sent it, as the subject proves; " +
			"subject; and data, or data64 in base64 where it is no UTF-8. A subject that is no message box proves nobody, and from and emitter are left out. Workers of one account and name share the messages, consumers get them all. " +
			"It runs until it is interrupted, and prints what has come by then, or until --count messages. It waits for a server that is not there yet, and connects again where the connection is lost, for a minute or two.",
		UsageText: "keyward bus consume --connect tls://nats.example.org:4222 --client-cert carol.pkeycert.pem --ca-file root.cert.pem --consumer log --subject 'xbus.msgbox.*'\n" +
			"keyward bus consume --connect tls://nats.example.org:4222 --client-cert dave.pkeycert.pem --ca-file root.cert.pem --worker jobs | jq .data",
		Flags: e.busFlags(
			&cli.StringFlag{Name: "consumer", EnvVars: variable("consumer"), Usage: "hear as the consumer `NAME`"},
			&cli.StringFlag{Name: "worker", EnvVars: variable("worker"), Usage: "hear as the worker `NAME`"},
			busSubjectsFlag(),
			&cli.IntFlag{Name: "count", EnvVars: variable("count"), Usage: "end after `N` messages; what has come beyond is lost", DefaultText: "never"},
		),
		Action: e.busConsume,
	}
}

// heardMessage is a message that came, as it is printed.
type heardMessage struct {
	From    bus.Name `json:"from,omitempty"`
	Emitter bus.Name `json:"emitter,omitempty"`
	Subject string   `json:"subject,omitempty"`
	Data    *string  `json:"data,omitempty"`
	Data64  []byte   `json:"data64,omitempty"`
}

// withData puts the data into the member that can have it.
func (m heardMessage) withData(data []byte) heardMessage {
	if !utf8.Valid(data) {
		m.Data64 = data
		return m
	}
	text := string(data)
	m.Data = &text
	return m
}

var errEnough = errors.New("enough messages came")

func (e *env) busConsume(c *cli.Context) error {
	role, err := busRole(c, bus.Consumer, bus.Worker)
	if err != nil {
		return err
	}
	left := c.Int("count")
	if left < 0 || c.IsSet("count") && left == 0 {
		return fault.New(fault.Usage, "give 1 or more", "--count %d is no number of messages", left)
	}
	return e.endless(c, func(ctx context.Context, conn *natsclient.Conn) error {
		l, err := conn.Listen(ctx, role)
		if err != nil {
			return err
		}
		e.listening(conn, role)
		err = l.Consume(ctx, func(m natsclient.Message) error {
			if err := e.printHeard(m); err != nil {
				return err
			}
			if left--; left == 0 {
				return errEnough
			}
			return nil
		})
		if errors.Is(err, errEnough) {
			return nil
		}
		return err
	})
}

func (e *env) printHeard(m natsclient.Message) error {
	line, err := json.Marshal(heardMessage{From: m.From, Emitter: m.Emitter, Subject: m.Subject}.withData(m.Data))
	if err == nil {
		_, err = e.stdout.Write(append(plain(line), '\n'))
	}
	return err
}
