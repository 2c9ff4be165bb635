package durable

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseRecord(t *testing.T) {
	for text, want := range map[string]record{
		"create \"peer\"\n\"a\"\n\"b\"\nplace\n":                  {set: "peer", names: []string{"a", "b"}, decided: true, alone: true},
		"replace \"peer\"\n\"a\\nplace\"\nplace\n":                {set: "peer", replace: true, names: []string{"a\nplace"}, decided: true, alone: true},
		"replace \"peer\"\n\"a\"\n":                               {set: "peer", replace: true, names: []string{"a"}, alone: true},
		"create \"x y\"\n\"a\"\nreplace \"peer\"\n\"b\"\nplace\n": {set: "peer", replace: true, names: []string{"b"}, decided: true},
		"create \"peer\"\n\"create \\\"x\\\"\"\nplace\n":          {set: "peer", names: []string{"create \"x\""}, decided: true, alone: true},
		"create \"x\"\n\"a\"\nplace\n":                            {},
		"":                                                        {},
		"place\n":                                                 {},
		"\"a\"\ncreate \"peer\"\nplace\n":                         {},
		"create \"peer\"\n\"a\"\n\"b":                             {},
		"create \"peer\"\n\"a\"\nplac":                            {},
		"create \"peer\"\n\"a\"place\n":                           {},
		"create \"peer\"\n\"a\"\ncreate \"x\nplace\n":             {},
		"\x00\x00\x00\x00place\n":                                 {},
		"create \"peer\"\n\"../a\"\nplace\n":                      {},
		"create \"peer\"\n\"a\"\n\"a\"\nplace\n":                  {},
		"move \"peer\"\n\"a\"\nplace\n":                           {},
		"create\n\"a\"\nplace\n":                                  {},
		"create \"peer\"\n\"a\"\n\x00\x00\nplace\n":               {},
	} {
		if d := cmp.Diff(want, parseRecord("peer", text), cmp.AllowUnexported(record{})); d != "" {
			t.Errorf("%q: %s", text, d)
		}
	}
}

// FuzzParseRecord checks that what parses as decided is what some commit could have written.
func FuzzParseRecord(f *testing.F) {
	f.Add("create \"peer\"\n\"a\"\n\"b\"\nplace\n")
	f.Add("create \"x\"\n\"a\"\nreplace \"peer\"\n\"b\"\nplace\n")
	f.Add("replace \"peer\"\n\"a\\xff\\n\"\nplace\n")
	f.Add("place\n")
	f.Fuzz(func(t *testing.T, text string) {
		r := parseRecord("peer", text)
		if !r.decided {
			return
		}
		r.alone = true
		again := parseRecord("peer", string(r.header())+decision)
		if d := cmp.Diff(r, again, cmp.AllowUnexported(record{})); d != "" || checkNames("x", r.names) != nil {
			t.Errorf("%q: %v %s", text, r.names, d)
		}
	})
}
