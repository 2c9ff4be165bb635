// The gen command writes what is generated from the command tree: the completion
// scripts of four shells and a man page a command. `make generate` runs it in the
// module's folder; a test holds the committed files to it.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"keyward/cmd"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// run replaces the generated files under root, and removes those that are none any more.
func run(root string) error {
	files, err := generate(cmd.Describe())
	if err != nil {
		return err
	}
	old, err := committed(root)
	if err != nil {
		return err
	}
	for name := range old {
		if files[name] == nil {
			if err := os.Remove(filepath.Join(root, name)); err != nil {
				return err
			}
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate makes all files in memory, by their names under the module's folder.
func generate(program cmd.CommandDoc) (map[string][]byte, error) {
	files, err := scripts(program)
	if err != nil {
		return nil, err
	}
	for _, page := range append(pages(program), busServerPage(program)) {
		files["man/"+page.file()] = page.text()
	}
	return files, nil
}

// committed reads the generated files that are under root.
func committed(root string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, pattern := range []string{"completions/keyward*.*", "man/*"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				return nil, err
			}
			files[filepath.ToSlash(name)] = text
		}
	}
	return files, nil
}

// walk lists a command and all under it, each before its own commands.
func walk(c cmd.CommandDoc) []cmd.CommandDoc {
	all := []cmd.CommandDoc{c}
	for _, sub := range c.Commands {
		all = append(all, walk(sub)...)
	}
	return all
}
