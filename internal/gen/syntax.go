package main

import (
	"strings"

	"keyward/cmd"
)

// fishFlag is a flag as options of fish's complete.
func fishFlag(f cmd.FlagDoc) string {
	var words []string
	for _, name := range f.Names {
		switch len(name) {
		case 1:
			words = append(words, "-s", name)
		case 2: // vovsecurity writes -kv
			words = append(words, "-l", name, "-o", name)
		default:
			words = append(words, "-l", name)
		}
	}
	switch value := kind(f); value {
	case "":
	case "=":
		words = append(words, "-x")
	case "=FILE":
		words = append(words, "-r", "-F")
	case "=DIR":
		words = append(words, "-x", "-a", "'(__fish_complete_directories)'")
	default:
		words = append(words, "-x", "-a", fishQuote(join(choices(f.Value))))
	}
	return join(words)
}

// zshFlag is a flag as zsh's _arguments takes it: '(-f --force)'{-f,--force}'[replace the pair]'.
func zshFlag(f cmd.FlagDoc) string {
	var names []string
	for _, name := range f.Names {
		if len(name) == 2 { // vovsecurity writes -kv
			names = append(names, "-"+name)
		}
		names = append(names, dashed(name))
	}
	before, behind := "", "["+strings.NewReplacer("[", `\[`, "]", `\]`).Replace(f.Usage)+"]"
	switch {
	case f.Repeats:
		before = "*"
	case len(names) > 1: // each excludes the others
		before = "(" + join(names) + ")"
	}
	if f.Value != "" {
		behind = "=" + behind + ":" + zshValue(f)
	}
	if len(names) == 1 {
		return shellQuote(before + names[0] + behind)
	}
	return shellQuote(before) + "{" + strings.Join(names, ",") + "}" + shellQuote(behind)
}

func zshValue(f cmd.FlagDoc) string {
	switch kind(f) {
	case "=":
		return f.Value + ": "
	case "=FILE":
		return f.Value + ":_files"
	case "=DIR":
		return f.Value + ":_files -/"
	default:
		return "choice:(" + join(choices(f.Value)) + ")"
	}
}

// zshArg is a command's argument as _arguments takes it.
func zshArg(args string) string {
	if all := choices(args); all != nil {
		return shellQuote("1:choice:(" + join(all) + ")")
	}
	return shellQuote("1:" + args + ": ")
}

// zshItem is a command as _describe takes it.
func zshItem(c cmd.CommandDoc) string {
	return shellQuote(last(c.Path) + ":" + c.Usage)
}

// shellQuote quotes for bash and zsh.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func fishQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

func psQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
