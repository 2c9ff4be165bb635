package transport

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keyward/fault"
)

func TestZMQ(t *testing.T) {
	alone(t)
	ctx := limited(t)
	p, endpoint := listen(t, ZMQOptions{})
	one, two := dial(t, endpoint, ZMQOptions{}), dial(t, endpoint, ZMQOptions{})
	type result struct {
		messages [][]byte
		err      error
	}
	results := make(chan result)
	for _, s := range []*ZMQSubscriber{one, two} {
		go func() {
			messages, err := receiveAll(ctx, s, len(samples()))
			_ = s.Close()
			results <- result{messages, err}
		}()
	}
	check(t, p.Await(ctx, 2))
	for _, m := range samples() {
		check(t, p.Publish(ctx, m))
	}
	for range 2 {
		r := <-results
		check(t, r.err)
		same(t, r.messages, samples())
	}
	check(t, p.Close())
	if err := p.Publish(ctx, nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := one.Receive(ctx); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestLinger closes a publisher at once after a burst, and the subscriber has all of it.
func TestLinger(t *testing.T) {
	alone(t)
	ctx := limited(t)
	const n = 5000
	p, endpoint := listen(t, ZMQOptions{Linger: 20 * time.Second})
	s := dial(t, endpoint, ZMQOptions{})
	got := make(chan int)
	go func() {
		messages, _ := receiveAll(ctx, s, n)
		got <- len(messages)
		_, _ = s.Receive(ctx) // sees the end
	}()
	check(t, p.Await(ctx, 1))
	for range n {
		check(t, p.Publish(ctx, make([]byte, 1024)))
	}
	closed := make(chan error)
	go func() { closed <- p.Close() }()
	if n := <-got; n != 5000 {
		t.Errorf("%d messages", n)
	}
	check(t, <-closed)
}

// TestAgain has the publisher go away and come back at the same address.
func TestAgain(t *testing.T) {
	alone(t)
	ctx := limited(t)
	first, endpoint := listen(t, ZMQOptions{})
	s := dial(t, endpoint, ZMQOptions{})
	got := make(chan string)
	go func() {
		for range 2 {
			m, err := s.Receive(ctx)
			got <- fmt.Sprint(string(m), err)
		}
	}()
	check(t, first.Await(ctx, 1))
	check(t, first.Publish(ctx, []byte("first")))
	if m := <-got; m != "first<nil>" {
		t.Fatal(m)
	}
	check(t, first.Close())
	second, err := ListenZMQ(endpoint, ZMQOptions{})
	check(t, err)
	defer second.Close()
	check(t, second.Await(ctx, 1))
	check(t, second.Publish(ctx, []byte("second")))
	if m := <-got; m != "second<nil>" {
		t.Fatal(m)
	}
	check(t, s.Close())
}

// TestSlow has one subscriber that does not read. The other one misses nothing.
func TestSlow(t *testing.T) {
	alone(t)
	ctx := limited(t)
	const n = 20000
	message := make([]byte, 1024)
	p, endpoint := listen(t, ZMQOptions{MaxQueue: 1 << 20, StallTime: 3 * time.Second})
	idle := dial(t, endpoint, ZMQOptions{})
	_, err := idle.connected(ctx)
	check(t, err)
	check(t, p.Await(ctx, 1))
	quick := dial(t, endpoint, ZMQOptions{})
	got := make(chan int, n)
	go func() {
		for i := range n {
			if _, err := quick.Receive(ctx); err != nil {
				break
			}
			got <- i
		}
		close(got)
	}()
	check(t, p.Await(ctx, 2))
	for range n {
		check(t, p.Publish(ctx, message))
		<-got // the quick one keeps up
	}
	if last, open := <-got; open {
		t.Errorf("another message, %d", last)
	}
	if p.Status().Dropped == 0 {
		t.Errorf("none is dropped of %d, and 1 MiB may wait", n)
	}
	_ = quick.Close()
	for p.Status().Subscribers > 0 { // the idle one is sent away when it took nothing for StallTime
		p.mu.Lock()
		changed := p.changed
		there := len(p.readers)
		p.mu.Unlock()
		if there == 0 {
			break
		}
		<-changed
	}
}

// TestContext ends a Receive that waits for a message, for a handshake and for the next try.
func TestContext(t *testing.T) {
	alone(t)
	cause := errors.New("enough")
	silent := peer(t)
	gone := peer(t)
	check(t, gone.Close())
	_, quiet := listen(t, ZMQOptions{})
	for name, endpoint := range map[string]string{"message": quiet, "handshake": "tcp://" + silent.Addr().String(), "connection": "tcp://" + gone.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			for _, how := range []string{"context", "Close"} {
				s := dial(t, endpoint, ZMQOptions{})
				ctx, cancel := context.WithCancelCause(limited(t))
				ended := make(chan error)
				go func() {
					_, err := s.Receive(ctx)
					ended <- err
				}()
				want := cause
				if how == "Close" {
					want = net.ErrClosed
					check(t, s.Close())
				} else {
					cancel(cause)
				}
				if err := <-ended; !errors.Is(err, want) {
					t.Errorf("%s: %v", how, err)
				}
				cancel(nil)
				check(t, s.Close())
			}
		})
	}
}

