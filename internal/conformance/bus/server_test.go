package bus_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"keyward/bus"
	"keyward/bus/bustest"
)

// root is the user without limits.
const root = "root"

// permissions are those of an account, as a NATS server takes them.
func permissions(a bus.Account) *server.Permissions {
	p := a.Permissions()
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: p.Publish.Allow, Deny: p.Publish.Deny},
		Subscribe: &server.SubjectPermission{Allow: p.Subscribe.Allow, Deny: p.Subscribe.Deny},
	}
}

// serve starts a NATS server for root and the accounts of the matrix, with their permissions after a change, and gives its address.
func serve(t *testing.T, change func(*server.Permissions)) string {
	t.Helper()
	users := []*server.User{{Username: root}}
	for _, a := range bustest.Accounts() {
		p := permissions(a)
		change(p)
		users = append(users, &server.User{Username: string(a.Name), Permissions: p})
	}
	nats, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, Users: users, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	nats.Start()
	t.Cleanup(func() {
		nats.Shutdown()
		nats.WaitForShutdown()
	})
	if !nats.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not listen")
	}
	return nats.Addr().String()
}

// client speaks NATS's protocol itself, to see what the server says to each line. A client library hides that.
type client struct{ *bustest.Speaker }

func dial(t *testing.T, addr, user string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(5 * time.Minute))
	return &client{bustest.Speak(t, conn, fmt.Sprintf(`,"user":%q`, user))}
}

// subscribe says whether the permissions refused it. A queue group of "" is none.
func (c *client) subscribe(pattern, group string) bool {
	c.Helper()
	_, refused := c.Do("SUB %s %s 1", pattern, group)
	return refused
}

// unsubscribe ends the subscription, and gives what it heard.
func (c *client) unsubscribe() []string {
	c.Helper()
	heard, _ := c.Do("UNSUB 1")
	return heard
}
