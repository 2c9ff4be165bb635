package cmd

import (
	"github.com/urfave/cli/v2"
)

func (e *env) busCommand() *cli.Command {
	return &cli.Command{
		Name: "bus", Category: services,
		Usage: "talk over NATS, where a certificate opens exactly its own doors",
		Description: "The client certificate names an account, and the account says what its connections may send and hear. " +
			"So a message's subject proves who sent it, and replies can be neither read nor faked by others.",
		UsageText: "keyward bus serve-echo --connect tls://nats.example.org:4222 --client-cert bob.pkeycert.pem --ca-file root.cert.pem --service echo\n" +
			"keyward bus request --connect tls://nats.example.org:4222 --client-cert alice.pkeycert.pem --ca-file root.cert.pem --ask bob --emitter echo --data hello",
		Subcommands: []*cli.Command{
			e.busAccountCommand(),
			e.busConfigCommand(),
			e.busAuthorizeCommand(),
			e.busEmitCommand(),
			e.busConsumeCommand(),
			e.busRequestCommand(),
			e.busServeEchoCommand(),
		},
	}
}
