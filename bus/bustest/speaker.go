package bustest

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"keyward/bus"
)

// Speaker speaks NATS's protocol itself, to see what the server says to each line. A client library hides that.
type Speaker struct {
	testing.TB
	conn   net.Conn
	answer *bufio.Scanner
	In     bool // the server let it in
}

// Speak logs in over a connection, with more members for CONNECT, each after a comma. Who is not let in is refused everything.
func Speak(t testing.TB, conn net.Conn, more string) *Speaker {
	t.Helper()
	s := &Speaker{TB: t, conn: conn, answer: bufio.NewScanner(conn), In: true}
	s.Do(`CONNECT {"verbose":false,"pedantic":false%s}`, more)
	return s
}

// Do sends a line and waits until the server is done with it. It gives the subjects that the client heard
// meanwhile, sorted, and whether the permissions refused the line.
func (s *Speaker) Do(format string, args ...any) (heard []string, refused bool) {
	s.Helper()
	if !s.In {
		return nil, true
	}
	_, _ = fmt.Fprintf(s.conn, format+"\r\nPING\r\n", args...) // the answer shows whether it went out
	for s.answer.Scan() {
		word, rest, _ := strings.Cut(s.answer.Text(), " ")
		switch {
		case word == "PONG":
			slices.Sort(heard)
			return heard, refused
		case word == "PING":
			_, _ = fmt.Fprint(s.conn, "PONG\r\n")
		case word == "MSG":
			heard = append(heard, strings.Fields(rest)[0])
			if !strings.HasSuffix(rest, " 0") {
				s.answer.Scan() // what it says, in one line
			}
		case strings.HasPrefix(rest, "'Permissions Violation for "):
			refused = true
		case rest == "'Authorization Violation'":
			s.In = false
			return nil, true
		case word != "INFO" && word != "":
			s.Fatalf("%s: %s %s", fmt.Sprintf(format, args...), word, rest)
		}
	}
	s.Fatalf("%s: the server hung up: %v", fmt.Sprintf(format, args...), s.answer.Err())
	return nil, false
}

// Publish sends empty messages, and says whether the permissions refused one.
func (s *Speaker) Publish(subjects ...string) (refused bool) {
	s.Helper()
	_, refused = s.Do("%s", "PUB "+strings.Join(subjects, " 0\r\n\r\nPUB ")+" 0\r\n")
	return refused
}

// Ask does what the cell says. What is subscribed gets the whole World from the sender.
func (s *Speaker) Ask(cell Cell, sender *Speaker) (heard []string, refused bool) {
	s.Helper()
	if cell.Verb == bus.Publish {
		return nil, s.Publish(cell.Subject)
	}
	if _, refused = s.Do("SUB %s %s 1", cell.Subject, cell.Queue); refused {
		return nil, true
	}
	sender.Publish(World()...)
	heard, _ = s.Do("UNSUB 1")
	return heard, false
}

// UntilClosed reads until the server hangs up.
func (s *Speaker) UntilClosed() {
	for s.answer.Scan() {
	}
}

// Differences asks each cell of a client of its account, and tells those of which the server says otherwise. The sender may
// publish everything.
func Differences(cells []Cell, sender *Speaker, speak func(bus.Name) *Speaker) []string {
	clients := map[bus.Name]*Speaker{}
	var found []string
	for _, cell := range cells {
		if clients[cell.Account] == nil {
			clients[cell.Account] = speak(cell.Account)
		}
		heard, refused := clients[cell.Account].Ask(cell, sender)
		slices.Sort(cell.Hears)
		if refused != (cell.Want == bus.Refused) || !slices.Equal(heard, cell.Hears) {
			found = append(found, fmt.Sprintf("%+v: refused %t, heard %q", cell, refused, heard))
		}
	}
	return found
}

// Matrix fails for each of the Cells that differs.
func Matrix(t testing.TB, sender *Speaker, speak func(bus.Name) *Speaker) {
	t.Helper()
	cells := Cells()
	for _, difference := range Differences(cells, sender, speak) {
		t.Error(difference)
	}
	t.Logf("%d cells of %d accounts", len(cells), len(Accounts()))
	if len(cells) < 500 {
		t.Error("that is too little")
	}
}
