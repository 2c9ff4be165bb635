package cmd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/bus"
	"keyward/bus/natsauth"
	"keyward/fault"
)

func (e *env) busAuthorizeCommand() *cli.Command {
	return &cli.Command{
		Name: "authorize", Usage: "tell NATS servers who may do what",
		Description: "Answers NATS servers that run with the configuration of `bus config`: each time that a client connects they ask, encrypted, which account its certificate opens. " +
			"The certificate is verified again here: its chain to --client-ca, its time, that it is for a client, and with --crl that a CRL of its issuer covers it, is in its time and does not list it. " +
			"It must have one URI, of --trust-domain, and the account that this names must be in --store, take the certificate and not be revoked. Then the client gets exactly the account's permissions. " +
			"An account that is changed or revoked loses its connections at once, on all servers of a cluster, and so do all whose certificates are no more trusted when the CA or a CRL changes. " +
			"Several may run, with the same --bus-keys, and share the questions. Without any of them nobody is let in; who is connected stays. " +
			"Where the store does not answer it is the same, and the log says so. A server refuses a client that has no answer after 1.8 seconds; here an answer is given up after 1.5. " +
			"The authorizer's own certificate, the CAs and the CRLs are read again some seconds after their files change, and at a SIGHUP; what cannot be used is logged, and what was before stays. " +
			"When it is ready the server's URL is printed on stdout; the log goes to stderr. SIGINT and SIGTERM stop it. Servers older than NATS 2.12.6 are refused.",
		UsageText: "keyward bus authorize --connect tls://nats.example.org:4222 --cert authorizer.pkeycert.pem --ca-file root.cert.pem --client-ca root.cert.pem --trust-domain example.org\n" +
			"keyward bus authorize --store postgres://keyward@db.example.org/keyward --connect tls://n1.example.org:4222 --cert authorizer.pkeycert.pem --ca-file root.cert.pem --client-ca clients.cert.pem --crl clients.crl.pem --trust-domain example.org",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "connect", EnvVars: variable("connect"), Usage: "one of the NATS servers is at `URL`, as tls://HOST:4222; it tells the others of its cluster"},
			caFileFlag(),
			&cli.StringFlag{Name: "cert", EnvVars: variable("cert"), TakesFile: true, Usage: "the authorizer shows the servers the certificate in PEM `FILE`, and those above it if any, with its key where there is no --key"},
			&cli.StringFlag{Name: "key", EnvVars: variable("key"), TakesFile: true, Usage: "its private key in PEM `FILE`", DefaultText: "that in --cert"},
			keyPasswordFlag("the password of an encrypted key is the first line of `FILE`, - is stdin", "asked at the terminal"),
			busKeysFlag(),
			trustDomainFlag("take certificates of this `TRUST-DOMAIN`, such as example.org"),
			&cli.StringFlag{Name: "client-ca", EnvVars: variable("client-ca"), TakesFile: true, Usage: "let in whom the CAs in this PEM `FILE` signed, and nobody else"},
			crlFlag(),
			&cli.IntFlag{Name: "max-per-account", EnvVars: variable("max-per-account"), Value: 1024, Usage: "how many connections `N` one account may have, on all servers"},
			metricsFlag(),
		}, storeFlags(), logFlags("each client")),
		Action: e.busAuthorize,
	}
}

