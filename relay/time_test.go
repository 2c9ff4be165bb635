package relay

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pipeListener accepts the other ends of the pipes that dial makes: connections without a kernel, whose time is synctest's.
type pipeListener struct {
	come   chan net.Conn
	closed chan struct{}
	close  func()
}

func newPipeListener() *pipeListener {
	closed := make(chan struct{})
	return &pipeListener{make(chan net.Conn), closed, sync.OnceFunc(func() { close(closed) })}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case nc := <-l.come:
		return nc, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error { l.close(); return nil }

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (l *pipeListener) dial() (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.come <- far:
		return near, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// inTime serves in a bubble of synctest.
func inTime(t *testing.T, c Config, f func(t *testing.T, r *relay)) {
	relayCert() // made outside
	peerCert()
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		f(t, serveOn(t, c, l, l.dial))
	})
}

// pumped reads all that comes at once, so that nobody who writes to it is held up, until it has had enough.
type pumped struct {
	parts  chan []byte
	rest   []byte
	enough atomic.Bool
}

func pump(r io.Reader) *pumped {
	p := &pumped{parts: make(chan []byte, 10000)}
	go func() {
		defer close(p.parts)
		for {
			part := make([]byte, 4096)
			n, err := r.Read(part)
			if p.enough.Load() {
				return
			}
			if n > 0 {
				p.parts <- part[:n]
			}
			if err != nil {
				return
			}
		}
	}()
	return p
}

