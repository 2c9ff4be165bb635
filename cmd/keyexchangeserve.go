package cmd

import (
	"cmp"
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/internal/fault"
	"keyward/keyexchange"
)

func (e *env) keyexchangeServeCommand() *cli.Command {
	return &cli.Command{
		Name: "serve", Usage: "give the keys to clients",
		Description: "Answers clients of napalm-logs as its own daemon does, whose flags --certificate, --keyfile, --auth-address and --auth-port it takes as well. ",
		UsageText: "keyward keyexchange serve --cert exchange.pkeycert.pem\n" +
			"keyward keyexchange serve --certificate server.crt --keyfile server.key --auth-address 0.0.0.0 --auth-port 49018",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "listen", EnvVars: variable("listen"), Value: ":" + strconv.Itoa(keyexchange.DefaultPort), Usage: "the `ADDRESS` and port; port 0 takes a free one; a socket that systemd passes on takes its place"},
			&cli.StringFlag{Name: "auth-address", EnvVars: variable("auth-address"), Usage: "the `ADDRESS` alone, as the original has it", DefaultText: "all"},
			&cli.IntFlag{Name: "auth-port", EnvVars: variable("auth-port"), Usage: "the port `N` alone, as the original has it", DefaultText: strconv.Itoa(keyexchange.DefaultPort)},
			&cli.StringFlag{Name: "cert", Aliases: []string{"certificate"}, EnvVars: variable("cert"), TakesFile: true, Usage: "the server's certificate, and those above it if any, in PEM `FILE`, with its key where there is no --key"},
			&cli.StringFlag{Name: "key", Aliases: []string{"keyfile"}, EnvVars: variable("key"), TakesFile: true, Usage: "its private key in PEM `FILE`", DefaultText: "that in --cert"},
			keyPasswordFlag("the password of an encrypted --key is the first line of `FILE`, - is stdin", "asked at the terminal"),
		}, exchangeKeysFlags(), []cli.Flag{
			&cli.IntFlag{Name: "max-clients", EnvVars: variable("max-clients"), Value: 8192, Usage: "how many clients `N` may be connected"},
			&cli.IntFlag{Name: "max-per-address", EnvVars: variable("max-per-address"), Value: 2048, Usage: "how many of them `N` from one address"},
			&cli.DurationFlag{Name: "step-timeout", EnvVars: variable("step-timeout"), Value: 10 * time.Second, Usage: "how much `TIME` a client has for TLS, and for each word up to the keys"},
			&cli.DurationFlag{Name: "idle-timeout", EnvVars: variable("idle-timeout"), Value: time.Minute, Usage: "how much `TIME` a client with keys has between two keep-alives, which come every 10 seconds"},
		}, logFlags("each client")),
		Action: e.keyexchangeServe,
	}
}

// keyexchangeServe reads all files before it takes the first client.
func (e *env) keyexchangeServe(c *cli.Context) error {
	if err := checkExchangeFlags(c); err != nil {
		return err
	}
	log, err := e.logger(c)
	if err != nil {
		return err
	}
	shown, err := e.exchangeIdentity(c, log)
	if err != nil {
		return err
	}
	address, err := exchangeAddress(c)
	if err != nil {
		return err
	}
	listener, err := apiListener(c.Context, address)
	if err != nil {
		return err
	}
	defer listener.Close()
	keys, err := e.exchangeKeys(c, log, true)
	if err != nil {
		return err
	}
	keeper := &keeper{log: log, shown: shown, reloads: []reload{{"certificate", shown.reload}}, looks: []reload{{"certificate", shown.look}}}
	return e.runExchange(c, keeper, doors{api: listener}, keys)
}

// checkExchangeFlags refuses what no client could use.
func checkExchangeFlags(c *cli.Context) error {
	if c.String("cert") == "" {
		return fault.New(fault.Usage, "give --cert the server's certificate with its key", "--cert is missing")
	}
	for _, flag := range []string{"max-clients", "max-per-address"} {
		if c.Int(flag) < 1 {
			return fault.New(fault.Usage, "give it 1 or more", "nobody can connect with --%s %d", flag, c.Int(flag))
		}
	}
	for _, flag := range []string{"step-timeout", "idle-timeout"} {
		if c.Duration(flag) <= 0 {
			return fault.New(fault.Usage, "give it as 10s or 1m, or leave it out", "no client is quick enough for --%s %s", flag, c.Duration(flag))
		}
	}
	return checkAddress(c, "listen")
}

