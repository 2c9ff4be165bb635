package natsembed

import (
	"crypto/x509"
	"errors"
	"sync"

	"keyward/bus"
	"keyward/fault"
)

// connection is one that was let in: by which revision of which account, and with which certificate.
type connection struct {
	id       uint64 // no two ever have the same
	account  bus.Name
	revision uint64
	chain    []*x509.Certificate
}

// table has all connections that are there, and some that have ended: the server tells nobody when they do.
type table struct {
	mu      sync.Mutex
	of      map[bus.Name]map[uint64]connection
	share   int // that one account may have
	size    int
	sweepAt int // the size at which those that have ended are looked for
	now     int // moments: what was right before one may not be after it
}

// leastSweep is a table that is not worth a look.
const leastSweep = 1024

// errOver is a moment's that is over.
var errOver = errors.New("the moment is over")

func newTable(share int) *table {
	return &table{share: share, of: map[bus.Name]map[uint64]connection{}, sweepAt: leastSweep}
}

// moment is to be asked for before it is decided whether a connection is let in.
func (t *table) moment() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now
}

// add notes a connection that was decided on after a moment; again says that it was there. gone says whether one has ended. Its errors
// are errOver, and fault.Policy for an account that has its share.
func (t *table) add(c connection, moment int, gone func(connection) bool) (again bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if moment != t.now {
		return false, errOver
	}
	if t.size >= t.sweepAt {
		t.sweep(gone)
	}
	if _, again = t.of[c.account][c.id]; !again { // a client may send a second CONNECT
		if len(t.of[c.account]) >= t.share {
			t.forgetGone(t.of[c.account], gone)
		}
		if len(t.of[c.account]) >= t.share {
			return false, fault.New(fault.Policy, "end some of them, or give --max-per-account more", "the account %s has its share of connections, %d", c.account, t.share)
		}
		t.size++
	}
	if t.of[c.account] == nil {
		t.of[c.account] = map[uint64]connection{}
	}
	t.of[c.account][c.id] = c
	return again, nil
}

// sweep forgets what has ended. The next sweep is due when there are twice as many as are left.
func (t *table) sweep(gone func(connection) bool) {
	for _, some := range t.of {
		t.forgetGone(some, gone)
	}
	t.sweepAt = max(leastSweep, 2*t.size)
}

func (t *table) forgetGone(some map[uint64]connection, gone func(connection) bool) {
	for _, c := range some {
		if gone(c) {
			t.forget(c)
		}
	}
}

// remove forgets a connection.
func (t *table) remove(c connection) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(c)
}

func (t *table) forget(c connection) {
	some := t.of[c.account]
	if _, there := some[c.id]; !there {
		return
	}
	delete(some, c.id)
	t.size--
	if len(some) == 0 {
		delete(t.of, c.account)
	}
}

// changed begins a moment, and gives the connections of an account that are of another revision.
func (t *table) changed(now bus.Account) []connection {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now++
	var stale []connection
	for _, c := range t.of[now.Name] {
		if c.revision != now.Revision {
			stale = append(stale, c)
		}
	}
	return stale
}

// all begins a moment, and gives all connections.
func (t *table) all() []connection {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now++
	list := make([]connection, 0, t.size)
	for _, some := range t.of {
		for _, c := range some {
			list = append(list, c)
		}
	}
	return list
}
