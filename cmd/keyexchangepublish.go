package cmd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/signal"
	"sync"
	"syscall"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/internal/term"
	"keyward/keyexchange"
	"keyward/keyexchange/msgpack"
	"keyward/keyexchange/transport"
)

func (e *env) keyexchangePublishCommand() *cli.Command {
	return &cli.Command{
		Name: "publish", Usage: "seal lines of JSON, and publish them",
		Description: "Each line of stdin is a JSON object. It becomes a MessagePack map, is sealed with the keys of --exchange-keys, and goes to all who subscribed, " +
			"over ZeroMQ as napalm-logs publishes, or over NATS, or to stdout. The file of the keys is followed: after keyexchange rotate it seals with the new keys from their moment on. " +
			"A subscriber that is too slow misses messages, which are counted, and holds up nobody. Who subscribes later misses what came before: with --wait-subscribers the first line waits. " +
			"A line that is no object, or too large, is told on stderr and left out, and the exit code is then 11. An empty line is none. " +
			"It ends with stdin, once the subscribers have taken the last messages, or with SIGINT or SIGTERM.",
		UsageText: "tail -F events.json | keyward keyexchange publish --listen tcp://*:49017\n" +
			"keyward keyexchange publish --wait-subscribers 1 < events.json\n" +
			"keyward keyexchange publish --transport nats --connect tls://nats.example.org:4222 --nats-creds publisher.creds < events.json\n" +
			"keyward keyexchange publish --transport stdio < events.json > sealed",
		Flags: append(append(transportFlags(
			&cli.StringFlag{Name: "listen", EnvVars: variable("listen"), Value: "tcp://127.0.0.1:49017", Usage: "where ZeroMQ's subscribers come, as `tcp://ADDRESS:PORT`; tcp://*:PORT is all addresses, port 0 a free one"},
			&cli.StringFlag{Name: "connect", EnvVars: variable("connect"), Usage: "the NATS server, as `tls://HOST:PORT`; nats:// for this machine's"},
			&cli.IntFlag{Name: "wait-subscribers", EnvVars: variable("wait-subscribers"), Usage: "read stdin once `N` have subscribed, over ZeroMQ"},
			&cli.DurationFlag{Name: "wait-timeout", EnvVars: variable("wait-timeout"), Usage: "give up when they are not there after this `TIME`", DefaultText: "never"},
		), exchangeKeysFlags()...),
			&cli.BoolFlag{Name: "no-security", EnvVars: variable("no-security"), Usage: "seal nothing: everybody on the way can read, change and forge the messages"},
			e.quietFlag(), e.jsonFlag(),
		),
		Action: e.keyexchangePublish,
	}
}

func (e *env) keyexchangePublish(c *cli.Context) error {
	maxMessage, err := e.checkPublishFlags(c)
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGPIPE) // it would end the program without a word
	asked, stop := untilSignal(c.Context)
	defer stop()
	ctx, end := context.WithCancel(asked)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer end()

	open, err := e.exchangePublisher(ctx, c)
	if err != nil {
		return err
	}
	ring, err := e.sealingKeys(ctx, c, &beside)
	if err != nil {
		return err
	}
	to, err := open()
	if err == nil {
		p := &sealedPublisher{env: e, to: to, ring: ring, maxMessage: maxMessage}
		err = p.publishAll(ctx, c)
	}
	if asked.Err() == nil {
		return err
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		e.note("warning: %v", err)
	}
	return nil
}

// sealingKeys gives the keys that the flags name, as they are from now on; nil where nothing is to be sealed.
func (e *env) sealingKeys(ctx context.Context, c *cli.Context, beside *sync.WaitGroup) (func() *keyexchange.Ring, error) {
	if c.Bool("no-security") {
		e.note("warning: everybody on the way can read, change and forge the messages, since --no-security seals none")
		return nil, nil
	}
	keys, err := e.exchangeKeys(c, e.noteLog(), true)
	if err != nil {
		return nil, err
	}
	beside.Go(func() { keys.follow(ctx, func() {}) })
	return keys.Ring, nil
}

// checkPublishFlags gives the largest message in bytes.
func (e *env) checkPublishFlags(c *cli.Context) (int64, error) {
	if err := e.checkTransport(c, "listen", "wait-subscribers", "wait-timeout"); err != nil {
		return 0, err
	}
	zmq := c.String("transport") == overZMQ
	switch {
	case zmq && e.call.given["connect"]:
		return 0, fault.New(fault.Usage, "give --listen, or --transport nats", "--connect is not for --transport zmq: its subscribers connect to us")
	case c.Int("wait-subscribers") < 0 || c.Duration("wait-timeout") < 0:
		return 0, fault.New(fault.Usage, "give 0 or more", "there is nothing to wait for below zero")
	case e.call.given["wait-timeout"] && c.Int("wait-subscribers") == 0:
		return 0, fault.New(fault.Usage, "say for how many with --wait-subscribers", "--wait-timeout has nothing to wait for")
	case c.Bool("no-security") && (e.call.given["exchange-keys"] || e.call.given[exchangePasswordFlag]):
		return 0, fault.New(fault.Usage, "leave one of them out", "--no-security uses no keys")
	case c.String(exchangePasswordFlag) == "-":
		return 0, fault.New(fault.Usage, "give --"+exchangePasswordFlag+" a file", "stdin has the messages, and cannot have the password too")
	case c.String("transport") == overStdio && term.IsTerminal(e.stdout):
		return 0, fault.New(fault.Usage, "redirect stdout to a file or a pipe", "stdout is a terminal, and the messages are bytes and no text")
	}
	return sizeOf(c, "max-message")
}

