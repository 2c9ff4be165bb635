package cmd

import (
	"cmp"
	"context"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/relay"
	"keyward/relay/message"
	"keyward/restclient"
)

// testClient is the Micronets test client's name. Under it relay connect has that program's defaults.
const (
	testClient      = "websocket-test-client"
	testClientClass = "micronets-ws-test-client"
	testClientID    = "12345678"
	testClientPort  = "5001"
	testClientCert  = "../lib/micronets-ws-test-client.pkeycert.pem" // from the folder that the program is in
)

// testClientRoots are where it has its roots: in the second place where it was called by a relative path.
var testClientRoots = []string{"../../lib/micronets-ws-root.cert.pem", "../lib/micronets-ws-root.cert.pem"}

func (e *env) relayConnectCommand() *cli.Command {
	c := &cli.Command{
		Name: "connect", ArgsUsage: "URI",
		Usage: "meet a peer through a relay, and carry REST requests and events",
		Description: "Connects to the relay at URI, wss://HOST:PORT/micronets/v1/ws-proxy/MEETUP-ID, and meets the peer that comes to the same meetup id. " +
			"It runs until it is interrupted, and connects again, with growing pauses, whenever the connection ends. Both directions work at once. " +
			"--http-proxy takes HTTP requests on this machine and has the peer answer them. Its port opens at once: 503 is the answer while no peer is met, 504 after --timeout, 413 where a request does not fit a message. " +
			"--forward answers the peer's requests by calling one HTTP service that this machine reaches, never another host; without it they get 501. " +
			"--event publishes each line of stdin as an event of that name, and waits for a peer to be there. With --event alone the command ends once stdin has, and every line is sent. " +
			"The peer's events are printed on stdout, a JSON object a line: event, format and body, which is JSON, a string, or base64 where encoding says so. " +
			"The relay has to prove itself. With --ca-file its certificate is verified below these roots alone, and its name wherever the certificate has names, which those of Micronets have not; " +
			"--server-name demands one. Without --ca-file the system's roots count, and the name always does. " +
			"A relay on another machine is reached through the http proxy that HTTPS_PROXY names, as http://HOST:PORT, unless NO_PROXY names the relay. " +
			"A client certificate that is renewed in its file is taken up by the next connection.",
		UsageText: "keyward relay connect --client-cert web.pkeycert.pem --ca-file root.cert.pem --forward http://127.0.0.1:8080 wss://relay.example.org:5050/micronets/v1/ws-proxy/shop\n" +
			"keyward relay connect --client-cert dev.pkeycert.pem --ca-file root.cert.pem --http-proxy :5001 wss://relay.example.org:5050/micronets/v1/ws-proxy/shop\n" +
			"echo hello | keyward relay connect --client-cert dev.pkeycert.pem --ca-file root.cert.pem --event greeting wss://relay.example.org:5050/micronets/v1/ws-proxy/shop",
		Action: e.relayConnect,
	}
	peerClass, peerID, cert, roots, port := "keyward", "the pin of the client's key", "", "the system's", "5001 with an address, else no proxy"
	if e.script {
		peerClass, peerID, cert, roots, port = testClientClass, testClientID, testClientCert, testClientRoots[0], testClientPort
		c.Description = "Does what the Micronets test client does, with its flags and defaults: it meets a peer, then takes HTTP requests for it, and ends when the connection does. The other flags are keyward's."
		c.UsageText = testClient + " -cc client.pkeycert.pem -ca root.cert.pem -p 5001 wss://relay.example.org:5050/micronets/v1/ws-proxy/shop"
	}
	c.Flags = []cli.Flag{
		&cli.StringFlag{Name: "client-cert", Aliases: []string{"cc"}, EnvVars: variable("client-cert"), TakesFile: true,
			Usage: "show the relay the certificate in PEM `FILE`, with its intermediates and key (gen-leaf-cert --pkeycert)", DefaultText: cert},
		&cli.StringFlag{Name: "client-key", EnvVars: variable("client-key"), TakesFile: true, Usage: "its private key in PEM `FILE`", DefaultText: "in --client-cert"},
		&cli.StringFlag{Name: "client-key-password-file", EnvVars: variable("client-key-password-file"), TakesFile: true, Usage: "the password of an encrypted key is the first line of `FILE`, - is stdin (not with --event)", DefaultText: "asked at the terminal"},
		&cli.StringFlag{Name: "ca-file", Aliases: []string{"ca-cert", "ca"}, EnvVars: variable("ca-file"), TakesFile: true, Usage: "trust the roots in this PEM `FILE` and no other", DefaultText: roots},
		&cli.StringFlag{Name: "server-name", EnvVars: variable("server-name"), Usage: "the relay's certificate has to have this `NAME`", DefaultText: "the URI's, where the certificate has any"},
		&cli.StringFlag{Name: "http-proxy", EnvVars: variable("http-proxy"), Usage: "take HTTP requests for the peer at `[HOST]:PORT`; without a host on loopback, port 0 takes a free one"},
		&cli.StringFlag{Name: "http-proxy-address", Aliases: []string{"a"}, EnvVars: variable("http-proxy-address"), Usage: "the same as the test client has it: the `HOST`", DefaultText: "localhost"},
		&cli.StringFlag{Name: "http-proxy-port", Aliases: []string{"p"}, EnvVars: variable("http-proxy-port"), Usage: "and the `PORT`", DefaultText: port},
		&cli.StringSliceFlag{Name: "http-proxy-name", EnvVars: variable("http-proxy-name"), Usage: "take requests for this host `NAME` too, beside localhost and addresses; repeatable, * is any name: then web pages may reach the peer"},
		&cli.StringFlag{Name: "forward", EnvVars: variable("forward"), Usage: "answer the peer's requests from the service at `URL`, http or https; a path in it comes before theirs"},
		&cli.BoolFlag{Name: "allow-http", EnvVars: variable("allow-http"), Usage: "--forward by plain http to another machine: everything sent can be read on the way"},
		&cli.StringFlag{Name: "event", EnvVars: variable("event"), Usage: "publish each line of stdin as an event of this `NAME`"},
		&cli.StringFlag{Name: "event-type", EnvVars: variable("event-type"), Value: "text/plain", Usage: "what the lines are, a MIME `TYPE`; with application/json each is a JSON value"},
		&cli.StringFlag{Name: "peer-class", EnvVars: variable("peer-class"), Value: peerClass, Usage: "tell the peer this `CLASS` of us"},
		&cli.StringFlag{Name: "peer-id", EnvVars: variable("peer-id"), Usage: "tell the peer this `ID` of us", DefaultText: peerID},
		&cli.DurationFlag{Name: "timeout", EnvVars: variable("timeout"), Value: 30 * time.Second, Usage: "give up an HTTP request after this `TIME`, either way"},
		sizeFlag("max-message", "1MiB", "the `SIZE` of the largest message, either way, as 65536, 64KiB or 1MB; the relay's limit counts too"),
		&cli.BoolFlag{Name: "once", EnvVars: variable("once"), Usage: "connect once: end with the connection, 0 where a peer was met"},
		e.quietFlag(), e.jsonFlag(),
	}
	return c
}

