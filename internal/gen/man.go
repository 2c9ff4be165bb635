package main

import (
	"slices"
	"strings"

	"keyward/cmd"
)

// page is a man page: a command, the one that it is under, and the others beside it.
type page struct {
	name   string // keyward-user-add
	daemon bool   // it is a program of its own, of section 8
	doc    cmd.CommandDoc
	above  *cmd.CommandDoc // nil for the program itself
	beside []cmd.CommandDoc
}

// entry is a line of a list: a term and what it means.
type entry struct{ term, text string }

// pages lists the pages of a command and all under it.
func pages(program cmd.CommandDoc) []page {
	return pagesUnder(page{name: pageName(program.Path), doc: program})
}

// busServerPage is that of the program keyward-bus. It is in section 8, where daemons are: keyward-bus(1) is of `keyward bus`.
func busServerPage(program cmd.CommandDoc) page {
	doc := cmd.DescribeBusServer()
	p := page{name: doc.Path, daemon: true, doc: doc, above: &program}
	for _, c := range walk(program) {
		if c.Path == "keyward bus" || c.Path == "keyward bus account" || c.Path == "keyward bus authorize" || c.Path == "keyward serve" {
			p.beside = append(p.beside, c)
		}
	}
	return p
}

func (p page) section() string {
	if p.daemon {
		return "8"
	}
	return "1"
}

func (p page) file() string { return p.name + "." + p.section() }

func pagesUnder(p page) []page {
	all := []page{p}
	for _, c := range p.doc.Commands {
		sub := page{name: pageName(c.Path), doc: c, above: &p.doc}
		for _, other := range p.doc.Commands {
			if other.Category == c.Category && other.Path != c.Path {
				sub.beside = append(sub.beside, other)
			}
		}
		all = append(all, pagesUnder(sub)...)
	}
	return all
}

func pageName(path string) string { return strings.ReplaceAll(path, " ", "-") }

// text writes the page.
func (p page) text() []byte {
	r := new(roff)
	r.line(`.\" Made by make generate.`)
	// No date: a page changes when its command does.
	r.line(".TH ", escape(strings.ToUpper(p.name)), " ", p.section(), ` "" keyward "keyward manual"`)
	r.section("NAME")
	r.line(escape(p.name), ` \- `, escape(p.doc.Usage))
	r.section("SYNOPSIS")
	p.synopsis(r)
	r.section("DESCRIPTION")
	p.description(r)
	r.section("OPTIONS")
	for _, f := range p.doc.Flags {
		r.item(spelling(f), flagText(f))
	}
	list(r, "ENVIRONMENT", p.environment())
	p.examples(r)
	r.section(`"EXIT STATUS"`)
	for line := range strings.SplitSeq(cmd.ExitCodes(), ", ") {
		code, words, _ := strings.Cut(line, " ")
		r.item(bold(code), words)
	}
	list(r, "FILES", p.files())
	r.section(`"SEE ALSO"`)
	r.line(strings.Join(p.seeAlso(), ",\n"))
	return r.Bytes()
}

// synopsis has the command's words in bold and what they stand for in italics.
func (p page) synopsis(r *roff) {
	r.line(bold(p.doc.Path))
	for word := range strings.FieldsSeq(strings.TrimPrefix(p.doc.Synopsis, p.doc.Path)) {
		inner := strings.Trim(word, "[]")
		switch {
		case inner != word:
			r.line("[", italic(inner), "]")
		case literal(word):
			r.line(strings.ReplaceAll(bold(word), "|", `\fR|\fB`))
		default:
			r.line(italic(word))
		}
	}
}

// description is the prose, and what a family or the program itself has under it.
func (p page) description(r *roff) {
	if p.above == nil {
		r.sentences("`" + p.doc.Path + "` " + p.doc.Usage + ".")
		r.paragraph(conventions)
	} else {
		r.sentences(p.doc.Description)
	}
	if len(p.doc.Commands) == 0 {
		return
	}
	category := ""
	for _, c := range p.doc.Commands {
		if c.Category != category {
			category = c.Category
			r.line(".SS ", category)
		}
		r.item(pageReference(c.Path), c.Usage)
	}
}

const conventions = "Flags may stand before, between and behind the arguments, with one dash or two; behind `--` all is arguments. " +
	"Data goes to stdout and everything else to stderr. " +
	"Questions are asked only where stdin and stderr are a terminal: elsewhere what is missing is named. " +
	"Called under the name `vovsecurity`, `gen-root-cert`, `gen-intermediate-cert` or `gen-leaf-cert`, by a link, it is that tool."

