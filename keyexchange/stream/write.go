package stream

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"keyward/internal/retry"
	"keyward/keyexchange"
)

const (
	renewPause = time.Second     // from one look for other keys to the next, at least
	patience   = 5 * time.Second // with who has the keys, and does not answer
	lastWrite  = time.Second     // for a Write of Out to return, once ctx ended
	clockSkew  = time.Second     // that the publisher's clock may be ahead of the exchange's: it seals with new keys that much sooner
)

// writer writes what was opened, in order. What no key opened it tries again, once it knows those that held when it came.
type writer struct {
	*run
	opener  opener
	line    []byte
	lines   int64
	seen    window
	renewed time.Time // when it began to look for other keys, the last time
	settled time.Time // what came before is opened by the keys that are known, or by none
}

// writeAll writes until all is worked. Where that fails it calls stop, and lets the rest go.
func (w *writer) writeAll(ctx context.Context, stop func()) (err error) {
	w.opener.max = w.MaxMessage
	for b := range w.ordered {
		<-b.done
		if err == nil {
			err = w.write(ctx, b)
		}
		if err != nil {
			w.broken.Store(true)
			stop()
		}
		w.recycle(b)
	}
	return err
}

// write writes the lines of a batch, those side by side together.
func (w *writer) write(ctx context.Context, b *batch) error {
	from, to, count := 0, 0, 0 // of what is still to be written
	for i, m := range b.messages {
		r := b.results[i]
		if r.err == nil {
			r.err = w.replayed(m)
		}
		if r.err == nil {
			to, count = r.end, count+1
			continue
		}
		if err := w.put(ctx, b.lines[from:to], count); err != nil { // what came before does not wait
			return err
		}
		from, to, count = r.end, r.end, 0
		if err := w.putAgain(ctx, m, b.known, r.err); err != nil {
			return err
		}
	}
	return w.put(ctx, b.lines[from:to], count)
}

func (w *writer) put(ctx context.Context, lines []byte, count int) error {
	if count == 0 {
		return nil
	}
	n, err := w.give(ctx, lines)
	if err != nil {
		w.lines += int64(bytes.Count(lines[:n], []byte("\n")))
		return err
	}
	w.lines += int64(count)
	return nil
}

// give has Out write. Where nobody takes what it writes that may last for ever, so once ctx ended it is left alone with it.
func (w *writer) give(ctx context.Context, lines []byte) (int, error) {
	var n int
	var err error
	written := make(chan struct{})
	go func() {
		defer close(written)
		n, err = w.Out.Write(lines)
	}()
	select {
	case <-written:
		return n, err
	case <-ctx.Done():
	}
	select {
	case <-written:
		return n, err
	case <-time.After(lastWrite):
		return 0, ErrStuck
	}
}

// putAgain writes a message after all, where other keys open it, or tells why it is bad.
func (w *writer) putAgain(ctx context.Context, m message, tried []keyexchange.OpenKeys, why error) error {
	if errors.Is(why, keyexchange.ErrNotSigned) {
		why = w.openAgain(ctx, m, tried)
		if why == nil {
			why = w.replayed(m)
		}
		if why == nil {
			return w.put(ctx, w.line, 1)
		}
	}
	if w.Bad != nil {
		w.Bad(why)
	}
	return nil
}

// openAgain opens a message that no key opened of those that were tried, and leaves its line in w.line. Where none of the known
// keys does it either, it looks for others: until a second after the message came, at most each second, for five seconds where
// that fails. Messages that came meanwhile do not wait for another five.
func (w *writer) openAgain(ctx context.Context, m message, tried []keyexchange.OpenKeys) (err error) {
	err = keyexchange.ErrNotSigned
	for start := now(); ; {
		if known := w.Keys.Known(); !slices.Equal(known, tried) {
			tried = known
			w.line, err = w.run.line(w.line[:0], m.data, known, &w.opener)
			if !errors.Is(err, keyexchange.ErrNotSigned) {
				return err
			}
		}
		if m.arrived.Before(w.settled) || ctx.Err() != nil {
			return err
		}
		w.renew(ctx, start.Add(patience))
	}
}

// renew looks for other keys, no sooner than a second after the last look, and notes what is settled then. Past the deadline
// all is that came so far.
func (w *writer) renew(ctx context.Context, deadline time.Time) {
	retry.Sleep(ctx, time.Until(w.renewed.Add(renewPause)))
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	w.renewed = now()
	switch err := w.Keys.Renew(ctx); {
	case err == nil:
		w.settled = w.renewed.Add(-clockSkew)
	case now().After(deadline.Add(-renewPause)):
		w.settled = now()
	}
}

// replayed refuses a message that was there before. Of one that is not sealed nobody can tell.
func (w *writer) replayed(m message) error {
	if w.Keys == nil || w.seen.add(m.data) {
		return nil
	}
	return ErrReplayed
}

// maxKept is how large a buffer may be that serves again.
const maxKept = 1 << 20

func (w *writer) recycle(b *batch) {
	var bytes int64
	for _, m := range b.messages {
		bytes += m.cost()
	}
	w.release(bytes)
	clear(b.messages)
	if cap(b.lines) > maxKept {
		b.lines = nil
	}
	w.free.Put(b)
}
