package plan

import (
	"bytes"
	"cmp"
	"errors"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"keyward/certs"
	"keyward/certs/ledger"
	"keyward/fault"
	"keyward/internal/secretfile"
)

// Read is Parse of a file; paths in it start from its folder.
func Read(file string, now time.Time) (*Manifest, error) {
	text, _, err := secretfile.Read(file, maxManifest)
	if err != nil {
		return nil, err
	}
	return Parse(file, filepath.Dir(file), text, now)
}

// Parse reads a manifest called file in messages, whose paths start from dir. It reads the
// certificates of outside CAs, to hold what is below them to their limits, and nothing else. Its error
// is fault.InvalidFile with all Faults that it finds.
func Parse(file, dir string, text []byte, now time.Time) (*Manifest, error) {
	p := &parser{faults: faults{file: file}, now: now, seen: map[string]bool{}, m: &Manifest{Dir: dir, file: file, byName: map[string]int{}}}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // as Windows writes it
	if !p.legible(text) {
		return nil, p.err()
	}
	for c := range chunks(text) {
		p.chunk(c)
	}
	if len(p.m.Entries)+len(p.m.UserKeys) == 0 && p.err() == nil {
		p.addf(place{1, 1}, "say what there is to be under certificates:", "the manifest names no certificate and no user key")
	}
	p.link()
	if err := p.err(); err != nil {
		return nil, err
	}
	return p.m, nil
}

// parser reads one manifest.
type parser struct {
	faults
	m          *Manifest
	now        time.Time
	seen       map[string]bool // sections
	all, leaf  Entry           // what the defaults say for all, and for leaves
	overflowed bool
}

// legible refuses what is no text of one document.
func (p *parser) legible(text []byte) bool {
	if !utf8.Valid(text) {
		at := 0
		for at < len(text) {
			r, size := utf8.DecodeRune(text[at:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			at += size
		}
		p.addf(placeAt(text, at), "write the manifest as UTF-8", "not UTF-8")
		return false
	}
	begun := false
	line := 0
	for one := range bytes.Lines(text) {
		line++
		one = bytes.TrimRight(one, "\r\n")
		marker := bytes.Equal(one, []byte("---")) || bytes.HasPrefix(one, []byte("--- ")) || bytes.HasPrefix(one, []byte("..."))
		switch {
		case marker && begun:
			p.addf(place{uint32(line), 1}, "keep one manifest in a file", "more than one YAML document")
			return false
		case bytes.HasPrefix(one, []byte("%")):
			p.addf(place{uint32(line), 1}, "leave the line out", "YAML directives are not taken")
			return false
		}
		begun = begun || marker || !blank(one)
	}
	return true
}

func placeAt(text []byte, at int) place {
	before := text[:at]
	return place{uint32(bytes.Count(before, []byte("\n")) + 1), uint32(at - bytes.LastIndexByte(before, '\n'))}
}

// nothing tells whether a text has no more than comments and the mark of a document's start.
func nothing(text []byte) bool {
	for line := range bytes.Lines(text) {
		if mark := bytes.TrimRight(line, "\r\n"); !blank(line) && !bytes.Equal(mark, []byte("---")) && !bytes.HasPrefix(mark, []byte("--- #")) {
			return false
		}
	}
	return true
}

func (c chunk) at(n *yaml.Node) place { return place{uint32(n.Line + c.line), uint32(n.Column)} }

func (p *parser) chunk(c chunk) {
	if nothing(c.text) {
		return
	}
	var doc yaml.Node
	if err := yaml.Load(c.text, &doc, yaml.WithUniqueKeys(false)); err != nil {
		p.syntax(c, err)
		return
	}
	if len(doc.Content) == 0 {
		return
	}
	if c.section != "" {
		p.seen[c.section] = true
		p.section(c, c.section, doc.Content[0])
		return
	}
	for key, value := range p.pairs(c, doc.Content[0]) {
		if p.seen[key.Value] {
			p.addf(c.at(key), "keep one of them", "the section %s is there twice", key.Value)
			continue
		}
		p.seen[key.Value] = true
		p.section(c, key.Value, value)
		if !slices.Contains(sectionNames, key.Value) {
			p.addf(c.at(key), didYouMean(key.Value, sectionNames), "unknown section %q", key.Value)
		}
	}
}

var sectionNames = []string{defaultsSection, issuersSection, certificatesSection, userKeysSection}

// syntax is what the YAML library has against the text.
func (p *parser) syntax(c chunk, err error) {
	at, message := place{uint32(c.line + 1), 1}, err.Error()
	if e, ok := errors.AsType[*yaml.LoadError](err); ok {
		message = e.Message
		at = place{uint32(c.line + max(1, e.Mark.Line)), uint32(max(1, e.Mark.Column))}
		if c.tabAt(e.Mark.Line, e.Mark.Column) {
			p.addf(at, "write spaces in its place", "not YAML: a tab, where only spaces may indent")
			return
		}
	}
	p.addf(at, "", "not YAML: %s", message)
}

// tabAt tells whether a tab is at a line and column of the chunk, both from 1 on.
func (c chunk) tabAt(line, column int) bool {
	for text := range bytes.Lines(c.text) {
		if line--; line <= 0 {
			return column > 0 && column <= len(text) && text[column-1] == '\t'
		}
	}
	return false
}

func (p *parser) section(c chunk, name string, value *yaml.Node) {
	if value.Kind == yaml.ScalarNode && value.Tag == "!!null" {
		return
	}
	for key, v := range p.pairs(c, value) {
		switch name {
		case defaultsSection:
			p.defaultField(c, key, v)
		case issuersSection:
			p.outside(c, key, v)
		case certificatesSection:
			p.entry(c, key, v)
		case userKeysSection:
			p.userKey(c, key, v)
		}
	}
}

// pairs are the keys and values of a mapping, each key once.
func (p *parser) pairs(c chunk, n *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		if n.Kind != yaml.MappingNode {
			_, err := textOf(n)
			p.add(c.at(n), cmp.Or(err, fault.New(fault.InvalidFile, "write it as name: value, or {name: value}", "a value where a mapping belongs")))
			return
		}
		if n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
			_, err := textOf(n)
			p.add(c.at(n), err)
		}
		known := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			name, err := textOf(key)
			switch {
			case err != nil:
				p.add(c.at(key), err)
			case known[name]:
				p.addf(c.at(key), "keep one of them", "%q is there twice", name)
			default:
				known[name] = true
				if !yield(key, n.Content[i+1]) {
					return
				}
			}
		}
	}
}