// spelling is a flag's names as people type them, and what it takes.
func spelling(f cmd.FlagDoc) string {
	var names []string
	for _, name := range f.Names {
		names = append(names, bold(dashed(name)))
	}
	s := strings.Join(names, ", ")
	switch {
	case f.Value == "":
		return s
	case strings.Contains(f.Value, "|"):
		return s + " " + strings.ReplaceAll(bold(f.Value), "|", `\fR|\fB`)
	default:
		return s + " " + italic(f.Value)
	}
}

func flagText(f cmd.FlagDoc) string {
	if f.Default == "" {
		return f.Usage
	}
	return f.Usage + " (default " + f.Default + ")"
}

// environment lists the flags' variables and those that stand in for something a flag cannot be given.
func (p page) environment() []entry {
	var all []entry
	for _, f := range p.doc.Flags {
		if len(f.Env) > 0 {
			all = append(all, entry{strings.Join(f.Env, ", "), "the same as `" + dashed(f.Names[0]) + "`" + firstOf(f.Env)})
		}
	}
	return append(all, p.having(variables)...)
}

func firstOf(names []string) string {
	if len(names) == 1 {
		return ""
	}
	return "; the first that is set counts"
}

func (p page) files() []entry { return p.having(files) }

// having picks the entries of the flags that the page has.
func (p page) having(table []fact) []entry {
	var all []entry
	for _, f := range table {
		if p.has(f.flag) {
			all = append(all, f.entry)
		}
	}
	return all
}

func (p page) has(flag string) bool {
	if flag == "" {
		return p.above == nil
	}
	return slices.ContainsFunc(p.doc.Flags, func(f cmd.FlagDoc) bool { return slices.Contains(f.Names, flag) })
}

// fact is an entry of the pages with a flag, or of the program's own page where flag is empty.
type fact struct {
	flag string
	entry
}

var variables = []fact{
	{"password-file", entry{"VOV_PASSWORD", "the password, where there is no `--password-file`"}},
	{"revoke", entry{"KEYWARD_TOKEN", "the token that `--revoke` ends"}},
	{"data-dir", entry{"GOGC, GOMEMLIMIT", "the garbage collector's settings, in place of 400 and 384MiB"}},
	{"", entry{"KEYWARD_HOME", "the folder of keyward's own files, in place of the two below"}},
	{"", entry{"XDG_CONFIG_HOME", "what was trusted is kept in keyward under this folder (default $HOME/.config)"}},
	{"", entry{"XDG_DATA_HOME", "a registry's data are kept in keyward/registry under this folder (default $HOME/.local/share)"}},
	{"", entry{"CI", "set to anything, it keeps questions from being asked, at a terminal too"}},
	{"", entry{"SOURCE_DATE_EPOCH", "the time of keys and certificates that are made, in seconds since 1970, for output that can be made again"}},
	{"", entry{"KEYWARD_...", "most flags have a variable, named on the page of their command; a flag on the command line goes before it"}},
}

var files = []fact{
	{"keyfile", entry{"$HOME/.vov/userkey", "the user's key pair, readable by its owner alone"}},
	{"pin", entry{"$XDG_CONFIG_HOME/keyward/known_servers", "the servers' certificates and keys that were trusted on first use"}},
	{"data-dir", entry{"registry.db", "in the data folder: users, keys and tokens"}},
	{"data-dir", entry{"serverkey", "in the data folder: the registry's NaCl key pair"}},
	{"data-dir", entry{"ca.cert.pem", "in the data folder: the root that clients trust with `--ca-file`"}},
	{"data-dir", entry{"admin-password", "in the data folder: the first password of the user admin, until it changes"}},
}

func list(r *roff, section string, entries []entry) {
	if len(entries) == 0 {
		return
	}
	r.section(section)
	for _, e := range entries {
		r.item(bold(e.term), e.text)
	}
}

func (p page) examples(r *roff) {
	if len(p.doc.Examples) == 0 {
		return
	}
	r.section("EXAMPLES")
	r.literal(p.doc.Examples)
}

// seeAlso points up, to the sides and down.
func (p page) seeAlso() []string {
	var all []string
	if p.above != nil {
		all = append(all, pageReference(p.above.Path))
	}
	for _, c := range slices.Concat(p.beside, p.doc.Commands) {
		all = append(all, pageReference(c.Path))
	}
	if p.doc.Path == "keyward bus" { // its page has the name of the program's
		all = append(all, bold("keyward-bus")+"(8)")
	}
	return all
}

func pageReference(path string) string { return bold(pageName(path)) + "(1)" }
