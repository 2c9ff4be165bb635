package cmd

import (
	"github.com/urfave/cli/v2"

	"keyward/relay"
)

func (e *env) relayCommand() *cli.Command {
	return &cli.Command{
		Name: "relay", Category: services,
		Usage: "let two peers meet over websockets with mutual TLS",
		Description: "Both peers connect to the relay, none to the other: so a service behind a firewall can be reached without an open port. " +
			"Peers of Micronets, whose websocket proxy it is a drop-in for, meet through it unchanged.",
		UsageText: "keyward relay serve --cert relay.pkeycert.pem --ca-file root.cert.pem\nkeyward relay status\n" +
			"keyward relay connect --client-cert peer.pkeycert.pem --ca-file root.cert.pem --http-proxy :5001 wss://relay.example.org:5050" + relay.DefaultPathPrefix + "shop",
		Subcommands: []*cli.Command{
			e.relayServeCommand(),
			e.relayStatusCommand(),
			e.relayConnectCommand(),
		},
	}
}
