package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"keyward/keyexchange"
)

// turning are keys that a test turns: renew says what a look for others brings.
type turning struct {
	mu    sync.Mutex
	known []keyexchange.OpenKeys
	looks []time.Time
	renew func(ctx context.Context, k *turning) error
}

func (k *turning) Known() []keyexchange.OpenKeys {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.known
}

func (k *turning) Renew(ctx context.Context) error {
	k.mu.Lock()
	k.looks = append(k.looks, time.Now())
	k.mu.Unlock()
	return k.renew(ctx, k)
}

func (k *turning) add(keys keyexchange.OpenKeys) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known = append([]keyexchange.OpenKeys{keys}, k.known...)
}

// lively holds the looks a second apart.
func (k *turning) apart(t *testing.T) {
	t.Helper()
	for i := range k.looks[1:] {
		if d := k.looks[i+1].Sub(k.looks[i]); d < time.Second {
			t.Errorf("looks %v apart", d)
		}
	}
}

// timed notes when each line is written.
type timed struct {
	bytes.Buffer
	at []time.Time
}

func (w *timed) Write(b []byte) (int, error) {
	for range bytes.Count(b, []byte("\n")) {
		w.at = append(w.at, time.Now())
	}
	return w.Buffer.Write(b)
}

// paced gives each message after a pause, then io.EOF.
func paced(pause time.Duration, messages ...[]byte) func(context.Context) ([]byte, error) {
	next := from(messages...)
	return func(ctx context.Context) ([]byte, error) {
		time.Sleep(pause)
		return next(ctx)
	}
}

// Messages that are sealed with new keys wait for them, in their order, and those that are sealed with the old ones still open.
func TestSwitch(t *testing.T) {
	old, next := keyexchange.GenerateSealKeys(), keyexchange.GenerateSealKeys()
	synctest.Test(t, func(t *testing.T) {
		var messages [][]byte
		var want strings.Builder
		for i := range 3000 {
			keys := old
			if i > 1000 && i%7 != 0 { // two publishers, one of which is late
				keys = next
			}
			messages = append(messages, sealed(t, keys, fmt.Sprintf(`{"n":%d}`, i)))
			fmt.Fprintf(&want, `{"n":%d}`+"\n", i)
		}
		keys := &turning{known: []keyexchange.OpenKeys{old.OpenKeys}, renew: func(_ context.Context, k *turning) error {
			time.Sleep(50 * time.Millisecond)
			k.add(next.OpenKeys)
			return nil
		}}
		var out timed
		s := Stream{Receive: paced(time.Millisecond, messages...), Out: &out, Keys: keys, Bad: func(err error) { t.Error(err) }}
		lines, err := s.Run(t.Context())
		check(t, err)
		if int(lines) != len(messages) || out.String() != want.String() {
			t.Errorf("%d lines", lines)
		}
		if len(keys.looks) != 1 {
			t.Errorf("looked for keys %d times", len(keys.looks))
		}
	})
}

// A publisher whose clock is a little ahead seals with new keys before the exchange gives them.
func TestClockSkew(t *testing.T) {
	old, next := keyexchange.GenerateSealKeys(), keyexchange.GenerateSealKeys()
	synctest.Test(t, func(t *testing.T) {
		given := time.Now().Add(900 * time.Millisecond)
		keys := &turning{known: []keyexchange.OpenKeys{old.OpenKeys}, renew: func(_ context.Context, k *turning) error {
			if !time.Now().Before(given) {
				k.add(next.OpenKeys)
			}
			return nil
		}}
		var out bytes.Buffer
		s := Stream{Receive: paced(time.Millisecond, sealed(t, next, `{"n":0}`), sealed(t, old, `{"n":1}`)), Out: &out, Keys: keys, Bad: func(err error) { t.Error(err) }}
		lines, err := s.Run(t.Context())
		check(t, err)
		if want := "{\"n\":0}\n{\"n\":1}\n"; lines != 2 || out.String() != want {
			t.Errorf("%d lines: %s", lines, out.String())
		}
	})
}

