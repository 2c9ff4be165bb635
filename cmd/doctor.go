package cmd

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/internal/secretfile"
)

func (e *env) doctorCommand() *cli.Command {
	flags := severalServers(e.serverFlags())
	return &cli.Command{
		Name: "doctor", Category: helpful,
		Usage: "look for what is wrong, and say what mends it",
		Description: "Checks the user's own place: the variables, the key file, the keys of an exchange, and what is trusted; then each registry of `servers list` and that of KEYWARD_URL, or the ones that --server or --url name: " +
			"whether it answers, is trusted, has the same time and the same key as ever, and takes the user's key, for which it logs in with it. " +
			"With --data-dir it also checks a registry's own place, served at the moment or not: give the flags and variables that serve has. " +
			"Nothing is changed and nothing is asked. " +
			"A line a check: ok, warning, FAULT or skipped, what was looked at, and below what is not ok the command that mends it; where there is none it is a comment that says what to do. " +
			"With --json an array of objects with check, server (where it is of one), state (ok, warning, fault, skipped), detail and mend. " +
			"The exit code is 1 with a fault; else 10 where something ends within --within; else 0, with other warnings too.",
		UsageText: "keyward doctor\nkeyward doctor --server work --within 60d\nkeyward doctor --json\nsudo -u keyward keyward doctor --data-dir /var/lib/keyward --listen :9100",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "as", EnvVars: []string{"KEYWARD_USER", "USER", "LOGNAME", "USERNAME"}, Usage: "log in as `NAME`"},
			e.keyfileFlag(),
			&cli.StringFlag{Name: "within", EnvVars: variable("within"), Value: "30d", Usage: "what ends in this `TIME` is told of: 30 or 30d, 12w, 1y, until 2027-01-01"},
		}, append(flags, siteFlags()...)...),
		Action: e.doctor,
	}
}

// state is how it stands with what was looked at.
type state string

const (
	stateOK      state = "ok"
	stateWarning state = "warning"
	stateFault   state = "fault"
	stateSkipped state = "skipped"
)

// finding is what a check found.
type finding struct {
	Check  string `json:"check"`
	Server string `json:"server,omitempty"` // that it is about, as in `servers list`, or its URL
	State  state  `json:"state"`
	Detail string `json:"detail"`
	Mend   string `json:"mend,omitempty"` // a command, or a comment of the shell's

	due bool // it is a warning since something ends soon
}

func isOK(format string, args ...any) finding {
	return finding{State: stateOK, Detail: fmt.Sprintf(format, args...)}
}

func isSkipped(format string, args ...any) finding {
	return finding{State: stateSkipped, Detail: fmt.Sprintf(format, args...)}
}

func isWarning(mend, format string, args ...any) finding {
	return finding{State: stateWarning, Mend: mend, Detail: fmt.Sprintf(format, args...)}
}

func isFault(mend, format string, args ...any) finding {
	return finding{State: stateFault, Mend: mend, Detail: fmt.Sprintf(format, args...)}
}

// comment is a mend that no command does.
func comment(format string, args ...any) string {
	return "# " + fmt.Sprintf(format, args...)
}

// failedBy is the fault that an error tells of. Some hints are the very command.
func (e *env) failedBy(err error) finding {
	hint := e.hintOf(err)
	first, _, _ := strings.Cut(hint, " ")
	switch first {
	case "chmod", "sudo":
	case "":
		hint = comment("see what the message says")
	default:
		hint = comment("%s", hint)
	}
	return isFault(hint, "%v", err)
}

// check is one look at something of a T, which keeps what later checks want to know.
type check[T any] struct {
	name string
	look func(context.Context, *T) finding
}

// lookAt makes the checks, one after the other.
func lookAt[T any](ctx context.Context, checks []check[T], of *T) []finding {
	var all []finding
	for _, c := range checks {
		f := c.look(ctx, of)
		f.Check = c.name
		all = append(all, f)
	}
	return all
}

func (e *env) doctor(c *cli.Context) error {
	if c.Duration("timeout") <= 0 {
		return fault.New(fault.Usage, "give a time as 30s", "--timeout is not more than nothing")
	}
	soon, err := windowEnd(c.String("within"), e.now())
	if err != nil {
		return err
	}
	own := &ownPlace{env: e, c: c, soon: soon}
	all := lookAt(c.Context, ownChecks(), own)
	visits, found := own.visits()
	all = append(all, found...)
	all = append(all, visitAll(c.Context, visits, c.Duration("timeout"))...)
	if siteAsked(c) {
		ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
		defer cancel()
		all = append(all, lookAt(ctx, siteChecks(), &site{env: e, c: c, soon: soon})...)
	}
	if err := e.print(all, findingsText(all)); err != nil {
		return err
	}
	return diagnosis(all, c.String("within"))
}

// visitAll asks the servers at once, a few at a time, each for no longer than timeout.
func visitAll(ctx context.Context, visits []*visit, timeout time.Duration) []finding {
	found := make([][]finding, len(visits))
	var asking sync.WaitGroup
	slots := make(chan struct{}, maxAsked)
	for i, v := range visits {
		slots <- struct{}{}
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			found[i] = v.look(ctx)
			<-slots
		})
	}
	asking.Wait()
	var all []finding
	for i, v := range visits {
		for _, f := range found[i] {
			f.Server = v.title()
			all = append(all, f)
		}
	}
	return all
}

// findingsText is a line a check. A mend stands alone on the next, to be copied.
func findingsText(all []finding) string {
	var b strings.Builder
	for _, f := range all {
		word, detail := string(f.State), printable(f.Detail)
		if f.State == stateFault {
			word = strings.ToUpper(word)
		}
		if f.Server != "" {
			detail = f.Server + ": " + detail
		}
		fmt.Fprintf(&b, "%-7s  %-15s  %s\n", word, f.Check, detail)
		if f.Mend != "" {
			fmt.Fprintf(&b, "         mend: %s\n", printable(f.Mend))
		}
	}
	return b.String()
}

// diagnosis is the exit code.
func diagnosis(all []finding, within string) error {
	faults, due := 0, 0
	for _, f := range all {
		if f.State == stateFault {
			faults++
		}
		if f.due {
			due++
		}
	}
	switch {
	case faults > 0:
		return fault.New(fault.Failed, "run the command that stands below each, or do what it says", "%d of %d checks found a fault", faults, len(all))
	case due > 0:
		return fault.New(fault.Due, "run the command that stands below each, or do what it says", "%d of %d checks found what ends within %s", due, len(all), within)
	}
	return nil
}

// words is a command of its words, each quoted.
func words(command ...string) string {
	for i, word := range command {
		command[i] = secretfile.Quote(word)
	}
	return strings.Join(command, " ")
}
