// Package natsembed runs a NATS server in this process that takes the accounts of the bus: for one machine, and for trying it
// out. It is the only package that links nats-server.
//
// Each client shows its certificate, and an Authorizer decides, as the auth callout's does (package natsauth). All accounts are in one
// NATS account, with the permissions of bus.Account. There are no routes, gateways, leaf nodes, MQTT or monitoring ports, and the
// server's own accounts have no users.
//
// A connection ends at once when its account changes or is revoked, when its certificate is not trusted any more (Config.Review) and
// when that ends. The server is never reloaded: under custom authentication that would drop every client.
package natsembed

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"keyward/bus"
	"keyward/bus/natsauth"
	"keyward/fault"
	"keyward/internal/tlsserver"
)

// Config is what a server is made of. What is zero has the default that stands with it.
type Config struct {
	Authorizer     *natsauth.Authorizer
	TLS            *tls.Config       // with the server's certificate. Every client is asked for one, whatever it says
	Listen         string            // ADDRESS:PORT; port 0 takes a free one
	JetStream      string            // the folder of its streams: no JetStream
	MaxConnections int               // 65536
	MaxPerAccount  int               // of them with one account: as many
	AnswerTime     time.Duration     // for the store, for each client: 2 seconds
	FollowEvery    time.Duration     // between two looks at the store for accounts that changed: 50 ms
	Review         <-chan struct{}   // has the certificates of all who are connected verified again; nil never does
	Ready          func(net.Addr)    // is called once clients can connect; nil is not
	Metrics        *natsauth.Metrics // are filled
	Now            func() time.Time
	Log            *slog.Logger
}

func (c *Config) fill() {
	c.MaxConnections = cmp.Or(c.MaxConnections, server.DEFAULT_MAX_CONNECTIONS)
	c.MaxPerAccount = cmp.Or(c.MaxPerAccount, c.MaxConnections)
	c.AnswerTime = cmp.Or(c.AnswerTime, 2*time.Second)
	c.FollowEvery = cmp.Or(c.FollowEvery, 50*time.Millisecond)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Ready == nil {
		c.Ready = func(net.Addr) {}
	}
	if c.Metrics == nil {
		c.Metrics = natsauth.NewMetrics(nil, nil)
	}
}

const tlsTime = 5 * time.Second // a handshake may take

// embedded is a server that runs.
type embedded struct {
	Config
	nats  *server.Server
	table *table
}

// Serve serves until ctx ends; then all connections are closed, and nothing of it runs any more. Its errors are the store's, where that does
// not answer at the start, fault.Usage for an address that is none, and fault.Failed.
func Serve(ctx context.Context, c Config) error {
	c.fill()
	s := &embedded{Config: c, table: newTable(c.MaxPerAccount)}
	options, err := s.options(ctx)
	if err != nil {
		return err
	}
	return s.run(ctx, options)
}

func (s *embedded) run(ctx context.Context, options *server.Options) (err error) {
	follower := &natsauth.Follower{Accounts: s.Authorizer.Accounts, Every: s.FollowEvery, Changed: s.changed, Failed: s.storeFailed, Metrics: s.Metrics}
	if err := follower.Read(ctx); err != nil {
		return fault.New(fault.Unreachable, "check --store, and start again when it answers", "the store does not answer: %w", err)
	}
	if s.nats, err = server.NewServer(options); err != nil {
		return fault.New(fault.Failed, "", "the NATS server: %w", err)
	}
	notes := &notes{log: s.Log, now: s.Now}
	s.nats.SetLoggerV2(notes, s.Log.Enabled(ctx, slog.LevelDebug), false, false)
	s.nats.Start()
	defer s.nats.WaitForShutdown()
	defer s.nats.Shutdown()
	if err := notes.failed(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer stop()
	beside.Go(func() { follower.Follow(ctx) })
	beside.Go(func() { s.reviews(ctx) })
	s.Metrics.Working(s.nats.NumClients)
	s.Ready(s.nats.Addr())
	<-ctx.Done()
	s.Metrics.Working(nil)
	return nil
}

// options are the server's.
func (s *embedded) options(ctx context.Context) (*server.Options, error) {
	host, port, err := s.address(ctx)
	if err != nil {
		return nil, err
	}
	demandCertificate := func(config *tls.Config) { config.ClientAuth = max(config.ClientAuth, tls.RequireAnyClientCert) }
	return &server.Options{
		Host: host, Port: port, MaxConn: s.MaxConnections, MaxSubs: natsauth.MaxSubscriptions, NoSigs: true,
		MaxClosedClients: 1, // to remember: each with all its subscriptions
		TLSConfig:        tlsserver.Harden(s.TLS, demandCertificate), TLSTimeout: tlsTime.Seconds(),
		CustomClientAuthentication: check(func(c server.ClientAuthentication) bool { return s.letIn(ctx, c) }),
		JetStream:                  s.JetStream != "", StoreDir: s.JetStream, DisableJetStreamBanner: true,
	}, nil
}

// address is where to listen, in the server's words: for those 0 is a default, and -1 a free port.
func (s *embedded) address(ctx context.Context) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(s.Listen)
	if err == nil {
		port, err = net.DefaultResolver.LookupPort(ctx, "tcp", text)
	}
	if err != nil {
		return "", 0, fault.New(fault.Usage, "write it as ADDRESS:PORT, or :PORT for all addresses", "%q is no address to listen at: %w", s.Listen, err)
	}
	if strings.TrimSpace(host) == "" {
		host = server.DEFAULT_HOST
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}

// storeFailed says what that means.
func (s *embedded) storeFailed(err error) {
	if err == nil {
		s.Log.Info("the store answers again")
		return
	}
	s.Log.Error("the store does not answer: connections stay, and new ones are refused", "error", err)
}

// permissions are those of an account, as the server takes them.
func permissions(a bus.Account) *server.Permissions {
	p := a.Permissions()
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: p.Publish.Allow, Deny: p.Publish.Deny},
		Subscribe: &server.SubjectPermission{Allow: p.Subscribe.Allow, Deny: p.Subscribe.Deny},
	}
}
