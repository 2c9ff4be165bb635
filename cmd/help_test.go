package cmd

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// acts are the flags that are an act or say whom it is about, and no setting: no
// environment variable may stand in for them.
var acts = []string{"force", "force-overwrite", "yes", "replace", "u", "user", "kv", "kd", "fingerprint", "a", "if-missing", "with-key", "revoke", "trust-new", "admin", "all", "schema", "now", "serial", "release", "same-key", "what", "prepare", "lost", "account", "stock-replies", "publish", "subscribe", "identity", "remove", "explain", "file", "data", "ask", "help"}

// roles are what an account has, and say in its own commands whom these are about; its clients have settings of these names.
var roles = []string{"emitter", "consumer", "worker", "service"}

// helpGate is what a walk through the command tree saw, and what it did not like.
type helpGate struct {
	app                       *cli.App
	commands, flags, examples int
	faults                    []string
}

func (g *helpGate) fault(format string, args ...any) {
	g.faults = append(g.faults, fmt.Sprintf(format, args...))
}

func checkHelp(app *cli.App) *helpGate {
	g := &helpGate{app: app}
	for _, c := range app.Commands {
		if !slices.Contains([]string{userKeys, certificates, services, helpful}, c.Category) {
			g.fault("%s: the help does not list the category %q", c.Name, c.Category)
		}
		g.command(app.Name, c)
	}
	return g
}

func (g *helpGate) command(parent string, c *cli.Command) {
	g.commands++
	path := parent + " " + c.Name
	switch {
	case c.Usage == "":
		g.fault("%s: no usage", path)
	case len(c.Usage) > 72 || strings.HasSuffix(c.Usage, "."):
		g.fault("%s: the usage is no short phrase: %q", path, c.Usage)
	}
	if !strings.HasSuffix(c.Description, ".") {
		g.fault("%s: the description is no sentence: %q", path, c.Description)
	}
	if c.Action == nil && len(c.Subcommands) == 0 {
		g.fault("%s: does nothing", path)
	}
	names, variables := map[string]bool{}, map[string]bool{}
	for _, f := range Flags(c) {
		g.flag(path, f)
		for _, name := range f.Names {
			g.once(path, "flag", names, name)
		}
		for _, name := range f.Env {
			g.once(path, "variable", variables, name)
		}
	}
	g.exampleLines(path, c)
	for _, sub := range c.Subcommands {
		g.command(path, sub)
	}
}

func (g *helpGate) once(path, what string, seen map[string]bool, name string) {
	if seen[name] {
		g.fault("%s: the %s %s is there twice", path, what, name)
	}
	seen[name] = true
}

func (g *helpGate) flag(path string, f FlagDoc) {
	g.flags++
	name := dashed(f.Names[0])
	if f.Usage == "" {
		g.fault("%s: no usage of %s", path, name)
	}
	if f.Value == "VALUE" {
		g.fault("%s: the usage of %s does not name its value in backquotes", path, name)
	}
	if strings.Contains(f.Value, " ") {
		g.fault("%s: %s takes %q: the first backquotes of its usage are for its value", path, name, f.Value)
	}
	isAct := slices.Contains(acts, f.Names[0]) || strings.HasPrefix(path, "keyward bus account ") && slices.Contains(roles, f.Names[0])
	switch {
	case isAct && len(f.Env) > 0:
		g.fault("%s: %s is an act, and has the variable %s", path, name, f.Env[0])
	case !isAct && len(f.Env) == 0:
		g.fault("%s: %s is a setting, and has no variable", path, name)
	case !isAct && !strings.HasPrefix(f.Env[0], "KEYWARD_"):
		g.fault("%s: the first variable of %s is %s", path, name, f.Env[0])
	}
}

// exampleLines holds that the examples parse and that one of them calls the command itself.
func (g *helpGate) exampleLines(path string, c *cli.Command) {
	own := false
	for line := range strings.Lines(c.UsageText) {
		words := commandLine(line)
		if len(words) == 0 || words[0] != g.app.Name {
			continue
		}
		g.examples++
		called, _, err := tidy(g.app, words)
		if err != nil {
			g.fault("%s: the example %q: %v", path, line, err)
			continue
		}
		own = own || slices.Contains(called.path, c)
		g.exampleArguments(path, line, words, called.command())
	}
	if !own {
		g.fault("%s: no example calls it", path)
	}
}

