package registry

import (
	"sync"

	"keyward/keys"
)

// maxShared bounds a cache of shared keys, to about 8 MB.
const maxShared = 1 << 16

// sharedKeys keeps the shared keys that were computed, the costly part of a login.
// Its zero value is ready.
type sharedKeys struct {
	mu  sync.RWMutex
	all map[keys.PublicKey]*keys.SharedKey
}

// get returns the key that the server shares with the owner of public. Where the
// cache is full any other makes room.
func (c *sharedKeys) get(server *keys.Server, public keys.PublicKey) (*keys.SharedKey, error) {
	c.mu.RLock()
	shared := c.all[public]
	c.mu.RUnlock()
	if shared != nil {
		return shared, nil
	}
	shared, err := server.SharedKey(public)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = make(map[keys.PublicKey]*keys.SharedKey)
	}
	for other := range c.all {
		if len(c.all) < maxShared {
			break
		}
		delete(c.all, other)
	}
	c.all[public] = shared
	return shared, nil
}