// connector is one run of relay connect.
type connector struct {
	*env
	*relay.Client
	arrived chan struct{} // has something in it after a peer was met
	first   chan struct{} // is closed when the first is
	stop    func()        // ends the run
	over    func() error  // is not nil once the run ends
	alone   bool          // there are neither a proxy nor a service to keep it running

	overlong error // of the connection that the relay ended for a line of stdin. Only Run has it

	meeting sync.Once
	working sync.WaitGroup
	failing sync.Mutex
	failed  error // the first of what works beside the connection
}

func (e *env) relayConnect(c *cli.Context) error {
	client, err := e.relayClient(c)
	if err != nil {
		return err
	}
	asked, stop := untilSignal(c.Context)
	defer stop()
	ctx, cancel := context.WithCancel(asked)
	defer cancel()
	n := &connector{env: e, Client: client, arrived: make(chan struct{}, 1), first: make(chan struct{}), stop: cancel, over: ctx.Err}
	n.alone = c.String("forward")+c.String("http-proxy")+c.String("http-proxy-address")+c.String("http-proxy-port") == "" && !e.script
	n.OnPeer, n.OnEvent = n.onPeer, n.printEvent
	if err := n.forward(c); err != nil {
		return err
	}
	if err := n.proxy(ctx, c); err != nil {
		return err
	}
	n.publish(ctx, c)
	err = n.Run(ctx)
	interrupted := asked.Err() != nil
	cancel()
	n.working.Wait()
	switch {
	case n.overlong != nil:
		return n.overlong
	case interrupted:
		return n.failed // of lines that were not sent
	case err != nil && !(n.Once && n.hasMet()):
		return err
	}
	return n.failed
}

