package rulefile

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keyward/fault"
)

// texts are the words of each line, and marks what was quoted and is a star alone.
func texts(t *testing.T, text string) [][]string {
	t.Helper()
	var lines [][]string
	err := Parse("rules", []byte(text), func(words []Word) error {
		var line []string
		for _, w := range words {
			one := w.String()
			if w.IsStar() {
				one = "ALL"
			}
			line = append(line, one)
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		t.Errorf("%q: %v", text, err)
	}
	return lines
}

func TestParse(t *testing.T) {
	for text, want := range map[string][][]string{
		"":                                nil,
		"\n\r\n \t\n# a comment\n":        nil,
		"a b":                             {{"a", "b"}},
		"\ufeffa\tb\r\nc\n":               {{"a", "b"}, {"c"}},
		"  a \u00a0 b # c d":              {{"a", "b"}},
		"a#b #c":                          {{"a#b"}},
		`a "#b" "" *`:                     {{"a", "#b", "", "ALL"}},
		`"*" *a "a b"*`:                   {{"*", "*a", "a b*"}},
		`"a ""b"" c" o:"Acme, Inc." """"`: {{`a "b" c`, "o:Acme, Inc.", `"`}},
		"ä ありがとう":                         {{"ä", "ありがとう"}},
	} {
		if diff := cmp.Diff(want, texts(t, text)); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestCut(t *testing.T) {
	for text, want := range map[string][]string{
		"a":        {"a"},
		"a,b,":     {"a", "b", ""},
		`"a,b",c`:  {"a,b", "c"},
		`a","b,,c`: {"a,b", "", "c"},
		`""`:       {""},
	} {
		var got []string
		err := Parse("rules", []byte(text), func(words []Word) error {
			for _, part := range words[0].Cut(',') {
				got = append(got, part.String())
			}
			return nil
		})
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %v %s", text, err, diff)
		}
	}
}

func TestMistakes(t *testing.T) {
	for text, want := range map[string]string{
		`ä "o:ä` + "\n":  "rules:1:3: this double quote has no end",
		"\n\na\x00":      `rules:3:2: the character '\x00' is in no name`,
		"a \"b\x1bc\"":   `rules:1:5: the character '\x1b' is in no name`,
		"a\nb \xff":      "rules:2:1: the line is not UTF-8",
		"# \x01 comment": "", // nobody reads on
		"a b,bad":        "rules:1:5: it is bad",
		"a \"b,c\",bad":  "rules:1:9: it is bad",
	} {
		err := Parse("rules", []byte(text), func(words []Word) error {
			for _, part := range words[len(words)-1].Cut(',') {
				if part.String() == "bad" {
					return part.Wrong("mend it", "it is %s", part)
				}
			}
			return nil
		})
		if want == "" && err == nil {
			continue
		}
		if !errors.Is(err, fault.InvalidFile) || err.Error() != want || fault.HintOf(err) == "" {
			t.Errorf("%q: %v (%s)", text, err, fault.HintOf(err))
		}
	}
	if err := Parse("rules", []byte("a"), func([]Word) error { return io.EOF }); err != io.EOF {
		t.Errorf("another error is %v", err)
	}
}

// FuzzParse holds that words come only from lines that have them, without control characters, and that a word stands for all
// only where there is a star in the text.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"", "# a\n", "a b\r\n", "\ufeffa \"b \"\"c\"\" \"* # d", "m *,\"*\" *", "a \"b", "\xff", "a\x00", "a,b,\",\"", "\u2028a\u0085b",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := 0
		err := Parse("rules", []byte(text), func(words []Word) error {
			lines++
			for _, w := range words {
				joined := []string{}
				for _, part := range w.Cut(',') {
					joined = append(joined, part.String())
				}
				if strings.Count(strings.Join(joined, ","), "") != strings.Count(w.String(), "") {
					t.Errorf("%q is cut into %q", w, joined)
				}
				if w.IsStar() && !strings.Contains(text, "*") {
					t.Errorf("%q stands for all", w)
				}
				if strings.ContainsAny(w.String(), "\x00\x1b\n\r") {
					t.Errorf("%q has control characters", w)
				}
			}
			if len(words) == 0 {
				t.Error("a line without words")
			}
			return nil
		})
		if err != nil && (!errors.Is(err, fault.InvalidFile) || fault.HintOf(err) == "") {
			t.Errorf("%v has no kind or hint", err)
		}
		if most := strings.Count(text, "\n") + 1; lines > most {
			t.Errorf("%d lines of %d", lines, most)
		}
	})
}