func TestEndpoints(t *testing.T) {
	for endpoint, want := range map[string]string{
		"tcp://*:49017": ":49017", "tcp://0.0.0.0:1": "0.0.0.0:1", "tcp://[::1]:2": "[::1]:2", "tcp://logs.example.org:3": "logs.example.org:3",
		"127.0.0.1:49017": "", "ipc:///tmp/x": "", "tcp://host": "", "tcp://host:": "", "tcp://host:99999": "", "tcp://::1:2": "", "": "",
	} {
		got, err := ZMQAddress(endpoint)
		if got != want || (want == "") != errors.Is(err, fault.Usage) {
			t.Errorf("%q: %q, %v", endpoint, got, err)
		}
	}
	if _, err := DialZMQ("tcp://*:49017", ZMQOptions{}); !errors.Is(err, fault.Usage) {
		t.Errorf("connect to everywhere: %v", err)
	}
	_, endpoint := listen(t, ZMQOptions{})
	if _, err := ListenZMQ(endpoint, ZMQOptions{}); !errors.Is(err, fault.Failed) {
		t.Errorf("a port that is taken: %v", err)
	}
}

// hello is what a publisher says up to its first message.
func hello(socketType string) string { return greeting + string(ready(socketType)) }

// TestHostilePublisher has publishers that do what they should not, each on its first connection. The subscriber gets what the
// next connection brings, and what it may get of the first.
func TestHostilePublisher(t *testing.T) {
	alone(t)
	long := "\x02\x00\x00\x00\x00\x00\x20\x00\x00" // 2 MiB
	frame := func(flags byte, body string) string { return string(appendFrame(nil, flags, []byte(body))) }
	cases := map[string]struct{ says, gets string }{
		"nothing":             {"", ""},
		"garbage":             {"HTTP/1.1 400 Bad Request\r\n\r\n" + strings.Repeat("x", 100), ""},
		"half a greeting":     {greeting[:20], ""},
		"ZMTP 2":              {"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x01" + strings.Repeat("\x00", 60), ""},
		"CURVE":               {greeting[:12] + "CURVE" + strings.Repeat("\x00", 47), ""},
		"no READY":            {greeting, ""},
		"a message first":     {greeting + frame(0, "x"), ""},
		"ERROR":               {greeting + string(command("ERROR", []byte("\x02no"))), ""},
		"long READY":          {greeting + "\x06\x00\x00\x00\x00\x7f\xff\xff\xff", ""},
		"a property too far":  {greeting + string(command("READY", []byte("\x0bSocket-Type\xff\xff\xff\xffPUB"))), ""},
		"a subscriber":        {hello("SUB"), ""},
		"reset":               {hello("PUB"), ""},
		"half a length":       {hello("PUB") + "\x02\x00\x00", ""},
		"half a message":      {hello("PUB") + "\x00\x05ab", ""},
		"flags of no meaning": {hello("PUB") + "\x08\x01x", ""},
		"2^63 bytes":          {hello("PUB") + "\x02\x80\x00\x00\x00\x00\x00\x00\x00x", ""},
		"2^40 bytes":          {hello("PUB") + "\x02\x00\x00\x01\x00\x00\x00\x00\x00x", ""},
		"an empty command":    {hello("PUB") + "\x04\x00", ""},
		"a command with more": {hello("PUB") + "\x05\x02\x01x", ""},
		"a command within":    {hello("PUB") + "\x01\x01x" + string(command("PING", []byte("\x00\x00"))), ""},
		"too long":            {hello("PUB") + long + strings.Repeat("x", 2<<20) + frame(0, "good"), "bad message: 2097152 bytes are more than 1048576; good; "},
		"several frames":      {hello("PUB") + frame(1, "topic") + frame(1, "") + frame(0, "x") + frame(0, "good"), "bad message: it has 3 frames; good; "},
		"unknown command":     {hello("PUB") + string(command("JOIN", []byte("x"))) + frame(0, "good"), "good; "},
	}
	whole := hello("PUB") + frame(0, "lost")
	for _, n := range []int{0, 1, 63, 64, 65, 70, len(whole) - 5, len(whole) - 1} {
		cases[fmt.Sprintf("reset after %d bytes", n)] = struct{ says, gets string }{whole[:n], ""}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := peer(t)
			go func() {
				for _, says := range []string{c.says, hello("PUB") + frame(0, "next")} {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					_, _ = io.WriteString(conn, says)
					tcp := conn.(*net.TCPConn) //nolint:forcetypeassert // the listener is TCP's
					if strings.HasPrefix(name, "reset after") && says == c.says {
						_ = tcp.SetLinger(0)
						_ = tcp.Close()
						continue
					}
					_ = tcp.CloseWrite()
					_, _ = io.Copy(io.Discard, conn)
					_ = conn.Close()
				}
			}()
			s := dial(t, "tcp://"+l.Addr().String(), ZMQOptions{StepTime: 5 * time.Second})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got := ""
			for got != c.gets+"next; " {
				m, err := s.Receive(limited(t))
				if err != nil && !errors.Is(err, ErrBad) {
					t.Fatalf("after %q: %v", got, err)
				}
				if err != nil {
					m = []byte(err.Error())
				}
				if got += string(m) + "; "; len(got) > 200 {
					t.Fatalf("%q", got)
				}
			}
			if runtime.ReadMemStats(&after); after.HeapSys > before.HeapSys+64<<20 {
				t.Errorf("the heap grew by %d MiB", (after.HeapSys-before.HeapSys)>>20)
			}
		})
	}
}

