package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// tag is the build tag of a release.
const tag = "urfave_cli_no_docs"

// output runs a command in a folder, without cgo, and returns what it prints.
func output(ctx context.Context, dir string, argv ...string) (string, error) {
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Dir = dir
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", argv, err, bytes.TrimSpace(said.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}

// build makes a program as a release is made, and returns its path. It is put in place by
// a copy, as installers do: a file as the linker leaves it, written page by page, costs
// more to load.
func (b *bench) build(ctx context.Context, name, tags string, sources ...string) (string, error) {
	path := filepath.Join(b.dir, name)
	linked := path + ".linked"
	argv := []string{"go", "build", "-trimpath", "-buildvcs=false", "-tags", tags, "-ldflags", "-s -w", "-o", linked}
	if _, err := output(ctx, b.root, append(argv, sources...)...); err != nil {
		return "", err
	}
	program, err := os.ReadFile(linked)
	if err != nil {
		return "", err
	}
	return path, errors.Join(os.WriteFile(path, program, 0o700), os.Remove(linked)) //nolint:gosec // to be run
}

// buildLinking makes the program that prints a line, with packages linked that it does not use.
func (b *bench) buildLinking(ctx context.Context, name, tags string, packages ...string) (string, error) {
	hello, err := os.ReadFile(filepath.Join(b.root, helloFolder, "main.go"))
	if err != nil {
		return "", err
	}
	imports := []byte("package main\n")
	for _, p := range packages {
		imports = fmt.Appendf(imports, "import _ %q\n", p)
	}
	dir, err := os.MkdirTemp(b.dir, "linking")
	if err != nil {
		return "", err
	}
	var sources []string
	for file, text := range map[string][]byte{"main.go": hello, "imports.go": imports} {
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return "", err
		}
		sources = append(sources, path)
	}
	return b.build(ctx, name, tags, sources...)
}
