package cmd

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/bus"
	"keyward/bus/natsauth"
	"keyward/fault"
	"keyward/internal/durable"
	"keyward/internal/secretfile"
)

// busServer is the program that serves a bus by itself.
const busServer = "keyward-bus"

// BusServer is what a NATS server is made of, after its flags. It stands between this package and natsembed, which only keyward-bus
// links: see natsembed.Config.
type BusServer struct {
	Authorizer     *natsauth.Authorizer
	TLS            *tls.Config
	Listen         string
	JetStream      string
	MaxConnections int
	MaxPerAccount  int
	Review         <-chan struct{}
	Ready          func(net.Addr)
	Metrics        *natsauth.Metrics
	Now            func() time.Time
	Log            *slog.Logger
}

// serveBus serves until its context ends.
type serveBus func(context.Context, BusServer) error

// BusMain is Main of the program keyward-bus. Of the other commands nothing is linked.
func BusMain(version string, serve func(context.Context, BusServer) error) int {
	e := newEnv(version)
	e.name = busServer
	if slices.Equal(os.Args[1:], []string{"--version"}) {
		return e.report(e.print(nil, fmt.Sprintf("%s %s\n", busServer, version)))
	}
	app := e.emptyApp()
	app.Name = busServer
	e.give(app, e.busServerCommand(serve))
	return e.main(context.Background(), app, append([]string{busServer, busServer}, os.Args[1:]...))
}

func (e *env) busServerCommand(serve serveBus) *cli.Command {
	return &cli.Command{
		Name: busServer, Category: services,
		Usage: "serve a bus on one machine: a NATS server that takes the registry's accounts",
		Description: "Runs a NATS server in which each client has exactly the permissions of the account that its certificate opens. It is for one machine and for trying a bus out: `keyward bus authorize` has the same done by any NATS server or cluster. " +
			"A certificate is verified: its chain to --client-ca, its time, that it is for a client, and with --crl that a CRL of its issuer covers it, is in its time and does not list it. " +
			"It must have one URI, of --trust-domain, and the account that this names must be in --store, take the certificate and not be revoked. " +
			"--store is that of a registry, which may run beside it: for an SQLite file as the same user, on the same machine. " +
			"An account that is changed or revoked loses its connections within a tenth of a second, and certificates that are no more trusted some seconds after the CA or a CRL changes. " +
			"Where the store does not answer, connections stay and new ones are refused. " +
			"The server's certificate, the CA and the CRLs are read again some seconds after their files change, and at a SIGHUP; what cannot be used is logged, and what was before stays. " +
			"With --jetstream the server has NATS's streams. No account reaches NATS's own subjects, so none can make or read one: they are for what is to come. " +
			"When it is ready its URL is printed on stdout; the log goes to stderr. SIGINT and SIGTERM stop it.",
		UsageText: "keyward-bus --cert nats.pkeycert.pem --client-ca root.cert.pem --trust-domain example.org\n" +
			"keyward-bus --listen 127.0.0.1:4222 --store postgres://keyward@db.example.org/keyward --cert nats.fullchain.pem --key nats.key.pem --client-ca clients.cert.pem --crl clients.crl.pem --trust-domain example.org",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "listen", EnvVars: variable("listen"), Value: ":4222", Usage: "the `ADDRESS` and port; port 0 takes a free one"},
			&cli.StringFlag{Name: "cert", EnvVars: variable("cert"), TakesFile: true, Usage: "the server's certificate, and those above it if any, in PEM `FILE`, with its key where there is no --key"},
			&cli.StringFlag{Name: "key", EnvVars: variable("key"), TakesFile: true, Usage: "its private key in PEM `FILE`", DefaultText: "that in --cert"},
			keyPasswordFlag("the password of an encrypted key is the first line of `FILE`, - is stdin", "asked at the terminal"),
			&cli.StringFlag{Name: "client-ca", EnvVars: variable("client-ca"), TakesFile: true, Usage: "let in whom the CAs in this PEM `FILE` signed, and nobody else"},
			crlFlag(),
			trustDomainFlag("take certificates of this `TRUST-DOMAIN`, such as example.org"),
			&cli.IntFlag{Name: "max-connections", EnvVars: variable("max-connections"), Value: 4096, Usage: "how many connections `N` may be open"},
			&cli.IntFlag{Name: "max-per-account", EnvVars: variable("max-per-account"), Value: 1024, Usage: "how many of them `N` with one account"},
			&cli.StringFlag{Name: "jetstream", EnvVars: variable("jetstream"), TakesFile: true, Usage: "have NATS's streams, in `DIR`", DefaultText: "no streams"},
			metricsFlag(),
		}, storeFlags(), logFlags("each client"), []cli.Flag{e.jsonFlag()}),
		Action: func(c *cli.Context) error { return e.busServe(c, serve) },
	}
}

