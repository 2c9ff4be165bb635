package cmd

import (
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/internal/nearest"
)

// call is what the arguments ask for.
type call struct {
	program string         // the name that it was called by
	path    []*cli.Command // from the outermost command in
	help    bool
	given   map[string]bool   // the flags that are there, by every name of each
	values  map[string]string // of the flags that take one
	twice   error             // a flag has two values, of which urfave/cli takes the last
}

func (c *call) command() *cli.Command {
	if len(c.path) == 0 {
		return nil
	}
	return c.path[len(c.path)-1]
}

// alone tells whether the program is one command, and its name the command's.
func (c *call) alone() bool { return c.program == testClient || c.program == busServer }

// name is the command's, with those it is under.
func (c *call) name() string {
	if c.alone() {
		return c.program
	}
	return strings.Join(names(c.path), " ")
}

// tidy finds the command that args call and puts its flags before its arguments:
// urfave/cli would take a flag behind an argument for an argument. Flags may so
// stand anywhere until a "--". Unknown flags and commands end here, with the
// nearest known one named.
func tidy(app *cli.App, args []string) (*call, []string, error) {
	c := &call{program: app.Name, given: map[string]bool{}, values: map[string]string{}}
	head, flags, rest := args[:1:1], []string(nil), []string(nil)
	subcommands := app.Commands
	for i := 1; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			rest = append(rest, args[i+1:]...)
			i = len(args)
		case arg == "-h" || arg == "-help" || arg == "--help" || arg == "help" && len(subcommands) > 0:
			c.help = true
		case strings.HasPrefix(arg, "-") && arg != "-":
			found, err := find(c, arg)
			if err != nil {
				return c, args, err
			}
			for _, name := range found.Names() {
				c.given[name] = true
			}
			flags = append(flags, arg)
			if !takesValue(found) {
				continue
			}
			_, value, within := strings.Cut(arg, "=")
			if !within {
				if i++; i == len(args) {
					return c, args, fault.New(fault.Usage, c.helpHint(), "the flag %s needs a value", arg)
				}
				value = args[i]
				flags = append(flags, value)
			}
			c.takeValue(found, value)
		case len(subcommands) > 0:
			sub := lookup(subcommands, arg)
			if sub == nil {
				return c, args, c.unknownCommand(subcommands, arg)
			}
			c.path, head, subcommands = append(c.path, sub), append(head, sub.Name), sub.Subcommands
		default:
			rest = append(rest, arg)
		}
	}
	if c.help || len(c.path) == 0 {
		c.help = true
		return c, args, nil
	}
	return c, append(append(append(head, flags...), "--"), rest...), c.arguments(rest)
}

// arguments refuses a family called without its verb and arguments nobody asked for.
func (c *call) arguments(rest []string) error {
	command := c.command()
	if len(command.Subcommands) > 0 {
		return fault.New(fault.Usage, c.helpHint(), "%s needs a command: %s", c.name(), strings.Join(names(command.Subcommands), ", "))
	}
	if len(rest) > 0 && command.ArgsUsage == "" {
		return fault.New(fault.Usage, c.helpHint(), "%s takes no argument, and got %q", c.name(), rest[0])
	}
	return nil
}

// find is the command's flag that arg names, in either spelling: -kv or --kv, with or without a value.
func find(c *call, arg string) (cli.Flag, error) {
	name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
	command := c.command()
	if command == nil {
		return nil, fault.New(fault.Usage, "a command comes first; see `keyward help`", "unknown flag %s", dashed(name))
	}
	var known []string
	for _, f := range command.Flags {
		if slices.Contains(f.Names(), name) {
			return f, nil
		}
		known = append(known, f.Names()...)
	}
	hint := c.helpHint()
	if near := nearest.Word(name, known); near != "" {
		hint = "did you mean " + dashed(near) + "?"
	}
	return nil, fault.New(fault.Usage, hint, "%s has no flag %s", c.name(), dashed(name))
}

// takeValue sees whether a flag that takes one value has two.
func (c *call) takeValue(f cli.Flag, value string) {
	name := f.Names()[0]
	before, given := c.values[name]
	if _, many := f.(cli.DocGenerationSliceFlag); given && !many && before != value {
		c.twice = fault.New(fault.Usage, "give it once, or run "+c.name()+" once for each", "%s is given twice, with two values", dashed(name))
	}
	c.values[name] = value
}

func takesValue(f cli.Flag) bool {
	_, isBool := f.(*cli.BoolFlag)
	return !isBool
}

func lookup(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

func (c *call) unknownCommand(commands []*cli.Command, name string) error {
	hint := c.helpHint()
	if near := nearest.Word(name, names(commands)); near != "" {
		hint = "did you mean " + near + "?"
	}
	return fault.New(fault.Usage, hint, "unknown command %q", name)
}

func names(commands []*cli.Command) []string {
	var all []string
	for _, c := range commands {
		all = append(all, c.Name)
	}
	return all
}

func (c *call) helpHint() string {
	if c.alone() {
		return "see `" + c.program + " --help`"
	}
	return "see `" + strings.TrimSpace("keyward help "+c.name()) + "`"
}

// dashed writes a flag's name as people type it.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// wantsJSON looks for --json where the arguments do not parse.
func (e *env) wantsJSON(args []string) bool {
	variable, _ := strconv.ParseBool(e.getenv("KEYWARD_JSON"))
	return variable || slices.ContainsFunc(args, func(arg string) bool {
		return slices.Contains([]string{"--json", "-json", "--json=true"}, arg)
	})
}
