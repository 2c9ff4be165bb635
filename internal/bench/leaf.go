package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// leaf measures the making of one P-256 leaf, as a whole process. Keyward syncs its files
// and OpenSSL does not, so it is judged in memory; the figure on a disk is for information.
func (b *bench) leaf(ctx context.Context) ([]row, error) {
	one := row{what: "one leaf over `openssl req -x509 -CA`", unit: milliseconds, target: target{sign: atMost, bound: 0.7}}
	script := row{what: "one leaf over the Micronets script's OpenSSL processes", unit: milliseconds, target: target{atMost, 1.0 / 25, "(25 times faster)"}}
	if lacks := missing("openssl", "bash"); lacks != "" {
		one.skip = lacks + " is not installed"
		script.skip = one.skip
		return []row{one, script}, nil
	}
	var rows []row
	for _, place := range []struct {
		dir, words string
		counts     bool
	}{
		{b.mem, ", in memory", true},
		{b.dir, ", on a disk", b.mem == ""},
	} {
		if place.dir == "" {
			continue
		}
		more, err := b.leafIn(ctx, place.dir, one, script)
		if err != nil {
			return nil, err
		}
		for _, r := range more {
			r.what += place.words
			if !place.counts {
				r.target = target{}
			}
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// missing is the first of the tools that is not there; empty where all are.
func missing(tools ...string) string {
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			return tool
		}
	}
	return ""
}

// leafIn fills the rows with measurements in a folder.
func (b *bench) leafIn(ctx context.Context, dir string, one, script row) ([]row, error) {
	ca := filepath.Join(dir, "ca")
	if _, err := spend(ctx, b.env, b.keyward, "gen-root-cert", "--cert-basename", ca, "--subject-org-name", "bench"); err != nil {
		return nil, err
	}
	cert, key := ca+".cert.pem", ca+".key.pem"
	ours := inFresh(dir, func(base string) []string {
		return []string{b.keyward, "gen-leaf-cert", "--cert-basename", base, "--san", "web.example.org", "--ca-certfile", cert, "--ca-keyfile", key}
	})
	openssl := inFresh(dir, func(base string) []string {
		return []string{"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90",
			"-subj", "/O=bench", "-addext", "subjectAltName=DNS:web.example.org", "-CA", cert, "-CAkey", key,
			"-keyout", base + ".key.pem", "-out", base + ".cert.pem"}
	})
	processes := inFresh(dir, func(base string) []string {
		return []string{"bash", filepath.Join(b.root, scriptFile), base, cert, key}
	})
	var err error
	if one.pairs, one.cpu, err = b.compare(ctx, b.times(100), ours, openssl); err != nil {
		return nil, err
	}
	if script.pairs, script.cpu, err = b.compare(ctx, b.times(40), ours, processes); err != nil {
		return nil, err
	}
	return []row{one, script}, nil
}

// inFresh makes commands that each write into a new folder of their own.
func inFresh(dir string, argv func(base string) []string) command {
	return func(i int) ([]string, error) {
		fresh, err := os.MkdirTemp(dir, fmt.Sprintf("leaf%d-", i))
		return argv(filepath.Join(fresh, "leaf")), err
	}
}
