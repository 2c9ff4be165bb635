package natsclient_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"keyward/bus"
	"keyward/bus/natsclient"
	"keyward/fault"
)

// liar is a server that does what a NATS server never does: it answers lines of the client as a test says, and closes the connection where that is
// hangUp. It gives its URL.
func liar(t *testing.T, answer func(words []string) string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			lie(conn, answer)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return "nats://" + l.Addr().String()
}

const hangUp = "hang up"

func lie(conn net.Conn, answer func(words []string) string) {
	defer conn.Close()
	fmt.Fprint(conn, `INFO {"server_id":"x","version":"2.15.2","headers":true,"max_payload":1024,"proto":1}`+"\r\n")
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		said := answer(words)
		if said == hangUp {
			return
		}
		fmt.Fprint(conn, said)
	}
}

// lying is a client of such a server, which is alice.
func lying(t *testing.T, answer func(words []string) string) *natsclient.Conn {
	t.Helper()
	c, err := natsclient.Connect(limited(t), natsclient.Config{URL: liar(t, answer), Account: "alice", StepTime: 200 * time.Millisecond})
	check(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// A reply that comes to another subject than the one that is the service's is refused, though the server says that it is for us.
func TestReplyElsewhere(t *testing.T) {
	id := ""
	c := lying(t, func(words []string) string {
		switch words[0] {
		case "PING":
			return "PONG\r\n"
		case "SUB":
			id = words[2]
		case "PUB":
			return "MSG _INBOX.alice.in.from.mallory.x " + id + " 4\r\nfake\r\n"
		}
		return ""
	})
	got, err := c.Request(limited(t), "bob", bus.MessageBox("alice", "echo"), []byte("hello"))
	if !errors.Is(err, fault.NotTrusted) || got != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// What the server does not answer ends, even where the caller has no limit.
func TestSilent(t *testing.T) {
	pings := 0
	c := lying(t, func(words []string) string {
		if words[0] == "PING" {
			if pings++; pings == 1 { // that of connecting
				return "PONG\r\n"
			}
		}
		return ""
	})
	for name, err := range map[string]error{
		"emit":    c.Emit(t.Context(), "alice", nil),
		"listen":  second(c.Listen(t.Context(), bus.Role{Kind: bus.Service, Name: "echo"})),
		"request": second(c.Request(t.Context(), "bob", "a", nil)),
	} {
		if !errors.Is(err, fault.Unreachable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.Emit(t.Context(), "alice", make([]byte, 2000)); !errors.Is(err, fault.Policy) {
		t.Errorf("more than the server takes: %v", err)
	}
	if err := c.Close(); !errors.Is(err, fault.Unreachable) {
		t.Errorf("close: %v", err)
	}
	if err := c.Emit(t.Context(), "alice", nil); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after close: %v", err)
	}
}

// A connection that is lost before the server has taken what is listened to comes back, and takes it then.
func TestListenAgain(t *testing.T) {
	pings, subscribed := 0, make(chan string, 2)
	url := liar(t, func(words []string) string {
		switch words[0] {
		case "SUB":
			subscribed <- words[1]
		case "PING":
			if pings++; pings == 2 { // the first is that of connecting
				return hangUp
			}
			return "PONG\r\n"
		}
		return ""
	})
	c, err := natsclient.Connect(limited(t), natsclient.Config{URL: url, Account: "alice"})
	check(t, err)
	defer c.Close()
	_, err = c.Listen(limited(t), bus.Role{Kind: bus.Service, Name: "echo"})
	check(t, err)
	if one, other := <-subscribed, <-subscribed; one != "xbus.msgbox.*.echo" || other != one {
		t.Errorf("it listens to %q and %q", one, other)
	}
}

// What is no name or subject does not reach the server.
func TestNames(t *testing.T) {
	c := lying(t, func(words []string) string {
		switch words[0] {
		case "PING":
			return "PONG\r\n"
		case "PUB", "SUB":
			t.Errorf("the server gets %q", words)
		}
		return ""
	})
	ctx := limited(t)
	role := func(kind bus.Kind, subjects ...bus.Pattern) bus.Role {
		return bus.Role{Kind: kind, Name: "a", Subjects: subjects}
	}
	for name, err := range map[string]error{
		"emitter":      c.Emit(ctx, "a.b", nil),
		"no emitter":   c.Emit(ctx, "", nil),
		"service":      second(c.Request(ctx, "b.>", "a", nil)),
		"subject":      second(c.Request(ctx, "b", "a.*", nil)),
		"role":         second(c.Listen(ctx, bus.Role{Kind: bus.Worker, Name: "a.b"})),
		"role's words": second(c.Listen(ctx, role(bus.Consumer, "a", "b 1"))),
		"a line":       second(c.Listen(ctx, role(bus.Consumer, "a\r\nPUB x"))),
	} {
		if !errors.Is(err, fault.Policy) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
