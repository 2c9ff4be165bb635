package cmd

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryFlagIsInAScript holds that what the help promises is run by a script.
func TestEveryFlagIsInAScript(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	var scripts strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		scripts.Write(text)
	}
	doc := Describe()
	doc.Commands = append(doc.Commands, DescribeBusServer())
	seen, missing := unscripted(doc, scripts.String())
	t.Logf("%d flags in %d scripts", seen, len(files))
	if seen < 30 || len(missing) > 0 {
		t.Errorf("%d flags seen; no script runs %v", seen, missing)
	}
	if _, missing := unscripted(Describe(), "exec keyward keygen --json"); len(missing) < seen-5 {
		t.Error("the gate lets pass what no script runs")
	}
}

// unscripted counts the flags, each once however many commands have it, and lists those that
// no script names.
func unscripted(doc CommandDoc, scripts string) (seen int, missing []string) {
	known := map[string]bool{}
	var walk func(CommandDoc)
	walk = func(doc CommandDoc) {
		for _, f := range doc.Flags {
			if !known[f.Names[0]] {
				known[f.Names[0]] = true
				named := regexp.MustCompile(`(?m) --?(` + strings.Join(f.Names, "|") + `)([ ='"]|$)`)
				if !named.MatchString(scripts) {
					missing = append(missing, f.Names[0])
				}
			}
		}
		for _, sub := range doc.Commands {
			walk(sub)
		}
	}
	walk(doc)
	return len(known), missing
}
