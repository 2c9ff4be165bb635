package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"keyward/cmd"
	"keyward/fault"
)

// TestPagesAreWhole counts what every page has to have.
func TestPagesAreWhole(t *testing.T) {
	all := pages(cmd.Describe())
	for _, p := range all {
		t.Run(p.name, func(t *testing.T) {
			text := string(p.text())
			want := []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", `"EXIT STATUS"`, `"SEE ALSO"`}
			if p.above != nil {
				want = append(want, "EXAMPLES")
			}
			for _, section := range want {
				if n := strings.Count(text, "\n.SH "+section+"\n"); n != 1 {
					t.Errorf("section %s is there %d times", section, n)
				}
			}
			for _, f := range p.doc.Flags {
				for _, name := range f.Names {
					if !strings.Contains(text, bold(dashed(name))) {
						t.Errorf("no word on %s", dashed(name))
					}
				}
				for _, variable := range f.Env {
					if !strings.Contains(text, variable) {
						t.Errorf("no word on %s", variable)
					}
				}
			}
			for _, kind := range fault.Kinds() {
				if !strings.Contains(text, "\n"+kind.Error()+"\n") {
					t.Errorf("no exit code for %q", kind.Error())
				}
			}
		})
	}
	t.Logf("%d pages", len(all))
}

// TestVariablesHavePages reads every variable that cmd asks the environment for out of its source.
func TestVariablesHavePages(t *testing.T) {
	sources, err := filepath.Glob(root + "/cmd/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var manual bytes.Buffer
	for _, p := range pages(cmd.Describe()) {
		manual.Write(p.text())
	}
	asked := regexp.MustCompile(`(?i:getenv|place)\("([A-Z_]+)"`)
	silent := []string{"TERM"} // what a terminal can do is no matter of keyward's
	seen := 0
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil || strings.HasSuffix(source, "_test.go") {
			continue
		}
		for _, found := range asked.FindAllSubmatch(text, -1) {
			seen++
			if name := string(found[1]); !slices.Contains(silent, name) && !regexp.MustCompile(`(fB|\b)`+name+`\b`).Match(manual.Bytes()) {
				t.Errorf("%s: no page tells of %s", filepath.Base(source), name)
			}
		}
	}
	if t.Logf("%d variables asked for", seen); seen < 5 {
		t.Errorf("%d variables found: the pattern fits the source no more", seen)
	}
}

// TestPagesLint has mandoc and man read every page and say what they do not like.
func TestPagesLint(t *testing.T) {
	linters := []struct {
		name, args string
		find       func(*testing.T) string
	}{
		{"mandoc", "-Tlint -Wwarning", func(t *testing.T) string { return needs(t, "mandoc") }},
		{"groff", "--warnings -E UTF-8 -l", manDB},
	}
	all := append(append(pages(cmd.Describe()), busServerPage(cmd.Describe())), pages(hostile())...)
	for _, linter := range linters {
		t.Run(linter.name, func(t *testing.T) {
			program := linter.find(t)
			for _, p := range all {
				if got := lint(t, program, linter.args, p.section(), p.text()); got != "" {
					t.Errorf("%s: %s", p.name, got)
				}
			}
			broken := []byte(".TH X 1 \"\" a b\n.SH NAME\nx \\- y\n.NOSUCH\n.TP\n\\[nosuch]\n")
			if lint(t, program, linter.args, "1", broken) == "" {
				t.Error("a broken page passed")
			}
		})
	}
}

// manDB finds the man of man-db: that of other systems takes other flags.
func manDB(t *testing.T) string {
	t.Helper()
	program := needs(t, "man")
	if out, err := exec.Command(program, "--version").Output(); err != nil || !bytes.HasPrefix(out, []byte("man 2.")) {
		t.Skipf("this man is not man-db's: %s", out)
	}
	return program
}

// lint returns what a linter says of a page, but for the date, which the pages lack on purpose.
func lint(t *testing.T, program, args, section string, page []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page."+section)
	if err := os.WriteFile(file, page, 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, append(strings.Fields(args), file)...)
	c.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MANWIDTH=80", "MANROFFOPT=-ww")
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.Output()
	if strings.Contains(args, "-Tlint") {
		said.Write(out)
	} else if err != nil {
		t.Fatalf("%v: %s", err, said.Bytes())
	}
	var faults []string
	for line := range strings.Lines(said.String()) {
		if !strings.Contains(line, "missing date") {
			faults = append(faults, line)
		}
	}
	return strings.Join(faults, "")
}

// TestPagesShowTheText renders a page of hostile texts: they come out as they went in.
func TestPagesShowTheText(t *testing.T) {
	program := manDB(t)
	file := filepath.Join(t.TempDir(), "page.1")
	if err := os.WriteFile(file, pages(hostile())[1].text(), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, "-E", "UTF-8", "-l", file)
	c.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MANWIDTH=200", "MAN_KEEP_FORMATTING=")
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`it's bold "q" $HOME $(echo run) [x] a:b \n 100% .SH FAKE`,
		`keyward run 'a b' \`, "    .SH FAKE\n", "    'SH FAKE\n", "--kv KEY", "--file, -f FILE",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is not in the page:\n%s", want, out)
		}
	}
}