func (p *pumped) Read(b []byte) (int, error) {
	for len(p.rest) == 0 {
		part, more := <-p.parts
		if !more {
			return 0, io.EOF
		}
		p.rest = part
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// pump makes a wire one that always reads.
func (w *wire) pump() *wire {
	w.pumped = pump(w.in)
	w.in = bufio.NewReader(w.pumped)
	return w
}

func (r *relay) pumpedPair(id string) (first, second *wire) {
	first = r.open(testPrefix + id).pump()
	first.text(hello(id))
	r.waitFor(func(s Status) bool { return stateOf(s, id) == StateWaiting })
	second = r.open(testPrefix + id).pump()
	second.text(hello(id))
	first.wantText(hello(id))
	second.wantText(hello(id))
	return first, second
}

// TestPings wants one at once and then every ten seconds, for as long as they are answered.
func TestPings(t *testing.T) {
	inTime(t, Config{HelloTime: time.Hour}, func(t *testing.T, r *relay) {
		start := time.Now()
		w := r.open(testPrefix + "x").pump()
		for i := range 30 {
			f, err := w.readFrame()
			if err != nil || f.op != 9 {
				t.Fatalf("got %v %v", f, err)
			}
			if took := time.Since(start).Round(time.Second); took != time.Duration(i)*10*time.Second {
				t.Errorf("ping %d came after %v", i, took)
			}
			if i == 15 {
				w.text(hello("x"))
			}
			w.send(0x8a, string(f.payload))
		}
		w.closeWith(1000)
		w.wantEcho(1000)
	})
}

// TestPingTimeout has a peer that is gone without a word: it takes what it is sent, and sends nothing.
func TestPingTimeout(t *testing.T) {
	const phrase = "Ping timed out (10 seconds)"
	inTime(t, Config{}, func(t *testing.T, r *relay) {
		start := time.Now()
		first, second := r.pumpedPair("x")
		first.silent = true
		go func() { // who answers pings stays, for as long as it needs to be seen
			first.wantClose(1002, phrase)
		}()
		second.wantClose(1002, alonePhrase)
		if took := time.Since(start); took < 10*time.Second || took > 20*time.Second {
			t.Errorf("it took %v", took)
		}
	})
	inTime(t, Config{}, func(t *testing.T, r *relay) {
		w := r.open(testPrefix + "x").pump()
		w.text(hello("x"))
		w.silent = true
		w.wantClose(1002, phrase)
		r.waitFor(func(s Status) bool { return len(s.Meetups) == 0 })
	})
	inTime(t, Config{HelloTime: time.Hour}, func(t *testing.T, r *relay) {
		w := r.open(testPrefix + "x").pump()
		w.silent = true
		w.wantClose(1002, phrase)
	})
	inTime(t, Config{}, func(t *testing.T, r *relay) { // other frames show as well that somebody is there
		first, second := r.pumpedPair("x")
		first.silent = true
		for range 20 {
			time.Sleep(7 * time.Second)
			first.text("here")
			second.wantText("here")
		}
	})
	inTime(t, Config{}, func(t *testing.T, r *relay) { // a long frame that comes slowly
		first, second := r.pumpedPair("x")
		first.silent = true
		slow := encoded(0x82, make([]byte, 1<<20))
		var wg sync.WaitGroup
		wg.Go(func() {
			for len(slow) > 0 {
				n := min(len(slow), chunkSize)
				first.raw(slow[:n])
				slow = slow[n:]
				time.Sleep(time.Second)
			}
		})
		second.want(2, string(make([]byte, 1<<20)))
		wg.Wait()
	})
}

// TestNeverReads has a peer that takes nothing. Who sends to it is held back, and no more is kept than one part; then it is
// ended, and the other is not blamed for pongs that the relay did not read.
func TestNeverReads(t *testing.T) {
	inTime(t, Config{}, func(t *testing.T, r *relay) {
		first, second := r.pumpedPair("x")
		second.pumped.enough.Store(true)
		first.silent = true // as its pongs are behind what it cannot send
		start := time.Now()
		var sent atomic.Int64
		go func() {
			for {
				if _, err := first.Write(encoded(0x82, make([]byte, 1024))); err != nil {
					return
				}
				sent.Add(1)
			}
		}()
		time.Sleep(writeTime - time.Second)
		if kib := sent.Load(); kib > 40 { // what comes after the end is thrown away
			t.Errorf("%d KiB were taken from the sender", kib)
		}
		first.wantClose(1002, alonePhrase)
		if took := time.Since(start); took < writeTime || took > writeTime+beatTime {
			t.Errorf("it was ended after %v", took)
		}
	})
}

func TestTimesToArrive(t *testing.T) {
	inTime(t, Config{HelloTime: 30 * time.Second}, func(t *testing.T, r *relay) {
		start := time.Now()
		w := r.open(testPrefix + "x").pump()
		w.wantClose(1000, "no HELLO came in time")
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("without a HELLO: %v", took)
		}
	})
	inTime(t, Config{}, func(t *testing.T, r *relay) { // half a HELLO is none
		start := time.Now()
		w := r.open(testPrefix + "x").pump()
		w.send(0x01, hello("x")[:20])
		w.wantClose(1000, "no HELLO came in time")
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("with half a HELLO: %v", took)
		}
	})
	inTime(t, Config{WaitTime: time.Minute}, func(t *testing.T, r *relay) {
		start := time.Now()
		w := r.open(testPrefix + "x").pump()
		w.text(hello("x"))
		w.wantClose(1000, "no peer came in time")
		if took := time.Since(start); took != time.Minute {
			t.Errorf("without a peer: %v", took)
		}
		first, second := r.pumpedPair("x")
		var wg sync.WaitGroup
		wg.Go(func() { first.wantText("after an hour") })
		time.AfterFunc(time.Hour, func() { second.text("after an hour") })
		go func() { _, _ = second.next() }() // answers pings
		wg.Wait()
	})
	inTime(t, Config{}, func(t *testing.T, r *relay) { // no TLS handshake
		start := time.Now()
		nc, _ := r.dial()
		if _, err := nc.Read(make([]byte, 1)); !errors.Is(err, io.EOF) || time.Since(start) != shakeTime {
			t.Errorf("without a handshake: %v after %v", err, time.Since(start))
		}
	})
	inTime(t, Config{}, func(t *testing.T, r *relay) { // half a request to upgrade, and a byte now and then
		cert := peerCert()
		start := time.Now()
		tc, err := r.shake(&cert)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for _, c := range upgradeRequest(testPrefix + "x") {
				_, _ = io.WriteString(tc, string(c))
				time.Sleep(time.Second)
			}
		})
		_, err = tc.Read(make([]byte, 1))
		if !errors.Is(err, io.EOF) || time.Since(start) != shakeTime {
			t.Errorf("with half a request: %v after %v", err, time.Since(start))
		}
		wg.Wait()
	})
}

