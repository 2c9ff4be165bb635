// Package stream reads sealed messages and writes each as a line of JSON: verified, then decrypted, then decoded, in the order
// in which they came. Several cores do that at once.
//
// A message that no known key signed may be the first with new keys. It waits, and all behind it, while the keys are fetched
// again: so a change of keys loses none. What was forged costs a fetch a second, and no more.
package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"keyward/keyexchange"
)

// What may be in flight: received, and not yet written. Beyond it nothing more is received, and what the publisher does then is
// its affair: ZeroMQ and NATS leave messages out.
const (
	maxBytes    = 64 << 20 // of messages, each counted with messageCost
	messageCost = 256      // bytes of memory beside its own
	maxMessages = 1 << 15
)

// Keys is where the keys come from that open messages. Its methods are called by several goroutines at once.
type Keys interface {
	// Known are the keys that may have sealed what is there now, the latest first. It is asked often, so it must be quick, and
	// nobody changes what it gave.
	Known() []keyexchange.OpenKeys
	// Renew looks for other keys at once. Those that hold when it is called are among the Known when it returns nil.
	Renew(ctx context.Context) error
}

// Stream is what Run needs.
type Stream struct {
	// Receive gives the next message, which is ours from then on. io.EOF is the end. It returns when ctx ends. An error that is
	// Spoiled is of one message alone, and is told to Bad. Any other ends the stream.
	Receive func(ctx context.Context) ([]byte, error)
	Spoiled error
	Out     io.Writer // gets whole lines, at most one batch with each Write
	Keys    Keys      // nil where messages are not sealed
	// MaxMessage is how many bytes a message may have, sealed: keyexchange.DefaultMaxMessage where it is 0.
	MaxMessage int
	// Bad is told why a message is not written: an error of keyexchange.Open, ErrReplayed, ErrNoMap or what is Spoiled. It is
	// called by one goroutine, in the order of the messages. Nil is nobody.
	Bad func(error)
}

// The errors of bad messages that are not keyexchange's own.
var (
	// ErrReplayed is of a message that was there before, among the latest 65,536 at least.
	ErrReplayed = errors.New("the message was there before")
	// ErrNoMap is of a message that opens, or is not sealed, and is not the MessagePack of one map.
	ErrNoMap = errors.New("the message is no map in MessagePack")
)

// ErrStuck is of lines that nobody took within a second, when it was to end.
var ErrStuck = errors.New("nobody reads what is written")

// Run works until the stream or ctx ends, which is nil, or receiving or writing fails. It returns when all that it started has
// ended; what was received by then is written. The count is of the lines. One thing may last longer than Run: after ErrStuck a
// Write of Out, until its owner closes it or the process ends.
func (s *Stream) Run(ctx context.Context) (lines int64, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	r := &run{
		Stream:   s,
		received: make(chan message, maxMessages),
		ordered:  make(chan *batch, 4*runtime.GOMAXPROCS(0)),
		taking:   make(chan struct{}, 1),
		freed:    make(chan struct{}, 1),
	}
	r.free.New = func() any { return &batch{done: make(chan struct{}, 1)} }
	var receiving, working sync.WaitGroup
	var failed error
	receiving.Go(func() { failed = r.receive(ctx) })
	for range runtime.GOMAXPROCS(0) {
		working.Go(r.work)
	}
	receiving.Go(func() {
		working.Wait()
		close(r.ordered)
	})
	w := writer{run: r}
	err = w.writeAll(ctx, stop)
	receiving.Wait()
	if err == nil {
		err = failed
	}
	return w.lines, err
}

// run is what the goroutines of a Run share.
type run struct {
	*Stream
	received chan message
	ordered  chan *batch   // in the order of their messages, worked or not
	taking   chan struct{} // has one while a batch is filled: so batches are in order
	bytes    atomic.Int64
	freed    chan struct{} // bytes are fewer
	broken   atomic.Bool   // nothing more can be written
	free     sync.Pool     // of *batch
}

type message struct {
	data    []byte
	spoiled error // there is none
	arrived time.Time
}

func (m message) cost() int64 { return int64(len(m.data)) + messageCost }

// receive takes messages until there are no more.
func (r *run) receive(ctx context.Context) error {
	defer close(r.received)
	for r.room(ctx) {
		data, err := r.Receive(ctx)
		switch {
		case err == nil, r.Spoiled != nil && errors.Is(err, r.Spoiled):
		case ctx.Err() != nil || errors.Is(err, io.EOF):
			return nil
		default:
			return fmt.Errorf("receive: %w", err)
		}
		m := message{data, err, now()}
		r.bytes.Add(m.cost())
		r.received <- m
	}
	return nil
}

// room waits until another message may be in flight.
func (r *run) room(ctx context.Context) bool {
	for r.bytes.Load() >= maxBytes {
		select {
		case <-r.freed:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return false
		}
	}
	return ctx.Err() == nil
}

func (r *run) release(bytes int64) {
	r.bytes.Add(-bytes)
	select {
	case r.freed <- struct{}{}:
	default:
	}
}

// now is the time for pauses and patience. It is never shown nor kept.
func now() time.Time { return time.Now() } //nolint:forbidigo // tests have a bubble with a clock of its own
