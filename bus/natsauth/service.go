package natsauth

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"keyward/fault"
	"keyward/internal/natsdial"
)

// BusAccount is the NATS account that all accounts of the bus share, as `keyward bus config` has it.
const BusAccount = "BUS"

// flushTime is how long a server has to take our subscriptions.
const flushTime = 10 * time.Second

// A server that answers maxPings pings with nothing is left for another: until then it is asked by the others of its cluster, in vain.
// So it is among servers. They ping clients less often: who has a question of theirs and is gone is an authorizer, and there are others.
const (
	pingEvery       = 2 * time.Second
	pingClientEvery = 10 * time.Second
	maxPings        = 2
)

// queueGroup is that of all authorizers with the same keys.
const queueGroup = "keyward"

// Config is what a Service is made of. What is zero has the default that stands with it.
type Config struct {
	Authorizer    *Authorizer
	Keys          *Keys
	URL           string                // of a NATS server, tls://HOST:PORT; it tells the others of its cluster
	TLS           *tls.Config           // with the certificate that servers ask of each client
	Roots         func() *x509.CertPool // of the servers at each connection, nil for the system's: TLS has them
	AnswerTime    time.Duration         // for each question: 1.5 seconds. A server's authorization timeout is to be longer: AuthorizationTimeout
	Concurrent    int                   // questions at a time: 64
	MaxPerAccount int                   // connections with one account: any number
	FollowEvery   time.Duration         // between two looks at the store for accounts that changed: 50 ms
	ListEvery     time.Duration         // between two lists of all connections, for events that were lost: a minute
	Reviewed      func(trusted string)  // is called when a Review that has this is done; nil is not
	Metrics       *Metrics              // are filled
	Now           func() time.Time
	Log           *slog.Logger
}

// Service answers the servers, and ends connections that are not right any more.
type Service struct {
	Config
	connections *connections // all that are known
	chains      *chains
	places      chan struct{} // one for each question
	reviews     chan string
	relist      chan struct{}
	cutOff      chan struct{} // a list was, perhaps for its size

	listPage int // connections in a page of a list, at most
}

// NewService makes a Service.
func NewService(c Config) *Service {
	c.AnswerTime = cmp.Or(c.AnswerTime, 1500*time.Millisecond)
	c.Concurrent = cmp.Or(c.Concurrent, 64)
	c.FollowEvery = cmp.Or(c.FollowEvery, 50*time.Millisecond)
	c.ListEvery = cmp.Or(c.ListEvery, time.Minute)
	c.MaxPerAccount = cmp.Or(c.MaxPerAccount, math.MaxInt)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil, nil)
	}
	return &Service{Config: c, connections: newConnections(), chains: newChains(), places: make(chan struct{}, c.Concurrent), reviews: make(chan string, 8), relist: make(chan struct{}, 1), cutOff: make(chan struct{}, 1), listPage: 1024}
}

// Review verifies the certificates of all connections again, and ends those that are not trusted any more. trusted names whom is
// trusted by now where that changed, and is empty where it did not. When it did also those are ended, some at a time, whose
// certificate no authorizer knows since all were started after them. They come back and are asked. Before Serve it does this at the start.
func (s *Service) Review(trusted string) {
	select {
	case s.reviews <- trusted:
	default: // enough wait
	}
}

