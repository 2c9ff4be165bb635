package cmd

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryCheckIsScripted holds that a script has each check of doctor find something, and find nothing.
func TestEveryCheckIsScripted(t *testing.T) {
	files, err := filepath.Glob("testdata/script/doctor*.txtar")
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
	all := checkNames()
	t.Logf("%d checks in %d scripts", len(all), len(files))
	if missing := unscriptedChecks(all, scripts.String()); len(all) < 30 || len(missing) > 0 {
		t.Errorf("%d checks; no script has %v", len(all), missing)
	}
	if missing := unscriptedChecks(append(all, "no-such-check"), scripts.String()); len(missing) != 2 {
		t.Errorf("the gate lets pass what no script has: %v", missing)
	}
}

func checkNames() []string {
	var all []string
	for _, c := range ownChecks() {
		all = append(all, c.name)
	}
	for _, c := range serverChecks() {
		all = append(all, c.name)
	}
	for _, c := range siteChecks() {
		all = append(all, c.name)
	}
	return all
}

// unscriptedChecks lists for each check the states that no script holds.
func unscriptedChecks(all []string, scripts string) (missing []string) {
	for _, name := range all {
		for _, state := range []string{"ok", "(FAULT|warning)"} {
			held := regexp.MustCompile(`(?m)^stdout '\^` + state + ` \+` + regexp.QuoteMeta(name) + ` `)
			if !held.MatchString(scripts) {
				missing = append(missing, state+" "+name)
			}
		}
	}
	return missing
}
