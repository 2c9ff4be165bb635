// Package completions holds the shells' completion scripts, made from the command
// tree by `make generate`.
package completions

import "embed"

//go:embed keyward.bash keyward.zsh keyward.fish keyward.ps1
var scripts embed.FS

// Shells lists the shells that have a script.
func Shells() []string { return []string{"bash", "zsh", "fish", "powershell"} }

// File is the name of a shell's script in this folder; "" for a shell that has none.
func File(shell string) string {
	switch shell {
	case "bash", "zsh", "fish":
		return "keyward." + shell
	case "powershell":
		return "keyward.ps1"
	}
	return ""
}

// Script is the script of one of Shells; nil for another.
func Script(shell string) []byte {
	text, err := scripts.ReadFile(File(shell))
	if err != nil {
		return nil
	}
	return text
}
