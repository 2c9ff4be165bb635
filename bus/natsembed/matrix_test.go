package natsembed

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"keyward/bus"
	"keyward/bus/bustest"
	"keyward/internal/fault"
)

// TestMatrix has the server decide and deliver, over mutual TLS, what each account's certificate opens.
func TestMatrix(t *testing.T) {
	w := &world{TB: t, root: newCA(t, "root"), log: new(logged)}
	limitless := w.root.leaf()
	w.serveWith(limitless)
	sender, clients := w.speak(limitless), map[bus.Name]*speaker{}
	cells := bustest.Cells()
	for _, cell := range cells {
		if clients[cell.Account] == nil {
			clients[cell.Account] = w.speak(w.root.account(cell.Account))
		}
		c := clients[cell.Account]
		heard, refused := c.ask(cell, sender)
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

// still are accounts that do not change. No store has them: it refuses names that differ only in case.
type still map[bus.Name]bus.Account

func (s still) Account(_ context.Context, name bus.Name) (bus.Account, error) {
	if a, ok := s[name]; ok {
		return a, nil
	}
	return bus.Account{}, fault.NotFound
}

func (still) AccountChanges(_ context.Context, since int64, _ int) ([]bus.Account, int64, error) {
	return nil, since, nil
}

// serveWith starts a server of the matrix's accounts that lets in one certificate more, which may do everything.
func (w *world) serveWith(limitless tls.Certificate) {
	w.Helper()
	config := w.config()
	accounts := still{}
	for _, a := range bustest.Accounts() {
		accounts[a.Name] = a
	}
	config.Authorizer.Accounts = accounts
	ready, done := make(chan net.Addr, 1), make(chan error, 1)
	config.Ready = func(addr net.Addr) { ready <- addr }
	config.fill()
	s := &embedded{Config: config, table: newTable()}
	ctx, cancel := context.WithCancel(context.Background())
	options, err := s.options(ctx)
	must(w, err)
	options.CustomClientAuthentication = check(func(c server.ClientAuthentication) bool {
		return c.GetTLSConnectionState().PeerCertificates[0].Equal(limitless.Leaf) || s.letIn(ctx, c)
	})
	go func() { done <- s.run(ctx, options) }()
	w.addr = <-ready
	w.Cleanup(func() {
		cancel()
		must(w, <-done)
	})
}

// speaker speaks NATS's protocol itself, to see what the server says to each line. A client library hides that.
type speaker struct {
	testing.TB
	conn   net.Conn
	answer *bufio.Scanner
	in     bool // the server let it in
}

// speak connects, and is not let in where the account is revoked.
func (w *world) speak(shown tls.Certificate) *speaker {
	w.Helper()
	plain, err := net.Dial("tcp", w.addr.String())
	must(w, err)
	w.Cleanup(func() { plain.Close() })
	plain.SetDeadline(time.Now().Add(5 * time.Minute))
	buffer := make([]byte, 4096)
	_, err = plain.Read(buffer) // INFO
	must(w, err)
	conn := tls.Client(plain, &tls.Config{RootCAs: w.root.pool, Certificates: []tls.Certificate{shown}, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12})
	s := &speaker{TB: w, conn: conn, answer: bufio.NewScanner(conn), in: true}
	s.do(`CONNECT {"verbose":false,"pedantic":false}`)
	return s
}

// do sends a line and waits until the server is done with it. It gives the subjects that the client heard
// meanwhile, sorted, and whether the permissions refused the line.
func (s *speaker) do(format string, args ...any) (heard []string, refused bool) {
	s.Helper()
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
			s.Fatalf("%s: %s %s", fmt.Sprintf(format, args...), word, rest)
		}
	}
	s.Fatalf("%s: the server hung up: %v", fmt.Sprintf(format, args...), s.answer.Err())
	return nil, false
}

// ask does what the cell says. What is subscribed gets the whole world from the sender.
func (s *speaker) ask(cell bustest.Cell, sender *speaker) (heard []string, refused bool) {
	s.Helper()
	if cell.Verb == bus.Publish {
		_, refused = s.do("PUB %s 0\r\n", cell.Subject)
		return nil, refused
	}
	if _, refused = s.do("SUB %s %s 1", cell.Subject, cell.Queue); refused {
		return nil, true
	}
	var lines strings.Builder
	for _, subject := range bustest.World() {
		fmt.Fprintf(&lines, "PUB %s 0\r\n\r\n", subject)
	}
	sender.do("%s", strings.TrimSuffix(lines.String(), "\r\n"))
	heard, _ = s.do("UNSUB 1")
	return heard, false
}
