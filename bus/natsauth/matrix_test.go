package natsauth_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"keyward/bus"
	"keyward/bus/bustest"
)

// TestMatrix has a server that asks an authorizer decide and deliver, over mutual TLS, what each account's certificate opens.
func TestMatrix(t *testing.T) {
	cells := bustest.Cells()
	w := newWorld(t, 1)
	for _, a := range bustest.Accounts() {
		w.store.set(a)
	}
	w.authorize(0)
	sender, clients := w.speak(w.root.leaf("root"), `,"user":"root","pass":"root"`), map[bus.Name]*speaker{}
	for _, cell := range cells {
		if clients[cell.Account] == nil {
			clients[cell.Account] = w.speak(w.root.account(cell.Account), "")
		}
		heard, refused := clients[cell.Account].ask(cell, sender)
		slices.Sort(cell.Hears)
		if refused != (cell.Want == bus.Refused) || !slices.Equal(heard, cell.Hears) {
			t.Errorf("%+v: refused %t, heard %q", cell, refused, heard)
		}
	}
	t.Logf("%d cells of %d accounts", len(cells), len(clients))
	if len(cells) < 500 {
		t.Error("that is too little")
	}
}

// withRoot adds to a configuration a user that may do everything on the bus.
func withRoot(text string) string {
	text = strings.Replace(text, "  BUS {}", `  BUS { users: [{ user: root, password: root }] }`, 1)
	return strings.Replace(text, "auth_users: [", "auth_users: [root, ", 1)
}

// speaker speaks NATS's protocol itself, to see what the server says to each line. A client library hides that.
type speaker struct {
	t      *testing.T
	conn   net.Conn
	answer *bufio.Scanner
	in     bool // the server let it in
}

// speak connects, and is not let in where the account is revoked.
func (w *world) speak(shown tls.Certificate, login string) *speaker {
	w.t.Helper()
	plain, err := net.Dial("tcp", w.servers[0].Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { plain.Close() })
	plain.SetDeadline(time.Now().Add(5 * time.Minute))
	if _, err = plain.Read(make([]byte, 4096)); err != nil { // INFO
		w.t.Fatal(err)
	}
	config := w.tls(shown)
	config.ServerName = "127.0.0.1"
	conn := tls.Client(plain, config)
	s := &speaker{w.t, conn, bufio.NewScanner(conn), true}
	s.do(`CONNECT {"verbose":false,"pedantic":false%s}`, login)
	return s
}

// do sends a line and waits until the server is done with it. It gives the subjects that the client heard
// meanwhile, sorted, and whether the permissions refused the line.
func (s *speaker) do(format string, args ...any) (heard []string, refused bool) {
	s.t.Helper()
	if !s.in {
		return nil, true
	}
	fmt.Fprintf(s.conn, format+"\r\nPING\r\n", args...)
	for s.answer.Scan() {
		word, rest, _ := strings.Cut(s.answer.Text(), " ")
		switch {
		case word == "PONG":
			slices.Sort(heard)
			return heard, refused
		case word == "PING":
			fmt.Fprint(s.conn, "PONG\r\n")
		case word == "MSG":
			heard = append(heard, strings.Fields(rest)[0])
		case strings.HasPrefix(rest, "'Permissions Violation for "):
			refused = true
		case rest == "'Authorization Violation'":
			s.in = false
			return nil, true
		case word != "INFO" && word != "":
			s.t.Fatalf("%s: %s %s", fmt.Sprintf(format, args...), word, rest)
		}
	}
	s.t.Fatalf("%s: the server hung up: %v", fmt.Sprintf(format, args...), s.answer.Err())
	return nil, false
}

// ask does what the cell says. What is subscribed gets the whole world from the sender.
func (s *speaker) ask(cell bustest.Cell, sender *speaker) (heard []string, refused bool) {
	s.t.Helper()
	if cell.Verb == bus.Publish {
		_, refused = s.do("PUB %s 0\r\n", cell.Subject)
		return nil, refused
	}
	if _, refused = s.do("SUB %s %s 1", cell.Subject, cell.Queue); refused {
		return nil, true
	}
	sender.do("%s", "PUB "+strings.Join(bustest.World(), " 0\r\n\r\nPUB ")+" 0\r\n")
	heard, _ = s.do("UNSUB 1")
	return heard, false
}
