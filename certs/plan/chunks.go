package plan

import (
	"bytes"
	"iter"
)

// chunk is a part of a manifest that is YAML by itself: one section, or some entries of one.
type chunk struct {
	section string // the section whose entries these are; "" where the text has the section's name too
	text    []byte
	line    int // lines before it
}

// maxChunk is how many entries are parsed at a time: a tree of nodes takes twenty times its text.
const maxChunk = 256

// chunks cuts a manifest at the lines that start a section, and a section written as an
// indented block at those that start an entry. What is written otherwise comes whole.
func chunks(text []byte) iter.Seq[chunk] {
	return func(yield func(chunk) bool) {
		for section, before := range sections(text) {
			if !cutEntries(section, before, yield) {
				return
			}
		}
	}
}

// sections cuts at each line that starts with a name and a colon in the first column.
func sections(text []byte) iter.Seq2[[]byte, int] {
	return func(yield func([]byte, int) bool) {
		start, before, line := 0, 0, 0
		for at := 0; at < len(text); line++ {
			end := lineEnd(text, at)
			if name, _ := blockKey(text[at:end]); name != "" && at > start {
				if !yield(text[start:at], before) {
					return
				}
				start, before = at, line
			}
			at = end
		}
		yield(text[start:], before)
	}
}

// cutEntries yields a section's entries, some at a time, where it is a block.
func cutEntries(section []byte, before int, yield func(chunk) bool) bool {
	whole := chunk{text: section, line: before}
	at, line := 0, 0
	for at < len(section) && !starts(section[at:lineEnd(section, at)], 0) {
		at, line = lineEnd(section, at), line+1
	}
	name, alone := blockKey(section[at:lineEnd(section, at)])
	if !alone || name != certificatesSection {
		return yield(whole)
	}
	at, line = lineEnd(section, at), line+1
	indent, count := -1, 0
	start, startLine := at, line
	for at < len(section) {
		end := lineEnd(section, at)
		if indent < 0 && !blank(section[at:end]) {
			indent = indentOf(section[at:end])
		}
		if indent > 0 && starts(section[at:end], indent) {
			if count++; count > maxChunk {
				if !yield(chunk{name, section[start:at], before + startLine}) {
					return false
				}
				start, startLine, count = at, line, 1
			}
		}
		at, line = end, line+1
	}
	if indent <= 0 {
		return yield(whole)
	}
	return yield(chunk{name, section[start:], before + startLine})
}

func lineEnd(text []byte, at int) int {
	if n := bytes.IndexByte(text[at:], '\n'); n >= 0 {
		return at + n + 1
	}
	return len(text)
}

func indentOf(line []byte) int { return len(line) - len(bytes.TrimLeft(line, " ")) }

func blank(line []byte) bool {
	line = bytes.TrimSpace(line)
	return len(line) == 0 || line[0] == '#'
}

// starts tells whether the line has its first character at indent, and is no end of a list or mapping.
func starts(line []byte, indent int) bool {
	return !blank(line) && indentOf(line) == indent && !bytes.ContainsAny(line[indent:indent+1], "}],")
}

// blockKey is the name of a line that starts with "name:"; alone tells whether nothing but a comment follows.
func blockKey(line []byte) (name string, alone bool) {
	key, rest, found := bytes.Cut(line, []byte(":"))
	for _, c := range key {
		if c != '-' && (c < 'a' || c > 'z') {
			return "", false
		}
	}
	if !found {
		return "", false
	}
	return string(key), blank(rest)
}