func (p *parser) defaultField(c chunk, key, v *yaml.Node) {
	mayStand := func(f field) bool { return f.defaults != ownOnly }
	i := p.lookup(c, key, "the defaults", mayStand)
	if i < 0 {
		return
	}
	p.fill(c, &p.leaf, i, v)
	if fields[i].defaults == everybodies {
		quiet := &parser{now: p.now}
		quiet.fill(c, &p.all, i, v)
	}
	p.all.marks, p.leaf.marks = nil, nil
}

// lookup finds a field by its name; -1 after telling that there is none such here.
func (p *parser) lookup(c chunk, key *yaml.Node, where string, fit func(field) bool) int {
	i := slices.IndexFunc(fields, func(f field) bool { return f.name == key.Value })
	switch {
	case i < 0:
		p.addf(c.at(key), didYouMean(key.Value, fieldNames(fit)), "unknown field %q", key.Value)
		return -1
	case !fit(fields[i]):
		p.addf(c.at(key), "write it at each certificate that it is for", "%s cannot stand in %s", key.Value, where)
		return -1
	}
	return i
}

// fill reads field i of an entry.
func (p *parser) fill(c chunk, e *Entry, i int, v *yaml.Node) {
	f := fields[i]
	if f.set != nil {
		text, err := textOf(v)
		if err == nil {
			err = f.set(e, text, p.now)
		}
		p.mark(c, e, i, 0, v, err)
		return
	}
	items := []*yaml.Node{v} // one value may stand for a list of one
	if v.Kind == yaml.SequenceNode && v.Anchor == "" && v.Style&yaml.TaggedStyle == 0 {
		items = v.Content
	}
	for n, item := range items {
		text, err := textOf(item)
		if err == nil {
			err = f.add(e, text)
		}
		p.mark(c, e, i, n, item, err)
	}
}

func (p *parser) mark(c chunk, e *Entry, i, item int, v *yaml.Node, err error) {
	at := c.at(v)
	e.marks = append(e.marks, mark{uint8(i), uint16(item), at})
	if err != nil {
		p.add(at, worded(fields[i].name, err))
	}
}

// worded names the field that an error is about.
func worded(field string, err error) error {
	return fault.New(fault.KindOf(err), fault.HintOf(err), "%s: %w", field, err)
}

