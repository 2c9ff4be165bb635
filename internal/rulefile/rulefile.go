// Package rulefile reads texts with a rule a line: words with blanks between them, of which what is in double quotes stands
// for itself, blanks, commas and stars too, and two double quotes are one there. A # at the beginning of a word begins a
// comment.
package rulefile

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"keyward/fault"
)

// Parse gives rule the words of each line that has any. What cannot be read, or what rule finds wrong with a Word, is
// fault.InvalidFile, with the name, the line and the column.
func Parse(name string, text []byte, rule func([]Word) error) error {
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) { // as Windows begins a text
		number++
		words, err := split(strings.TrimRight(line, "\r\n"))
		if err == nil && len(words) > 0 {
			err = rule(words)
		}
		if wrong, ok := errors.AsType[*mistake](err); ok {
			return fault.New(fault.InvalidFile, wrong.hint, "%s:%d:%d: %w", name, number, wrong.column, wrong)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mistake is what is wrong in a line. Columns count characters, from 1.
type mistake struct {
	error
	column int
	hint   string
}

func wrong(column int, hint, format string, args ...any) error {
	return &mistake{fmt.Errorf(format, args...), column, hint}
}

// Word is a part of a line.
type Word struct {
	chars  []char
	column int
}

// Wrong is the error of a rule that this word makes none.
func (w Word) Wrong(hint, format string, args ...any) error {
	return wrong(w.column, hint, format, args...)
}

// char is a character of a word. What was quoted stands for itself.
type char struct {
	r      rune
	column int
	quoted bool
}

// split takes a line apart at its blanks.
func split(line string) ([]Word, error) {
	if !utf8.ValidString(line) {
		return nil, wrong(1, "write the file as UTF-8", "the line is not UTF-8")
	}
	var words []Word
	inside, opened := false, 0 // of a word; the column of the double quote that is open, 0 for none
	chars := []rune(line)
	for i := 0; i < len(chars); i++ {
		r, column := chars[i], i+1
		if opened == 0 && unicode.IsSpace(r) {
			inside = false
			continue
		}
		if unicode.IsControl(r) {
			return nil, wrong(column, "write it without", "the character %q is in no name", r)
		}
		if !inside && r == '#' {
			break
		}
		if !inside {
			inside, words = true, append(words, Word{column: column})
		}
		last := &words[len(words)-1]
		switch {
		case r == '"' && opened != 0 && i+1 < len(chars) && chars[i+1] == '"':
			last.chars = append(last.chars, char{r, column, true})
			i++
		case r == '"' && opened != 0:
			opened = 0
		case r == '"':
			opened = column
		default:
			last.chars = append(last.chars, char{r, column, opened != 0})
		}
	}
	if opened != 0 {
		return nil, wrong(opened, "close it, or write two where one is meant", "this double quote has no end")
	}
	return words, nil
}

// Cut takes a word apart at each sep that is not quoted.
func (w Word) Cut(sep rune) []Word {
	parts := []Word{{column: w.column}}
	for _, c := range w.chars {
		if c.r == sep && !c.quoted {
			parts = append(parts, Word{column: c.column + 1})
			continue
		}
		last := &parts[len(parts)-1]
		last.chars = append(last.chars, c)
	}
	return parts
}

// IsStar tells whether the word stands for all.
func (w Word) IsStar() bool {
	return len(w.chars) == 1 && w.chars[0].r == '*' && !w.chars[0].quoted
}

func (w Word) String() string {
	var b strings.Builder
	for _, c := range w.chars {
		b.WriteRune(c.r)
	}
	return b.String()
}