func (n *connector) hasMet() bool {
	select {
	case <-n.first:
		return true
	default:
		return false
	}
}

// beside works while the connection lasts, and ends the run where it fails.
func (n *connector) beside(work func() error) {
	n.working.Go(func() {
		if err := work(); err != nil {
			n.failing.Lock()
			n.failed = cmp.Or(n.failed, err)
			n.failing.Unlock()
			n.stop()
		}
	})
}

func (n *connector) onPeer(peer *message.Hello) {
	if peer == nil {
		if n.over() == nil { // else it is we who leave
			n.note("the peer left")
		}
		return
	}
	n.note("met %s", printable(cmp.Or(peer.PeerClass, "a peer")+" "+peer.PeerID))
	n.meeting.Do(func() { close(n.first) })
	select {
	case n.arrived <- struct{}{}:
	default:
	}
}

// relayClient makes the client that the flags describe, and refuses what cannot work.
func (e *env) relayClient(c *cli.Context) (*relay.Client, error) {
	if c.Args().Len() != 1 {
		return nil, fault.New(fault.Usage, "give it as wss://HOST:PORT/micronets/v1/ws-proxy/MEETUP-ID", "one argument is needed, the relay's URI")
	}
	if c.Duration("timeout") <= 0 {
		return nil, fault.New(fault.Usage, "give a time as 30s", "--timeout is not more than nothing")
	}
	maxMessage, err := sizeOf(c, "max-message")
	if err != nil {
		return nil, err
	}
	if err := e.checkConnectFlags(c); err != nil {
		return nil, err
	}
	config, shown, err := e.clientTLS(c)
	if err != nil {
		return nil, err
	}
	id := restclient.Pin(shown.Leaf)
	if e.script {
		id = testClientID
	}
	proxy := http.ProxyFromEnvironment
	if e.script {
		proxy = nil // as the original
	}
	return &relay.Client{
		URL: c.Args().First(), TLS: config, Proxy: proxy,
		Hello:      message.Hello{PeerClass: c.String("peer-class"), PeerID: cmp.Or(c.String("peer-id"), id)},
		MaxMessage: maxMessage,
		Log:        e.noteLog(),
		Once:       c.Bool("once") || e.script,
	}, nil
}

// checkConnectFlags refuses flags that say nothing, or nothing together. Variables may be there for other runs.
func (e *env) checkConnectFlags(c *cli.Context) error {
	event, given := c.String("event"), e.call.given
	name, _, err := mime.ParseMediaType(c.String("event-type"))
	switch {
	case given["event"] && event == "":
		return fault.New(fault.Usage, "name the events, as --event reading", "--event has no name")
	case err != nil || !strings.Contains(name, "/"):
		return fault.New(fault.Usage, "write it as text/plain", "--event-type %q is no media type", c.String("event-type"))
	case given["event-type"] && event == "":
		return fault.New(fault.Usage, "name the events with --event", "--event-type says what events are, and there are none")
	case event != "" && c.String("client-key-password-file") == "-":
		return fault.New(fault.Usage, "give --client-key-password-file a file", "stdin has the lines of --event, and cannot have the key's password too")
	case given["http-proxy-name"] && !e.script && c.String("http-proxy")+c.String("http-proxy-address")+c.String("http-proxy-port") == "":
		return fault.New(fault.Usage, "say where requests are taken with --http-proxy", "--http-proxy-name is for a proxy, and there is none")
	}
	return nil
}
