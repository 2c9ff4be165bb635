package durable

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseRecord(t *testing.T) {
	for text, want := range map[string]record{
		"create\n\"a\"\n\"b\"\nplace\n":    {names: []string{"a", "b"}, decided: true},
		"replace\n\"a\\nplace\"\nplace\n":  {replace: true, names: []string{"a\nplace"}, decided: true},
		"replace\n\"a\"\n":                 {replace: true, names: []string{"a"}},
		"":                                 {},
		"create\n\"a\"\n\"b":               {},
		"create\n\"a\"\nplac":              {},
		"create\n\"a\"place\n":             {},
		"\x00\x00\x00\x00place\n":          {},
		"create\n\"../a\"\nplace\n":        {},
		"create\n\"a\"\n\"a\"\nplace\n":    {},
		"move\n\"a\"\nplace\n":             {},
		"create\n\"a\"\n\x00\x00\nplace\n": {},
	} {
		if d := cmp.Diff(want, parseRecord(text), cmp.AllowUnexported(record{})); d != "" {
			t.Errorf("%q: %s", text, d)
		}
	}
}

// FuzzParseRecord checks that what parses as decided is what some commit could have written.
func FuzzParseRecord(f *testing.F) {
	f.Add("create\n\"a\"\n\"b\"\nplace\n")
	f.Add("replace\n\"a\\xff\\n\"\n")
	f.Add("place\n")
	f.Fuzz(func(t *testing.T, text string) {
		r := parseRecord(text)
		if !r.decided {
			return
		}
		again := parseRecord(string(r.header()) + decision)
		if d := cmp.Diff(r, again, cmp.AllowUnexported(record{})); d != "" || checkNames("x", r.names) != nil {
			t.Errorf("%q: %v %s", text, r.names, d)
		}
	})
}
