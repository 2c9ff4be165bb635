package cmd

import (
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

	"keyward/fault"
	"keyward/keyexchange"
)

func (e *env) keyexchangeServeCommand() *cli.Command {
	return &cli.Command{
		Name: "serve", Usage: "give the keys to clients",
		Description: "Answers clients of napalm-logs on their port as its own daemon does, whose flags --certificate, --keyfile, --auth-address and --auth-port it takes as well. " +
			"The keys are in the file --exchange-keys, which `publish` seals with: the first start makes it, and a restart changes nothing. After `rotate` clients are sent away at the moment of the change, and fetch the new keys. " +
			"Without --allow whoever reaches the port gets the keys, as from the original. A line of its rules is allow or deny and then conditions, all of which must hold: from: with an address or a prefix, identities such as dns:, uri: or sha256:, or a star for everybody; " +
			"commas stand between alternatives, the first line that holds decides, and who meets none gets nothing. " +
			"With --client-ca clients are asked for a certificate. One that is shown must be signed by that CA, for a client, and with --crl be covered by a CRL of its issuer that is in its time and does not list it. Clients of napalm-logs have none, and may come where the rules let them by address: " +
			"so who is denied by certificate, or revoked, can come without one. --require-client-cert closes that door, and with it closes it to the original clients. " +
			"The certificate, the key, the CA, the CRLs and the rules are read again some seconds after their files change, the exchange keys within a second, and all at a SIGHUP; what cannot be used is logged, and what was before stays. " +
			"Who may not have the keys any more is sent away: rotate the keys then, since what it knows opens messages until they change. " +
			"When it is ready HOST:PORT is printed on stdout; the log goes to stderr. SIGINT and SIGTERM stop it.",
		UsageText: "keyward keyexchange serve --cert exchange.pkeycert.pem\n" +
			"keyward keyexchange serve --certificate server.crt --keyfile server.key --auth-address 0.0.0.0 --auth-port 49018\n" +
			"keyward keyexchange serve --cert exchange.pkeycert.pem --client-ca root.cert.pem --crl root.crl.pem --require-client-cert --allow exchange.rules --metrics-listen 127.0.0.1:49019",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "listen", EnvVars: variable("listen"), Value: ":" + strconv.Itoa(keyexchange.DefaultPort), Usage: "the `ADDRESS` and port; port 0 takes a free one; a socket that systemd passes on takes its place"},
			&cli.StringFlag{Name: "auth-address", EnvVars: variable("auth-address"), Usage: "the `ADDRESS` alone, as the original has it", DefaultText: "all"},
			&cli.IntFlag{Name: "auth-port", EnvVars: variable("auth-port"), Value: keyexchange.DefaultPort, Usage: "the port `N` alone, as the original has it"},
			&cli.StringFlag{Name: "cert", Aliases: []string{"certificate"}, EnvVars: variable("cert"), TakesFile: true, Usage: "the server's certificate, and those above it if any, in PEM `FILE`, with its key where there is no --key"},
			&cli.StringFlag{Name: "key", Aliases: []string{"keyfile"}, EnvVars: variable("key"), TakesFile: true, Usage: "its private key in PEM `FILE`", DefaultText: "that in --cert"},
			keyPasswordFlag("the password of an encrypted --key is the first line of `FILE`, - is stdin", "asked at the terminal"),
		}, exchangeKeysFlags(), []cli.Flag{
			&cli.StringFlag{Name: "client-ca", EnvVars: variable("client-ca"), TakesFile: true, Usage: "ask clients for a certificate that the CAs in this PEM `FILE` signed", DefaultText: "they are not asked"},
			crlFlag(),
			&cli.BoolFlag{Name: "require-client-cert", EnvVars: variable("require-client-cert"), Usage: "give nobody the keys who shows no certificate: no original client can"},
			&cli.StringFlag{Name: "allow", EnvVars: variable("allow"), TakesFile: true, Usage: "who gets the keys stands in the rules in `FILE`", DefaultText: "all who reach the port"},
			&cli.IntFlag{Name: "max-clients", EnvVars: variable("max-clients"), Value: 8192, Usage: "how many clients `N` may be connected"},
			&cli.IntFlag{Name: "max-per-address", EnvVars: variable("max-per-address"), Value: 2048, Usage: "how many of them `N` from one address"},
			&cli.DurationFlag{Name: "step-timeout", EnvVars: variable("step-timeout"), Value: 10 * time.Second, Usage: "how much `TIME` a client has for TLS, and for each word up to the keys"},
			&cli.DurationFlag{Name: "idle-timeout", EnvVars: variable("idle-timeout"), Value: time.Minute, Usage: "how much `TIME` a client with keys has between two keep-alives, which come every 10 seconds"},
			metricsFlag(),
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
	trust := e.exchangeTrust(c, log)
	sources := trust.sources()
	for _, source := range sources {
		if err := source.reload(c.Context); err != nil {
			return err
		}
	}
	doors, err := open(c)
	if err != nil {
		return err
	}
	defer doors.close()
	keys, err := e.exchangeKeys(c, log, true)
	if err != nil {
		return err
	}
	keeper := &keeper{log: log, shown: shown, reloads: []reload{{"certificate", shown.reload}, {"exchange keys", keys.reload}}, looks: []reload{{"certificate", shown.look}}}
	for _, source := range sources {
		keeper.reloads = append(keeper.reloads, reload{source.what, source.reload})
		keeper.looks = append(keeper.looks, reload{source.what, source.look})
	}
	return e.runExchange(c, keeper, doors, trust, keys)
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
	if c.String("client-ca") == "" && (c.Bool("require-client-cert") || len(c.StringSlice("crl")) > 0) {
		return fault.New(fault.Usage, "give --client-ca the CA that signs the clients", "--client-ca is missing: without it nobody is asked for a certificate")
	}
	if err := checkCRLs(c); err != nil {
		return err
	}
	if err := takeAuthAddress(c); err != nil {
		return err
	}
	for _, flag := range []string{"listen", "metrics-listen"} {
		if err := checkAddress(c, flag); err != nil {
			return err
		}
	}
	return nil
}

