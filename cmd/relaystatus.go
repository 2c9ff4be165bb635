package cmd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/internal/term"
	"keyward/relay"
)

// maxStatus is how many bytes of a status are read.
const maxStatus = 64 << 20

func (e *env) relayStatusCommand() *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "show who waits at the relay, and who is paired",
		Description: "Asks a relay on this machine over its admin socket, as its user or as root. Prints a line a peer: the meetup id, whether it waits or is paired and for how long, its certificate's name, " +
			"how many messages and bytes it sent that were passed on, its address, and who it says it is; what is long is cut short. On a terminal the table stays and is drawn anew each second, until q, ^C or the end of the relay; --once prints it once. " +
			"With --json an object: arriving, which is how many have not said HELLO yet, and meetups, an array of objects with meetup, state (waiting or paired), since and peers: " +
			"address, subject, names, pin, peerClass, peerId, since, messages and bytes. The exit code is 7 where no relay answers.",
		UsageText: "keyward relay status\nkeyward relay status --once\nkeyward relay status --admin-socket /run/keyward-relay/admin.sock --json",
		Flags: []cli.Flag{
			adminSocketFlag(),
			&cli.BoolFlag{Name: "once", EnvVars: variable("once"), Usage: "print the table once, on a terminal too"},
			e.jsonFlag(),
		},
		Action: e.relayStatus,
	}
}

func (e *env) relayStatus(c *cli.Context) error {
	path, err := e.adminSocketPath(c)
	if err != nil {
		return err
	}
	page := func() (string, error) {
		status, err := askRelay(c.Context, path)
		if err != nil {
			return "", err
		}
		return e.statusTable(status), nil
	}
	screen := term.OpenScreen(e.stdin, e.stdout)
	if screen == nil || c.Bool("once") || e.json {
		status, err := askRelay(c.Context, path)
		if err != nil {
			return err
		}
		return e.print(status, e.statusTable(status))
	}
	ctx, _, stop := e.signals(c.Context)
	defer stop()
	return screen.Watch(ctx, time.Second, page)
}

// askRelay asks the relay behind the socket at path who is there.
func askRelay(ctx context.Context, path string) (relay.Status, error) {
	var status relay.Status
	ctx, stop := context.WithTimeout(ctx, adminTime)
	defer stop()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dialAdmin(ctx, path) },
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://relay"+adminStatus, nil)
	if err != nil {
		return status, err
	}
	answer, err := client.Do(request)
	if err != nil {
		return status, noRelay(path, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return status, noRelay(path, fmt.Errorf("it answers %s", answer.Status))
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxStatus)).Decode(&status); err != nil {
		return status, noRelay(path, err)
	}
	return status, nil
}

func noRelay(path string, err error) error {
	info, e := os.Lstat(path)
	switch {
	case e == nil && info.Mode().Type() != fs.ModeSocket && info.Mode().Type() != fs.ModeSymlink:
		return fault.New(fault.Unreachable, "give --admin-socket the socket of a relay", "%s is no socket", path)
	case errors.Is(err, fs.ErrPermission):
		return fault.New(fault.NotPermitted, "ask as the relay's user, or as root", "the relay at %s cannot be asked: %w", path, fs.ErrPermission)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fault.New(fault.Unreachable, "start one with: keyward relay serve; or give --admin-socket the socket of the one that runs", "no relay has the socket %s", path)
	}
	return fault.New(fault.Unreachable, "is it a relay's socket? give --admin-socket that of the relay", "the relay at %s: %w", path, err)
}

// statusTable has a line for each peer, and the pairs one below the other.
func (e *env) statusTable(status relay.Status) string {
	var b strings.Builder
	waiting, paired := 0, 0
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "MEETUP\tSTATE\tFOR\tIDENTITY\tMESSAGES\tBYTES\tADDRESS\tPEER")
	for _, m := range status.Meetups {
		if m.State == relay.StatePaired {
			paired++
		} else {
			waiting++
		}
		for _, p := range m.Peers {
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\n", cell(cmp.Or(m.ID, `""`)), cell(m.State), lasting(e.now().Sub(m.Since)),
				cell(identityOf(p)), p.Messages, p.Bytes, cell(p.Address), cell(p.PeerClass+"/"+p.PeerID))
		}
	}
	_ = table.Flush()
	return fmt.Sprintf("%s%d waiting, %d paired, %d arriving\n", b.String(), waiting, paired, status.Arriving)
}

// hashes are pins, of which twelve digits are enough to tell two apart.
var hashes = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\b([0-9a-f]{12})[0-9a-f]{52}\b`) }) //nolint:gochecknoglobals // compiled where it is needed, and once

// cell is a text in a table. Peers choose theirs, and a long one would make each line as wide.
func cell(text string) string {
	const most = 32 // characters
	text = hashes().ReplaceAllString(text, "${1}…")
	if chars := []rune(text); len(chars) > most {
		text = string(chars[:most-1]) + "…"
	}
	return printable(text)
}

// identityOf is what people know a peer's certificate by: its first name, else its subject, else its key.
func identityOf(p relay.PeerStatus) string {
	if len(p.Names) > 0 {
		return p.Names[0]
	}
	return cmp.Or(p.Subject, p.Pin)
}

// lasting is a time in two units at most: 3d4h, 5m10s.
func lasting(d time.Duration) string {
	d = max(0, d.Round(time.Second))
	day := 24 * time.Hour
	switch {
	case d >= day:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}
