package cmd

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/internal/secretfile"
	"keyward/keyexchange/transport"
)

const (
	overZMQ   = "zmq"
	overNATS  = "nats"
	overStdio = "stdio"
)

// transportFlags say how sealed messages travel. where is the endpoint that is the command's own.
func transportFlags(where ...cli.Flag) []cli.Flag {
	return append(append([]cli.Flag{
		&cli.StringFlag{Name: "transport", EnvVars: variable("transport"), Value: overZMQ, Usage: "the `TRANSPORT` of messages: zmq, nats or stdio, which has 4 bytes of length before each"},
	}, where...),
		sizeFlag("max-message", "1MiB", "the largest message is of `SIZE`, sealed, as 64KiB"),
		&cli.StringFlag{Name: "subject", EnvVars: variable("subject"), Value: "napalm-logs", Usage: "the NATS `SUBJECT`"},
		&cli.StringFlag{Name: "nats-ca-file", EnvVars: variable("nats-ca-file"), TakesFile: true, Usage: "trust the NATS server below the roots in this PEM `FILE`", DefaultText: "the system's"},
		&cli.StringFlag{Name: "nats-client-cert", EnvVars: variable("nats-client-cert"), TakesFile: true, Usage: "show the NATS server the certificate in PEM `FILE`, with its intermediates and key", DefaultText: "none is shown"},
		&cli.StringFlag{Name: "nats-client-key", EnvVars: variable("nats-client-key"), TakesFile: true, Usage: "its private key in PEM `FILE`", DefaultText: "in --nats-client-cert"},
		&cli.StringFlag{Name: "nats-client-key-password-file", EnvVars: variable("nats-client-key-password-file"), TakesFile: true, Usage: "the password of an encrypted key is the first line of `FILE`, - is stdin", DefaultText: "asked at the terminal"},
		&cli.StringFlag{Name: "nats-creds", EnvVars: variable("nats-creds"), TakesFile: true, Usage: "log in to NATS with what is in `FILE`: a user's JWT and seed, as nsc writes them, or one line USER:PASSWORD"},
		&cli.BoolFlag{Name: "allow-plain-nats", EnvVars: variable("allow-plain-nats"), Usage: "nats:// to another machine: who logs in, and what is not sealed, can be read on the way"},
	)
}

// checkTransport refuses flags of another transport than the one that is asked for. Variables may be there for other runs.
func (e *env) checkTransport(c *cli.Context, zmqFlags ...string) error {
	kind := c.String("transport")
	of := map[string][]string{
		overZMQ: zmqFlags, overStdio: nil,
		overNATS: {"subject", "nats-ca-file", "nats-client-cert", "nats-client-key", "nats-client-key-password-file", "nats-creds", "allow-plain-nats"},
	}
	if _, known := of[kind]; !known {
		return fault.New(fault.Usage, "give zmq, nats or stdio", "--transport %q is not known", kind)
	}
	for other, flags := range of {
		for _, flag := range flags {
			if other != kind && e.call.given[flag] {
				return fault.New(fault.Usage, "give --transport "+other+", or leave it out", "--%s is not for --transport %s", flag, kind)
			}
		}
	}
	if kind == overStdio && e.call.given["connect"] {
		return fault.New(fault.Usage, "leave it out, or give --transport zmq or nats", "--connect is not for --transport stdio")
	}
	if kind == overNATS && c.String("connect") == "" {
		return fault.New(fault.Usage, "give it as --connect tls://HOST:4222", "--transport nats has no server to connect to")
	}
	for _, flag := range []string{"nats-ca-file", "nats-client-cert"} {
		if kind == overNATS && e.call.given[flag] && strings.HasPrefix(c.String("connect"), "nats://") {
			return fault.New(fault.Usage, "write tls:// for nats://", "--%s is for TLS, and nats:// is without", flag)
		}
	}
	if e.call.given["nats-client-key"] && c.String("nats-client-cert") == "" {
		return fault.New(fault.Usage, "give --nats-client-cert the certificate that it is of", "--nats-client-key has no certificate")
	}
	return nil
}

// exchangeSubscriber finds out where the flags say that messages come from; dial then connects.
func (e *env) exchangeSubscriber(ctx context.Context, c *cli.Context, log *slog.Logger) (dial func() (transport.Subscriber, error), err error) {
	maxMessage, err := sizeOf(c, "max-message")
	if err != nil {
		return nil, err
	}
	switch c.String("transport") {
	case overStdio:
		return func() (transport.Subscriber, error) {
			return transport.NewPipeReader(untilDone(ctx, e.stdin), int(maxMessage)), nil
		}, nil
	case overNATS:
		options, err := e.natsOptions(c, log)
		if err != nil {
			return nil, err
		}
		options.MaxMessage = int(maxMessage)
		return func() (transport.Subscriber, error) { return transport.DialNATSSubscriber(ctx, options) }, options.Check()
	}
	s, err := transport.DialZMQ(c.String("connect"), transport.ZMQOptions{MaxMessage: int(maxMessage), Log: log}) // it connects when it receives
	return func() (transport.Subscriber, error) { return s, nil }, err
}

// natsOptions are what the flags say of the NATS server.
func (e *env) natsOptions(c *cli.Context, log *slog.Logger) (transport.NATSOptions, error) {
	o := transport.NATSOptions{URL: c.String("connect"), Subject: c.String("subject"), AllowPlain: c.Bool("allow-plain-nats"), Log: log}
	var err error
	if o.TLS, _, err = e.natsTLS(c, "nats-"); err != nil {
		return o, err
	}
	if file := c.String("nats-creds"); file != "" {
		o.Credentials = func() ([]byte, error) { return credentials(file) }
	}
	if !strings.Contains(o.URL, "://") {
		o.URL = "tls://" + o.URL
	}
	return o, nil
}

const maxCredentials = 64 << 10

func credentials(file string) ([]byte, error) {
	text, exposed, err := secretfile.Read(file, maxCredentials)
	return text, cmp.Or(err, exposed)
}

// natsTLS is whom we trust as a NATS server and what we show to it, by the flags with a prefix; shown is nil where there is no certificate.
func (e *env) natsTLS(c *cli.Context, prefix string) (config *tls.Config, shown *clientFiles, err error) {
	config = &tls.Config{MinVersion: tls.VersionTLS12, Time: e.now}
	if file := c.String(prefix + "ca-file"); file != "" {
		given, err := rootsFrom(file)
		if err != nil {
			return nil, nil, fault.New(fault.KindOf(err), "give --"+prefix+"ca-file the root of the NATS server's certificate in PEM", "%w", err)
		}
		config.RootCAs = given.RootCAs
	}
	file := c.String(prefix + "client-cert")
	if file == "" {
		return config, nil, nil
	}
	shown = &clientFiles{env: e, cert: file, key: cmp.Or(c.String(prefix+"client-key"), file), unlock: e.unlock(c, prefix+"client-key-password-file")}
	if err := shown.read(); err != nil {
		return nil, nil, err
	}
	var one sync.Mutex // a server may ask while it asks another connection
	config.GetClientCertificate = func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		one.Lock()
		defer one.Unlock()
		return shown.show(r)
	}
	return config, shown, nil
}
