package registry

import (
	"sync"
	"time"
)

// refusalBeat is the time between two beats. A refused key login takes one to two of
// them, which covers trying all of a user's keys, and one more for each other key of the server's.
const refusalBeat = 20 * time.Millisecond

// beats releases whoever waits at common times, refusalBeat apart, so that when one is
// released does not tell what they did before. One timer serves all that wait for a beat,
// and none runs where nobody does.
type beats struct {
	start time.Time // of the count
	mu    sync.Mutex
	ahead map[int64]chan struct{} // the beats that are waited for; closed when they come
}

func newBeats() *beats {
	return &beats{start: time.Now(), ahead: make(map[int64]chan struct{})}
}

// count is how many beats there were.
func (b *beats) count() int64 { return int64(time.Since(b.start) / refusalBeat) }

// wait returns at beat n, or at the next one where n is over: never between two.
func (b *beats) wait(n int64) { <-b.beat(max(n, b.count()+1)) }

func (b *beats) beat(n int64) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, found := b.ahead[n]
	if !found {
		c = make(chan struct{})
		b.ahead[n] = c
		time.AfterFunc(time.Until(b.start.Add(time.Duration(n)*refusalBeat)), func() { b.strike(n) })
	}
	return c
}

func (b *beats) strike(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.ahead[n]
	delete(b.ahead, n)
	close(c)
}
