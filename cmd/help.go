package cmd

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

const helpWidth = 92

// help prints the page of what was called: data on stdout, as it was asked for.
func (e *env) help(app *cli.App, c *call) error {
	var b strings.Builder
	exits := ExitCodes()
	switch {
	case c.command() == nil:
		helpApp(&b, app)
	case e.script:
		helpCommand(&b, e.name, c.command())
		exits = "0 done, 1 failed"
	case c.alone():
		helpCommand(&b, c.program, c.command())
	default:
		helpCommand(&b, strings.Join(append([]string{app.Name}, names(c.path)...), " "), c.command())
	}
	fmt.Fprintf(&b, "\nEXIT CODES\n")
	wrap(&b, 2, exits)
	_, err := io.WriteString(e.stdout, b.String())
	return err
}

func helpApp(b *strings.Builder, app *cli.App) {
	fmt.Fprintf(b, "%s %s.\n\nUSAGE\n  %s COMMAND [flags] [arguments]\n", app.Name, app.Usage, app.Name)
	for _, category := range []string{userKeys, certificates, services, helpful} {
		fmt.Fprintf(b, "\n%s\n", category)
		for _, c := range app.Commands {
			if c.Category == category {
				fmt.Fprintf(b, "  %-22s %s\n", c.Name, c.Usage)
			}
		}
	}
	fmt.Fprintf(b, "\n`%s COMMAND --help` tells more. `%s demo` shows the whole story.\n", app.Name, app.Name)
}

func helpCommand(b *strings.Builder, full string, c *cli.Command) {
	fmt.Fprintf(b, "%s: %s\n\nUSAGE\n  %s\n", full, c.Usage, Synopsis(full, c))
	if c.Description != "" {
		b.WriteString("\n")
		wrap(b, 0, c.Description)
	}
	if len(c.Subcommands) > 0 {
		b.WriteString("\nCOMMANDS\n")
		for _, sub := range c.Subcommands {
			fmt.Fprintf(b, "  %-22s %s\n", sub.Name, sub.Usage)
		}
	}
	b.WriteString("\nFLAGS\n")
	for _, f := range Flags(c) {
		helpFlag(b, f)
	}
	if c.UsageText != "" {
		b.WriteString("\nEXAMPLES\n")
		for line := range strings.SplitSeq(c.UsageText, "\n") {
			fmt.Fprintf(b, "  %s\n", strings.ReplaceAll(line, "keyward "+c.Name, full))
		}
	}
}

func helpFlag(b *strings.Builder, f FlagDoc) {
	fmt.Fprintf(b, "  %s\n", f.Spelling())
	text := f.Usage
	if f.Default != "" {
		text += fmt.Sprintf(" (default %s)", f.Default)
	}
	if len(f.Env) > 0 {
		text += fmt.Sprintf(" [%s]", strings.Join(f.Env, ", "))
	}
	wrap(b, 6, text)
}

// wrap writes text in lines of helpWidth, indented.
func wrap(b *strings.Builder, indent int, text string) {
	width := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case width == 0:
			b.WriteString(strings.Repeat(" ", indent))
			width = indent
		case width+1+len(word) > helpWidth:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			width = indent
		default:
			b.WriteString(" ")
			width++
		}
		b.WriteString(word)
		width += len(word)
	}
	b.WriteString("\n")
}
