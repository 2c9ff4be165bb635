package sqlstore

import (
	"slices"
	"sync"

	"keyward/store"
)

// maxCached bounds for how many names the keys are kept in memory.
const maxCached = 1 << 16

// keyCache keeps the keys of users who log in, so that most logins read nothing. It keeps
// that there is no such user too, as a nil list: else the time of a read would tell a
// stranger which names are users. The file has one process, whose writer forgets a name
// before a change of the user or the keys is acknowledged. Its zero value is ready.
type keyCache struct {
	mu      sync.RWMutex
	of      map[string][]store.Key
	changes uint64
}

// get gives a user's keys, nil where there is no such user, and how many changes there were, for put.
func (c *keyCache) get(user string) (list []store.Key, found bool, changes uint64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	list, found = c.of[user]
	return slices.Clone(list), found, c.changes
}

// put keeps what was read, unless something changed since get. Where the cache is full any other makes room.
func (c *keyCache) put(user string, list []store.Key, changes uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes != changes {
		return
	}
	if c.of == nil {
		c.of = make(map[string][]store.Key)
	}
	for other := range c.of {
		if len(c.of) < maxCached {
			break
		}
		delete(c.of, other)
	}
	c.of[user] = slices.Clone(list)
}

func (c *keyCache) forget(user string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	delete(c.of, user)
}
