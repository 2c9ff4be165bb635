package cmd

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// CommandDoc is what man pages and completions say of a command. The outermost one
// is the program itself.
type CommandDoc struct {
	Path        string // keyward user add
	Category    string // of the outermost command's commands
	Usage       string // a few words
	Description string
	Synopsis    string
	Args        string // NAME, or choices as a|b; "" for none
	Examples    []string
	Flags       []FlagDoc
	Commands    []CommandDoc
}

// Describe describes the program and all its commands.
func Describe() CommandDoc {
	app := tree()
	doc := CommandDoc{
		Path:     app.Name,
		Usage:    app.Usage,
		Synopsis: app.Name + " COMMAND [flags] [arguments]",
		Flags:    []FlagDoc{{Names: []string{"version"}, Usage: "print the version"}, helpDoc()},
	}
	for _, c := range app.Commands {
		doc.Commands = append(doc.Commands, describeCommand(app.Name+" "+c.Name, c))
	}
	return doc
}

// DescribeBusServer describes the program keyward-bus, which is one command.
func DescribeBusServer() CommandDoc {
	return describeCommand(busServer, new(env).busServerCommand(nil))
}

func describeCommand(path string, c *cli.Command) CommandDoc {
	doc := CommandDoc{
		Path:        path,
		Category:    c.Category,
		Usage:       c.Usage,
		Description: c.Description,
		Synopsis:    Synopsis(path, c),
		Args:        c.ArgsUsage,
		Examples:    strings.Split(c.UsageText, "\n"),
		Flags:       Flags(c),
	}
	for _, sub := range c.Subcommands {
		doc.Commands = append(doc.Commands, describeCommand(path+" "+sub.Name, sub))
	}
	return doc
}

// FlagDoc is what help, man pages and completions say of a flag.
type FlagDoc struct {
	Names   []string // without dashes, the first is the one to show first
	Value   string   // what it takes, "" for a switch
	Usage   string
	Default string
	Env     []string
	File    bool // its value is a file, or a folder where Value is DIR or FOLDER
	Repeats bool // it can be given more than once
}

// Flags describes c's flags, --help last.
func Flags(c *cli.Command) []FlagDoc {
	var all []FlagDoc
	for _, f := range c.Flags {
		all = append(all, describe(f.(cli.DocGenerationFlag), f.Names()))
	}
	return append(all, helpDoc())
}

func helpDoc() FlagDoc { return FlagDoc{Names: []string{"help", "h"}, Usage: "show this help"} }

func describe(f cli.DocGenerationFlag, names []string) FlagDoc {
	d := FlagDoc{Names: names, Env: f.GetEnvVars(), Default: f.GetDefaultText()}
	d.Value, d.Usage = unquote(f.GetUsage())
	if !f.TakesValue() {
		d.Value, d.Default = "", ""
	} else if d.Value == "" {
		d.Value = "VALUE"
	}
	switch f := f.(type) {
	case *cli.StringFlag:
		d.File = f.TakesFile
		if f.DefaultText == "" {
			d.Default = f.Value
		}
	case *cli.IntFlag:
		if f.Value == 0 {
			d.Default = f.DefaultText
		}
	case *cli.StringSliceFlag:
		d.Default, d.Repeats = f.DefaultText, true
	}
	return d
}

// unquote takes the name of the value out of `backquotes`. Choices, a|b, are not said twice.
func unquote(usage string) (value, plain string) {
	before, rest, found := strings.Cut(usage, "`")
	if !found {
		return "", usage
	}
	value, after, _ := strings.Cut(rest, "`")
	if strings.Contains(value, "|") {
		return value, strings.TrimSuffix(before, ": ") + after
	}
	return value, before + value + after
}

// Synopsis is how c is called, under its full name.
func Synopsis(full string, c *cli.Command) string {
	s := full
	if len(c.Subcommands) > 0 {
		return s + " COMMAND [flags]"
	}
	s += " [flags]"
	if c.ArgsUsage != "" {
		s += " " + c.ArgsUsage
	}
	return s
}

// Spelling is a flag's names as people type them: -u NAME, --user NAME.
func (d FlagDoc) Spelling() string {
	var all []string
	for _, name := range d.Names {
		all = append(all, dashed(name))
	}
	s := strings.Join(all, ", ")
	if d.Value != "" {
		s += " " + d.Value
	}
	return s
}