func (p *parser) entry(c chunk, key, v *yaml.Node) {
	if !p.room(c, key) {
		return
	}
	e := Entry{Role: roleOf(v)}
	if e.Role == certs.Leaf {
		e = p.leaf
	} else {
		e = p.all
	}
	e.Role, e.Name, e.at = roleOf(v), key.Value, c.at(key)
	e.Outputs = slices.Clip(e.Outputs)
	if err := checkName(e.Name); err != nil {
		p.add(e.at, err)
	}
	for name, value := range p.pairs(c, v) {
		if i := p.lookup(c, name, "a certificate", func(field) bool { return true }); i >= 0 {
			if fields[i].name == "outputs" {
				e.Outputs = nil // its own, instead of the defaults'
			}
			p.fill(c, &e, i, value)
		}
	}
	if e.Organization == "" {
		e.Organization = certs.DefaultOrganization(path.Base(e.Name), e.Role)
	}
	e.marks = slices.Clip(e.marks)
	p.m.Entries = append(p.m.Entries, e)
}

// roleOf is the role that a certificate has before its fields are read: its defaults hang on it.
func roleOf(v *yaml.Node) certs.Role {
	role := certs.Root
	for i := 0; v.Kind == yaml.MappingNode && i+1 < len(v.Content); i += 2 {
		switch v.Content[i].Value {
		case "issuer":
			role = certs.Leaf
		case "role":
			var e Entry
			if setRole(&e, v.Content[i+1].Value, time.Time{}) == nil {
				return e.Role
			}
		}
	}
	return role
}

// room refuses more entries than maxEntries, once.
func (p *parser) room(c chunk, key *yaml.Node) bool {
	if len(p.m.Entries)+len(p.m.UserKeys)+len(p.m.Issuers) < maxEntries {
		return true
	}
	if !p.overflowed {
		p.addf(c.at(key), "make several manifests of it", "more than %d entries", maxEntries)
	}
	p.overflowed = true
	return false
}

// checkName refuses what is no basename below the manifest's folder on every system.
func checkName(name string) error {
	const hint = "name it as web, or as web/server in a folder of its own"
	switch {
	case !filepath.IsLocal(filepath.FromSlash(name)) || path.Clean(name) != name || name == ".":
		return fault.New(fault.InvalidFile, hint, "%q is not a path below the manifest's folder", name)
	case strings.IndexFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(`\:*?"<>|`, r) }) >= 0:
		return fault.New(fault.InvalidFile, hint, "%q has a character that file names cannot have everywhere", name)
	}
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") || len(part) > 200 {
			return fault.New(fault.InvalidFile, hint, "%q is hidden or too long", name)
		}
	}
	return nil
}

func (p *parser) outside(c chunk, key, v *yaml.Node) {
	if !p.room(c, key) {
		return
	}
	o := Outside{Name: key.Value, at: c.at(key)}
	targets := map[string]*string{"ca-certfile": &o.CertFile, "ca-keyfile": &o.KeyFile, "password-file": &o.PasswordFile}
	p.texts(c, v, targets, func(name string, at place) {
		switch name {
		case "ca-certfile":
			o.certAt = at
		case "password-file":
			o.passwordAt = at
		}
	})
	if v.Kind == yaml.MappingNode && (o.CertFile == "" || o.KeyFile == "") {
		p.addf(o.at, "name its certificate and its key", "the issuer %s needs ca-certfile and ca-keyfile", o.Name)
	}
	if o.CertFile != "" {
		o.Ledger = ledger.Path(p.m.path(o.CertFile))
	}
	p.m.Issuers = append(p.m.Issuers, o)
}

func (p *parser) userKey(c chunk, key, v *yaml.Node) {
	if !p.room(c, key) {
		return
	}
	u := UserKey{Name: key.Value, at: c.at(key)}
	p.texts(c, v, map[string]*string{"file": &u.File}, func(_ string, at place) { u.at = at })
	u.File = cmp.Or(u.File, u.Name+".userkey")
	if err := checkName(u.File); err != nil {
		p.add(u.at, err)
	}
	p.m.UserKeys = append(p.m.UserKeys, u)
}

// texts reads a mapping whose values are all texts.
func (p *parser) texts(c chunk, v *yaml.Node, targets map[string]*string, at func(name string, at place)) {
	if v.Tag == "!!null" && v.Kind == yaml.ScalarNode && v.Anchor == "" {
		return
	}
	var known []string
	for name := range targets {
		known = append(known, name)
	}
	slices.Sort(known)
	for key, value := range p.pairs(c, v) {
		target := targets[key.Value]
		if target == nil {
			p.addf(c.at(key), didYouMean(key.Value, known), "unknown field %q", key.Value)
			continue
		}
		text, err := textOf(value)
		if err = cmp.Or(err, notEmpty(text)); err != nil {
			p.add(c.at(value), worded(key.Value, err))
			continue
		}
		*target = text
		at(key.Value, c.at(value))
	}
}
