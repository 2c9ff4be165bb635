package natsauth

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"

	"keyward/bus"
	"keyward/fault"
)

// What the system account has: nats-server, server/events.go and server/monitor.go.
const (
	connectEvent    = "$SYS.ACCOUNT." + BusAccount + ".CONNECT"
	disconnectEvent = "$SYS.ACCOUNT." + BusAccount + ".DISCONNECT"
	askAll          = "$SYS.REQ.SERVER.PING.IDZ" // who they are
	listAll         = "$SYS.REQ.SERVER.PING.CONNZ"
	listOne         = "$SYS.REQ.SERVER.%s.CONNZ"
	kickOne         = "$SYS.REQ.SERVER.%s.KICK"
)

// certificatesSubject is where authorizers ask each other for certificates.
const certificatesSubject = "keyward.bus.certificates"

const (
	askPage       = 64                    // fingerprints
	reviewPage    = 64                    // connections
	siblingTime   = 2 * time.Second       // to answer with the next page, and with certificates
	strangersTick = 50 * time.Millisecond // in which strangersEach are ended
	strangersEach = 5
	maxEvents     = 1 << 16          // that wait
	smallPage     = 8                // connections: their list is taken whatever they show
	listsApart    = 10 * time.Second // where accounts change all the time
	serversTick   = time.Second      // between two questions to all servers who they are
	serverSilent  = 10               // such questions, after which the connections of a server that answers none are forgotten
	serversKept   = 60               // and the server itself
)

// watch knows all connections of the bus. All of it is one goroutine's: newWatch's and load's caller, then that of run.
type watch struct {
	*Service
	*connections
	follower *Follower
	system   *nats.Conn // hears events, and ends connections
	lists    *nats.Conn // apart: clients can make a list so large that the server cuts off who asked for it
	siblings *nats.Conn
	events   chan *nats.Msg
	changes  chan change
	inbox    string // of all of them

	pageSize   int               // connections in a page of a list
	lastList   time.Time         // when the last round began
	reached    map[string]uint64 // the last CID of a server's list so far
	asks       int               // questions to all servers who they are
	answered   map[string]int    // the last of them, by a server's ID
	listDue    bool              // another is wanted
	unverified []link            // to be looked at in a review
	trusted    string            // by a review that is not done yet; empty where it does not end strangers
	asked      map[string]bool   // for the certificates of these fingerprints, since it began
	waiting    <-chan time.Time  // for other authorizers to give them
	strangers  []link            // to be ended
}

// change is what a Follower hears.
type change struct {
	accounts []bus.Account
	anew     bool
}

// newWatch subscribes to what it hears.
func newWatch(s *Service, system, lists, siblings *nats.Conn) (*watch, error) {
	w := &watch{
		Service: s, connections: s.connections, system: system, lists: lists, siblings: siblings, pageSize: s.listPage,
		events: make(chan *nats.Msg, maxEvents), changes: make(chan change, 16), inbox: nats.NewInbox(), reached: map[string]uint64{}, answered: map[string]int{}, asked: map[string]bool{},
	}
	w.follower = &Follower{Accounts: s.Authorizer.Accounts, Every: s.FollowEvery, Failed: w.storeFailed, Metrics: s.Metrics}
	hears := map[*nats.Conn][]string{
		system: {connectEvent, disconnectEvent, w.inbox + ".kick", w.inbox + ".server.*"}, lists: {w.inbox + ".list.*"}, siblings: {certificatesSubject, w.inbox + ".certificates"},
	}
	for conn, subjects := range hears {
		for _, subject := range subjects {
			if _, err := conn.ChanSubscribe(subject, w.events); err != nil {
				return nil, fault.New(fault.Unreachable, "", "cannot subscribe: %w", err)
			}
		}
	}
	return w, nil
}

// load reads all accounts, before run runs.
func (w *watch) load(ctx context.Context) error {
	w.follower.Changed = func(accounts []bus.Account, anew bool) { w.changed(accounts, anew) }
	if err := w.follower.Read(ctx); err != nil {
		return fault.New(fault.Unreachable, "check --store, and start again when it answers", "the store does not answer: %w", err)
	}
	w.follower.Changed = func(accounts []bus.Account, anew bool) {
		select {
		case w.changes <- change{accounts, anew}:
		case <-ctx.Done():
		}
	}
	return nil
}

// storeFailed says what that means.
func (w *watch) storeFailed(err error) {
	if err == nil {
		w.Log.Info("the store answers again")
		return
	}
	w.Log.Error("the store does not answer: connections stay, and new ones are refused", "error", err)
}

// run works until ctx ends.
func (w *watch) run(ctx context.Context) {
	lists := time.NewTicker(w.ListEvery)
	defer lists.Stop()
	beat := time.NewTicker(strangersTick)
	defer beat.Stop()
	servers := time.NewTicker(serversTick)
	defer servers.Stop()
	always := make(chan struct{})
	close(always)
	w.list()
	for {
		idle := always
		if len(w.unverified) == 0 {
			idle = nil
		}
		select {
		case <-idle:
			w.verifySome()
		case m := <-w.events:
			w.hear(m)
		case c := <-w.changes:
			for _, l := range w.changed(c.accounts, c.anew) {
				w.kick(l, AccountChanged, w.cause(l.stamp))
			}
			w.listDue = true // an event may have been lost
		case trusted := <-w.reviews:
			w.review(trusted)
		case <-w.waiting:
			w.waiting = nil
			w.findStrangers()
		case <-w.relist:
			w.list()
		case <-w.cutOff:
			w.pageSize = max(w.pageSize/4, smallPage)
			w.list()
		case <-lists.C:
			w.pageSize = min(w.pageSize*2, w.listPage)
			w.list()
		case <-servers.C:
			w.askServers()
		case <-beat.C:
			w.endStrangers()
			w.endReview()
			if w.listDue && w.Now().Sub(w.lastList) >= listsApart {
				w.list()
			}
		case <-ctx.Done():
			return
		}
	}
}
