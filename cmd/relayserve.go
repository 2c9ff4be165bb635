package cmd

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/fault"
	"keyward/relay"
)

// How often the relay looks for files that changed, and for peers whose certificates ended.
const (
	lookForChanges = 10 * time.Second
	lookForEnds    = time.Minute
)

func (e *env) relayServeCommand() *cli.Command {
	return &cli.Command{
		Name: "serve", Usage: "run the relay",
		Description: "Takes websockets at wss://HOST:PORT/PREFIX/ID. All that follows the prefix is the meetup id: the first peer of an id waits, the second meets it, and then each gets what the other sends, until one of them leaves. " +
			"Peers need a certificate that --ca-file signed, for a client or without a usage. Without --allow any two of them may meet; with it those whom its rules allow, and an empty file allows nobody. " +
			"With --crl a peer's certificate must be covered by a CRL of its issuer that is signed, in its time and does not list it: where the CRL is too old nobody is let in. " +
			"The certificate, the key, the CA, the CRLs and the rules are read again some seconds after their files change, and at a SIGHUP; what cannot be used is logged, and what was before stays. " +
			"Whoever is revoked by then, has ended or is not allowed any more is cut off. " +
			"When it is ready its URL is printed on stdout; the log goes to stderr. SIGINT and SIGTERM stop it, and the peers are told. `relay status` shows who is there.",
		UsageText: "keyward relay serve --cert relay.pkeycert.pem --ca-file root.cert.pem\n" +
			"keyward relay serve --listen :443 --cert relay.fullchain.pem --key relay.key.pem --ca-file root.cert.pem --crl root.crl.pem --allow relay.rules --metrics-listen 127.0.0.1:5051",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "listen", EnvVars: variable("listen"), Value: ":5050", Usage: "the `ADDRESS` and port; port 0 takes a free one; a socket that systemd passes on takes its place"},
			&cli.StringFlag{Name: "cert", EnvVars: variable("cert"), TakesFile: true, Usage: "the relay's certificate, and those above it if any, in PEM `FILE`, with its key where there is no --key"},
			&cli.StringFlag{Name: "key", EnvVars: variable("key"), TakesFile: true, Usage: "its private key in PEM `FILE`", DefaultText: "that in --cert"},
			keyPasswordFlag("the password of an encrypted key is the first line of `FILE`, - is stdin", "asked at the terminal"),
			&cli.StringFlag{Name: "ca-file", EnvVars: variable("client-ca-file"), TakesFile: true, Usage: "let in whom the CAs in this PEM `FILE` signed, and nobody else"},
			crlFlag(),
			&cli.StringFlag{Name: "allow", EnvVars: variable("allow"), TakesFile: true, Usage: "who may meet whom stands in the rules in `FILE`", DefaultText: "all whom the CA signed"},
			&cli.StringFlag{Name: "path-prefix", EnvVars: variable("path-prefix"), Value: relay.DefaultPathPrefix, Usage: "the `PATH` before the meetup id"},
			sizeFlag("max-message", "1MiB", "the `SIZE` of the largest message, as 65536, 64KiB or 1MB"),
			&cli.IntFlag{Name: "max-peers", EnvVars: variable("max-peers"), Value: 4096, Usage: "how many peers `N` may be connected"},
			&cli.IntFlag{Name: "max-per-address", EnvVars: variable("max-per-address"), Value: 1024, Usage: "how many of them `N` from one address"},
			&cli.IntFlag{Name: "max-per-peer", EnvVars: variable("max-per-peer"), Value: 2048, Usage: "how many of them `N` with the key of one certificate"},
			&cli.DurationFlag{Name: "hello-timeout", EnvVars: variable("hello-timeout"), Value: 10 * time.Second, Usage: "how much `TIME` a peer has to its HELLO"},
			&cli.DurationFlag{Name: "wait-timeout", EnvVars: variable("wait-timeout"), Usage: "how much `TIME` a peer may wait for another", DefaultText: "no limit"},
			metricsFlag(),
			adminSocketFlag(),
		}, logFlags("each peer")...),
		Action: e.relayServe,
	}
}

// relayServe reads all files before it takes the first peer.
func (e *env) relayServe(c *cli.Context) error {
	if err := checkRelayFlags(c); err != nil {
		return err
	}
	log, err := e.logger(c)
	if err != nil {
		return err
	}
	shown, err := e.relayIdentity(c, log)
	if err != nil {
		return err
	}
	trust := &relayTrust{clientCA: clientCA{log: log, now: e.now, flag: "ca-file", whom: "peers", file: c.String("ca-file"), crls: c.StringSlice("crl")}, rules: c.String("allow")}
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
	path, err := e.adminSocketPath(c)
	if err != nil {
		return err
	}
	admin, err := adminListener(c.Context, path)
	if err != nil {
		return err
	}
	defer admin.Close()
	keeper := &keeper{log: log, shown: shown, reloads: []reload{{"certificate", shown.reload}}, looks: []reload{{"certificate", shown.look}}}
	for _, source := range sources {
		keeper.reloads = append(keeper.reloads, reload{source.what, source.reload})
		keeper.looks = append(keeper.looks, reload{source.what, source.look})
	}
	return e.runRelay(c, keeper, doors, admin, trust)
}

