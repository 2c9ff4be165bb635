package sqlstore

import (
	"context"
	"errors"
	"sync"
	"testing"

	"keyward/store"
)

// double is a database that doubles numbers, and does not know 13.
type double struct {
	asked chan int // how many at a time, before the answer
	gate  chan struct{}
}

func (d double) ask(_ context.Context, asks []int) ([]int, error) {
	d.asked <- len(asks)
	<-d.gate
	answers := make([]int, len(asks))
	for i, n := range asks {
		if n == 13 {
			return nil, errThirteen
		}
		answers[i] = 2 * n
	}
	return answers, nil
}

var errThirteen = errors.New("13")

// TestGather holds that what is asked while a statement is on its way goes with the next, that each gets its own answer,
// and that nobody suffers from another's error.
func TestGather(t *testing.T) {
	d := double{make(chan int, 100), make(chan struct{})}
	g := newGather(1, d.ask)
	var all sync.WaitGroup
	ask := func(n int) {
		got, err := g.get(t.Context(), n)
		if n == 13 && !errors.Is(err, errThirteen) || n != 13 && (err != nil || got != 2*n) {
			t.Errorf("%d is answered %d, %v", n, got, err)
		}
	}
	all.Go(func() { ask(0) })
	<-d.asked // and it waits at the gate
	waiting := make(chan struct{})
	for n := range 20 {
		all.Go(func() {
			waiting <- struct{}{}
			ask(n)
		})
	}
	for range 20 {
		<-waiting
	}
	close(d.gate)
	all.Wait()
	g.close()
	close(d.asked)
	most := 0
	for n := range d.asked {
		most = max(most, n)
	}
	if most < 2 {
		t.Error("no two were asked together")
	}
	if _, err := g.get(t.Context(), 1); !errors.Is(err, errClosed) {
		t.Errorf("after its end: %v", err)
	}
}

// TestGatherUnavailable holds that a database that is gone is not asked again for each.
func TestGatherUnavailable(t *testing.T) {
	asked := 0
	g := newGather(1, func(_ context.Context, asks []int) ([]int, error) {
		asked++
		return nil, store.ErrUnavailable
	})
	defer g.close()
	batch := make([]*question[int, int], 10)
	for i := range batch {
		batch[i] = &question[int, int]{ctx: t.Context(), done: make(chan error, 1)}
	}
	g.answer(batch)
	for _, q := range batch {
		if err := <-q.done; !errors.Is(err, store.ErrUnavailable) {
			t.Error(err)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

// TestGatherCancelled holds that who waits no more is not asked for.
func TestGatherCancelled(t *testing.T) {
	d := double{make(chan int, 1), make(chan struct{})}
	g := newGather(1, d.ask)
	defer g.close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	gone := &question[int, int]{ctx: ctx, asks: 13, done: make(chan error, 1)}
	there := &question[int, int]{ctx: t.Context(), asks: 2, done: make(chan error, 1)}
	close(d.gate)
	g.answer([]*question[int, int]{gone, there})
	if n := <-d.asked; n != 1 {
		t.Errorf("%d were asked for", n)
	}
	if err := <-gone.done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := <-there.done; err != nil || there.answer != 4 {
		t.Error(there.answer, err)
	}
}
