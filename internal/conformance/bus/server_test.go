package bus_test

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"strings"
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
type client struct {
	t      *testing.T
	conn   net.Conn
	answer *bufio.Scanner
}

func dial(t *testing.T, addr, user string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(5 * time.Minute))
	c := &client{t, conn, bufio.NewScanner(conn)}
	c.do(`CONNECT {"verbose":false,"pedantic":false,"user":%q}`, user)
	return c
}

// do sends a line and waits until the server is done with it. It gives the subjects that the client heard
// meanwhile, sorted, and whether the permissions refused the line.
func (c *client) do(format string, args ...any) (heard []string, refused bool) {
	c.t.Helper()
	fmt.Fprintf(c.conn, format+"\r\nPING\r\n", args...)
	for c.answer.Scan() {
		word, rest, _ := strings.Cut(c.answer.Text(), " ")
		switch {
		case word == "PONG":
			slices.Sort(heard)
			return heard, refused
		case word == "PING":
			fmt.Fprint(c.conn, "PONG\r\n")
		case word == "MSG":
			heard = append(heard, strings.Fields(rest)[0])
		case strings.HasPrefix(rest, "'Permissions Violation for "):
			refused = true
		case word != "INFO" && word != "":
			c.t.Fatalf("%s: %s %s", fmt.Sprintf(format, args...), word, rest)
		}
	}
	c.t.Fatalf("%s: the server hung up: %v", fmt.Sprintf(format, args...), c.answer.Err())
	return nil, false
}

// publish sends empty messages and says whether the permissions refused one.
func (c *client) publish(subjects ...string) bool {
	c.t.Helper()
	_, refused := c.do("%s", "PUB "+strings.Join(subjects, " 0\r\n\r\nPUB ")+" 0\r\n")
	return refused
}

// subscribe says whether the permissions refused it. A queue group of "" is none.
func (c *client) subscribe(pattern, group string) bool {
	c.t.Helper()
	_, refused := c.do("SUB %s %s 1", pattern, group)
	return refused
}

// unsubscribe ends the subscription, and gives what it heard.
func (c *client) unsubscribe() []string {
	c.t.Helper()
	heard, _ := c.do("UNSUB 1")
	return heard
}