// exampleArguments holds that an example gives what the command asks for.
func (g *helpGate) exampleArguments(path, line string, words []string, c *cli.Command) {
	last := words[len(words)-1]
	literal := c.ArgsUsage == strings.ToLower(c.ArgsUsage) // FILE|NAME stands for any
	if literal && strings.Contains(c.ArgsUsage, "|") && !slices.Contains(strings.Split(c.ArgsUsage, "|"), last) {
		g.fault("%s: the example %q has none of %s", path, line, c.ArgsUsage)
	}
	for _, f := range Flags(c) {
		i := slices.Index(words, dashed(f.Names[0]))
		if i >= 0 && strings.Contains(f.Value, "|") && !slices.Contains(strings.Split(f.Value, "|"), words[i+1]) {
			g.fault("%s: the example %q has none of %s", path, line, f.Value)
		}
	}
}

// commandLine splits an example as a shell would: up to a redirection or a pipe, without
// variables set in front.
func commandLine(line string) []string {
	var words []string
	for _, word := range shellWords(line) {
		if strings.ContainsAny(word[:1], "<>|") {
			break
		}
		if name, _, found := strings.Cut(word, "="); found && len(words) == 0 && name == strings.ToUpper(name) {
			continue
		}
		words = append(words, word)
	}
	return words
}

// shellWords splits at spaces that are not between double quotes.
func shellWords(line string) []string {
	quoted := false
	return strings.FieldsFunc(line, func(r rune) bool {
		quoted = quoted != (r == '"')
		return !quoted && strings.ContainsRune(" \n", r)
	})
}

func TestHelp(t *testing.T) {
	g := checkHelp(tree())
	for _, fault := range g.faults {
		t.Error(fault)
	}
	t.Logf("%d commands, %d flags, %d examples", g.commands, g.flags, g.examples)
	if g.commands < 15 || g.flags < 100 || g.examples < 20 {
		t.Errorf("%d commands, %d flags, %d examples: is that all?", g.commands, g.flags, g.examples)
	}
}

// TestHelpGateSees spoils one command at a time: the gate has to say so, and nothing else.
func TestHelpGateSees(t *testing.T) {
	flag := func(f cli.Flag) func(*cli.Command) {
		return func(c *cli.Command) { c.Flags = append(c.Flags, f) }
	}
	tests := []struct {
		fault string
		spoil func(*cli.Command)
	}{
		{"", func(*cli.Command) {}},
		{"no usage", func(c *cli.Command) { c.Usage = "" }},
		{"the usage is no short phrase", func(c *cli.Command) { c.Usage += "." }},
		{"the description is no sentence", func(c *cli.Command) { c.Description = "" }},
		{"does not list the category", func(c *cli.Command) { c.Category = "OTHERS" }},
		{"does nothing", func(c *cli.Command) { c.Action = nil }},
		{"no example calls it", func(c *cli.Command) { c.UsageText = "" }},
		{"no example calls it", func(c *cli.Command) { c.UsageText = "keyward getkey" }},
		{"the example", func(c *cli.Command) { c.UsageText += "\nkeyward keygen --keyfil x" }},
		{"the example", func(c *cli.Command) { c.UsageText += "\nX=\"1 2\" keyward keygn" }},
		{"the example", func(c *cli.Command) { c.UsageText += "\nkeyward keygen x" }},
		{"the example", func(c *cli.Command) { c.UsageText += "\nkeyward completion csh" }},
		{"the example", func(c *cli.Command) { c.UsageText += "\nkeyward gen-root-cert --profile pear" }},
		{"no usage of --new", flag(&cli.BoolFlag{Name: "new", EnvVars: variable("new")})},
		{"does not name its value", flag(&cli.StringFlag{Name: "new", EnvVars: variable("new"), Usage: "x"})},
		{"the first backquotes", flag(&cli.StringFlag{Name: "new", EnvVars: variable("new"), Usage: "as `servers add` keeps `X`"})},
		{"--new is a setting, and has no variable", flag(&cli.BoolFlag{Name: "new", Usage: "x"})},
		{"the first variable of --new is NEW", flag(&cli.BoolFlag{Name: "new", Usage: "x", EnvVars: []string{"NEW"}})},
		{"--yes is an act, and has the variable", flag(&cli.BoolFlag{Name: "yes", Usage: "x", EnvVars: variable("yes")})},
		{"the flag json is there twice", flag(&cli.BoolFlag{Name: "json", Usage: "x", EnvVars: variable("new")})},
		{"the variable KEYWARD_JSON is there twice", flag(&cli.BoolFlag{Name: "new", Usage: "x", EnvVars: variable("json")})},
	}
	for _, tt := range tests {
		app := tree()
		tt.spoil(lookup(app.Commands, "keygen"))
		faults := checkHelp(app).faults
		switch {
		case tt.fault == "" && len(faults) == 0:
		case len(faults) != 1 || tt.fault == "" || !strings.Contains(faults[0], tt.fault):
			t.Errorf("got %q, want one that says %q", faults, tt.fault)
		}
	}
}
