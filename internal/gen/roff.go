package main

import (
	"bytes"
	"strings"
)

// roff writes a page in the man macros, with no more of them than mandoc and groff
// agree on.
type roff struct{ bytes.Buffer }

// line writes a line of text or of one macro; its parts are roff already.
func (r *roff) line(parts ...string) {
	for _, part := range parts {
		r.WriteString(part)
	}
	r.WriteByte('\n')
}

func (r *roff) section(name string) { r.line(".SH ", name) }

// paragraph writes prose, a line of source a sentence.
func (r *roff) paragraph(text string) {
	r.line(".PP")
	r.sentences(text)
}

func (r *roff) sentences(text string) {
	for sentence := range strings.SplitSeq(text, ". ") {
		r.line(prose(strings.TrimSuffix(sentence, ".") + "."))
	}
}

// item writes one entry of a list of terms.
func (r *roff) item(term, text string) {
	r.line(".TP")
	r.line(term)
	r.line(prose(text))
}

// literal writes lines as they are typed.
func (r *roff) literal(lines []string) {
	r.line(".nf")
	r.line(".RS 4")
	for _, line := range lines {
		r.line(plain(line))
	}
	r.line(".RE")
	r.line(".fi")
}

func bold(text string) string   { return `\fB` + escape(text) + `\fR` }
func italic(text string) string { return `\fI` + escape(text) + `\fR` }

// plain escapes text that stands on a line of its own.
func plain(text string) string { return guard(escape(text)) }

// prose escapes a text and makes what is between `backquotes` bold.
func prose(text string) string {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		if i%2 == 1 {
			b.WriteString(bold(part))
			continue
		}
		b.WriteString(escape(part))
	}
	return guard(b.String())
}

// guard keeps a line that begins like a macro from being one.
func guard(line string) string {
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, `\(aq`) {
		return `\&` + line
	}
	return line
}

// escape writes text so that it comes out as it is, on one line: groff takes a bare - for a hyphen, and
// ' ` ^ ~ for typographic signs, which nobody could copy into a shell.
func escape(text string) string {
	return strings.NewReplacer(
		"\n", " ", `\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`,
	).Replace(text)
}