// takeAuthAddress puts the original's --auth-address and --auth-port, where they are given, into --listen.
func takeAuthAddress(c *cli.Context) error {
	if !c.IsSet("auth-address") && !c.IsSet("auth-port") {
		return nil
	}
	address := net.JoinHostPort(c.String("auth-address"), strconv.Itoa(c.Int("auth-port")))
	if c.IsSet("listen") && c.String("listen") != address {
		return fault.New(fault.Usage, "give --listen alone, or --auth-address and --auth-port", "--listen says %s, and --auth-address and --auth-port say %s", c.String("listen"), address)
	}
	return c.Set("listen", address)
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

// forExchange tells why clients would refuse a certificate. The original's are OpenSSL, and pin it: names and whether it is a
// CA's do not matter to them, but anyExtendedKeyUsage alone is no server's, and one of three key usages is needed where any is named.
func forExchange(cert *x509.Certificate, now time.Time) error {
	const whose = "the server's certificate"
	const hint = "make one with: keyward gen-leaf-cert --profile server"
	const serving = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement
	if err := servesNow(whose, cert, now); err != nil {
		return err
	}
	switch {
	case len(cert.ExtKeyUsage) > 0 && !slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageServerAuth):
		return fault.New(fault.InvalidFile, hint, "%s: it is for any use, and does not name a server's, which OpenSSL asks for", whose)
	case cert.KeyUsage != 0 && cert.KeyUsage&serving == 0:
		return fault.New(fault.InvalidFile, hint, "%s: its key usage has none that a server needs", whose)
	}
	return nil
}

// runExchange serves until a signal.
func (e *env) runExchange(c *cli.Context, keeper *keeper, doors doors, trust *exchangeTrust, keys *exchangeKeys) error {
	ctx, signals, stop := e.signals(c.Context)
	defer stop()
	log := keeper.log
	server := keyexchange.NewServer(keyexchange.Config{
		TLS: trust.tlsConfig(keeper.shown), Ring: keys.Ring, Permit: trust.permit, Refused: trust.refused,
		MaxClients: c.Int("max-clients"), MaxPerAddress: c.Int("max-per-address"),
		StepTime: c.Duration("step-timeout"), IdleTime: c.Duration("idle-timeout"), Log: log, Now: e.now,
		Certificates: keeper.shown.certificates, NextUpdates: trust.nextUpdates,
	})
	review := reload{"clients", func(context.Context) error { trust.review(server); return nil }}
	keeper.reloads, keeper.looks, keeper.ended = append(keeper.reloads, review), append(keeper.looks, review), signals.ended
	warnOpenFiles(log, "max-clients", c.Int("max-clients"))
	trust.warnOpen(doors.api.Addr())
	if doors.metrics != nil {
		tellMetrics(log, doors.metrics.Addr())
	}
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
	if doors.metrics != nil {
		beside.Go(func() { tellEnd(log, "no more metrics", server.ServeMetrics(ctx, doors.metrics)) })
	}
	return server.Serve(ctx, doors.api)
}
