package natsauth

import (
	"cmp"
	"sync"
	"sync/atomic"

	"keyward/bus"
)

// place is where a connection is: no two ever have the same.
type place struct {
	server string // its ID, which is another after each start
	cid    uint64
}

// link is a connection that an authorizer let in.
type link struct {
	place
	stamp
}

// connections are all of the bus on all servers, and what the accounts are by now. A list of a server comes in pages, and is a part
// of a round; what no round found any more is dropped.
type connections struct {
	mu       sync.RWMutex // for who changes of, which one goroutine does, and for all others who read it
	of       map[bus.Name]map[place]*seen
	accounts map[bus.Name]version
	newest   uint64 // of the revisions
	round    int
	ended    map[place]bool // since the round began: its lists may be from before
	size     atomic.Int64
}

// seen is a connection, the last round of lists that it was in, or came after, and whether a server was asked to end it.
type seen struct {
	link
	round int
	ended bool
}

// version is what an account is by now, and why those who were let in by an earlier one are ended.
type version struct {
	revision uint64
	cause    string
}

// ChangeOf says what ends the connections of an account that is not as it was.
func ChangeOf(now bus.Account) string {
	if now.State == bus.Revoked {
		return "the account is revoked"
	}
	return "the account changed"
}

func newConnections() *connections {
	return &connections{of: map[bus.Name]map[place]*seen{}, accounts: map[bus.Name]version{}, ended: map[place]bool{}}
}

// stale says whether the account is another by now, or not there any more. One that the follower has yet to hear of is not.
func (c *connections) stale(s stamp) bool {
	now, known := c.accounts[s.account]
	return known && s.revision < now.revision || !known && s.revision <= c.newest
}

// cause is why a connection that is stale is ended.
func (c *connections) cause(s stamp) string {
	return cmp.Or(c.accounts[s.account].cause, "there is no such account any more")
}

// add notes a connection, unless it ended.
func (c *connections) add(l link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended[l.place] {
		return
	}
	places := c.of[l.account]
	if places == nil {
		places = map[place]*seen{}
		c.of[l.account] = places
	}
	old := places[l.place]
	if old == nil {
		c.size.Add(1)
	}
	places[l.place] = &seen{l, c.round, old != nil && old.ended}
}

// end notes that a server is asked to end a connection, and says whether that is the first time.
func (c *connections) end(l link) bool {
	s := c.of[l.account][l.place]
	if s == nil || s.ended {
		return false
	}
	s.ended = true
	return true
}

// count is how many there are. Anybody may ask.
func (c *connections) count() int { return int(c.size.Load()) }

// held is how many an account has, and whether one of them is at a place. Anybody may ask.
func (c *connections) held(account bus.Name, at place) (n int, there bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, there = c.of[account][at]
	return len(c.of[account]), there
}

// remove forgets one that ended.
func (c *connections) remove(l link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended[l.place] = true
	places := c.of[l.account]
	if places[l.place] == nil {
		return
	}
	delete(places, l.place)
	c.size.Add(-1)
	if len(places) == 0 {
		delete(c.of, l.account)
	}
}

// changed notes what accounts are by now, and gives the connections that are stale by it.
func (c *connections) changed(accounts []bus.Account, anew bool) []link {
	if anew {
		clear(c.accounts)
		c.newest = 0
	}
	var stale []link
	for _, account := range accounts {
		c.accounts[account.Name] = version{account.Revision, ChangeOf(account)}
		c.newest = max(c.newest, account.Revision)
		for _, l := range c.of[account.Name] {
			if c.stale(l.stamp) {
				stale = append(stale, l.link)
			}
		}
	}
	return stale
}

// all calls do with each connection.
func (c *connections) all(do func(link)) {
	for _, places := range c.of {
		for _, l := range places {
			do(l.link)
		}
	}
}

// begin begins a round of lists, and forgets those that the last two did not find: their server is gone.
func (c *connections) begin() {
	c.forget(func(l *seen) bool { return l.round < c.round-1 })
	c.round++
	clear(c.ended)
}

// listed forgets connections that a whole list of a server, asked for in a round, did not have.
func (c *connections) listed(server string, round int) {
	c.forget(func(l *seen) bool { return l.server == server && l.round < round })
}

// lost forgets the connections of a server that is silent. It lists them when it is back.
func (c *connections) lost(server string) {
	c.forget(func(l *seen) bool { return l.server == server })
}

func (c *connections) forget(gone func(*seen) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for account, places := range c.of {
		for at, l := range places {
			if gone(l) {
				delete(places, at)
				c.size.Add(-1)
			}
		}
		if len(places) == 0 {
			delete(c.of, account)
		}
	}
}