// checkRelayFlags refuses what nobody could meet through.
func checkRelayFlags(c *cli.Context) error {
	for _, flag := range []string{"cert", "ca-file"} {
		if c.String(flag) == "" {
			return fault.New(fault.Usage, "give --cert the relay's certificate with its key, and --ca-file the CA of the peers", "--%s is missing", flag)
		}
	}
	if _, err := sizeOf(c, "max-message"); err != nil {
		return err
	}
	for _, flag := range []string{"max-peers", "max-per-address", "max-per-peer"} {
		if c.Int(flag) < 1 {
			return fault.New(fault.Usage, "give it 1 or more", "nobody can meet with --%s %d", flag, c.Int(flag))
		}
	}
	if err := checkCRLs(c); err != nil {
		return err
	}
	for _, flag := range []string{"listen", "metrics-listen"} {
		if err := checkAddress(c, flag); err != nil {
			return err
		}
	}
	if c.Duration("hello-timeout") <= 0 || c.Duration("wait-timeout") < 0 {
		return fault.New(fault.Usage, "give --hello-timeout as 10s and --wait-timeout as 5m, or leave them out", "a time to the HELLO has to be above 0, and one to wait not below")
	}
	if !strings.HasPrefix(c.String("path-prefix"), "/") {
		return fault.New(fault.Usage, "begin --path-prefix with a slash", "%q is no path", c.String("path-prefix"))
	}
	return nil
}

// relayIdentity is the relay's certificate, which has to be for a server now.
func (e *env) relayIdentity(c *cli.Context, log *slog.Logger) (*identity, error) {
	t := &tlsFiles{env: e, whose: "the relay's certificate", c: c, log: log, flags: tlsFlags{"cert", "key", "key-password-file"}}
	i := t.identity(lookForChanges, func(ctx context.Context) (*shown, error) {
		next, err := t.load(ctx)
		if err == nil {
			err = forServer(next.Leaf, e.now())
		}
		return next, err
	})
	return i, i.reload(c.Context)
}

// forServer tells why clients would refuse a certificate.
func forServer(cert *x509.Certificate, now time.Time) error {
	if certs.RoleOf(cert) != certs.Leaf {
		return fault.New(fault.InvalidFile, "give --cert one that the CA signed, made with: keyward gen-leaf-cert --profile server", "the relay's certificate: it is a CA's")
	}
	return servesNow("the relay's certificate", cert, now)
}

// servesNow tells why anybody would refuse a server's certificate.
func servesNow(whose string, cert *x509.Certificate, now time.Time) error {
	uses := cert.ExtKeyUsage
	switch {
	case now.After(cert.NotAfter):
		return fault.New(fault.Policy, "renew it, for example with: keyward renew-cert", "%s: it ended %s", whose, cert.NotAfter.Format(time.DateOnly))
	case len(uses)+len(cert.UnknownExtKeyUsage) > 0 && !slices.Contains(uses, x509.ExtKeyUsageServerAuth) && !slices.Contains(uses, x509.ExtKeyUsageAny):
		return fault.New(fault.InvalidFile, "make one with: keyward gen-leaf-cert --profile server", "%s: it is for %s, and not for a server", whose, certs.Purpose(cert))
	}
	return nil
}

// runRelay serves until a signal.
func (e *env) runRelay(c *cli.Context, keeper *keeper, doors doors, admin net.Listener, trust *relayTrust) error {
	ctx, signals, stop := e.signals(c.Context)
	defer stop()
	log := keeper.log
	maxMessage, err := sizeOf(c, "max-message")
	if err != nil {
		return err
	}
	server := relay.NewServer(relay.Config{
		TLS: trust.tlsConfig(keeper.shown), PathPrefix: c.String("path-prefix"), MaxMessage: maxMessage,
		MaxPeers: c.Int("max-peers"), MaxPerAddress: c.Int("max-per-address"), MaxPerPeer: c.Int("max-per-peer"),
		HelloTime: c.Duration("hello-timeout"), WaitTime: c.Duration("wait-timeout"),
		Permit: trust.permit, Refused: trust.refused, Log: log,
		Certificates: keeper.shown.certificates, NextUpdates: trust.nextUpdates,
	})
	review := reload{"peers", func(context.Context) error { trust.review(server); return nil }}
	keeper.reloads, keeper.looks, keeper.ended = append(keeper.reloads, review), append(keeper.looks, review), signals.ended
	warnOpenFiles(log, "max-peers", c.Int("max-peers"))
	if doors.metrics != nil {
		tellMetrics(log, doors.metrics.Addr())
	}
	url := "wss" + strings.TrimPrefix(serverURL(doors.api.Addr(), keeper.shown.now.Load().Leaf.DNSNames), "https") + c.String("path-prefix")
	log.Info("ready", "url", url)
	if err := e.print(nil, url+"\n"); err != nil {
		return err
	}
	e.quiet = true // from here on the log speaks

	ctx, end := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer end()
	beside.Go(func() { keeper.keep(ctx, end, signals.hangup) })
	beside.Go(func() { tellEnd(log, "no more status", serveAdmin(ctx, log, admin, server)) })
	if doors.metrics != nil {
		beside.Go(func() { tellEnd(log, "no more metrics", server.ServeMetrics(ctx, doors.metrics)) })
	}
	return server.Serve(ctx, doors.api)
}

// tellEnd logs that something beside the service failed.
func tellEnd(log *slog.Logger, what string, err error) {
	if err != nil {
		log.Error(what, "error", err)
	}
}