// busAuthorize reads all files before it connects.
func (e *env) busAuthorize(c *cli.Context) error {
	if err := checkBusAuthorize(c); err != nil {
		return err
	}
	log, err := e.logger(c)
	if err != nil {
		return err
	}
	path, err := e.busKeysPath(c)
	if err != nil {
		return err
	}
	keys, err := natsauth.LoadKeys(c.Context, path)
	if err != nil {
		return err
	}
	shown, err := e.authorizerIdentity(c, log)
	if err != nil {
		return err
	}
	roots := &serverRoots{log: log, file: c.String("ca-file")}
	ca := &clientCA{log: log, now: e.now, flag: "client-ca", whom: "clients", file: c.String("client-ca"), crls: c.StringSlice("crl")}
	trust := &busTrust{clientCA: ca, source: ca.source(), domain: c.String("trust-domain"), file: path + reviewedSuffix}
	keeper := &keeper{log: log, shown: shown, reloads: []reload{{"certificate", shown.reload}}, looks: []reload{{"certificate", shown.look}}}
	for _, source := range append(roots.sources(), trust.source) {
		if err := source.reload(c.Context); err != nil {
			return err
		}
		keeper.reloads = append(keeper.reloads, reload{source.what, source.reload})
		keeper.looks = append(keeper.looks, reload{source.what, source.look})
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
	return e.runAuthorizer(c, keeper, trust, metrics, natsauth.Config{
		Authorizer: &natsauth.Authorizer{Accounts: db, TrustDomain: trust.domain, Verify: ca.verify},
		Keys:       keys, URL: natsURL(c.String("connect")), TLS: authorizerTLS(shown, e.now), Roots: roots.pool.Load,
		MaxPerAccount: c.Int("max-per-account"), Reviewed: trust.reviewed, Metrics: natsauth.NewMetrics(shown.as("authorizer"), ca.nextUpdates), Now: e.now, Log: log,
	})
}

// checkBusAuthorize refuses what nobody could be let in with.
func checkBusAuthorize(c *cli.Context) error {
	hints := []struct{ flag, hint string }{
		{"connect", "give it as --connect tls://HOST:4222"},
		{"cert", "give --cert a file with a certificate for a client and its key, as `gen-leaf-cert --profile client --pkeycert` makes it: the servers take nobody without"},
		{"client-ca", "give --client-ca the CA of the clients"},
		{"trust-domain", "give --trust-domain the one that `gen-leaf-cert --account` was given, such as example.org"},
	}
	for _, missing := range hints {
		if c.String(missing.flag) == "" {
			return fault.New(fault.Usage, missing.hint, "--%s is missing", missing.flag)
		}
	}
	if err := checkCRLs(c); err != nil {
		return err
	}
	if !strings.HasPrefix(natsURL(c.String("connect")), "tls://") {
		return fault.New(fault.Usage, "write it as tls://HOST:4222", "--connect is not with TLS, and the servers ask for certificates")
	}
	if c.Int("max-per-account") < 1 {
		return fault.New(fault.Usage, "give --max-per-account 1 or more", "nobody can connect with --max-per-account %d", c.Int("max-per-account"))
	}
	if err := checkAddress(c, "metrics-listen"); err != nil {
		return err
	}
	_, err := bus.Identity(c.String("trust-domain"), "a")
	return err
}

// natsURL is the URL of a NATS server that may be given as HOST:PORT.
func natsURL(text string) string {
	if strings.Contains(text, "://") {
		return text
	}
	return "tls://" + text
}

// authorizerIdentity is the authorizer's certificate, which has to be for a client now.
func (e *env) authorizerIdentity(c *cli.Context, log *slog.Logger) (*identity, error) {
	t := &tlsFiles{env: e, whose: "the authorizer's certificate", c: c, log: log, flags: tlsFlags{"cert", "key", "key-password-file"}}
	i := t.identity(lookForChanges, func(ctx context.Context) (*shown, error) {
		next, err := t.load(ctx)
		if err == nil {
			err = forClient(next.Leaf, e.now())
		}
		return next, err
	})
	return i, i.reload(c.Context)
}

// authorizerTLS shows the servers the certificate as it is by then.
func authorizerTLS(shown *identity, now func() time.Time) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, Time: now, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &shown.now.Load().Certificate, nil
	}}
}

// serverRoots are the roots of the servers' certificates: the system's where no file has them.
type serverRoots struct {
	log  *slog.Logger
	file string
	pool atomic.Pointer[x509.CertPool]
}

func (r *serverRoots) sources() []*followed {
	if r.file == "" {
		return nil
	}
	return []*followed{{what: "servers' ca", names: []string{r.file}, read: r.read}}
}

func (r *serverRoots) read(context.Context) error {
	given, err := rootsFrom(r.file)
	if err != nil {
		return fault.New(fault.KindOf(err), "give --ca-file the root of the NATS servers' certificates in PEM", "%w", err)
	}
	r.pool.Store(given.RootCAs)
	r.log.Info("servers' ca", "file", r.file)
	return nil
}

// runAuthorizer answers until a signal.
func (e *env) runAuthorizer(c *cli.Context, keeper *keeper, trust *busTrust, metrics net.Listener, config natsauth.Config) error {
	ctx, signals, stop := e.signals(c.Context)
	defer stop()
	service := natsauth.NewService(config)
	trust.begin(service)
	review := reload{"connections", func(context.Context) error { trust.review(service); return nil }}
	keeper.reloads, keeper.looks, keeper.ended = append(keeper.reloads, review), append(keeper.looks, review), signals.ended
	ctx, end := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer end()
	if metrics != nil {
		tellMetrics(keeper.log, metrics.Addr())
		beside.Go(func() { tellEnd(keeper.log, "no more metrics", config.Metrics.Serve(ctx, metrics, keeper.log)) })
	}
	return service.Serve(ctx, func() {
		keeper.log.Info("ready", "server", config.URL, "trust_domain", config.Authorizer.TrustDomain)
		if err := e.print(nil, config.URL+"\n"); err != nil {
			keeper.log.Warn("nobody is told on stdout", "error", err)
		}
		e.quiet = true // from here on the log speaks
		beside.Go(func() { keeper.keep(ctx, end, signals.hangup) })
	})
}