// TestFloodOfPings has a peer that sends pings and takes no answer.
func TestFloodOfPings(t *testing.T) {
	inTime(t, Config{}, func(t *testing.T, r *relay) {
		first, second := r.pumpedPair("x")
		first.pumped.enough.Store(true)
		go func() {
			for {
				if _, err := first.Write(encoded(0x89, []byte(strings.Repeat("x", 125)))); err != nil {
					return
				}
			}
		}()
		second.wantClose(1002, alonePhrase)
	})
}

// TestStop has all kinds of connections open. All are told, and where peers answer it takes no time.
func TestStop(t *testing.T) {
	inTime(t, Config{}, func(t *testing.T, r *relay) {
		shaking, err := r.dial()
		if err != nil {
			t.Fatal(err)
		}
		cert := peerCert()
		upgrading, err := r.shake(&cert)
		if err != nil {
			t.Fatal(err)
		}
		arriving := r.open(testPrefix + "x").pump()
		first, second := r.pumpedPair("y")
		waiting := r.open(testPrefix + "x").pump()
		waiting.text(hello("x"))
		r.waitFor(func(s Status) bool { return stateOf(s, "x") == StateWaiting && s.Arriving == 3 })
		start := time.Now()
		var wg sync.WaitGroup
		for _, w := range []*wire{arriving, waiting, first, second} {
			wg.Go(func() { w.wantClose(1001, "the relay is stopping") })
		}
		for _, nc := range []net.Conn{shaking, upgrading} {
			wg.Go(func() {
				if _, err := nc.Read(make([]byte, 1)); err == nil {
					t.Error("a connection before its upgrade is still open")
				}
			})
		}
		r.stop()
		wg.Wait()
		if took := time.Since(start); took != 0 {
			t.Errorf("it took %v", took)
		}
		if _, err := r.dial(); err == nil {
			t.Error("the listener is open")
		}
	})
}

// TestTakesNothing has a peer that waits and takes no ping. So no answer can be missed.
func TestTakesNothing(t *testing.T) {
	inTime(t, Config{}, func(t *testing.T, r *relay) {
		w := r.open(testPrefix + "x").pump()
		w.text(hello("x"))
		r.waitFor(func(s Status) bool { return stateOf(s, "x") == StateWaiting })
		w.pumped.enough.Store(true)
		w.send(0x89, "") // whose answer is the last that is taken
		time.Sleep(2*beatTime + writeTime + closeTime)
		if s := r.Status(); len(s.Meetups) != 0 {
			t.Errorf("it is still here: %+v", s)
		}
	})
}

// TestReviewOfMany has many peers to cut off that take nothing: none waits for the others.
func TestReviewOfMany(t *testing.T) {
	var revoked atomic.Bool
	permit := func(Visitor, *Visitor) error {
		if revoked.Load() {
			return errors.New("no")
		}
		return nil
	}
	inTime(t, Config{Permit: permit}, func(t *testing.T, r *relay) {
		for i := range 5 { // so few that no ping is on its way
			id := strconv.Itoa(i)
			w := r.open(testPrefix + id).pump()
			w.text(hello(id))
			r.waitFor(func(s Status) bool { return stateOf(s, id) == StateWaiting })
			w.pumped.enough.Store(true)
			w.send(0x89, "") // whose answer is the last that is taken
		}
		revoked.Store(true)
		start := time.Now()
		var reviewing sync.WaitGroup
		reviewing.Go(r.Review)
		synctest.Wait()
		if s := r.Status(); len(s.Meetups) != 0 || time.Since(start) != 0 {
			t.Errorf("their ids are not free at once: %+v", s)
		}
		reviewing.Wait()
		if took := time.Since(start); took > 2*hurryTime {
			t.Errorf("it took %v", took)
		}
		if s := r.Status(); len(s.Meetups) != 0 {
			t.Errorf("still here: %+v", s)
		}
	})
}

// TestFreeAtOnce has a peer that breaks the protocol and does not answer the relay's close frame. Nobody waits for that.
func TestFreeAtOnce(t *testing.T) {
	inTime(t, Config{}, func(t *testing.T, r *relay) {
		first, second := r.pumpedPair("x")
		start := time.Now()
		first.raw([]byte{0x81, 1, 'x'})
		second.wantClose(1002, alonePhrase)
		r.pumpedPair("x")
		if took := time.Since(start); took >= closeTime {
			t.Errorf("it took %v", took)
		}
	})
}
