package cmd

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"keyward/completions"
	"keyward/fault"
)

func (e *env) completionCommand() *cli.Command {
	return &cli.Command{
		Name: "completion", Category: helpful,
		Usage:       "print the completion script of a shell",
		Description: "Prints the script for bash, zsh, fish or powershell. The packages install it where the shell looks.",
		ArgsUsage:   strings.Join(completions.Shells(), "|"),
		UsageText: "source <(keyward completion bash)\n" +
			"source <(keyward completion zsh)\n" +
			"keyward completion fish >~/.config/fish/completions/keyward.fish\n" +
			"keyward completion powershell | Out-String | Invoke-Expression",
		Action: e.completion,
	}
}

func (e *env) completion(c *cli.Context) error {
	shell := c.Args().First()
	if c.NArg() != 1 || !slices.Contains(completions.Shells(), shell) {
		return fault.New(fault.Usage, "take one of "+strings.Join(completions.Shells(), ", "), "completion needs the name of a shell, and got %q", strings.Join(c.Args().Slice(), " "))
	}
	_, err := e.stdout.Write(completions.Script(shell))
	return err
}
