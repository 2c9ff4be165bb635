package stream

import (
	"cmp"
	"errors"
	"fmt"

	"keyward/keyexchange"
	"keyward/keyexchange/msgpack"
)

// What a batch takes: about a millisecond of work, and at least one message.
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
	b.known, b.results, b.lines = nil, b.results[:0], b.lines[:0]
	add := func(plain []byte, err error) {
		if err == nil {
			b.lines, err = r.decode(b.lines, plain)
		}
		b.results = append(b.results, result{len(b.lines), err})
	}
	if r.Keys == nil {
		for _, m := range b.messages {
			add(m.data, m.spoiled)
		}
		return
	}
	b.known = r.Keys.Known()
	o.openAll(b.messages, b.known, add)
}

// line appends a message's line to dst. Where there is an error dst is what it was.
func (r *run) line(dst, data []byte, known []keyexchange.OpenKeys, o *opener) ([]byte, error) {
	plain, err := o.open(data, known, noKey)
	if err != nil {
		return dst, err
	}
	return r.decode(dst, plain)
}

func (r *run) decode(dst, plain []byte) ([]byte, error) {
	dst, err := msgpack.ToJSON(dst, plain, cmp.Or(r.MaxMessage, keyexchange.DefaultMaxMessage))
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

const noKey = -1

// openAll gives what each message holds, until the next, or why it does not open. All are tried together with the keys that
// fitted last. What those did not sign is tried with the others.
func (o *opener) openAll(messages []message, known []keyexchange.OpenKeys, give func([]byte, error)) {
	if len(known) == 0 {
		for _, m := range messages {
			give(nil, cmp.Or(m.spoiled, keyexchange.ErrNotSigned))
		}
		return
	}
	data := make([][]byte, len(messages))
	for i, m := range messages {
		data[i] = m.data
	}
	i, first := 0, o.first%len(known)
	for plain, err := range keyexchange.OpenAll(data, &known[first], o.max) {
		if errors.Is(err, keyexchange.ErrNotSigned) {
			plain, err = o.open(data[i], known, first)
		}
		give(plain, cmp.Or(messages[i].spoiled, err))
		i++
	}
}

// open gives what a message holds, until the next call. It leaves out the keys that were tried, which may be noKey.
func (o *opener) open(data []byte, known []keyexchange.OpenKeys, tried int) ([]byte, error) {
	err := keyexchange.ErrNotSigned
	for i := range known {
		at := (o.first + i) % len(known)
		if at == tried {
			continue
		}
		o.plain, err = keyexchange.Open(o.plain[:0], data, &known[at], o.max)
		if !errors.Is(err, keyexchange.ErrNotSigned) {
			o.first = at
			break
		}
	}
	return o.plain, err
}