// A flood of forged messages costs a look a second, and the good ones between them come at most two seconds and a look late.
func TestFlood(t *testing.T) {
	keys, others := keyexchange.GenerateSealKeys(), keyexchange.GenerateSealKeys()
	forged := sealed(t, others, `{"n":0}`)
	synctest.Test(t, func(t *testing.T) {
		var messages [][]byte
		for i := range 2000 {
			messages = append(messages, forged, forged, forged, forged, sealed(t, keys, fmt.Sprintf(`{"n":%d}`, i)))
		}
		const look = 20 * time.Millisecond
		known := &turning{known: []keyexchange.OpenKeys{keys.OpenKeys}, renew: func(context.Context, *turning) error { time.Sleep(look); return nil }}
		start, bad := time.Now(), 0
		var out timed
		s := Stream{Receive: paced(time.Millisecond, messages...), Out: &out, Keys: known, Bad: func(error) { bad++ }}
		lines, err := s.Run(t.Context())
		check(t, err)
		if lines != 2000 || bad != 8000 {
			t.Errorf("%d good, %d bad", lines, bad)
		}
		known.apart(t)
		if n := len(known.looks); n < 9 || n > 12 {
			t.Errorf("looked %d times in 10 seconds", n)
		}
		for i, at := range out.at {
			sent := start.Add(time.Duration(5*(i+1)) * time.Millisecond)
			if late := at.Sub(sent); late > 2*time.Second+2*look {
				t.Fatalf("line %d is %v late", i, late)
			}
		}
	})
}

// An exchange that is away holds a message up for five seconds, and those behind it no longer. One that comes back in time
// loses none.
func TestAway(t *testing.T) {
	old, next := keyexchange.GenerateSealKeys(), keyexchange.GenerateSealKeys()
	for name, away := range map[string]func(context.Context) error{
		"refuses": func(context.Context) error { return errors.New("refused") },
		"hangs":   func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		for _, lasts := range []time.Duration{3 * time.Second, time.Hour} {
			t.Run(fmt.Sprint(name, lasts), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					start := time.Now()
					keys := &turning{known: []keyexchange.OpenKeys{old.OpenKeys}, renew: func(ctx context.Context, k *turning) error {
						if time.Since(start) < lasts {
							ctx, cancel := context.WithDeadline(ctx, start.Add(lasts))
							defer cancel()
							return away(ctx)
						}
						k.add(next.OpenKeys)
						return nil
					}}
					var messages [][]byte
					for i := range 300 {
						messages = append(messages, sealed(t, next, fmt.Sprintf(`{"n":%d}`, i)), sealed(t, old, `{"n":-1}`))
					}
					bad := 0
					var out timed
					s := Stream{Receive: paced(5*time.Millisecond, messages...), Out: &out, Keys: keys, Bad: func(error) { bad++ }}
					lines, err := s.Run(t.Context())
					check(t, err)
					keys.apart(t)
					if want := int64(600); lasts < patience && (lines != want || bad != 0) {
						t.Errorf("%d lines, %d bad", lines, bad)
					}
					if lasts > patience && (lines != 300 || bad != 300) {
						t.Errorf("%d lines, %d bad", lines, bad)
					}
					for i := range out.at {
						if late := out.at[i].Sub(start) - time.Duration(i)*5*time.Millisecond; lasts > patience && late > 3*time.Second+patience {
							t.Fatalf("line %d is %v late", i, late)
						}
					}
				})
			})
		}
	}
}

// Messages that wait long to be written, since nobody takes them, still get their look for other keys.
func TestSlowReaderAtSwitch(t *testing.T) {
	old, next := keyexchange.GenerateSealKeys(), keyexchange.GenerateSealKeys()
	synctest.Test(t, func(t *testing.T) {
		keys := &turning{known: []keyexchange.OpenKeys{old.OpenKeys}, renew: func(_ context.Context, k *turning) error { k.add(next.OpenKeys); return nil }}
		out := &slow{}
		s := Stream{Receive: from(sealed(t, old, `{"n":1}`), sealed(t, next, `{"n":2}`)), Out: out, Keys: keys, Bad: func(err error) { t.Error(err) }}
		lines, err := s.Run(t.Context())
		check(t, err)
		if lines != 2 {
			t.Errorf("%d lines", lines)
		}
	})
}

type slow struct{ bytes.Buffer }

func (w *slow) Write(b []byte) (int, error) {
	time.Sleep(time.Minute)
	return w.Buffer.Write(b)
}

// A lone message is written at once, and not when the next one comes.
func TestLone(t *testing.T) {
	keys := keyexchange.GenerateSealKeys()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		next := from(sealed(t, keys, `{"n":1}`))
		receive := func(ctx context.Context) ([]byte, error) {
			m, err := next(ctx)
			if err != nil {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return m, nil
		}
		var out timed
		start := time.Now()
		time.AfterFunc(time.Hour, cancel)
		lines, err := (&Stream{Receive: receive, Out: &out, Keys: fixed{keys.OpenKeys}}).Run(ctx)
		check(t, err)
		if lines != 1 || !out.at[0].Equal(start) {
			t.Errorf("%d lines, at %v", lines, out.at)
		}
	})
}

