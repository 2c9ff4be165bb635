package relay_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws/wsutil"
	"github.com/google/go-cmp/cmp"

	"keyward/fault"
	"keyward/relay"
	"keyward/relay/message"
)

func echo(_ context.Context, r *message.Request) *message.Response {
	return &message.Response{StatusCode: 200, Body: r.Body}
}

func text(s string) message.Body { return message.Body{Format: "text/plain", Bytes: []byte(s)} }

func TestBothWaysAtOnce(t *testing.T) {
	w := newWorld(t)
	second := w.client()
	second.Handle = echo
	events := make(chan message.Event, 10)
	second.OnEvent = func(e message.Event) { events <- e }
	a, _ := w.pair(second)

	for i := range 5 {
		check(t, a.Publish(t.Context(), message.Event{Name: "tick", Body: text(fmt.Sprint(i))}))
	}
	response, err := a.Do(t.Context(), &message.Request{Method: "POST", Path: "/x", Body: text("grüß dich")})
	check(t, err)
	if response.StatusCode != 200 || string(response.Body.Bytes) != "grüß dich" {
		t.Errorf("got %+v", response)
	}
	for i := range 5 {
		if e := got(t, events); e.Name != "tick" || string(e.Body.Bytes) != fmt.Sprint(i) {
			t.Errorf("event %d is %+v", i, e)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	w := newWorld(t)
	second := w.client()
	second.Handle = echo
	a, _ := w.pair(second)

	var calls sync.WaitGroup
	for i := range 200 {
		calls.Go(func() {
			want := strings.Repeat("x", i)
			response, err := a.Do(t.Context(), &message.Request{Method: "POST", Path: "/", Body: text(want)})
			if err != nil || string(response.Body.Bytes) != want {
				t.Errorf("call %d: %v, %v", i, response, err)
			}
		})
	}
	calls.Wait()
}

// Both handle by calling the other: neither side's requests may hold up the responses to its own.
func TestRequestsInBothDirections(t *testing.T) {
	w := newWorld(t)
	first, second := w.client(), w.client()
	first.Handle, second.Handle = echo, echo
	a, b := run(t, first), run(t, second)
	a.meets(t)
	b.meets(t)
	var calls sync.WaitGroup
	for _, c := range []*running{a, b} {
		for range 100 {
			calls.Go(func() {
				if _, err := c.Do(t.Context(), &message.Request{Method: "POST", Path: "/", Body: text(strings.Repeat("y", 20_000))}); err != nil {
					t.Error(err)
				}
			})
		}
	}
	calls.Wait()
}

func TestNoPeer(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	if _, err := c.Do(t.Context(), &message.Request{Method: "GET", Path: "/"}); !errors.Is(err, relay.ErrNoPeer) {
		t.Errorf("Do: %v", err)
	}
	if err := c.Publish(t.Context(), message.Event{Name: "x"}); !errors.Is(err, relay.ErrNoPeer) {
		t.Errorf("Publish: %v", err)
	}
}

func TestPeerGoesAway(t *testing.T) {
	w := newWorld(t)
	a := run(t, w.client())
	f := w.foreigner()
	a.meets(t)
	done := make(chan error, 1)
	go func() {
		_, err := a.Do(t.Context(), &message.Request{Method: "GET", Path: "/"})
		done <- err
	}()
	f.hear() // the hello
	if m := f.hear(); m.MessageType != message.TypeRequest || !m.RequiresResponse {
		t.Errorf("heard %+v", m)
	}
	f.Close()
	if err := got(t, done); !errors.Is(err, relay.ErrPeerGone) {
		t.Errorf("got %v", err)
	}
	a.loses(t)
	if _, err := a.Do(t.Context(), &message.Request{Method: "GET", Path: "/"}); !errors.Is(err, relay.ErrNoPeer) {
		t.Errorf("afterwards: %v", err)
	}
}

func TestRelayRestarts(t *testing.T) {
	w := newWorld(t)
	second := w.client()
	asked := make(chan struct{}, 1)
	second.Handle = func(ctx context.Context, r *message.Request) *message.Response {
		if r.Path == "/never" {
			asked <- struct{}{}
			<-ctx.Done()
		}
		return echo(ctx, r)
	}
	a, b := w.pair(second)
	done := make(chan error, 1)
	go func() {
		_, err := a.Do(t.Context(), &message.Request{Method: "GET", Path: "/never"})
		done <- err
	}()
	got(t, asked)
	w.stop()
	if err := got(t, done); !errors.Is(err, relay.ErrPeerGone) {
		t.Errorf("in flight: %v", err)
	}
	a.loses(t)
	b.loses(t)
	w.start()
	a.meets(t)
	b.meets(t)
	if _, err := a.Do(t.Context(), &message.Request{Method: "GET", Path: "/"}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestIdsOverConnections(t *testing.T) {
	w := newWorld(t)
	a := run(t, w.client())
	var ids []int64
	for range 3 {
		f := w.foreigner()
		a.meets(t)
		ids = append(ids, f.hear().MessageID)
		for range 2 {
			check(t, a.Publish(t.Context(), message.Event{Name: "x"}))
			ids = append(ids, f.hear().MessageID)
		}
		f.Close()
		a.loses(t)
	}
	if diff := cmp.Diff([]int64{0, 1, 2, 3, 4, 5, 6, 7, 8}, ids); diff != "" {
		t.Error(diff)
	}
}

func TestWhatAForeignPeerSends(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	c.Handle = echo
	a := run(t, c)
	f := w.foreigner()
	a.meets(t)
	f.hear()
	for _, garbage := range []string{
		`no json`, `[]`, `{"message":null}`, `{"message":{"messageType":"REST:REQUEST"}}`, `{"message":{"messageId":3,"messageType":"NOBODY:KNOWS"}}`,
		`{"message":{"messageId":4,"messageType":"CONN:HELLO","requiresResponse":false}}`,
		`{"message":{"messageId":5,"messageType":"REST:RESPONSE","requiresResponse":false,"inResponseTo":77,"statusCode":200}}`,
		`{"message":{"messageId":6,"messageType":"REST:REQUEST","requiresResponse":false,"method":"GET","path":"/"}}`,
		`{"message":{"messageId":7,"messageType":"EVENT:x","requiresResponse":false}}`,
	} {
		f.say(garbage)
	}
	f.say(`{"message":{"messageId":8,"messageType":"REST:REQUEST","requiresResponse":true,"method":"GET","path":"/","dataFormat":"application/octet-stream","messageBody":"%%%"}}`)
	if m := f.hear(); m.StatusCode != 400 || m.InResponseTo == nil || *m.InResponseTo != 8 {
		t.Errorf("a body that is not what it says: %+v", m)
	}
	f.say(`{"message":{"messageId":"9","messageType":"REST:REQUEST","requiresResponse":true,"method":"GET","path":"/","dataFormat":"application/json","messageBody":{"a":1}}}`)
	if m := f.hear(); m.StatusCode != 200 || *m.InResponseTo != 9 || !cmp.Equal(m.MessageBody, map[string]any{"a": 1.0}) {
		t.Errorf("a good request: %+v", m)
	}
}

// Who has not said hello is not served, and gets no answer where its request is unsound.
func TestRequestsBeforeTheHello(t *testing.T) {
	noLeaks(t)
	ca := newAuthority(t)
	const request = `{"message":{"messageId":%d,"messageType":"REST:REQUEST","requiresResponse":true,"method":"GET","path":"/%[1]d"%s}}`
	answers := make(chan string, 1)
	addr := stage(t, ca.serving(t), websocket(func(c net.Conn) {
		for _, m := range []string{
			fmt.Sprintf(request, 1, ""),
			fmt.Sprintf(request, 2, `,"dataFormat":"application/octet-stream","messageBody":"%%%"`),
			`{"message":{"messageId":3,"messageType":"CONN:HELLO","requiresResponse":false}}`,
			fmt.Sprintf(request, 4, ""),
		} {
			if err := wsutil.WriteServerText(c, []byte(m)); err != nil {
				t.Error(err)
			}
		}
		first, _ := wsutil.ReadClientText(c)
		answers <- string(first)
		_, _ = wsutil.ReadClientText(c) // answers the close
	}))
	asked := make(chan string, 10)
	run(t, &relay.Client{URL: "wss://" + addr + "/x", TLS: ca.trusting(t), Handle: func(_ context.Context, r *message.Request) *message.Response {
		asked <- r.Path
		return &message.Response{StatusCode: 200}
	}})
	if path := got(t, asked); path != "/4" {
		t.Errorf("%s was served", path)
	}
	if answer := got(t, answers); !strings.Contains(answer, `"inResponseTo":4`) {
		t.Errorf("the first answer is %s", answer)
	}
}

func TestLateAndWrongResponses(t *testing.T) {
	w := newWorld(t)
	a := run(t, w.client())
	f := w.foreigner()
	a.meets(t)
	f.hear()

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	call := func(ctx context.Context) {
		_, err := a.Do(ctx, &message.Request{Method: "GET", Path: "/"})
		done <- err
	}
	go call(ctx)
	late := f.hear()
	cancel()
	if err := got(t, done); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	respond := func(to int64, rest string) {
		f.say(fmt.Sprintf(`{"message":{"messageId":1,"messageType":"REST:RESPONSE","requiresResponse":false,"inResponseTo":%d%s}}`, to, rest))
	}
	go call(t.Context())
	next := f.hear()
	respond(late.MessageID, `,"statusCode":200`)
	respond(next.MessageID, `,"statusCode":"no number"`)
	if err := got(t, done); err == nil || errors.Is(err, relay.ErrPeerGone) {
		t.Errorf("a response that is none: %v", err)
	}
	go call(t.Context())
	next = f.hear()
	respond(next.MessageID, `,"statusCode":204,"reasonPhrase":null`)
	respond(next.MessageID, `,"statusCode":500`) // twice
	if err := got(t, done); err != nil {
		t.Errorf("a good one: %v", err)
	}
}

func TestNoHandle(t *testing.T) {
	w := newWorld(t)
	a, _ := w.pair(w.client())
	response, err := a.Do(t.Context(), &message.Request{Method: "GET", Path: "/"})
	check(t, err)
	if response.StatusCode != 501 {
		t.Errorf("got %+v", response)
	}
}

func TestWhatFitsNoMessage(t *testing.T) {
	w := newWorld(t)
	second := w.client()
	second.Handle = func(context.Context, *message.Request) *message.Response {
		return &message.Response{StatusCode: 200, Body: text(strings.Repeat("x", relay.DefaultMaxMessage))}
	}
	a, _ := w.pair(second)
	large := &message.Request{Method: "POST", Path: "/", Body: text(strings.Repeat("x", relay.DefaultMaxMessage))}
	if _, err := a.Do(t.Context(), large); !errors.Is(err, relay.ErrTooLarge) {
		t.Errorf("a request: %v", err)
	}
	response, err := a.Do(t.Context(), &message.Request{Method: "GET", Path: "/"})
	check(t, err)
	if response.StatusCode != 502 {
		t.Errorf("a response: %+v", response)
	}
}

// A third client is sent away with 1000, and comes in when there is room.
func TestThirdClient(t *testing.T) {
	w := newWorld(t)
	a, b := w.pair(w.client())
	third := w.client()
	third.Once = true
	if err := third.Run(t.Context()); fault.KindOf(err) != fault.Unreachable {
		t.Errorf("got %v", err)
	}
	third.Once = false
	c := run(t, third)
	check(t, b.stop())
	a.loses(t)
	a.meets(t)
	c.meets(t)
}

func TestRequestsThatDoNotEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes as long as requests wait")
	}
	w := newWorld(t)
	second := w.client()
	end := make(chan struct{})
	second.Handle = func(ctx context.Context, r *message.Request) *message.Response {
		select {
		case <-end:
		case <-ctx.Done():
		}
		return echo(ctx, r)
	}
	a, _ := w.pair(second)
	statuses := make(chan int, 100)
	var calls sync.WaitGroup
	for range 100 {
		calls.Go(func() {
			r, err := a.Do(t.Context(), &message.Request{Method: "GET", Path: "/"})
			if err != nil {
				t.Error(err)
				return
			}
			statuses <- r.StatusCode
		})
	}
	for range 36 { // more than are answered at once
		if s := got(t, statuses); s != 503 {
			t.Errorf("got %d", s)
		}
	}
	close(end)
	calls.Wait()
	for range 64 {
		if s := got(t, statuses); s != 200 {
			t.Errorf("got %d", s)
		}
	}
}

// While OnEvent does not return, no more is read than its bound. Nothing is lost, and all comes in order.
func TestEventsThatAreNotTaken(t *testing.T) {
	w := newWorld(t)
	c := w.client()
	c.Handle = echo
	taken := make(chan string)
	c.OnEvent = func(e message.Event) { taken <- string(e.Body.Bytes) }
	a := run(t, c)
	f := w.foreigner()
	a.meets(t)
	f.hear()
	const events = 500
	for i := range events {
		f.say(fmt.Sprintf(`{"message":{"messageId":%d,"messageType":"EVENT:x","requiresResponse":false,"dataFormat":"text/plain","messageBody":"%d"}}`, i, i))
	}
	f.say(`{"message":{"messageId":1,"messageType":"REST:REQUEST","requiresResponse":true,"method":"GET","path":"/"}}`)
	answered := make(chan heard, 1)
	go func() { answered <- f.hear() }()
	for i := range events {
		select {
		case m := <-answered:
			if i < events-100 {
				t.Fatalf("a request behind %d events was answered while %d were taken: %+v", events, i, m)
			}
			answered <- m
		default:
		}
		if e := got(t, taken); e != fmt.Sprint(i) {
			t.Fatalf("event %d is %s", i, e)
		}
	}
	if m := got(t, answered); m.StatusCode != 200 {
		t.Errorf("got %+v", m)
	}
}

// What is sent last, and is larger than the relay takes, is told although the client has closed behind it.
func TestLastMessageTooLarge(t *testing.T) {
	w := newWorld(t)
	for name, last := range map[string]int{"fits": 1 << 19, "too large": 1<<20 + 1} {
		t.Run(name, func(t *testing.T) {
			client := w.client()
			client.MaxMessage = 2 << 20
			var ends []error
			client.OnEnd = func(err error) { ends = append(ends, err) }
			a, b := w.pair(client)
			event := message.Event{Name: "e", Body: text(strings.Repeat("x", last))}
			check(t, b.Publish(t.Context(), event))
			check(t, b.stop())
			a.loses(t)
			check(t, a.stop())
			if len(ends) != 1 || errors.Is(ends[0], relay.ErrTooLarge) != (name == "too large") {
				t.Errorf("it ended with %v", ends)
			}
		})
	}
}