// exchangePublisher finds out where the flags say that messages go, and refuses what is no place; open then listens or connects.
func (e *env) exchangePublisher(ctx context.Context, c *cli.Context) (open func() (transport.Publisher, error), err error) {
	switch c.String("transport") {
	case overStdio:
		return func() (transport.Publisher, error) { return transport.NewPipeWriter(e.stdout), nil }, nil
	case overNATS:
		options, err := e.natsOptions(c, e.noteLog())
		if err != nil {
			return nil, err
		}
		return func() (transport.Publisher, error) { return e.dialNATSPublisher(ctx, options) }, options.Check()
	}
	_, err = transport.ZMQAddress(c.String("listen"))
	return func() (transport.Publisher, error) { return e.listenZMQ(c.String("listen")) }, err
}

func (e *env) dialNATSPublisher(ctx context.Context, options transport.NATSOptions) (transport.Publisher, error) {
	p, err := transport.DialNATSPublisher(ctx, options)
	if err != nil {
		return nil, err
	}
	e.note("ready: %s at %s", options.Subject, options.URL)
	return p, nil
}

func (e *env) listenZMQ(endpoint string) (transport.Publisher, error) {
	p, err := transport.ListenZMQ(endpoint, transport.ZMQOptions{Log: e.noteLog()})
	if err != nil {
		return nil, err
	}
	tellOpenFiles(e.noteLog(), "clients", transport.DefaultMaxClients, "")
	e.note("ready: tcp://%s", p.Addr())
	return p, nil
}

// sealedPublisher publishes stdin's lines.
type sealedPublisher struct {
	*env
	to         transport.Publisher
	ring       func() *keyexchange.Ring // nil where nothing is sealed
	maxMessage int64

	lines, unsent  int // so far
	packed, sealed []byte
}

// linePerByte is how many bytes of JSON a byte of a message may come from: \u0061 is the letter a.
const linePerByte = 6

// publishAll publishes until stdin or ctx ends, and lets the last messages go out.
func (p *sealedPublisher) publishAll(ctx context.Context, c *cli.Context) error {
	err := p.awaitSubscribers(ctx, c)
	if err == nil {
		err = p.run(ctx)
	}
	if closed := p.to.Close(); err == nil {
		err = closed
	}
	p.tellDropped()
	return err
}

// awaitSubscribers waits for as many as the flags ask for.
func (p *sealedPublisher) awaitSubscribers(ctx context.Context, c *cli.Context) error {
	zmq, ok := p.to.(*transport.ZMQPublisher)
	wanted := c.Int("wait-subscribers")
	if !ok || wanted == 0 {
		return nil
	}
	if wait := c.Duration("wait-timeout"); wait > 0 {
		late := fault.New(fault.Unreachable, "start them first, or give --wait-timeout more", "after %s not all of %s are there", wait, counted(int64(wanted), "subscriber"))
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, wait, late)
		defer stop()
	}
	return zmq.Await(ctx, wanted)
}

func (p *sealedPublisher) run(ctx context.Context) error {
	in := make(chan inputLine)
	go readLines(p.stdin, linePerByte*p.maxMessage, in)
	for {
		select {
		case line := <-in:
			switch {
			case errors.Is(line.err, io.EOF):
				return p.end()
			case line.err != nil:
				return fault.New(fault.Failed, "", "cannot read stdin: %w", line.err)
			}
			if err := p.publish(ctx, line.text); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// publish sends a line. One that is no message is told, and left out.
func (p *sealedPublisher) publish(ctx context.Context, line []byte) error {
	p.lines++
	if len(bytes.TrimSpace(line)) == 0 {
		return nil
	}
	message, err := p.seal(line)
	if err == nil {
		err = p.to.Publish(ctx, message)
		if err != nil && !errors.Is(err, transport.ErrBad) {
			return fault.New(kindOf(err), fault.HintOf(err), "cannot publish line %d of stdin: %w", p.lines, err)
		}
	}
	if err != nil {
		p.unsent++
		p.note("warning: line %d of stdin is not published: %s", p.lines, printable(err.Error()))
	}
	return nil
}

// seal gives the message of a line, which is good until the next one.
func (p *sealedPublisher) seal(line []byte) ([]byte, error) {
	var err error
	if int64(len(line)) > linePerByte*p.maxMessage {
		return nil, fault.New(fault.InvalidFile, "", "it is too long")
	}
	if p.packed, err = msgpack.FromJSON(p.packed[:0], line, len(line)); err != nil {
		return nil, err
	}
	message := p.packed
	if p.ring != nil {
		p.sealed = keyexchange.Seal(p.sealed[:0], p.packed, p.ring().At(p.now()).SealKeys)
		message = p.sealed
	}
	if int64(len(message)) > p.maxMessage {
		return nil, fault.New(fault.InvalidFile, "", "%d bytes are more than --max-message", len(message))
	}
	return message, nil
}

// end comes after the last line.
func (p *sealedPublisher) end() error {
	if p.unsent == 0 {
		return nil
	}
	verb := "were"
	if p.unsent == 1 {
		verb = "was"
	}
	return fault.New(fault.InvalidFile, "see the warnings above", "%d of %s of stdin %s not published", p.unsent, counted(int64(p.lines), "line"), verb)
}

// tellDropped says what nobody else would.
func (p *sealedPublisher) tellDropped() {
	dropped := int64(0)
	switch to := p.to.(type) {
	case *transport.ZMQPublisher:
		dropped = to.Status().Dropped
	case *transport.NATSPublisher:
		dropped = to.Dropped()
	}
	if dropped > 0 {
		p.note("warning: %s dropped, since they could not be sent fast enough", were(dropped, "message"))
	}
}
