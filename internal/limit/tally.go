// Package limit bounds what one source may hold of a server, so that it cannot keep out the others.
package limit

import (
	"net/netip"
	"sync"
)

// Source is what a limit counts together: an IPv4 address, or the 64 bits of an IPv6 address
// below which a host chooses freely. It takes an address with a port, as in http.Request.RemoteAddr
// or a net.Addr's String; what is none, as of a unix socket, is all one source, the zero Prefix.
func Source(remote string) netip.Prefix {
	a, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	address, bits := a.Addr().Unmap().WithZone(""), 64
	if address.Is4() {
		bits = 32
	}
	p, _ := address.Prefix(bits) // the bits fit
	return p
}

// Tally counts what each source holds, up to a share. It may be used by many goroutines at once.
type Tally[source comparable] struct {
	share int
	mu    sync.Mutex
	held  map[source]int
}

// NewTally makes a Tally that nobody is in. Each source may hold share at a time.
func NewTally[source comparable](share int) *Tally[source] {
	return &Tally[source]{share: share, held: make(map[source]int)}
}

// Enter takes one more for a source, unless it has its share.
func (t *Tally[source]) Enter(from source) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[from] >= t.share {
		return false
	}
	t.held[from]++
	return true
}

// Leave gives back what Enter took.
func (t *Tally[source]) Leave(from source) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[from]--; t.held[from] == 0 {
		delete(t.held, from)
	}
}

// Sources is how many sources hold something.
func (t *Tally[source]) Sources() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.held)
}
