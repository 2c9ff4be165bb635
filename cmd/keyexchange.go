package cmd

import (
	"github.com/urfave/cli/v2"
)

func (e *env) keyexchangeCommand() *cli.Command {
	return &cli.Command{
		Name: "keyexchange", Category: services,
		Usage: "publish and read a sealed stream, and give out its keys",
		Description: "Who publishes seals each message, and who reads gets the keys to open it from the exchange. " +
			"Clients of napalm-logs get their keys here unchanged.",
		UsageText: "keyward keyexchange serve --cert exchange.pkeycert.pem\nkeyward keyexchange rotate",
		Subcommands: []*cli.Command{
			e.keyexchangeServeCommand(),
			e.keyexchangeRotateCommand(),
			e.keyexchangePublishCommand(),
			e.keyexchangeFetchCommand(),
			e.keyexchangeSubscribeCommand(),
		},
	}
}
