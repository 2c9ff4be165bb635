package cmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"keyward/certs/plan"
	"keyward/fault"
	"keyward/internal/term"
)

const defaultManifest = "keyward.yaml"

func (e *env) planCommand() *cli.Command {
	return &cli.Command{
		Name: "plan", Category: certificates, ArgsUsage: "[MANIFEST]",
		Usage: "tell what apply would do for a manifest, and why",
		Description: "The MANIFEST, " + defaultManifest + " where none or its folder is named, says in YAML which certificates and user keys there are to be in its folder. " +
			"Prints what is missing, ends soon or is no longer as asked for, and writes nothing. " +
			"All faults of the manifest are told at once, each with its line and column. " +
			"The exit code is 10 where something is to be done, 12 where nothing is, 11 where the manifest or a file in the way is at fault, 4 where a password file or a CA's key is missing, 9 where a root would be replaced by another.",
		UsageText: "keyward plan\nkeyward plan --json pki/keyward.yaml\nkeyward plan --schema > manifest.schema.json",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "all", Usage: "list what stays as it is too"},
			&cli.BoolFlag{Name: "schema", Usage: "print the manifest's JSON schema, for editors"},
			parallelFlag(), e.quietFlag(), e.jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			if c.Bool("schema") {
				_, err := fmt.Fprint(e.stdout, plan.Schema)
				return err
			}
			m, err := e.manifest(c)
			if err != nil {
				return err
			}
			return e.showPlan(c, m, applyHint(c))
		},
	}
}

// applyHint names the manifest as it was given.
func applyHint(c *cli.Context) string {
	return "do it with `" + strings.TrimSpace("keyward apply "+c.Args().First()) + "`"
}

func (e *env) applyCommand() *cli.Command {
	return &cli.Command{
		Name: "apply", Category: certificates, ArgsUsage: "[MANIFEST]",
		Usage: "make, renew and mend certificates as a manifest says",
		Description: "Does what `keyward plan` tells, issuers first: the MANIFEST is " + defaultManifest + " where none or its folder is named. " +
			"What is as asked for is left alone, so it can run at any time and by several at once, and after a kill it does the rest. " +
			"Each signature is noted in its CA's ledger before its files are placed. What fails does not stop what does not hang on it. " +
			"The exit code is 0 where all is as the manifest says in the end, whether or not something was done.",
		UsageText: "keyward apply\nkeyward apply --dry-run pki/keyward.yaml\nkeyward apply --json --ca-key-password-file ca.password",
		Flags: []cli.Flag{
			caKeyPasswordFlag(), parallelFlag(),
			dryRunFlag("do as plan does: print what would be done, and write nothing"),
			e.quietFlag(), e.jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			m, err := e.manifest(c)
			if err != nil {
				return err
			}
			if c.Bool("dry-run") {
				return e.showPlan(c, m, applyHint(c))
			}
			_, err = e.apply(c, m)
			return err
		},
	}
}

func parallelFlag() cli.Flag {
	return &cli.IntFlag{Name: "parallel", EnvVars: variable("parallel"), Usage: "look at and make `N` certificates at a time", DefaultText: "the cores"}
}

func parallel(c *cli.Context) (int, error) {
	if !c.IsSet("parallel") {
		return runtime.GOMAXPROCS(0), nil
	}
	if n := c.Int("parallel"); n > 0 {
		return n, nil
	}
	return 0, fault.New(fault.Usage, "set it to 1 or more", "--parallel %d", c.Int("parallel"))
}

// manifest reads the one that is named, or lies in the folder that is named.
func (e *env) manifest(c *cli.Context) (*plan.Manifest, error) {
	file := defaultManifest
	switch {
	case c.NArg() > 1:
		return nil, fault.New(fault.Usage, e.call.helpHint(), "%s takes one manifest, and got %d", e.call.name(), c.NArg())
	case c.NArg() == 1:
		file = c.Args().First()
	}
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		file = filepath.Join(file, defaultManifest)
	}
	debug.SetGCPercent(200) // for a run that keeps little and ends soon
	m, err := plan.Read(file, e.dated())
	if c.NArg() == 0 && fault.KindOf(err) == fault.NotFound {
		return nil, fault.New(fault.NotFound, "name the manifest", "there is no %s here", defaultManifest)
	}
	return m, err
}

// planned is the JSON of plan and apply.
type planned struct {
	Steps  []plan.Step         `json:"steps"`
	Counts map[plan.Action]int `json:"counts"`
	Failed int                 `json:"failed,omitempty"` // of these the error tells
}

