package sqlstore

import (
	"os"
	"slices"
	"sync"
	"time"

	"keyward/store"
)

// maxCached bounds for how many names the keys are kept in memory.
const maxCached = 1 << 16

// keyCache keeps the keys of users who log in, so that most logins read nothing. It keeps
// that there is no such user too, as a nil list: else the time of a read would tell a
// stranger which names are users. The file has one process, whose writer forgets a name
// before a change of the user or the keys is acknowledged. Another process that imports says so
// by the time of a file: nothing is kept while that is importing. The zero value is ready; a nil cache keeps nothing.
type keyCache struct {
	imported string // the file; may be ""

	mu      sync.RWMutex
	of      map[string][]store.Key
	changes uint64
	as      time.Time // the file's, when of was begun
}

// get gives a user's keys, nil where there is no such user, and how many changes there were, for put.
func (c *keyCache) get(user string) (list []store.Key, found bool, changes uint64) {
	if c == nil {
		return nil, false, 0
	}
	c.follow(c.importedAt())
	c.mu.RLock()
	defer c.mu.RUnlock()
	list, found = c.of[user]
	return slices.Clone(list), found, c.changes
}

// follow forgets everything after an import.
func (c *keyCache) follow(at time.Time) {
	c.mu.RLock()
	same := at.Equal(c.as)
	c.mu.RUnlock()
	if same {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	c.of, c.as = nil, at
}

// importedAt is when another process imported last.
func (c *keyCache) importedAt() time.Time {
	info, err := os.Stat(c.imported)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// importing is the time of the file, in seconds since 1970, from before the commit of an import until after it. A process that
// is killed between leaves it.
const importing = 0

// beginImport says that this process is about to commit an import, and gives what says that it is over.
func (c *keyCache) beginImport() (end func() error, err error) {
	if c == nil {
		return func() error { return nil }, nil
	}
	next := c.importedAt().Add(time.Second) // the coarsest step of a file system
	return func() error { return c.tell(next) }, c.tell(time.Unix(importing, 0))
}

// tell sets the time of the file.
func (c *keyCache) tell(at time.Time) error {
	c.follow(at)
	return os.Chtimes(c.imported, at, at)
}

// put keeps what was read, unless something changed since get. Where the cache is full any other makes room.
func (c *keyCache) put(user string, list []store.Key, changes uint64) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes != changes || c.as.Equal(time.Unix(importing, 0)) {
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
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	delete(c.of, user)
}
