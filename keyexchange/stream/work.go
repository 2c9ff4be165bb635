package stream

import (
	"cmp"
	"errors"
	"fmt"

	"keyward/keyexchange"
	"keyward/keyexchange/msgpack"
)

// What a batch takes: about three milliseconds of work, and at least one message.
const (
	batchMessages = 64
	batchBytes    = 64 << 10
)

// batch is messages that came one after the other, and what became of them. Its buffers serve again.
type batch struct {
	messages []message
	known    []keyexchange.OpenKeys // that they were tried with
	results  []result               // one for each message
	lines    []byte                 // of all that are good
	done     chan struct{}          // has one when it was worked
}

type result struct {
	end int // of its line, which begins where the one before ends
	err error
}

// work opens and decodes messages until there are no more.
func (r *run) work() {
	o := opener{max: r.MaxMessage}
	for b := r.take(); b != nil; b = r.take() {
		if !r.broken.Load() {
			r.open(b, &o)
		}
		b.done <- struct{}{}
	}
}

// take fills a batch with a message and those that are there already, and gives it its place in the order.
func (r *run) take() *batch {
	r.taking <- struct{}{}
	defer func() { <-r.taking }()
	m, ok := <-r.received
	if !ok {
		return nil
	}
	b := r.free.Get().(*batch)
	b.messages = append(b.messages[:0], m)
	for size := len(m.data); len(b.messages) < batchMessages && size < batchBytes; size += len(m.data) {
		select {
		case m, ok = <-r.received:
		default:
			ok = false
		}
		if !ok {
			break
		}
		b.messages = append(b.messages, m)
	}
	r.ordered <- b
	return b
}

func (r *run) open(b *batch, o *opener) {
	b.known = nil
	if r.Keys != nil {
		b.known = r.Keys.Known()
	}
	b.results, b.lines = b.results[:0], b.lines[:0]
	for _, m := range b.messages {
		err := m.spoiled
		if err == nil {
			b.lines, err = r.line(b.lines, m.data, b.known, o)
		}
		b.results = append(b.results, result{len(b.lines), err})
	}
}

// line appends a message's line to dst. Where there is an error dst is what it was.
func (r *run) line(dst, data []byte, known []keyexchange.OpenKeys, o *opener) ([]byte, error) {
	if r.Keys != nil {
		var err error
		if data, err = o.open(data, known); err != nil {
			return dst, err
		}
	}
	dst, err := msgpack.ToJSON(dst, data, cmp.Or(r.MaxMessage, keyexchange.DefaultMaxMessage))
	if err != nil {
		return dst, fmt.Errorf("%w: %w", ErrNoMap, err)
	}
	return append(dst, '\n'), nil
}

// opener opens messages, for one goroutine.
type opener struct {
	max   int
	first int // of the known keys: what fitted last
	plain []byte
}

// open gives what a message holds, until the next call.
func (o *opener) open(data []byte, known []keyexchange.OpenKeys) ([]byte, error) {
	err := keyexchange.ErrNotSigned
	for i := range known {
		at := (o.first + i) % len(known)
		o.plain, err = keyexchange.Open(o.plain[:0], data, &known[at], o.max)
		if !errors.Is(err, keyexchange.ErrNotSigned) {
			o.first = at
			break
		}
	}
	return o.plain, err
}
