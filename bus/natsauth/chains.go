package natsauth

import (
	"crypto/x509"
	"slices"
	"sync"
)

// chains are the certificates of those who were let in, by their fingerprints, to verify them again. Two reviews are told
// apart by a number.
type chains struct {
	mu     sync.Mutex
	of     map[string]kept
	review int
}

// kept is a chain in DER, the review by which it was last verified, and how many lists of connections since had none of it.
type kept struct {
	der    [][]byte
	review int
	unused int
}

func newChains() *chains { return &chains{of: map[string]kept{}} }

// now is the number of the last review: who verifies asks before.
func (c *chains) now() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.review
}

// next begins a review.
func (c *chains) next() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.review++
}

// keep keeps a chain that was verified by a review.
func (c *chains) keep(chain []*x509.Certificate, review int) {
	der := make([][]byte, len(chain))
	for i, cert := range chain {
		der[i] = cert.Raw
	}
	c.put(der, review)
}

func (c *chains) put(der [][]byte, review int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	which := fingerprint(der[0])
	if old, ok := c.of[which]; !ok || old.review <= review {
		c.of[which] = kept{der, review, 0}
	}
}

// get finds a chain in DER, and whether it was verified since the last review.
func (c *chains) get(which string) (der [][]byte, fresh, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.of[which]
	return k.der, k.review == c.review, ok
}

// only forgets all chains but those that are needed, and those of the last two reviews or the last list, whose connections may be
// yet to come.
func (c *chains) only(needed map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for which, k := range c.of {
		k.unused++
		if needed[which] {
			k.unused = 0
		}
		if k.unused > 1 && k.review < c.review-1 {
			delete(c.of, which)
		} else {
			c.of[which] = k
		}
	}
}

// parse reads a chain that keep kept.
func parse(der [][]byte) ([]*x509.Certificate, error) {
	return x509.ParseCertificates(slices.Concat(der...))
}