// showPlan prints what is to be done; the exit code tells whether anything is, and hint how to have it done.
func (e *env) showPlan(c *cli.Context, m *plan.Manifest, hint string) error {
	n, err := parallel(c)
	if err != nil {
		return err
	}
	p, err := m.Judge(c.Context, e.dated(), n, e.firstLineOf)
	if err != nil {
		return err
	}
	shown := p.Steps
	if !c.Bool("all") {
		shown = slices.DeleteFunc(slices.Clone(shown), func(s plan.Step) bool { return s.Action == plan.Leave })
	}
	counts, stuck := p.Counts()
	if err := e.print(planned{append([]plan.Step{}, shown...), counts, stuck}, stepLines(shown)+countLine(counts, stuck)); err != nil {
		return err
	}
	e.noteStrays(m.Strays())
	if err := p.Faults(); err != nil {
		return err
	}
	if due := len(p.Steps) - counts[plan.Leave]; due > 0 {
		return fault.New(fault.Due, hint, "%d of %d to be changed", due, len(p.Steps))
	}
	return fault.New(fault.NothingDue, "", "nothing is to be done")
}

// noteStrays tells what a manifest has forgotten.
func (e *env) noteStrays(strays []string) {
	const most = 5
	if len(strays) == 0 {
		return
	}
	text := strings.Join(strays[:min(len(strays), most)], ", ")
	if len(strays) > most {
		text += fmt.Sprintf(" and %d more", len(strays)-most)
	}
	e.note("not in the manifest, and left alone: %s", printable(text))
}

// stepLines has a line for each step: the action, the name and why.
func stepLines(steps []plan.Step) string {
	var b strings.Builder
	for _, s := range steps {
		line := fmt.Sprintf("%-8s  %s", s.Action, printable(s.Name))
		if len(s.Reasons) > 0 {
			line += ": " + printable(strings.Join(s.Reasons, "; "))
		}
		if s.NewKey && s.Action != plan.Make {
			line += "; with a new key"
		}
		if s.Replaces() {
			line += "; give the new root to all who trust the old one"
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// countLine sums up what is to be done, the greatest action first.
func countLine(counts map[plan.Action]int, stuck int) string {
	words := map[plan.Action]string{}
	for _, action := range plan.Actions() {
		words[action] = "to " + string(action)
	}
	return sums(counts, words, stuck, "at fault")
}

// doneLine sums up what was done.
func doneLine(counts map[plan.Action]int, stuck int) string {
	return sums(counts, map[plan.Action]string{
		plan.Make: "made", plan.Reissue: "re-issued", plan.Renew: "renewed", plan.Write: "written", plan.Set: "set", plan.Leave: "left",
	}, stuck, "failed")
}

func sums(counts map[plan.Action]int, words map[plan.Action]string, stuck int, fate string) string {
	var parts []string
	for _, action := range slices.Backward(plan.Actions()) {
		if n := counts[action]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, words[action]))
		}
	}
	if stuck > 0 {
		parts = append(parts, fmt.Sprintf("%d %s", stuck, fate))
	}
	return strings.Join(parts, ", ") + "\n"
}

// apply does what is to be done and prints it.
func (e *env) apply(c *cli.Context, m *plan.Manifest) (*plan.Done, error) {
	n, err := parallel(c)
	if err != nil {
		return nil, err
	}
	p, err := m.Judge(c.Context, e.dated(), n, e.firstLineOf)
	if err != nil {
		return nil, err
	}
	var bar *term.Progress
	if !e.quiet && !e.json {
		bar = term.NewProgress(e.stderr, "making", e.now)
	}
	done, failed := p.Apply(c.Context, e.applyOptions(c, n, bar))
	bar.Clear()
	counts := map[plan.Action]int{}
	for _, s := range done.Steps {
		counts[s.Action]++
	}
	_, stuck := p.Counts()
	counts[plan.Leave] = len(p.Steps) - len(done.Steps) - stuck
	text := stepLines(done.Steps) + doneLine(counts, stuck)
	if e.quiet {
		text = ""
	}
	if err := e.print(planned{append([]plan.Step{}, done.Steps...), counts, stuck}, text); err != nil {
		return done, errors.Join(failed, err)
	}
	return done, failed
}

// applyOptions let a prompt and the bar take turns on the screen.
func (e *env) applyOptions(c *cli.Context, parallel int, bar *term.Progress) plan.Options {
	unlock := e.unlock(c, "ca-key-password-file")
	var screen sync.Mutex
	return plan.Options{
		Parallel: parallel,
		Unlock: func(file string) ([]byte, error) {
			screen.Lock()
			defer screen.Unlock()
			bar.Clear()
			return unlock(file)
		},
		Progress: func(done, all int) {
			screen.Lock()
			defer screen.Unlock()
			bar.Show(done, all)
		},
	}
}

// firstLineOf is the first line of a manifest's password file.
func (e *env) firstLineOf(file string) ([]byte, error) {
	password, err := e.secretLine(file, "password-file")
	return []byte(password), err
}
