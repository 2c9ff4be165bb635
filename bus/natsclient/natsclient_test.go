package natsclient_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"keyward/bus"
	"keyward/bus/natsclient"
	"keyward/fault"
)

func TestRequest(t *testing.T) {
	w := newWorld(t)
	w.serve("bob", "echo")
	alice := w.connect("alice")
	for i := range 3 {
		got, err := alice.Request(limited(t), "bob", bus.MessageBox("alice", "echo"), fmt.Append(nil, i))
		if want := fmt.Sprintf("bob to alice.echo: %d", i); err != nil || string(got) != want {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestConsume(t *testing.T) {
	w := newWorld(t)
	carol, alice := w.connect("carol"), w.connect("alice")
	l, err := carol.Listen(limited(t), bus.Role{Kind: bus.Consumer, Name: "log", Subjects: []bus.Pattern{"xbus.msgbox.*"}})
	check(t, err)
	for i := range 100 {
		check(t, alice.Emit(limited(t), "alice", fmt.Append(nil, i)))
	}
	// All of it has come, and the end of the context lets nothing of it be lost.
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var got []natsclient.Message
	check(t, l.Consume(ctx, func(m natsclient.Message) error {
		got = append(got, m)
		return nil
	}))
	var want []natsclient.Message
	for i := range 100 {
		want = append(want, natsclient.Message{From: "alice", Emitter: "alice", Subject: "xbus.msgbox.alice", Data: fmt.Append(nil, i)})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What waits when the server goes is not lost when the context ends.
func TestConsumeAway(t *testing.T) {
	w := newWorld(t)
	carol, alice := w.connect("carol"), w.connect("alice")
	l, err := carol.Listen(limited(t), bus.Role{Kind: bus.Consumer, Name: "log", Subjects: []bus.Pattern{"xbus.msgbox.*"}})
	check(t, err)
	const sent = 100
	for range sent {
		check(t, alice.Emit(limited(t), "alice", nil))
	}
	if err := carol.Emit(limited(t), "carol", nil); !errors.Is(err, fault.NotPermitted) { // behind it all has come
		t.Error(err)
	}
	check(t, alice.Close())
	w.shut()
	w.log.await(t, "connection lost")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	got := 0
	check(t, l.Consume(ctx, func(natsclient.Message) error {
		if got++; got == sent {
			w.start()
		}
		return nil
	}))
	if got != sent {
		t.Errorf("%d came", got)
	}
}

func TestRefused(t *testing.T) {
	w := newWorld(t)
	ctx, alice, mallory := limited(t), w.connect("alice"), w.connect("mallory")
	for name, err := range map[string]error{
		"another emitter":       alice.Emit(ctx, "none", nil),
		"another's message box": second(mallory.Request(ctx, "bob", bus.MessageBox("alice", "echo"), nil)),
		"another role":          second(mallory.Listen(ctx, bus.Role{Kind: bus.Consumer, Name: "log", Subjects: []bus.Pattern{"xbus.msgbox.*"}})),
		"one of two subjects":   second(mallory.Listen(ctx, bus.Role{Kind: bus.Service, Name: "echo", Subjects: []bus.Pattern{"xbus.msgbox.*.echo", "orders.>"}})),
		"another's inbox":       second(mallory.Listen(ctx, bus.Role{Kind: bus.Consumer, Name: "log", Subjects: []bus.Pattern{"_INBOX.alice.in.>"}})),
	} {
		if !errors.Is(err, fault.NotPermitted) || !strings.Contains(err.Error(), " may not ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The next is not blamed for it.
	check(t, alice.Emit(ctx, "alice", nil))
	check(t, mallory.Emit(ctx, "echo", nil))
}

func second[T any](_ T, err error) error { return err }

// Who says that it is another has no place for replies, and is told so.
func TestRequestAsAnother(t *testing.T) {
	w := newWorld(t)
	w.serve("bob", "echo")
	c, err := natsclient.Connect(limited(t), natsclient.Config{URL: w.url(), TLS: w.tls("alice"), Account: "mallory"})
	check(t, err)
	defer c.Close()
	if _, err := c.Request(limited(t), "bob", "xbus.msgbox.alice.echo", nil); !errors.Is(err, fault.NotPermitted) || !strings.Contains(err.Error(), `subscribe to "_INBOX.mallory.in.from.bob.`) {
		t.Error(err)
	}
}

// Refusals of calls at the same time go to those that they are of.
func TestRefusedAtOnce(t *testing.T) {
	w := newWorld(t)
	ctx, alice := limited(t), w.connect("alice")
	type result struct {
		emitter bus.Name
		err     error
	}
	results := make(chan result)
	const calls = 200
	for i := range calls {
		emitter := []bus.Name{"alice", "none"}[i%2]
		go func() { results <- result{emitter, alice.Emit(ctx, emitter, nil)} }()
	}
	for range calls {
		if r := <-results; errors.Is(r.err, fault.NotPermitted) != (r.emitter == "none") {
			t.Errorf("%s: %v", r.emitter, r.err)
		}
	}
}

// What answer does not answer, and what wants no reply.
func TestNoReply(t *testing.T) {
	w := newWorld(t)
	l, err := w.connect("bob").Listen(limited(t), bus.Role{Kind: bus.Service, Name: "echo"})
	check(t, err)
	asked := make(chan string, 2)
	w.beside(func(ctx context.Context) error {
		return l.Reply(ctx, func(m natsclient.Message) ([]byte, error) {
			asked <- string(m.Data)
			return nil, errors.New("it is too late")
		})
	})
	alice := w.connect("alice")
	check(t, alice.Emit(limited(t), "echo", []byte("emitted")))
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if _, err := alice.Request(ctx, "bob", bus.MessageBox("alice", "echo"), []byte("asked")); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if one, other := <-asked, <-asked; one != "emitted" || other != "asked" {
		t.Errorf("%q, %q", one, other)
	}
	w.log.await(t, `msg="a request gets no reply" from=alice subject=xbus.msgbox.alice.echo reply=_INBOX.alice.in.from.bob.`)
	w.log.await(t, `cause="it is too late"`)
}

// Close ends who listens, without an error.
func TestClose(t *testing.T) {
	w := newWorld(t)
	bob := w.connect("bob")
	l, err := bob.Listen(limited(t), bus.Role{Kind: bus.Service, Name: "echo"})
	check(t, err)
	done := make(chan error)
	go func() { done <- l.Reply(t.Context(), nil) }()
	check(t, bob.Close())
	check(t, <-done)
	if _, err := bob.Listen(limited(t), bus.Role{Kind: bus.Service, Name: "echo"}); err == nil {
		t.Error("it listens after Close")
	}
}

func TestNoResponders(t *testing.T) {
	w := newWorld(t)
	_, err := w.connect("alice").Request(limited(t), "bob", bus.MessageBox("alice", "nobody"), nil)
	if !errors.Is(err, natsclient.ErrNoResponders) || !errors.Is(err, fault.Unreachable) {
		t.Error(err)
	}
}

func TestTimeout(t *testing.T) {
	w := newWorld(t)
	silent, err := w.connect("bob").Listen(limited(t), bus.Role{Kind: bus.Service, Name: "echo"})
	check(t, err)
	defer silent.Close()
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	_, err = w.connect("alice").Request(ctx, "bob", bus.MessageBox("alice", "echo"), nil)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, fault.Unreachable) || errors.Is(err, natsclient.ErrNoResponders) {
		t.Error(err)
	}
	cause := errors.New("enough")
	gone, end := context.WithCancelCause(t.Context())
	end(cause)
	if _, err = w.connect("alice").Request(gone, "bob", bus.MessageBox("alice", "echo"), nil); !errors.Is(err, cause) {
		t.Error(err)
	}
}

// A reply subject that points at a victim is not answered, wherever it points.
func TestForgedReply(t *testing.T) {
	w := newWorld(t)
	l := w.serve("bob", "echo")
	root, _ := w.stock("root")
	victims, err := root.SubscribeSync("_INBOX.alice.>")
	check(t, err)
	boxes, err := root.SubscribeSync("xbus.msgbox.alice.>")
	check(t, err)
	check(t, root.Flush())
	mallory, _ := w.stock("mallory")
	forged := []string{"_INBOX.alice.in.from.bob.x", "_INBOX.alice.in.x", "xbus.msgbox.alice.echo", "_INBOX.mallory.out.x", "_INBOX.mallory.in", "x", "_INBOX.mallory.in.>"}
	for _, reply := range forged {
		check(t, mallory.PublishRequest("xbus.msgbox.mallory.echo", reply, []byte("gotcha")))
	}
	// What is asked last is answered last.
	reply, err := mallory.SubscribeSync("_INBOX.mallory.in.from.bob.x")
	check(t, err)
	check(t, mallory.PublishRequest("xbus.msgbox.mallory.echo", "_INBOX.mallory.in.from.bob.x", []byte("hello")))
	got, err := reply.NextMsgWithContext(limited(t))
	if err != nil || string(got.Data) != "bob to mallory.echo: hello" {
		t.Errorf("%v, %v", got, err)
	}
	if n := l.Refused(); n != int64(len(forged)) {
		t.Errorf("%d are refused, not %d", n, len(forged))
	}
	w.log.await(t, `msg="a request wants its reply where the requester has no inbox" from=mallory subject=xbus.msgbox.mallory.echo reply=_INBOX.alice.in.from.bob.x`)
	check(t, root.Flush())
	for _, sub := range []*nats.Subscription{victims, boxes} {
		if n, _, err := sub.Pending(); n != 0 || err != nil {
			t.Errorf("%d messages came to the victim, %v", n, err)
		}
	}
}

// The server takes nothing that says it is of another, so nobody hears it.
func TestForgedSender(t *testing.T) {
	w := newWorld(t)
	l, err := w.connect("carol").Listen(limited(t), bus.Role{Kind: bus.Consumer, Name: "log", Subjects: []bus.Pattern{"xbus.msgbox.*"}})
	check(t, err)
	mallory, told := w.stock("mallory")
	check(t, mallory.Publish("xbus.msgbox.alice", []byte("fake")))
	if err := <-told; !errors.Is(err, nats.ErrPermissionViolation) {
		t.Error(err)
	}
	check(t, w.connect("alice").Emit(limited(t), "alice", []byte("true")))
	ctx, stop := context.WithCancel(t.Context())
	stop()
	check(t, l.Consume(ctx, func(m natsclient.Message) error {
		if string(m.Data) != "true" {
			t.Errorf("heard %+v", m)
		}
		return nil
	}))
}

// A service that hears what another is asked can not reply in its place, and neither can who knows the reply subject.
func TestOthersReply(t *testing.T) {
	w := newWorld(t)
	mallory, told := w.stock("mallory")
	heard, err := mallory.SubscribeSync("xbus.msgbox.*.echo")
	check(t, err)
	check(t, mallory.Flush())
	ctx, stop := context.WithCancel(limited(t))
	done := make(chan error)
	alice := w.connect("alice")
	go func() {
		_, err := alice.Request(ctx, "bob", bus.MessageBox("alice", "echo"), nil)
		done <- err
	}()
	m, err := heard.NextMsgWithContext(ctx)
	check(t, err)
	check(t, mallory.Publish(m.Reply, []byte("fake")))
	if err := <-told; !errors.Is(err, nats.ErrPermissionViolation) {
		t.Error(err)
	}
	// Where it may write the request does not listen.
	check(t, mallory.Publish(strings.Replace(m.Reply, ".bob.", ".mallory.", 1), []byte("fake")))
	check(t, mallory.Flush())
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the request ends with %v", err)
	}
}

func TestWorkers(t *testing.T) {
	w := newWorld(t)
	counts := make(chan int, 2)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{}, 1000)
	for range 2 {
		l, err := w.connect("dave").Listen(limited(t), bus.Role{Kind: bus.Worker, Name: "jobs"})
		check(t, err)
		go func() {
			n := 0
			err := l.Consume(ctx, func(natsclient.Message) error {
				n++
				done <- struct{}{}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			counts <- n
		}()
	}
	alice := w.connect("alice")
	const jobs = 200
	for range jobs {
		check(t, alice.Emit(limited(t), "jobs", nil))
	}
	for range jobs {
		<-done
	}
	stop()
	if one, other := <-counts, <-counts; one+other != jobs || one == 0 || other == 0 {
		t.Errorf("the workers got %d and %d of %d", one, other, jobs)
	}
}

// A stock client is answered where it awaits the reply of one service. With an inbox for all, it is answered by a service whose role is Stock.
func TestStock(t *testing.T) {
	w := newWorld(t)
	w.serve("bob", "echo")
	w.serve("erin", "old")
	ask := func(prefix, subject string) string {
		t.Helper()
		alice, _ := w.stock("alice", nats.CustomInboxPrefix(prefix))
		m, err := alice.RequestWithContext(limited(t), subject, []byte("hello"))
		check(t, err)
		return string(m.Data)
	}
	if got := ask(bus.ReplyPrefix("alice", "bob"), "xbus.msgbox.alice.echo"); got != "bob to alice.echo: hello" {
		t.Error(got)
	}
	if got := ask(bus.InboxOf("alice"), "xbus.msgbox.alice.old"); got != "erin to alice.old: hello" {
		t.Error(got)
	}
}

func TestNotStock(t *testing.T) {
	w := newWorld(t)
	w.serve("frank", "old")
	alice, _ := w.stock("alice", nats.CustomInboxPrefix(bus.InboxOf("alice")))
	ctx, stop := context.WithCancel(limited(t))
	done := make(chan error)
	go func() {
		_, err := alice.RequestWithContext(ctx, "xbus.msgbox.alice.old", nil)
		done <- err
	}()
	w.log.await(t, "Permissions Violation for Publish to")
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// The sender is nobody on a subject that does not name one.
func TestNameless(t *testing.T) {
	w := newWorld(t)
	orders := bus.Role{Kind: bus.Consumer, Name: "orders", Subjects: []bus.Pattern{"orders.>"}}
	l, err := w.connect("carol").Listen(limited(t), orders)
	check(t, err)
	root, _ := w.stock("root")
	check(t, root.Publish("orders.new", []byte("1")))
	enough := errors.New("enough")
	err = l.Consume(limited(t), func(m natsclient.Message) error {
		if diff := cmp.Diff(natsclient.Message{Subject: "orders.new", Data: []byte("1")}, m); diff != "" {
			t.Error(diff)
		}
		return enough
	})
	if !errors.Is(err, enough) {
		t.Error(err)
	}
	for kind, heard := range map[bus.Kind]bus.Pattern{bus.Service: "orders.>", bus.Consumer: "xbus.msgbox.*"} {
		l, err := w.connect("carol").Listen(limited(t), bus.Role{Kind: kind, Name: "log", Subjects: []bus.Pattern{heard}})
		check(t, err)
		if err := l.Reply(limited(t), nil); !errors.Is(err, fault.Usage) {
			t.Errorf("%s on %s replies: %v", kind, heard, err)
		}
	}
	if _, err := w.connect("alice").Listen(limited(t), bus.Role{Kind: bus.Emitter, Name: "alice"}); !errors.Is(err, fault.Usage) {
		t.Errorf("an emitter: %v", err)
	}
}

// The server goes and comes back: who listens goes on, and what is sent meanwhile waits.
func TestReconnect(t *testing.T) {
	w := newWorld(t)
	w.serve("bob", "echo")
	alice := w.connect("alice")
	w.shut()
	got := make(chan error)
	go func() {
		err := alice.Emit(limited(t), "alice", nil)
		if errors.Is(err, fault.Unreachable) { // it was on its way when the connection broke
			err = alice.Emit(limited(t), "alice", nil)
		}
		got <- err
	}()
	w.start()
	check(t, <-got)
	for ctx := limited(t); ; {
		_, err := alice.Request(ctx, "bob", "xbus.msgbox.alice.echo", nil)
		if err == nil {
			return
		}
		if !errors.Is(err, natsclient.ErrNoResponders) { // until bob is back
			t.Fatal(err)
		}
	}
}

// Whose role is taken back hears of it, once the server has it.
func TestTakenBack(t *testing.T) {
	w := newWorld(t)
	l, err := w.connect("bob").Listen(limited(t), bus.Role{Kind: bus.Service, Name: "echo"})
	check(t, err)
	w.shut()
	w.options.Users = w.options.Users[:1]
	for _, a := range accounts() {
		a.Roles = nil
		w.allow(a)
	}
	w.start()
	err = l.Reply(limited(t), nil)
	if !errors.Is(err, fault.NotPermitted) || !strings.Contains(err.Error(), `bob may not subscribe to "xbus.msgbox.*.echo"`) {
		t.Error(err)
	}
}

// A connection that was lost is not tried for ever.
func TestEnd(t *testing.T) {
	w := newWorld(t)
	for name, again := range map[string]func(){"away": func() {}, "revoked": func() {
		w.options.Users = w.options.Users[:1]
		w.start()
	}} {
		t.Run(name, func(t *testing.T) {
			c, err := natsclient.Connect(limited(t), natsclient.Config{URL: w.url(), TLS: w.tls("bob"), Reconnects: 1})
			check(t, err)
			defer c.Close()
			l, err := c.Listen(limited(t), bus.Role{Kind: bus.Service, Name: "echo"})
			check(t, err)
			w.shut()
			again()
			want := map[string]error{"away": fault.Unreachable, "revoked": fault.LoginRefused}[name]
			if err := l.Reply(limited(t), nil); !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
			<-c.Ended()
			if err := c.Emit(limited(t), "echo", nil); !errors.Is(err, want) {
				t.Errorf("emit: %v, want %v", err, want)
			}
		})
		w.options.Users = w.options.Users[:1]
		for _, a := range accounts() {
			w.allow(a)
		}
		w.shut()
		w.start()
	}
}

// A server that cannot be trusted any more is told of, at each try and at the end.
func TestEndOfTrust(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	c, err := natsclient.Connect(limited(t), natsclient.Config{URL: w.url(), TLS: w.tls("bob"), Reconnects: 2, Log: slog.New(slog.NewTextHandler(w.log, nil))})
	check(t, err)
	defer c.Close()
	w.shut()
	w.options.TLSConfig.Certificates = other.options.TLSConfig.Certificates
	w.start()
	w.log.await(t, "certificate signed by unknown authority")
	<-c.Ended()
	if err := c.Emit(limited(t), "echo", nil); !errors.Is(err, fault.NotTrusted) {
		t.Error(err)
	}
}

// A reply that waits for a server that is away may be lost, and Close says so.
func TestCloseAway(t *testing.T) {
	w := newWorld(t)
	bob := w.connect("bob")
	l, err := bob.Listen(limited(t), bus.Role{Kind: bus.Service, Name: "echo"})
	check(t, err)
	alice, _ := w.stock("alice")
	check(t, alice.PublishRequest("xbus.msgbox.alice.echo", bus.ReplyPrefix("alice", "bob")+".x", nil))
	ctx, stop := context.WithCancel(limited(t))
	check(t, l.Reply(ctx, func(natsclient.Message) ([]byte, error) {
		w.shut()
		w.log.await(t, "connection lost")
		stop()
		return nil, nil
	}))
	if err := bob.Close(); !errors.Is(err, fault.Unreachable) {
		t.Error(err)
	}
}

func TestConnect(t *testing.T) {
	w := newWorld(t)
	ctx := limited(t)
	other := newWorld(t)
	nobody := w.tls("bob")
	nobody.Certificates = []tls.Certificate{w.options.TLSConfig.Certificates[0]}
	for name, c := range map[string]struct {
		config natsclient.Config
		want   error
	}{
		"no certificate":           {natsclient.Config{URL: w.url()}, fault.Usage},
		"no certificate, a name":   {natsclient.Config{URL: w.url(), TLS: &tls.Config{RootCAs: w.roots}, Account: "bob"}, fault.NotPermitted},
		"an empty certificate":     {natsclient.Config{URL: w.url(), TLS: &tls.Config{Certificates: make([]tls.Certificate, 1)}}, fault.Usage},
		"no URL":                   {natsclient.Config{TLS: w.tls("bob")}, fault.Usage},
		"plain beyond loopback":    {natsclient.Config{URL: "nats://192.0.2.1:4222", TLS: w.tls("bob")}, fault.Usage},
		"a name that is none":      {natsclient.Config{URL: w.url(), TLS: w.tls("bob"), Account: "b.b"}, fault.Policy},
		"a certificate of no name": {natsclient.Config{URL: w.url(), TLS: nobody}, fault.NotTrusted},
		"another trust domain":     {natsclient.Config{URL: w.url(), TLS: w.tls("bob"), TrustDomain: "example.com"}, fault.NotTrusted},
		"an account that is not":   {natsclient.Config{URL: w.url(), TLS: w.tls("zoe")}, fault.LoginRefused},
		"another root's server":    {natsclient.Config{URL: w.url(), TLS: other.tls("bob")}, fault.NotTrusted},
	} {
		got, err := natsclient.Connect(ctx, c.config)
		if err == nil {
			got.Close()
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	address := w.url()
	w.shut()
	short, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	_, err := natsclient.Connect(short, natsclient.Config{URL: address, TLS: w.tls("bob")})
	if !errors.Is(err, fault.Unreachable) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no servers available") {
		t.Errorf("nobody there: %v", err)
	}
}
