package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"keyward/store"
)

// gather asks a database for many at once: what is asked while a statement is on its way waits and goes with the
// next. A round trip and a sync cost nearly the same for one as for a hundred.
type gather[Q, A any] struct {
	ask    func(ctx context.Context, questions []Q) ([]A, error)
	queue  chan *question[Q, A] // without a buffer: what was sent is taken, and so gets its answer
	ending chan struct{}
	ended  sync.WaitGroup
}

// question is one question and where its answer goes.
type question[Q, A any] struct {
	ctx    context.Context
	asks   Q
	answer A
	done   chan error // room for one, so that nobody waits for who asked
}

// newGather makes a gather that asks in several goroutines. ask answers each question at its place; where it fails
// for several, each is asked alone unless the store is unavailable, so that none suffers from another.
func newGather[Q, A any](goroutines int, ask func(context.Context, []Q) ([]A, error)) *gather[Q, A] {
	g := &gather[Q, A]{ask: ask, queue: make(chan *question[Q, A]), ending: make(chan struct{})}
	for range goroutines {
		g.ended.Go(g.loop)
	}
	return g
}

// close waits until the questions that were taken are answered.
func (g *gather[Q, A]) close() {
	close(g.ending)
	g.ended.Wait()
}

// get asks one question.
func (g *gather[Q, A]) get(ctx context.Context, asks Q) (answer A, err error) {
	q := &question[Q, A]{ctx: ctx, asks: asks, done: make(chan error, 1)}
	select {
	case g.queue <- q:
	case <-g.ending:
		return answer, errClosed
	case <-ctx.Done():
		return answer, ctx.Err()
	}
	select {
	case err := <-q.done:
		return q.answer, err
	case <-ctx.Done():
		return answer, ctx.Err()
	}
}

func (g *gather[Q, A]) loop() {
	for {
		select {
		case first := <-g.queue:
			g.answer(g.collect(first))
		case <-g.ending:
			return
		}
	}
}

// collect takes the questions that wait already.
func (g *gather[Q, A]) collect(first *question[Q, A]) []*question[Q, A] {
	batch := []*question[Q, A]{first}
	runtime.Gosched() // lets who was answered before come back with the next question
	for len(batch) < maxBatch {
		select {
		case q := <-g.queue:
			batch = append(batch, q)
		default:
			return batch
		}
	}
	return batch
}

// answer asks what a batch asks, without those who wait no more.
func (g *gather[Q, A]) answer(batch []*question[Q, A]) {
	var waiting []*question[Q, A]
	var asks []Q
	for _, q := range batch {
		if err := q.ctx.Err(); err != nil {
			q.done <- err
			continue
		}
		waiting, asks = append(waiting, q), append(asks, q.asks)
	}
	if len(asks) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerLimit)
	defer cancel()
	answers, err := g.ask(ctx, asks)
	if ctx.Err() != nil {
		err = fmt.Errorf("%w: no answer for %v", store.ErrUnavailable, answerLimit)
	}
	if err != nil && len(asks) > 1 && !errors.Is(err, store.ErrUnavailable) {
		for _, q := range waiting {
			g.answer([]*question[Q, A]{q})
		}
		return
	}
	for i, q := range waiting {
		if err == nil {
			q.answer = answers[i]
		}
		q.done <- err
	}
}
