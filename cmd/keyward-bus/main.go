// Keyward-bus serves a bus on one machine: a NATS server that takes the accounts of a registry. It is a program of its own since
// nats-server makes every start of keyward longer.
package main

import (
	"context"
	"os"

	"keyward/bus/natsembed"
	"keyward/cmd"
)

var version = "dev" // set by the linker in releases

func main() { os.Exit(cmd.BusMain(version, serve)) }

func serve(ctx context.Context, s cmd.BusServer) error {
	return natsembed.Serve(ctx, natsembed.Config{
		Authorizer: s.Authorizer, TLS: s.TLS, Listen: s.Listen, JetStream: s.JetStream, MaxConnections: s.MaxConnections, MaxPerAccount: s.MaxPerAccount,
		Review: s.Review, Ready: s.Ready, Metrics: s.Metrics, Now: s.Now, Log: s.Log,
	})
}
