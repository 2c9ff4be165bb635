package registry

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"sync"
)

// turns hands out places at work. Who must wait for one waits in the queue of their source, and the sources
// have their turns one after the other: a source that asks a hundred times keeps another waiting as long as
// one that asks once.
type turns struct {
	places, most int // at work, and waiting

	mu      sync.Mutex
	working int
	waiting int
	queues  map[netip.Prefix][]chan bool // told true when the turn has come, false when there is no room to wait
	order   []netip.Prefix               // the sources that wait, the next one first
}

func newTurns(places, most int) *turns {
	return &turns{places: places, most: most, queues: make(map[netip.Prefix][]chan bool)}
}

// held is how many are at work or wait for it.
func (t *turns) held() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.working + t.waiting
}

// enter waits for a place at work, which leave gives back. It is false where ctx ended before, or where there
// is no room to wait.
func (t *turns) enter(ctx context.Context, from netip.Prefix) bool {
	turn := t.join(from)
	select {
	case come := <-turn:
		return come
	case <-ctx.Done():
		t.giveUp(from, turn)
		return false
	}
}

func (t *turns) join(from netip.Prefix) chan bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	turn := make(chan bool, 1)
	switch {
	case t.working < t.places:
		t.working++
		turn <- true
	case t.waiting == t.most && !t.makeRoom(from):
		turn <- false
	default:
		if t.queues[from] == nil {
			t.order = append(t.order, from)
		}
		t.queues[from] = append(t.queues[from], turn)
		t.waiting++
	}
	return turn
}

// makeRoom turns away the last of the longest queue, unless that of the newcomer's source would then be as long.
func (t *turns) makeRoom(from netip.Prefix) bool {
	length := func(source netip.Prefix) int { return len(t.queues[source]) }
	longest := slices.MaxFunc(t.order, func(a, b netip.Prefix) int { return cmp.Compare(length(a), length(b)) })
	if length(longest) <= length(from)+1 {
		return false
	}
	t.remove(longest, length(longest)-1) <- false
	return true
}

// remove takes one out of the queue of a source.
func (t *turns) remove(from netip.Prefix, i int) chan bool {
	turn := t.queues[from][i]
	t.queues[from] = slices.Delete(t.queues[from], i, i+1)
	t.waiting--
	if len(t.queues[from]) == 0 {
		delete(t.queues, from)
		t.order = slices.DeleteFunc(t.order, func(p netip.Prefix) bool { return p == from })
	}
	return turn
}

// leave gives the place at work to the first of the source whose turn it is.
func (t *turns) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting == 0 {
		t.working--
		return
	}
	next := t.order[0]
	t.order = append(t.order[1:], next)
	t.remove(next, 0) <- true
}

// giveUp waits no longer. A turn that came just now goes to the next.
func (t *turns) giveUp(from netip.Prefix, turn chan bool) {
	t.mu.Lock()
	i := slices.Index(t.queues[from], turn)
	if i >= 0 {
		t.remove(from, i)
	}
	t.mu.Unlock()
	if i < 0 && <-turn {
		t.leave()
	}
}
