package natsauth_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"keyward/bus/natsauth"
)

// What clients show besides their certificates is in a server's lists, and can make one so large that the server cuts off who asked for it.
// The list comes in smaller pages then, and nothing else of the authorizer is cut off.
func TestLargeLists(t *testing.T) {
	w := newWorldOf(t, 1, func(o *server.Options) {
		o.AuthTimeout, o.DisableShortFirstPing, o.MaxPending, o.MaxPayload = 60, true, 256<<10, 128<<10
	}, "alice", "mallory")
	first := w.authorize(0)
	mallory := w.root.account("mallory")
	junk := w.root.leaf("", func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: strings.Repeat("x", 24<<10)} })
	mallory.Certificate = append(mallory.Certificate, junk.Certificate...)
	for range 32 {
		w.mustConnect(0, mallory)
	}
	alice := w.mustConnect(0, w.root.account("alice"))
	first.stop()
	w.store.change("alice", revoke)
	w.authorize(0) // it knows of her by a list alone
	alice.ended(t)
	if log := w.log.String(); !strings.Contains(log, "as=lists") || strings.Contains(log, "as=system") {
		t.Errorf("cut off was another connection: %s", log)
	}
}

// An authorizer whose server is silent goes to another one of the cluster, and is asked there.
func TestSilentServer(t *testing.T) {
	w := newWorldOf(t, 2, func(o *server.Options) { o.AuthTimeout, o.PingInterval = 2, 2*time.Second }, "alice")
	way := newWay(t, w.servers[0].Addr().String())
	w.authorize(0, func(c *natsauth.Config) { c.URL = "tls://" + way.Addr().String() })
	way.silence()
	await(t, "three connections elsewhere", func() bool { return strings.Count(w.log.String(), "msg=connected") >= 3 })
	await(t, "a question that is answered", func() bool {
		_, err := w.connect(1, w.root.account("alice"))
		return err == nil
	})
}

// A change that a server did not hear of, since nothing came through to it, counts there when it is back.
func TestServerComesBack(t *testing.T) {
	var ways []*way
	w := newWorldOf(t, 2, func(o *server.Options) {
		o.AuthTimeout, o.DisableShortFirstPing = 60, true
		for i, route := range o.Routes {
			if route.Port() != strconv.Itoa(o.Cluster.Port) {
				way := newWay(t, "127.0.0.1:"+route.Port())
				_, port, _ := net.SplitHostPort(way.Addr().String())
				o.Routes[i] = &url.URL{Scheme: "tls", Host: "localhost:" + port}
				ways = append(ways, way)
			}
		}
	}, "alice")
	w.authorize(0, withoutLists())
	alice := w.mustConnect(1, w.root.account("alice"))
	for _, way := range ways {
		way.silence()
	}
	await(t, "two that are alone", func() bool { return w.servers[0].NumRemotes()+w.servers[1].NumRemotes() == 0 })
	w.store.change("alice", revoke)
	time.Sleep(200 * time.Millisecond) // for the follower: what it does now is lost
	for _, way := range ways {
		way.speak()
	}
	alice.ended(t)
}

// way is one to a server.
type way struct {
	net.Listener
	open   sync.RWMutex
	silent bool
}

func newWay(t *testing.T, to string) *way {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &way{Listener: l}
	var all sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		if w.silent {
			w.speak()
		}
		all.Wait()
	})
	all.Go(func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp4", to)
			if err != nil { // it does not listen yet
				from.Close()
				continue
			}
			all.Go(func() { w.carry(from, there) })
			all.Go(func() { w.carry(there, from) })
		}
	})
	return w
}

// silence has nothing arrive any more, and nothing end.
func (w *way) silence() {
	w.open.Lock()
	w.silent = true
}

func (w *way) speak() {
	w.silent = false
	w.open.Unlock()
}

func (w *way) carry(from, to net.Conn) {
	defer to.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		w.open.RLock()
		_, failed := to.Write(buffer[:n])
		w.open.RUnlock()
		if err != nil || failed != nil {
			return
		}
	}
}

// An account that has its share of the connections gets no more, on whichever server; all others do.
func TestShare(t *testing.T) {
	w := newWorld(t, 2, "alice", "bob")
	a := w.authorize(0, func(c *natsauth.Config) { c.MaxPerAccount = 2 })
	holds := func(n int) {
		t.Helper()
		await(t, "the connections to be known", func() bool { return a.Held("alice") == n })
	}
	shown := w.root.account("alice")
	s, other := w.speak(shown, ""), w.mustConnect(1, shown)
	holds(2)
	for on := range 2 {
		if _, err := w.connect(on, shown); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("a third one: %v", err)
		}
	}
	if !strings.Contains(w.log.String(), "the account alice has its share of connections, 2") {
		t.Errorf("the log does not say it: %s", w.log)
	}
	s.Do(`CONNECT {"verbose":false}`) // again, which is no third one
	if !s.In || strings.Count(w.log.String(), "account=alice") != 2 {
		t.Errorf("a CONNECT that is sent again: in %t, and the log says %s", s.In, w.log)
	}
	w.mustConnect(0, w.root.account("bob"))
	other.Close()
	holds(1)
	w.mustConnect(0, shown)
}

// A connection cannot have subscriptions without end, and of who has left a server keeps next to nothing.
func TestSubscriptions(t *testing.T) {
	w := newWorld(t, 1, "alice")
	w.authorize(0)
	shown := w.root.account("alice")
	w.mustConnect(0, shown).Close()
	greedy := w.mustConnect(0, shown)
	for range natsauth.MaxSubscriptions + 1 {
		if _, err := greedy.SubscribeSync("_INBOX.alice.in.x"); err != nil {
			t.Fatal(err)
		}
	}
	if err := greedy.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := greedy.LastError(); err == nil || !strings.Contains(err.Error(), "maximum subscriptions exceeded") {
		t.Errorf("with %d subscriptions: %v", natsauth.MaxSubscriptions+1, err)
	}
	greedy.Close()
	s := w.servers[0]
	await(t, "both to be gone", func() bool {
		kept, err := s.Connz(&server.ConnzOptions{State: server.ConnClosed})
		return err == nil && kept.Total == 1 && len(kept.Conns) == 1 && kept.Conns[0].NumSubs == natsauth.MaxSubscriptions
	})
}
