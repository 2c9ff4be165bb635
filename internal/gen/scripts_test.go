package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"keyward/cmd"
)

// TestScriptsParse has each shell read its script: the real one and one of hostile texts.
func TestScriptsParse(t *testing.T) {
	for _, tree := range []struct {
		name string
		doc  cmd.CommandDoc
	}{{"real", cmd.Describe()}, {"hostile", hostile()}} {
		files, err := scripts(tree.doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"keyward.bash", "keyward.zsh", "keyward.fish", "keyward-bus.bash", "keyward-bus.zsh", "keyward-bus.fish"} {
			t.Run(name+"/"+tree.name, func(t *testing.T) {
				shell := filepath.Ext(name)[1:]
				program := needs(t, shell)
				file := filepath.Join(t.TempDir(), "script")
				if err := os.WriteFile(file, files["completions/"+name], 0o600); err != nil {
					t.Fatal(err)
				}
				if out, err := exec.Command(program, "-n", file).CombinedOutput(); err != nil || len(out) > 0 || len(files["completions/"+name]) == 0 {
					t.Errorf("%s -n: %v\n%s", shell, err, out)
				}
			})
		}
	}
}

// needs finds a program; CI must have it, a laptop may lack it.
func needs(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
	return ""
}
