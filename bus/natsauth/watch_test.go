package natsauth

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"keyward/bus"
)

// Connections that end while a list is read move those behind them to the front: none is left out.
func TestListMoves(t *testing.T) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(s.WaitForShutdown)
	t.Cleanup(s.Shutdown)
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not listen")
	}
	conn, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	asked, err := conn.SubscribeSync("$SYS.REQ.SERVER.*.CONNZ")
	if err != nil {
		t.Fatal(err)
	}

	service := NewService(Config{Log: slog.New(slog.DiscardHandler), Authorizer: new(Authorizer)})
	service.listPage = 16
	w := &watch{Service: service, connections: newConnections(), system: conn, lists: conn, siblings: conn, inbox: "test", pageSize: service.listPage, reached: map[string]uint64{}, asked: map[string]bool{}}
	there := make([]uint64, 100)
	for i := range there {
		there[i] = uint64(i + 1)
	}
	w.list()
	for pages := 0; ; pages++ {
		m, err := asked.NextMsg(time.Second)
		if err != nil {
			break // the list is whole
		}
		var q listQuestion
		if err := json.Unmarshal(m.Data, &q); err != nil || pages > 200 {
			t.Fatalf("%d pages, %v", pages, err)
		}
		w.page(answerTo(t, q, there), fmt.Sprint(w.round))
		if len(there) > 60 {
			there = there[8:]
		}
	}
	for _, cid := range there {
		if w.of["alice"][place{"N", cid}] == nil {
			t.Errorf("%d is left out", cid)
		}
	}
}

func answerTo(t *testing.T, q listQuestion, there []uint64) []byte {
	t.Helper()
	var a listAnswer
	a.Server.ID, a.Data.Offset = "N", q.Offset
	first := min(q.Offset, len(there))
	for _, cid := range there[first:min(first+q.Limit, len(there))] {
		a.Data.Connections = append(a.Data.Connections, struct {
			CID  uint64 `json:"cid"`
			User string `json:"authorized_user"`
		}{cid, stamp{"alice", 1, fingerprint(nil)}.String()})
	}
	data, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A connection is stale by what the follower heard, and by nothing that it has yet to hear.
func TestStale(t *testing.T) {
	c := newConnections()
	at := func(name bus.Name, revision uint64) link {
		return link{place{"N", revision}, stamp{name, revision, fingerprint(nil)}}
	}
	c.changed([]bus.Account{{Name: "alice", Revision: 3}, {Name: "bob", Revision: 5, State: bus.Revoked}}, true)
	for name, want := range map[bus.Name]string{"alice": "the account changed", "bob": "the account is revoked", "carol": "there is no such account any more"} {
		if got := c.cause(stamp{account: name}); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	for l, want := range map[link]bool{
		at("alice", 2): true, at("alice", 3): false, at("alice", 9): false,
		at("carol", 4): true, at("carol", 5): true, at("carol", 6): false,
	} {
		if got := c.stale(l.stamp); got != want {
			t.Errorf("%s: %t", l.stamp, got)
		}
	}
	c.add(at("bob", 5))
	c.add(at("carol", 6))
	if stale := c.changed([]bus.Account{{Name: "bob", Revision: 7}}, false); len(stale) != 1 || stale[0] != at("bob", 5) {
		t.Errorf("%v", stale)
	}
	c.remove(at("bob", 5))
	if stale := c.changed([]bus.Account{{Name: "bob", Revision: 8}}, false); len(stale) != 0 {
		t.Errorf("%v", stale)
	}
	c.add(at("bob", 5))
	if n, _ := c.held("bob", place{}); n != 0 {
		t.Error("a list from before its end brings a connection back")
	}
	c.begin()
	c.listed("N", c.round)
	if len(c.of) != 0 {
		t.Errorf("a list without it leaves %v", c.of)
	}
}

// The connections of a server that is silent are forgotten: a client that comes back elsewhere counts once. When the server is back it lists them.
func TestSilentServerHoldsNothing(t *testing.T) {
	w := &watch{Service: NewService(Config{}), connections: newConnections(), system: new(nats.Conn), lists: new(nats.Conn), answered: map[string]int{}, reached: map[string]uint64{}}
	for _, server := range []string{"N", "M"} {
		w.add(link{place{server, 1}, stamp{"alice", 1, fingerprint(nil)}})
	}
	for n := range serverSilent + 1 {
		w.askServers()
		w.present([]byte(`{"id":"N"}`), strconv.Itoa(w.asks))
		if n == 0 {
			w.present([]byte(`{"id":"M"}`), strconv.Itoa(w.asks))
		}
	}
	if n, there := w.held("alice", place{"N", 1}); n != 1 || !there {
		t.Errorf("alice has %d connections, that of the server that answers is there: %t", n, there)
	}
	round := w.round
	w.present([]byte(`{"id":"M"}`), strconv.Itoa(w.asks))
	if w.round != round+1 {
		t.Error("nothing is listed when the server is back")
	}
}

// Whatever a server or another authorizer says, it ends no connection of another server.
func FuzzHear(f *testing.F) {
	const answer = `{"server":{"id":"N","name":"n1"},"data":{"connections":[{"cid":7,"authorized_user":"alice:1:e3b0c44298fc1c149afbf4c8996fb924"}],"offset":0}}`
	for about, data := range map[string]string{
		connectEvent:         `{"server":{"id":"N"},"client":{"id":7,"user":"alice:1:e3b0c44298fc1c149afbf4c8996fb924"}}`,
		disconnectEvent:      `{"server":{"id":"N"},"client":{"id":7,"user":"alice:1:e3b0c44298fc1c149afbf4c8996fb924"}}`,
		certificatesSubject:  `{"fingerprints":["e3b0c44298fc1c149afbf4c8996fb924",""]}`,
		"test.list.0":        answer,
		"test.list.-1":       answer,
		"test.list.x":        `{"error":{"description":"no"}}`,
		"test.certificates":  `{"chains":[[],["AAAA"],["MIIB"]]}`,
		"test.kick":          `{"server":{"name":"n1"},"error":{"description":"no such connection"}}`,
		"test.server.1":      `{"id":"N","name":"n1"}`,
		"test.server.999999": `{"id":""}`,
		"test":               `{}`,
	} {
		f.Add(about, []byte(data))
		f.Add(about, []byte(nil))
		f.Add(about, []byte(`[`))
	}
	f.Fuzz(func(t *testing.T, subject string, data []byte) {
		service := NewService(Config{Log: slog.New(slog.DiscardHandler), Authorizer: &Authorizer{Verify: func([]*x509.Certificate, time.Time) error { return errors.New("no") }}})
		w := &watch{
			Service: service, connections: newConnections(), inbox: "test", pageSize: 16,
			reached: map[string]uint64{}, answered: map[string]int{}, asked: map[string]bool{},
		}
		w.changed([]bus.Account{{Name: "alice", Revision: 1}, {Name: "bob", Revision: 2}}, true)
		bob := link{place{"another", 1}, stamp{"bob", 2, fingerprint([]byte("bob"))}}
		w.add(bob)
		w.hear(&nats.Msg{Subject: subject, Data: data})
		if s := w.of["bob"][bob.place]; s != nil && s.ended {
			t.Error("it ends a connection of another server")
		}
	})
}
