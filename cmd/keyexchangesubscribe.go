package cmd

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/keyexchange"
	"keyward/keyexchange/stream"
	"keyward/keyexchange/transport"
)

func (e *env) keyexchangeSubscribeCommand() *cli.Command {
	return &cli.Command{
		Name: "subscribe", Usage: "read sealed messages as lines of JSON",
		Description: "Gets the keys from the exchange at --auth, keyward's or napalm-logs' own, then reads messages, verifies, decrypts and decodes them, on all cores, and prints each as a line of JSON, in their order. " +
			"It runs until it is interrupted, or until stdin ends with --transport stdio, and connects again whenever a connection ends. " +
			"When the keys change it goes on by itself: a message that no known key signed waits while the keys are fetched again, at once and a second later, and for at most 5 seconds where that fails. Old keys are known for 10 minutes longer. " +
			"With --exchange-keys the keys are those of that file, which is followed, and not those of an exchange. With --no-security the messages are not sealed. " +
			"What is bad is left out, counted, and told on stderr: what is not signed, damaged, too long or no map in MessagePack, and what was there before, as far as the last 65,536 messages of this run show it. " +
			"With --transport stdio bad messages make it end with exit code 11. With --json they are told as objects with bad, which has code and count.",
		UsageText: "keyward keyexchange subscribe --connect tcp://logs.example.org:49017 --auth logs.example.org:49018 --cert exchange.cert.pem\n" +
			"keyward keyexchange subscribe --connect tcp://127.0.0.1:49017 --exchange-keys keys | jq .error",
		Flags: slices.Concat(transportFlags(
			&cli.StringFlag{Name: "connect", EnvVars: variable("connect"), Usage: "the publisher is at `URL`, tcp://HOST:PORT; over NATS it is the server, tls://HOST:PORT, or nats:// for this machine's"},
		), []cli.Flag{
			&cli.StringFlag{Name: "auth", EnvVars: variable("auth"), Usage: "get the keys from the exchange at `HOST:PORT`"},
		}, exchangeClientFlags(), []cli.Flag{
			&cli.StringFlag{Name: "exchange-keys", EnvVars: variable("exchange-keys"), TakesFile: true, Usage: "the keys are in `FILE`, and no exchange is asked"},
			&cli.StringFlag{Name: exchangePasswordFlag, EnvVars: variable(exchangePasswordFlag), TakesFile: true, Usage: "the password of encrypted --exchange-keys is the first line of `FILE`, - is stdin", DefaultText: "asked at the terminal"},
			&cli.BoolFlag{Name: "no-security", EnvVars: variable("no-security"), Usage: "the messages are not sealed: anybody on the way may have written them"},
			e.quietFlag(), e.jsonFlag(),
		}),
		Action: e.keyexchangeSubscribe,
	}
}

func (e *env) keyexchangeSubscribe(c *cli.Context) error {
	most, err := e.checkSubscribeFlags(c)
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

	dial, err := e.exchangeSubscriber(ctx, c, e.noteLog())
	if err != nil {
		return err
	}
	keys, err := e.openingKeys(ctx, c, &beside)
	if err != nil || asked.Err() != nil {
		return err
	}
	from, err := dial()
	if err != nil {
		return err
	}
	defer from.Close()
	told := newTally(e, keys == nil)
	beside.Go(func() { told.repeat(ctx) })
	e.note("ready: reading from %s", printable(cmp.Or(c.String("connect"), "stdin")))
	s := stream.Stream{Receive: from.Receive, Spoiled: transport.ErrBad, Out: wholeLines{e.stdout}, Keys: keys, MaxMessage: most, Bad: told.bad}
	lines, err := s.Run(ctx)
	return told.end(lines, err, asked.Err() != nil)
}

// wholeLines writes lines. Where they go to a file and there is no more room, it ends with a whole one.
type wholeLines struct{ io.Writer }

func (w wholeLines) Write(b []byte) (int, error) {
	n, err := w.Writer.Write(b)
	cut := n - (bytes.LastIndexByte(b[:n], '\n') + 1)
	if f, ok := w.Writer.(*os.File); ok && err != nil && cut > 0 {
		at, _ := f.Seek(0, io.SeekCurrent)
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Size() == at { // and nobody else writes there
			_ = f.Truncate(at - int64(cut))
		}
	}
	return n, err
}

// checkSubscribeFlags holds that there is a place that messages come from, and one for keys. It gives the largest message in
// bytes.
func (e *env) checkSubscribeFlags(c *cli.Context) (int, error) {
	if err := e.checkTransport(c); err != nil {
		return 0, err
	}
	given := slices.DeleteFunc([]string{"auth", "exchange-keys", "no-security"}, func(flag string) bool { return !e.call.given[flag] })
	stdio := c.String("transport") == overStdio
	switch {
	case !stdio && c.String("connect") == "":
		return 0, fault.New(fault.Usage, "name the publisher, as --connect tcp://HOST:49017", "--connect is missing")
	case len(given) > 1:
		return 0, fault.New(fault.Usage, "take one of them", "--%s and --%s do not go together", given[0], given[1])
	case len(given) == 0 && !c.Bool("no-security") && c.String("auth")+c.String("exchange-keys") == "":
		return 0, fault.New(fault.Usage, "name the exchange with --auth, or a file of keys with --exchange-keys; --no-security is for messages that are not sealed", "there are no keys to open messages with")
	case stdio && (c.String("client-key-password-file") == "-" || c.String(exchangePasswordFlag) == "-"):
		return 0, fault.New(fault.Usage, "give the password in another file than -", "stdin has the messages, and cannot have the password too")
	}
	most, err := sizeOf(c, "max-message")
	return int(most), err
}

// openingKeys are the keys to open messages with, once there are any; nil is none. What keeps them fresh runs beside, until
// ctx ends.
func (e *env) openingKeys(ctx context.Context, c *cli.Context, beside *sync.WaitGroup) (stream.Keys, error) {
	given := e.call.given
	switch {
	case given["no-security"] || c.Bool("no-security") && !given["auth"] && !given["exchange-keys"]:
		return nil, nil
	case given["exchange-keys"] || c.String("auth") == "":
		keys, err := e.exchangeKeys(c, e.noteLog(), false)
		if err != nil {
			return nil, err
		}
		beside.Go(func() { keys.follow(ctx, func() {}) })
		return ringKeys{keys}, nil
	}
	client, err := e.exchangeClient(c, c.String("auth"))
	if err != nil {
		return nil, err
	}
	return e.watchedKeys(ctx, client, beside)
}

// watchedKeys waits for the keys of an exchange, and has them watched.
func (e *env) watchedKeys(ctx context.Context, client *keyexchange.Client, beside *sync.WaitGroup) (stream.Keys, error) {
	keys := &stream.Fetched{Client: client}
	first := make(chan error, 1)
	beside.Go(func() {
		err := keys.Watch(ctx, func(k keyexchange.OpenKeys) {
			e.note("got the keys %s from %s", k.Verify, printable(client.Address))
			select {
			case first <- nil:
			default:
			}
		})
		select {
		case first <- err:
		default:
		}
	})
	return keys, <-first
}

// ringKeys are the keys of a file that is followed.
type ringKeys struct{ *exchangeKeys }

// Known are those that are not forgotten.
func (k ringKeys) Known() (known []keyexchange.OpenKeys) {
	for _, g := range k.Ring().Known(k.now()) {
		known = append(known, g.OpenKeys)
	}
	return known
}

// Renew looks at the file. What cannot be read is told.
func (k ringKeys) Renew(ctx context.Context) error {
	k.look(ctx)
	return nil
}