// Keys may become fewer between two batches, and there may be none.
func TestFewerKeys(t *testing.T) {
	one, two := keyexchange.GenerateSealKeys(), keyexchange.GenerateSealKeys()
	messages := []message{{data: sealed(t, two, `{"n":1}`)}, {spoiled: errSpoiled}}
	var o opener
	for _, c := range []struct {
		known []keyexchange.OpenKeys
		want  error
	}{
		{[]keyexchange.OpenKeys{one.OpenKeys, two.OpenKeys}, nil},
		{[]keyexchange.OpenKeys{two.OpenKeys}, nil},
		{nil, keyexchange.ErrNotSigned},
	} {
		var errs []error
		o.openAll(messages, c.known, func(_ []byte, err error) { errs = append(errs, err) })
		if len(errs) != 2 || errs[0] != c.want || errs[1] != errSpoiled {
			t.Errorf("with %d keys: %v", len(c.known), errs)
		}
	}
}

// What is in flight is bounded: when nobody takes the lines nothing more is received.
func TestBounds(t *testing.T) {
	keys := keyexchange.GenerateSealKeys()
	for _, size := range []int{1, 500_000} {
		message := sealed(t, keys, `{"n":"`+strings.Repeat("x", size)+`"}`)
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			received := 0
			receive := func(ctx context.Context) ([]byte, error) { received++; return message, ctx.Err() }
			out, in := io.Pipe()
			done := make(chan error)
			go func() {
				_, err := (&Stream{Receive: receive, Out: in, Keys: fixed{keys.OpenKeys}}).Run(ctx)
				done <- err
			}()
			synctest.Wait()
			if bytes := received * (len(message) + messageCost); received < 100 || received > maxMessages+1000 || bytes > maxBytes+len(message)+messageCost {
				t.Errorf("%d messages are in flight, %d bytes", received, bytes)
			}
			cancel()
			_ = out.Close()
			if err := <-done; !errors.Is(err, io.ErrClosedPipe) {
				t.Error(err)
			}
		})
	}
}

// A writer that fails ends all, and its error is that of Run. So is a receiver's, after what it gave is written.
func TestErrors(t *testing.T) {
	keys := keyexchange.GenerateSealKeys()
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("full")
		endless := func(ctx context.Context) ([]byte, error) { return sealed(t, keys, `{"n":1}`), ctx.Err() }
		_, err := (&Stream{Receive: endless, Out: failing{full}, Keys: fixed{keys.OpenKeys}}).Run(t.Context())
		if !errors.Is(err, full) {
			t.Error(err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		next := from(sealed(t, keys, `{"n":1}`), sealed(t, keys, `{"n":2}`))
		lost, spoils := errors.New("lost"), 0
		receive := func(ctx context.Context) ([]byte, error) {
			if spoils++; spoils == 2 {
				return nil, fmt.Errorf("%w: of three frames", errSpoiled)
			}
			m, err := next(ctx)
			if err != nil {
				err = lost
			}
			return m, err
		}
		var out bytes.Buffer
		var bad []error
		s := Stream{Receive: receive, Spoiled: errSpoiled, Out: &out, Keys: fixed{keys.OpenKeys}, Bad: func(err error) { bad = append(bad, err) }}
		lines, err := s.Run(t.Context())
		if !errors.Is(err, lost) || lines != 2 || out.String() != "{\"n\":1}\n{\"n\":2}\n" || len(bad) != 1 || !errors.Is(bad[0], errSpoiled) {
			t.Error(lines, err, bad, out.String())
		}
	})
}

type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }

// Without keys messages are decoded, and nothing else.
func TestNotSealed(t *testing.T) {
	var out bytes.Buffer
	var bad []error
	s := Stream{Receive: from([]byte("\x81\xa1n\x01"), []byte("\x81\xa1n\x01"), []byte("\x93\x01\x02\x03")), Out: &out, Bad: func(err error) { bad = append(bad, err) }}
	lines, err := s.Run(t.Context())
	check(t, err)
	if lines != 2 || out.String() != "{\"n\":1}\n{\"n\":1}\n" || len(bad) != 1 || !errors.Is(bad[0], ErrNoMap) {
		t.Error(lines, out.String(), bad)
	}
}

func TestWindow(t *testing.T) {
	var w window
	mark := func(i int) []byte { return fmt.Appendf(nil, "%064d", i)[48:] }
	for i := range 3 * generation {
		if !w.add(mark(i)) {
			t.Fatalf("%d is new", i)
		}
		if w.add(mark(i)) || i >= generation-1 && w.add(mark(i-generation+1)) {
			t.Fatalf("%d was there", i)
		}
	}
	if len(w.now)+len(w.before) > 2*generation {
		t.Errorf("%d and %d are remembered", len(w.now), len(w.before))
	}
}
