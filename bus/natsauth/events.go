package natsauth

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// serverID is who speaks in the system account.
type serverID struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// event is what is used of a connect event and of a disconnect event.
type event struct {
	Server serverID `json:"server"`
	Client struct {
		ID   uint64 `json:"id"`
		User string `json:"user"`
	} `json:"client"`
}

// listQuestion is a page of a server's connections; listAnswer is what is used of the answer.
type (
	listQuestion struct {
		Account string `json:"acc"`
		Users   bool   `json:"auth"`
		Offset  int    `json:"offset"`
		Limit   int    `json:"limit"`
	}
	listAnswer struct {
		Server serverID `json:"server"`
		Data   struct {
			Connections []struct {
				CID  uint64 `json:"cid"`
				User string `json:"authorized_user"`
			} `json:"connections"`
			Offset int `json:"offset"`
		} `json:"data"`
		Error *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
)

// hear takes a message to where it belongs.
func (w *watch) hear(m *nats.Msg) {
	subject := strings.TrimPrefix(m.Subject, w.inbox+".")
	word, number, _ := strings.Cut(subject, ".")
	switch {
	case len(m.Data) == 0: // what NATS says where nobody hears a request
	case m.Subject == connectEvent:
		w.connected(m.Data)
	case m.Subject == disconnectEvent:
		w.disconnected(m.Data)
	case m.Subject == certificatesSubject:
		w.tellCertificates(m)
	case word == "server":
		w.present(m.Data, number)
	case word == "list":
		w.page(m.Data, number)
	case word == "certificates":
		w.learn(m.Data)
	case word == "kick":
		w.kicked(m.Data)
	}
}

// connected looks at who was just let in, by whichever authorizer: the account may have changed since it was asked for, and whom
// is trusted.
func (w *watch) connected(data []byte) {
	var e event
	if err := json.Unmarshal(data, &e); err != nil {
		w.Log.Warn("a connect event does not parse", "error", err)
		return
	}
	if s, ok := parseStamp(e.Client.User); ok {
		w.found(link{place{e.Server.ID, e.Client.ID}, s})
	}
}

// found notes a connection, or ends it.
func (w *watch) found(l link) {
	w.add(l)
	if w.stale(l.stamp) {
		w.kick(l, AccountChanged, w.cause(l.stamp))
		return
	}
	w.verifyAgain(l)
}

func (w *watch) disconnected(data []byte) {
	var e event
	if err := json.Unmarshal(data, &e); err != nil {
		w.Log.Warn("a disconnect event does not parse", "error", err)
		return
	}
	if s, ok := parseStamp(e.Client.User); ok {
		w.remove(link{place{e.Server.ID, e.Client.ID}, s})
	}
}

// askServers asks all servers who they are.
func (w *watch) askServers() {
	w.asks++
	for server, last := range w.answered {
		if last == w.asks-serverSilent {
			w.lost(server) // a client that comes back elsewhere would count twice
		}
	}
	maps.DeleteFunc(w.answered, func(_ string, last int) bool { return last < w.asks-serversKept })
	w.ask(w.system, askAll, fmt.Sprintf("server.%d", w.asks), struct{}{})
}

// present hears a server's answer. Of one that did not answer the question before, no event came meanwhile either, and nothing went
// there: what it has is listed.
func (w *watch) present(data []byte, number string) {
	var server serverID
	n, err := strconv.Atoi(number)
	if err == nil {
		err = json.Unmarshal(data, &server)
	}
	if err != nil {
		w.Log.Warn("an answer of a server does not parse", "error", err)
		return
	}
	last := w.answered[server.ID]
	w.answered[server.ID] = max(n, last)
	if n > last+1 {
		w.list()
	}
}

// list has all servers list their connections.
func (w *watch) list() {
	w.begin()
	w.listDue, w.lastList = false, w.Now()
	clear(w.reached)
	needed := map[string]bool{}
	w.all(func(l link) { needed[l.fingerprint] = true })
	w.chains.only(needed)
	w.askList(listAll, 0)
}

func (w *watch) askList(subject string, offset int) {
	w.ask(w.lists, subject, fmt.Sprintf("list.%d", w.round), listQuestion{Account: BusAccount, Users: true, Offset: offset, Limit: w.pageSize})
}

// page takes a page of a server's list, which is by CID, and asks for the next one. Pages overlap, since connections that end
// meanwhile move those behind them to the front: where two do not meet, one in between is asked for. What is stale is ended
// when the list is whole.
func (w *watch) page(data []byte, number string) {
	var a listAnswer
	round, err := strconv.Atoi(number)
	if err == nil {
		err = json.Unmarshal(data, &a)
	}
	if err == nil && a.Error != nil {
		err = fmt.Errorf("%.200q", a.Error.Description)
	}
	if err != nil {
		w.Log.Warn("a list of connections does not parse", "error", err)
		return
	}
	if round != w.round {
		return // of a round before
	}
	if w.waiting != nil {
		w.waiting = time.After(siblingTime)
	}
	list, offset, again := a.Data.Connections, a.Data.Offset, fmt.Sprintf(listOne, a.Server.ID)
	if offset > 0 && (len(list) == 0 || list[0].CID > w.reached[a.Server.ID]) {
		w.askList(again, max(0, offset-w.pageSize/2))
		return
	}
	for _, c := range list {
		w.reached[a.Server.ID] = c.CID
		if s, ok := parseStamp(c.User); ok {
			w.add(link{place{a.Server.ID, c.CID}, s})
		}
	}
	if n := len(list); n == w.pageSize {
		w.askList(again, offset+n-n/8)
		return
	}
	w.listed(a.Server.ID, round)
	w.all(func(l link) {
		if l.server == a.Server.ID {
			w.found(l)
		}
	})
	w.askCertificates(a.Server.ID)
}

// kick ends a connection, and tells of it the first time. The connection is forgotten when the server says that it ended.
func (w *watch) kick(l link, end End, why string) {
	if w.end(l) {
		w.Metrics.Ended(end)
		w.Log.Info("disconnected", "account", l.account, "revision", l.revision, "server", l.server, "cid", l.cid, "cause", why)
	}
	w.ask(w.system, fmt.Sprintf(kickOne, l.server), "kick", struct {
		CID uint64 `json:"cid"`
	}{l.cid})
}

// kicked hears what became of it. Most often that it ended by itself before.
func (w *watch) kicked(data []byte) {
	var a listAnswer
	if err := json.Unmarshal(data, &a); err == nil && a.Error != nil {
		w.Log.Debug("not disconnected", "server", a.Server.Name, "cause", a.Error.Description)
	}
}

// ask sends a question whose answers come to hear.
func (w *watch) ask(conn *nats.Conn, subject, about string, question any) {
	data, err := json.Marshal(question)
	if err == nil {
		err = conn.PublishRequest(subject, w.inbox+"."+about, data)
	}
	if err != nil {
		w.Log.Warn("cannot ask", "subject", subject, "error", err)
	}
}