// TestPing has a publisher that wants to hear that we are there.
func TestPing(t *testing.T) {
	alone(t)
	l := peer(t)
	s := dial(t, "tcp://"+l.Addr().String(), ZMQOptions{})
	go func() { _, _ = s.Receive(limited(t)) }()
	conn, err := l.Accept()
	check(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, hello("XPUB")+string(command("PING", []byte("\x00\x0aabc"))))
	check(t, err)
	want := hello("SUB") + "\x00\x01\x01" + string(command("PONG", []byte("abc")))
	got := make([]byte, len(want))
	_, err = io.ReadFull(conn, got)
	check(t, err)
	if string(got) != want {
		t.Errorf("it says\n%q, not\n%q", got, want)
	}
}

// TestUnreadPong has a publisher that asks and does not take the answer.
func TestUnreadPong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		s := &ZMQSubscriber{}
		s.opts.fill()
		if err := s.answer(ours, pong([]byte("\x00\x0ax"))); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	})
}

// TestHostileSubscriber has subscribers that do what they should not, all at a time. One that is as it should be misses nothing.
func TestHostileSubscriber(t *testing.T) {
	alone(t)
	ctx := limited(t)
	p, endpoint := listen(t, ZMQOptions{StepTime: 500 * time.Millisecond})
	var hostile []net.Conn
	for name, says := range map[string]string{
		"silent": "", "half a greeting": greeting[:30], "no READY": greeting, "garbage": "GET / HTTP/1.1\r\n\r\n",
		"a publisher": hello("PUB"), "2^63 bytes": hello("SUB") + "\x02\x80\x00\x00\x00\x00\x00\x00\x00x",
		"a long topic": hello("SUB") + string(appendFrame(nil, 0, make([]byte, maxCommand+1))), "frames": hello("SUB") + "\x01\x01\x01\x00\x01\x01",
		"no topic": hello("SUB"), "no topic any more": hello("SUB") + "\x00\x02\x01a\x00\x02\x00a", "only PING": hello("SUB") + string(command("PING", []byte("\x00\x00"))),
		"topics": hello("SUB") + strings.Repeat("\x00\x02\x01a", maxTopics+1),
	} {
		conn, err := net.Dial("tcp", p.Addr().String())
		check(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, says)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		hostile = append(hostile, conn)
	}
	s := dial(t, endpoint, ZMQOptions{})
	got := make(chan []byte)
	go func() {
		for {
			m, err := s.Receive(ctx)
			if err != nil {
				close(got)
				return
			}
			got <- m
		}
	}()
	check(t, p.Await(ctx, 1))
	for m := []byte("hello"); m != nil; { // whoever of the hostile subscribed may be the one
		check(t, p.Publish(ctx, m))
		select {
		case <-got:
			m = nil
		case <-time.After(10 * time.Millisecond):
		}
	}
	for i := range 100 {
		want := fmt.Appendf(nil, "message %d", i)
		check(t, p.Publish(ctx, want))
		m := <-got
		for string(m) == "hello" {
			m = <-got
		}
		if !bytes.Equal(m, want) {
			t.Fatalf("%q, want %q", m, want)
		}
	}
	for _, conn := range hostile {
		check(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
		if _, err := io.Copy(io.Discard, conn); !isClosed(err) && err != nil {
			t.Errorf("it is not closed: %v", err)
		}
	}
	check(t, s.Close())
	<-got
}

// TestTopics has a subscriber of some messages alone, in both ways of saying so, and a PING between.
func TestTopics(t *testing.T) {
	alone(t)
	ctx := limited(t)
	p, _ := listen(t, ZMQOptions{})
	conn, err := net.Dial("tcp", p.Addr().String())
	check(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, hello("XSUB")+"\x00\x02\x01a"+string(command("SUBSCRIBE", []byte("b")))+
		string(command("SUBSCRIBE", []byte("c")))+string(command("CANCEL", []byte("c")))+"\x00\x02\x00a"+"\x00\x02\x01d"+
		"\x00\x01\x07"+"\x00\x00"+string(command("PING", []byte("\x00\x0ax"))))
	check(t, err)
	in := bufio.NewReader(conn)
	check(t, readGreeting(in))
	check(t, readReady(in, "PUB"))
	pong := make([]byte, 8)
	_, err = io.ReadFull(in, pong)
	check(t, err)
	if string(pong) != "\x04\x06\x04PONGx" {
		t.Errorf("%q", pong)
	}
	for _, m := range []string{"a1", "b1", "c1", "d1", ""} {
		check(t, p.Publish(ctx, []byte(m)))
	}
	closed := make(chan error)
	go func() { closed <- p.Close() }()
	rest, err := io.ReadAll(in)
	check(t, err)
	if string(rest) != "\x00\x02b1\x00\x02d1" {
		t.Errorf("%q", rest)
	}
	_ = conn.Close()
	check(t, <-closed)
}

// TestPings has a subscriber that asks often, and does not read: the last answer alone waits, before what is published.
func TestPings(t *testing.T) {
	r := &reader{wake: make(chan struct{}, 1)}
	r.put([]byte("published"), 1<<20)
	for i := range 1000 {
		check(t, r.obey("PING", []byte{0, 0, byte(i)}))
	}
	want := string(pong([]byte{0, 0, 999 % 256})) + "published"
	if chunk, _ := r.take(nil); string(chunk) != want || r.waiting != 0 {
		t.Errorf("%q goes out, and %d bytes wait", chunk, r.waiting)
	}
}

// TestCrowd has many subscribers who read nothing: together they have what a few may have, and each has its part. Messages of a
// byte count for what they take.
func TestCrowd(t *testing.T) {
	const crowd, most = 64, 1 << 20
	ctx := limited(t)
	p := &ZMQPublisher{opts: ZMQOptions{MaxQueue: most}, readers: map[*reader]bool{}}
	p.opts.fill()
	conn, other := net.Pipe()
	defer conn.Close()
	defer other.Close()
	for range crowd {
		r := newReader(conn)
		check(t, r.subscribe(nil))
		p.readers[r] = true
	}
	for range most / frameCost {
		check(t, p.Publish(ctx, []byte("a")))
	}
	const share = most * fullQueues / crowd
	for r := range p.readers {
		if r.waiting > share || r.waiting < share/2 || len(r.queue) > share/frameCost {
			t.Fatalf("%d bytes wait for one, in %d frames, and its share is %d", r.waiting, len(r.queue), share)
		}
	}
}