// Serve answers until ctx ends, and then what it has. It calls ready when the first question can come. Its errors are those of
// natsdial, fault.Policy for a server that is too old, and the store's, where that does not answer at the start.
func (s *Service) Serve(ctx context.Context, ready func()) error {
	questions, err := s.connect(ctx, "callout", s.Keys.callout, nil)
	if err != nil {
		return err
	}
	defer end(questions)
	system, err := s.connect(ctx, "system", s.Keys.system, s.relist)
	if err != nil {
		return err
	}
	defer end(system)
	lists, err := s.connect(ctx, "lists", s.Keys.system, s.cutOff)
	if err != nil {
		return err
	}
	defer end(lists)
	w, err := newWatch(s, system.Conn, lists.Conn, questions.Conn)
	if err != nil {
		return err
	}
	if err := w.load(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer stop()
	beside.Go(func() { w.follower.Follow(ctx) })
	beside.Go(func() { w.run(ctx) })
	sub, err := questions.QueueSubscribe(calloutSubject, queueGroup, func(m *nats.Msg) { s.take(ctx, m) })
	if err == nil {
		err = cmp.Or(questions.FlushTimeout(flushTime), system.FlushTimeout(flushTime), lists.FlushTimeout(flushTime))
	}
	if err != nil {
		return fault.New(fault.Unreachable, "", "cannot subscribe: %w", err)
	}
	s.Metrics.Working(w.count)
	ready()
	<-ctx.Done()
	s.Metrics.Working(nil)
	_ = sub.Unsubscribe()     // others of the group are asked from here on
	for range cap(s.places) { // the answers are given
		s.places <- struct{}{}
	}
	return nil
}

// take has a question answered, once there is a place for it.
func (s *Service) take(ctx context.Context, m *nats.Msg) {
	start := time.Now()
	select {
	case s.places <- struct{}{}:
	case <-ctx.Done():
		return
	}
	go func() {
		defer func() { <-s.places }()
		s.answer(context.WithoutCancel(ctx), m, start)
	}()
}

// connect logs in with a key, and refuses a server that is too old. again is told each time that the connection was lost and is there again.
func (s *Service) connect(ctx context.Context, as string, key nkeys.KeyPair, again chan<- struct{}) (*natsdial.Conn, error) {
	public, err := key.PublicKey()
	if err != nil {
		return nil, fault.New(fault.Failed, "", "the key %s: %w", as, err)
	}
	options := natsdial.Options{
		URL: s.URL, TLS: s.TLS, Log: s.Log,
		HintSecret: "leave them out: the keys are in --bus-keys",
		HintLogin:  "have the server use what `keyward bus config` prints for these keys",
		More: []nats.Option{
			nats.Name("keyward bus authorize, " + as), nats.Nkey(public, key.Sign), nats.NoEcho(), nats.ErrorHandler(s.libraryError),
			nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(maxPings), nats.ReconnectHandler(s.reconnected(as, again)),
		},
	}
	if s.Roots != nil {
		options.More = append(options.More, s.currentRoots)
	}
	conn, err := options.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := CheckVersion(conn.ConnectedServerVersion()); err != nil {
		end(conn)
		return nil, err
	}
	return conn, nil
}

// currentRoots has the library ask for the roots each time that it connects.
func (s *Service) currentRoots(o *nats.Options) error {
	o.RootCAsCB = func() (*x509.CertPool, error) { return s.Roots(), nil }
	return nil
}

func end(conn *natsdial.Conn) {
	_ = conn.FlushTimeout(time.Second) // the last answers; without a server there are none
	conn.Close()
	<-conn.Closed
}

// libraryError hears of what was lost on the way to us.
func (s *Service) libraryError(_ *nats.Conn, _ *nats.Subscription, err error) {
	s.Log.Warn("NATS", "cause", err)
	if errors.Is(err, nats.ErrSlowConsumer) {
		tell(s.relist)
	}
}

// reconnected tells whom it concerns that a connection is there again, and has its subscriptions.
func (s *Service) reconnected(as string, whom chan<- struct{}) nats.ConnHandler {
	return func(c *nats.Conn) {
		if err := c.FlushTimeout(flushTime); err != nil {
			return // it is lost again, and comes again
		}
		s.Log.Info("connected", "server", c.ConnectedUrlRedacted(), "as", as)
		tell(whom)
	}
}

// tell tells somebody who may have been told already.
func tell(whom chan<- struct{}) {
	select {
	case whom <- struct{}{}:
	default:
	}
}

// answer answers one question, that came at start. It is quiet where the question is none.
func (s *Service) answer(ctx context.Context, m *nats.Msg, start time.Time) {
	q, err := s.Keys.ask(m.Data, m.Header.Get(xkeyHeader), s.Now())
	defer func() { s.Metrics.Answered(err, time.Since(start)) }()
	if q == nil {
		s.Log.Warn("a request is not answered", "error", err, "hint", fault.HintOf(err))
		return
	}
	log := s.Log.With("server", q.server.Name, "remote", q.client.Host, "cid", q.client.ID)
	if len(q.chain) > 0 {
		log = log.With("subject", q.chain[0].Subject.String(), "serial", q.chain[0].SerialNumber.Text(16))
	}
	var data []byte
	if err == nil {
		data, err = s.decide(ctx, log, q)
	}
	if err != nil {
		log.Warn("refused", "error", err, "hint", fault.HintOf(err))
		var bad error
		if data, bad = s.Keys.refuse(q); bad != nil {
			log.Error("no answer", "error", bad)
			return
		}
	}
	if bad := m.Respond(data); bad != nil {
		log.Error("no answer", "error", bad)
	}
}

// decide gives the answer that lets the client in, or says why not.
func (s *Service) decide(ctx context.Context, log *slog.Logger, q *question) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.AnswerTime)
	defer cancel()
	review := s.chains.now()
	account, err := s.Authorizer.Authorize(ctx, q.chain, s.Now())
	if err != nil {
		return nil, err
	}
	n, again := s.connections.held(account.Name, place{q.server.ID, q.client.ID})
	if !again && n >= s.MaxPerAccount {
		return nil, fault.New(fault.Policy, "end some of them, or give --max-per-account more", "the account %s has its share of connections, %d", account.Name, s.MaxPerAccount)
	}
	data, err := s.Keys.admit(q, BusAccount, account)
	if err != nil {
		return nil, err
	}
	s.chains.keep(q.chain, review)
	level := slog.LevelInfo
	if again { // a client may send a second CONNECT, and fills no log with more
		level = slog.LevelDebug
	}
	log.Log(ctx, level, "let in", "account", account.Name, "revision", account.Revision)
	return data, nil
}