// busServe reads all files before it takes the first client.
func (e *env) busServe(c *cli.Context, serve serveBus) error {
	if err := checkBusServer(c); err != nil {
		return err
	}
	log, err := e.logger(c)
	if err != nil {
		return err
	}
	shown, err := e.busIdentity(c, log)
	if err != nil {
		return err
	}
	ca := &clientCA{log: log, now: e.now, flag: "client-ca", whom: "clients", file: c.String("client-ca"), crls: c.StringSlice("crl")}
	source := ca.source()
	if err := source.reload(c.Context); err != nil {
		return err
	}
	if err := streamsFolder(c.String("jetstream")); err != nil {
		return err
	}
	metrics, err := metricsListener(c)
	if err != nil {
		return err
	}
	if metrics != nil {
		defer metrics.Close()
	}
	_, where, err := e.storeThere(c)
	if err != nil {
		return err
	}
	db, err := openBeside(c.Context, where, nil)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	log.Info("store", "place", where.String())
	keeper := &keeper{
		log: log, shown: shown,
		reloads: []reload{{"certificate", shown.reload}, {source.what, source.reload}},
		looks:   []reload{{"certificate", shown.look}, {source.what, source.look}},
	}
	config := shown.tlsConfig()
	ca.ask(config, tls.RequireAnyClientCert)
	return e.runBusServer(c, keeper, ca, metrics, serve, BusServer{
		Authorizer: &natsauth.Authorizer{Accounts: db, TrustDomain: c.String("trust-domain"), Verify: ca.verify},
		TLS:        config, Listen: c.String("listen"), JetStream: c.String("jetstream"), MaxConnections: c.Int("max-connections"), MaxPerAccount: c.Int("max-per-account"),
		Metrics: natsauth.NewMetrics(shown.certificates, ca.nextUpdates), Now: e.now, Log: log,
	})
}

// checkBusServer refuses what nobody could be let in with.
func checkBusServer(c *cli.Context) error {
	hints := []struct{ flag, hint string }{
		{"cert", "give --cert a file with the server's certificate and its key, as `keyward gen-leaf-cert --profile server --pkeycert` makes it"},
		{"client-ca", "give --client-ca the CA of the clients"},
		{"trust-domain", "give --trust-domain the one that `keyward gen-leaf-cert --account` was given, such as example.org"},
	}
	for _, missing := range hints {
		if c.String(missing.flag) == "" {
			return fault.New(fault.Usage, missing.hint, "--%s is missing", missing.flag)
		}
	}
	if err := checkCRLs(c); err != nil {
		return err
	}
	for _, flag := range []string{"max-connections", "max-per-account"} {
		if c.Int(flag) < 1 {
			return fault.New(fault.Usage, "give --"+flag+" 1 or more", "nobody can connect with --%s %d", flag, c.Int(flag))
		}
	}
	for _, flag := range []string{"listen", "metrics-listen"} {
		if err := checkAddress(c, flag); err != nil {
			return err
		}
	}
	_, err := bus.Identity(c.String("trust-domain"), "a")
	return err
}

// busIdentity is the server's certificate, which has to be for a server now.
func (e *env) busIdentity(c *cli.Context, log *slog.Logger) (*identity, error) {
	t := &tlsFiles{env: e, whose: "the server's certificate", c: c, log: log, flags: tlsFlags{"cert", "key", "key-password-file"}}
	i := t.identity(lookForChanges, func(ctx context.Context) (*shown, error) {
		next, err := t.load(ctx)
		if err == nil {
			err = servesNow("the server's certificate", next.Leaf, e.now())
		}
		return next, err
	})
	return i, i.reload(c.Context)
}

// streamsFolder makes the folder of JetStream, for its owner alone, or refuses one that others can write to.
func streamsFolder(dir string) error {
	if dir == "" {
		return nil
	}
	if err := durable.MakeFolder(dir, 0o700); err != nil {
		return fault.New(kindOf(err), "give --jetstream a folder that can be written", "cannot make the folder of the streams: %w", err)
	}
	return secretfile.FolderExposed(dir)
}

// runBusServer serves until a signal.
func (e *env) runBusServer(c *cli.Context, keeper *keeper, ca *clientCA, metrics net.Listener, serve serveBus, server BusServer) error {
	ctx, signals, stop := e.signals(c.Context)
	defer stop()
	ca.due() // whom is trusted did not change yet
	reviews := make(chan struct{}, 1)
	review := reload{"connections", func(context.Context) error {
		if ca.due() {
			select {
			case reviews <- struct{}{}:
			default: // one is to come
			}
		}
		return nil
	}}
	keeper.reloads, keeper.looks, keeper.ended = append(keeper.reloads, review), append(keeper.looks, review), signals.ended
	warnOpenFiles(keeper.log, "max-connections", server.MaxConnections)
	ctx, end := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer end()
	if metrics != nil {
		tellMetrics(keeper.log, metrics.Addr())
		beside.Go(func() { tellEnd(keeper.log, "no more metrics", server.Metrics.Serve(ctx, metrics, keeper.log)) })
	}
	server.Review = reviews
	server.Ready = func(address net.Addr) {
		url := "tls" + strings.TrimPrefix(serverURL(address, keeper.shown.now.Load().Leaf.DNSNames), "https")
		keeper.log.Info("ready", "url", url, "trust_domain", server.Authorizer.TrustDomain)
		if err := e.print(nil, url+"\n"); err != nil {
			keeper.log.Warn("nobody is told on stdout", "error", err)
		}
		e.quiet = true // from here on the log speaks
		beside.Go(func() { keeper.keep(ctx, end, signals.hangup) })
	}
	return serve(ctx, server)
}
