package main

import (
	"bytes"
	"embed"
	"path"
	"strings"
	"text/template"

	"keyward/cmd"
)

// The templates hold what a script does; what is filled in is the command tree.
//
//go:embed templates
var templates embed.FS

// shell is what the templates make of a program: the scripts that complete it.
type shell struct {
	Name     string
	Links    []string // that are commands of it
	Commands []cmd.CommandDoc
}

// scripts makes the completion scripts of the program, and of keyward-bus.
func scripts(program cmd.CommandDoc) (map[string][]byte, error) {
	all, err := template.New("").Funcs(template.FuncMap{
		"after": after, "choices": choices, "dashed": dashed, "kind": kind,
		"last": last, "lines": lines, "join": join, "under": under,
		"fishflag": fishFlag, "fishquote": fishQuote,
		"psquote": psQuote,
		"zsharg":  zshArg, "zshflag": zshFlag, "zshitem": zshItem,
	}).ParseFS(templates, "templates/*")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	bus := cmd.DescribeBusServer()
	for _, s := range []shell{
		{program.Path, []string{"vovsecurity", "gen-root-cert", "gen-intermediate-cert", "gen-leaf-cert", "websocket-test-client"}, walk(withHelp(program))},
		{bus.Path, nil, []cmd.CommandDoc{bus}},
	} {
		for _, t := range all.Templates() {
			kind := path.Ext(t.Name())
			if s.Links == nil && kind == ".ps1" { // its daemons are not of Windows
				continue
			}
			var text bytes.Buffer
			if err := t.Execute(&text, s); err != nil {
				return nil, err
			}
			files["completions/"+s.Name+kind] = text.Bytes()
		}
	}
	return files, nil
}

// withHelp adds the command help, which the program knows without having it in its tree.
func withHelp(program cmd.CommandDoc) cmd.CommandDoc {
	var names []string
	for _, c := range program.Commands {
		names = append(names, last(c.Path))
	}
	program.Commands = append(program.Commands, cmd.CommandDoc{
		Path: program.Path + " help", Usage: "show the help of a command", Args: strings.Join(names, "|"),
	})
	return program
}

// after lists the words that can follow a command: its own commands or the choices of
// its argument, and its flags. --flag= takes a value, --flag=FILE a file, --flag=DIR a
// folder, --flag=a|b one of these.
func after(c cmd.CommandDoc) []string {
	words := choices(c.Args)
	for _, sub := range c.Commands {
		words = append(words, last(sub.Path))
	}
	for _, f := range c.Flags {
		for _, name := range f.Names {
			words = append(words, dashed(name)+kind(f))
		}
	}
	return words
}

// kind is what after writes behind a flag.
func kind(f cmd.FlagDoc) string {
	switch {
	case f.Value == "":
		return ""
	case strings.Contains(f.Value, "|"):
		return "=" + f.Value
	case f.Value == "DIR" || f.Value == "FOLDER":
		return "=DIR"
	case f.File:
		return "=FILE"
	default:
		return "="
	}
}

// choices splits a|b; what is no list of choices has none, nor has FILE|NAME.
func choices(value string) []string {
	if !literal(value) {
		return nil
	}
	return strings.Split(value, "|")
}

func literal(value string) bool {
	return strings.Contains(value, "|") && value != strings.ToUpper(value)
}

// lines joins words to lines of at most 80 bytes, each indented.
func lines(indent string, words []string) string {
	var b strings.Builder
	width := 0
	for _, word := range words {
		switch {
		case width == 0:
			b.WriteString(indent)
		case width+1+len(word) > 80:
			b.WriteString("\n" + indent)
			width = 0
		default:
			b.WriteString(" ")
			width++
		}
		if width == 0 {
			width = len(indent)
		}
		b.WriteString(word)
		width += len(word)
	}
	return b.String()
}

// last is a command's own name.
func last(path string) string { return path[strings.LastIndex(path, " ")+1:] }

// dashed writes a flag's name as people type it.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

func join(words []string) string { return strings.Join(words, " ") }

// under makes a command's path a part of a function's name.
func under(path string) string { return strings.ReplaceAll(path, " ", "_") }
