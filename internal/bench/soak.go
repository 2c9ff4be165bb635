package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"
)

const (
	goodCouples = 1000
	soakPause   = 250 * time.Millisecond // of a good couple, after a message was there and back
)

// soak has many couples send a message there and back again and again, while one couple does what it can to harm them. It tells how long the
// slowest hundredth of the others' took, and how much more memory the relay held at the end than at the beginning. A couple that loses
// its relay ends it with an error.
func (b *bench) soak(ctx context.Context) ([]row, error) {
	id, err := b.identity(ctx, "relay")
	if err != nil {
		return nil, err
	}
	s, err := b.serveRelay(ctx, id)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	r := relay{s, true, id.client}
	good, err := r.manyCouples(ctx, goodCouples)
	defer closeAll(good)
	if err != nil {
		return nil, err
	}
	calm, err := chatAll(ctx, good, b.soakTime/10)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var beside sync.WaitGroup
	harm, err := b.harmer(ctx, s, id)
	if err != nil {
		return nil, err
	}
	beside.Go(func() { _ = harm.Run() }) // it ends when ctx does
	held := make(chan []float64, 1)
	beside.Go(func() { held <- s.watchMemory(ctx) })
	took, err := chatAll(ctx, good, b.soakTime)
	cancel()
	beside.Wait()
	if err != nil {
		return nil, err
	}
	memory := <-held
	if len(memory) < 5 || len(calm) == 0 {
		return nil, errors.New("the soak was too short")
	}
	fmt.Fprintf(b.log, "%d messages there and back, at the median in %s\n", len(took), milliseconds(quartilesOf(took).median))
	slowest := quantile(slices.Sorted(slices.Values(took)), 0.99)
	late := row{
		what: fmt.Sprintf("soak of %v: in what time 99 %% of the messages of %d couples are there and back, beside a bad couple, over 100 ms", b.soakTime, goodCouples),
		unit: milliseconds, target: target{sign: atMost, bound: 1},
	}
	late.pairs.add(slowest, 100)
	hurt := row{what: "the same over without the bad couple", unit: milliseconds}
	hurt.pairs.add(slowest, quantile(slices.Sorted(slices.Values(calm)), 0.99))
	memory = memory[len(memory)/5:] // until then it fills its buffers
	quarter := len(memory) / 4
	grown := row{
		what: "the relay's memory in the last quarter of the soak over that in the first, at their medians",
		unit: mebibytes, target: target{sign: atMost, bound: 1.1},
	}
	grown.pairs.add(quartilesOf(memory[len(memory)-quarter:]).median, quartilesOf(memory[:quarter]).median)
	return []row{late, hurt, grown}, nil
}

func (r relay) manyCouples(ctx context.Context, n int) ([]couple, error) {
	all := make([]couple, n)
	for i := range all {
		var err error
		if all[i], err = r.couple(ctx, fmt.Sprint("good", i)); err != nil {
			return all[:i], err
		}
	}
	return all, nil
}

func closeAll(couples []couple) {
	for _, c := range couples {
		c.close()
	}
}

// chatAll has the couples send for a time, and returns the milliseconds that each message took there and back.
func chatAll(ctx context.Context, couples []couple, d time.Duration) ([]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		all     []float64
		failure error
	)
	for _, c := range couples {
		wg.Go(func() {
			took, err := c.chat(ctx)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			failure = errors.Join(failure, err)
		})
	}
	wg.Wait()
	return all, failure
}

// chat sends now and then. Its messages are all that the relay hears of it: pings go without an answer.
func (c couple) chat(ctx context.Context) (took []float64, err error) {
	for {
		select {
		case <-ctx.Done():
			return took, nil
		case <-time.After(soakPause/2 + rand.N(soakPause)): //nolint:gosec // no secret
		}
		halves, err := c.volley(1)
		if err != nil {
			return took, err
		}
		took = append(took, 2*halves[0])
	}
}

// watchMemory looks at the server's memory often until ctx ends, and returns what it saw, in MiB.
func (s *server) watchMemory(ctx context.Context) (seen []float64) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return seen
		case <-tick.C:
			seen = append(seen, s.resident())
		}
	}
}

// harmer is this program once more, for the bad couples: what they cost shall not slow down who measures.
func (b *bench) harmer(ctx context.Context, s *server, id relayFiles) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, self, "-harm", s.address, id.dir)
	c.Stderr = b.log
	return c, nil
}

// harm has one bad couple after another at the relay at an address, until ctx ends. Most are sent away by the relay.
func harm(ctx context.Context, address, dir string, log io.Writer) error {
	id := relayIn(dir)
	if err := id.load(); err != nil {
		return err
	}
	r := relay{&server{address: address}, true, id.client}
	for turn := 0; ctx.Err() == nil; {
		for _, bad := range []struct {
			what string
			do   func(couple) error
		}{
			{"never reads", neverRead},
			{"floods", flood},
			{"sends tiny frames", tinyFrames},
			{"sends an endless message", endlessMessage},
			{"trickles", trickle},
		} {
			turn++
			c, err := r.couple(ctx, fmt.Sprint("bad", turn)) // the one before may still be leaving
			if err != nil {
				return err
			}
			limited, cancel := context.WithTimeout(ctx, 20*time.Second)
			stop := context.AfterFunc(limited, c.close)
			start := time.Now()
			err = bad.do(c) // until the relay or the time ends it
			fmt.Fprintf(log, "a bad couple that %s lasted %.1f s: %v\n", bad.what, time.Since(start).Seconds(), err)
			stop()
			cancel()
			c.close()
		}
	}
	return nil
}

// neverRead floods an end that takes nothing.
func neverRead(c couple) error { return c.left.forever(c.message()) }

// flood is as much as goes through.
func flood(c couple) error {
	go func() { _ = c.left.forever(c.message()) }()
	for {
		if _, err := c.right.next(); err != nil {
			return err
		}
	}
}

// tinyFrames is a message in frames of a byte each, without an end.
func tinyFrames(c couple) error {
	go drain(c.right)
	if err := c.left.send(1, []byte{0x01, maskBit | 1, 0, 0, 0, 0, 'x'}); err != nil {
		return err
	}
	return c.left.forever(slices.Repeat([]byte{0x00, maskBit | 1, 0, 0, 0, 0, 'x'}, 1000))
}

// endlessMessage is one frame as large as any may be.
func endlessMessage(c couple) error {
	go drain(c.right)
	if err := c.left.send(1, []byte{lastText, maskBit | 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}); err != nil {
		return err
	}
	return c.left.forever(make([]byte, 16<<10))
}

// trickle is a frame of the size that is allowed, of which a byte comes now and then.
func trickle(c couple) error {
	go drain(c.right)
	if err := c.left.send(1, []byte{lastText, maskBit | 127, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0}); err != nil {
		return err
	}
	for {
		if err := c.left.send(1, []byte{'x'}); err != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func drain(e *end) {
	for {
		if _, err := e.next(); err != nil {
			return
		}
	}
}

// forever writes the same until the connection ends.
func (p *end) forever(frames []byte) error {
	for {
		if _, err := p.Write(frames); err != nil {
			return err
		}
	}
}