// exchangeAddress is where to listen: --listen, or the original's --auth-address and --auth-port.
func exchangeAddress(c *cli.Context) (string, error) {
	if !c.IsSet("auth-address") && !c.IsSet("auth-port") {
		return c.String("listen"), nil
	}
	port := cmp.Or(c.Int("auth-port"), keyexchange.DefaultPort)
	if c.IsSet("auth-port") && (c.Int("auth-port") < 0 || c.Int("auth-port") > 65535) {
		return "", fault.New(fault.Usage, "give --auth-port 1 to 65535", "%d is no port", c.Int("auth-port"))
	}
	address := net.JoinHostPort(c.String("auth-address"), strconv.Itoa(port))
	if c.IsSet("listen") && c.String("listen") != address {
		return "", fault.New(fault.Usage, "give --listen, or --auth-address and --auth-port", "--listen %s and --auth-address with --auth-port %s are two places", c.String("listen"), address)
	}
	return address, nil
}

// exchangeIdentity is the server's certificate, which clients must take.
func (e *env) exchangeIdentity(c *cli.Context, log *slog.Logger) (*identity, error) {
	t := &tlsFiles{env: e, whose: "the server's certificate", c: c, log: log, flags: tlsFlags{"cert", "key", "key-password-file"}}
	i := t.identity(lookForChanges, func(ctx context.Context) (*shown, error) {
		next, err := t.load(ctx)
		if err == nil {
			err = forExchange(next.Leaf, e.now())
		}
		return next, err
	})
	return i, i.reload(c.Context)
}

// forExchange tells why clients would refuse a certificate. Names and whether it is a CA's do not matter to the original.
func forExchange(cert *x509.Certificate, now time.Time) error {
	const whose = "the server's certificate"
	const hint = "make one with: keyward gen-leaf-cert --profile server"
	uses := cert.ExtKeyUsage
	switch {
	case now.After(cert.NotAfter):
		return fault.New(fault.Policy, "renew it, for example with: keyward renew-cert", "%s: it ended %s", whose, cert.NotAfter.Format(time.DateOnly))
	case len(uses)+len(cert.UnknownExtKeyUsage) > 0 && !slices.Contains(uses, x509.ExtKeyUsageServerAuth) && !slices.Contains(uses, x509.ExtKeyUsageAny):
		return fault.New(fault.InvalidFile, hint, "%s: it is for %s, and not for a server", whose, certs.Purpose(cert))
	case cert.KeyUsage != 0 && cert.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment|x509.KeyUsageKeyAgreement) == 0:
		return fault.New(fault.InvalidFile, hint, "%s: its key usage lets it sign certificates alone, and not serve", whose)
	}
	return nil
}

// runExchange serves until a signal.
func (e *env) runExchange(c *cli.Context, keeper *keeper, doors doors, keys *exchangeKeys) error {
	ctx, signals, stop := e.signals(c.Context)
	defer stop()
	log := keeper.log
	server := keyexchange.NewServer(keyexchange.Config{
		TLS: keeper.shown.tlsConfig(), Ring: keys.Ring,
		MaxClients: c.Int("max-clients"), MaxPerAddress: c.Int("max-per-address"),
		StepTime: c.Duration("step-timeout"), IdleTime: c.Duration("idle-timeout"), Log: log, Now: e.now,
	})
	keeper.reloads, keeper.ended = append(keeper.reloads, reload{"exchange keys", keys.reload}), signals.ended
	address := strings.TrimPrefix(serverURL(doors.api.Addr(), keeper.shown.now.Load().Leaf.DNSNames), "https://")
	log.Info("ready", "address", address, "verify", keys.Ring().At(e.now()).Verify.String())
	if err := e.print(nil, address+"\n"); err != nil {
		return err
	}
	e.quiet = true // from here on the log speaks

	ctx, end := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer end()
	beside.Go(func() { keeper.keep(ctx, end, signals.hangup) })
	beside.Go(func() { keys.follow(ctx, server.Review) })
	return server.Serve(ctx, doors.api)
}
