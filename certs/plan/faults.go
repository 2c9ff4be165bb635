package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"keyward/fault"
)

// Fault is something wrong in a manifest. Line and Column start at 1; both are 0 where a fault
// has no place, as in a manifest that was made of flags.
type Fault struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`

	kind fault.Kind
}

// Error is "file:line:column: message (hint)".
func (f Fault) Error() string {
	text := f.Message
	if f.Hint != "" {
		text += " (" + f.Hint + ")"
	}
	if f.Line == 0 {
		return text
	}
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, text)
}

// Faults are all that is wrong, in the order of the lines.
type Faults []Fault

// maxTold is how many faults Error lists.
const maxTold = 100

// Error has a line for each of the first 100 faults, and one for those that say the same; a single one
// leaves its hint to others.
func (f Faults) Error() string {
	if len(f) == 1 {
		one := f[0]
		one.Hint = ""
		return one.Error()
	}
	var lines []string
	times := map[string]int{}
	for _, one := range f {
		times[one.Message]++
	}
	untold := len(f)
	for _, one := range f {
		n := times[one.Message]
		if n == 0 || len(lines) == maxTold {
			continue
		}
		line := one.Error()
		if n > 1 {
			line += fmt.Sprintf(", and %d more like it", n-1)
		}
		lines = append(lines, line)
		untold -= n
		times[one.Message] = 0
	}
	if untold > 0 {
		lines = append(lines, fmt.Sprintf("and %d faults more", untold))
	}
	return strings.Join(lines, "\n")
}

// place is where something stands in the manifest's text.
type place struct{ line, column uint32 }

// faults collects what is wrong with one manifest.
type faults struct {
	file string
	list Faults
}

// add takes an error with its hint, in the words of a manifest where there is one.
func (f *faults) add(at place, err error) {
	one := Fault{
		File: f.file, Line: int(at.line), Column: int(at.column),
		Message: shortened(err.Error()), Hint: shortened(fault.HintOf(err)), kind: fault.KindOf(err),
	}
	if f.file != "" {
		one.Hint = withoutDashes(one.Hint)
	}
	f.list = append(f.list, one)
}

// maxText is how many bytes of a message or a hint are told; a manifest's values can be of any length.
const maxText = 1000

// shortened takes what is too much out of the middle: the ends say most.
func shortened(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText/2], "") + " ... " + strings.ToValidUTF8(text[len(text)-maxText/2:], "")
}

// withoutDashes writes --path-len as the field path-len.
func withoutDashes(hint string) string {
	words := strings.Split(hint, " ")
	for i, word := range words {
		words[i] = strings.TrimPrefix(word, "--")
	}
	return strings.Join(words, " ")
}

func (f *faults) addf(at place, hint, format string, args ...any) {
	f.add(at, fault.New(fault.InvalidFile, hint, format, args...))
}

// err is nil where nothing is wrong, else fault.InvalidFile.
func (f *faults) err() error { return f.asOne(fault.InvalidFile) }

// asOne is one error of that kind for all; a single fault without a place keeps its own kind and hint.
func (f *faults) asOne(kind fault.Kind) error {
	if len(f.list) == 0 {
		return nil
	}
	slices.SortStableFunc(f.list, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if first := f.list[0]; len(f.list) == 1 && first.Line == 0 {
		return fault.New(first.kind, first.Hint, "%s", first.Message)
	}
	if len(f.list) == 1 {
		return fault.New(kind, f.list[0].Hint, "%w", f.list)
	}
	return fault.New(kind, "", "%d faults:\n%w", len(f.list), f.list)
}
