package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keyward/cmd"
)

const root = "../.."

// drift tells how the files that are there differ from those that should be.
func drift(want, got map[string][]byte) []string {
	names := maps.Clone(want)
	maps.Copy(names, got)
	var faults []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		generated, should := want[name]
		there, is := got[name]
		switch {
		case !is:
			faults = append(faults, name+" is missing")
		case !should:
			faults = append(faults, name+" is none of the generated files")
		case string(generated) != string(there):
			faults = append(faults, name+" differs: -generated +committed\n"+cmp.Diff(string(generated), string(there)))
		}
	}
	return faults
}

func generated(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := generate(cmd.Describe())
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestCommittedFiles(t *testing.T) {
	want := generated(t)
	got, err := committed(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range drift(want, got) {
		t.Errorf("%s\nrun `make generate` and commit what it writes", fault)
	}
	commands := len(walk(cmd.Describe()))
	t.Logf("%d files for %d commands", len(got), commands)
	if len(got) != 4+3+commands+1 || commands < 15 {
		t.Errorf("%d files for %d commands: want 4 scripts and 3 of keyward-bus, a page a command and one of keyward-bus", len(got), commands)
	}
}

// TestDriftIsSeen tampers with a copy of the files: each time the check has to see it,
// and generating again has to mend it.
func TestDriftIsSeen(t *testing.T) {
	want := generated(t)
	tests := []struct {
		name   string
		tamper func(dir string) error
		fault  string
	}{
		{"as generated", func(string) error { return nil }, ""},
		{"a byte more", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "man/keyward.1"), append(slices.Clone(want["man/keyward.1"]), '\n'), 0o644)
		}, "man/keyward.1 differs"},
		{"an empty script", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "completions/keyward.bash"), nil, 0o644)
		}, "completions/keyward.bash differs"},
		{"a page missing", func(dir string) error {
			return os.Remove(filepath.Join(dir, "man/keyward-user-add.1"))
		}, "man/keyward-user-add.1 is missing"},
		{"a page of a command that is gone", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "man/keyward-gone.1"), []byte("x"), 0o644)
		}, "man/keyward-gone.1 is none of the generated files"},
		{"a script of another shell", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "completions/keyward.csh"), []byte("x"), 0o644)
		}, "completions/keyward.csh is none of the generated files"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, folder := range []string{"completions", "man"} {
				if err := os.Mkdir(filepath.Join(dir, folder), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			check := func() string {
				got, err := committed(dir)
				if err != nil {
					t.Fatal(err)
				}
				return strings.Join(drift(want, got), "\n")
			}
			for range 2 {
				if err := run(dir); err != nil {
					t.Fatal(err)
				}
				if faults := check(); faults != "" {
					t.Fatalf("after generating: %s", faults)
				}
				if err := tt.tamper(dir); err != nil {
					t.Fatal(err)
				}
				if faults := check(); !strings.HasPrefix(faults, tt.fault) || (faults == "") != (tt.fault == "") {
					t.Fatalf("got %q, want %q", faults, tt.fault)
				}
			}
		})
	}
}

func TestLines(t *testing.T) {
	var words []string
	for i := range 50 {
		words = append(words, fmt.Sprintf("--flag-%d=FILE", i))
	}
	text := lines("    ", words)
	for line := range strings.SplitSeq(text, "\n") {
		if len(line) > 80 || !strings.HasPrefix(line, "    --") {
			t.Errorf("line of %d bytes: %q", len(line), line)
		}
	}
	if got := strings.Fields(text); !slices.Equal(got, words) {
		t.Errorf("words changed: %q", got)
	}
}

// hostile is a command whose texts try to break out of every quoting.
func hostile() cmd.CommandDoc {
	const text = "it's `bold` \"q\" $HOME $(echo run) [x] a:b \\n 100%\n.SH FAKE"
	return cmd.CommandDoc{
		Path: "keyward", Usage: text, Synopsis: "keyward COMMAND",
		Flags: []cmd.FlagDoc{{Names: []string{"help", "h"}, Usage: text}},
		Commands: []cmd.CommandDoc{{
			Path: "keyward run", Usage: text, Description: text, Synopsis: "keyward run [flags] a|b", Args: "a|b", Category: "RUN",
			Examples: []string{"keyward run 'a b' \\", ".SH FAKE", "'SH FAKE"},
			Flags: []cmd.FlagDoc{
				{Names: []string{"kv"}, Value: "KEY", Usage: text, Default: text, Env: []string{"KEYWARD_KV"}},
				{Names: []string{"san"}, Value: "NAME", Usage: text, Repeats: true},
				{Names: []string{"file", "f"}, Value: "FILE", Usage: text, File: true},
				{Names: []string{"help", "h"}, Usage: text},
			},
		}},
	}
}
