package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"keyward/store"
)

// listing measures the memory of both sides of `keyward listkeys -a`, of many keys over a tenth of them. Garbage is collected
// often, so that what is held counts: else the server waits until there is four times as much garbage
// as it held when it hashed the administrator's password, which few keys do not make.
func (b *bench) listing(ctx context.Context) ([]row, error) {
	often := *b
	often.env = append(slices.Clone(b.env), "GOGC=25")
	many := 100_000
	if b.short {
		many = 10_000
	}
	list, end, err := b.databases(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	var rows []row
	for _, d := range list {
		what := fmt.Sprintf("`keyward listkeys -a` of %d keys on %s over %d", many, d.name, many/10)
		flat := target{sign: atMost, bound: 1.25}
		client := row{what: "memory of " + what, unit: mebibytes, target: flat, skip: d.skip}
		server := row{what: "memory of the server of " + what, unit: mebibytes, target: flat, skip: d.skip}
		for range b.times(3) {
			if d.skip != "" {
				break
			}
			big, err := often.list(ctx, d, many)
			if err != nil {
				return nil, err
			}
			small, err := often.list(ctx, d, many/10)
			if err != nil {
				return nil, err
			}
			client.pairs.add(big.client, small.client)
			server.pairs.add(big.server, small.server)
		}
		rows = append(rows, client, server)
	}
	return rows, nil
}

// peaks are the most memory that both sides held, in MiB.
type peaks struct{ client, server float64 }

// list has a fresh server list n keys, of users with as many as they may have.
func (b *bench) list(ctx context.Context, d database, n int) (peaks, error) {
	place, err := d.fill(ctx, n/store.MaxKeys, store.MaxKeys)
	if err != nil {
		return peaks{}, err
	}
	flags := d.flags(place)
	s, err := b.serveSigned(ctx, flags...)
	if err != nil {
		return peaks{}, err
	}
	defer s.stop()
	password := filepath.Join(b.dir, "password")
	if err := os.WriteFile(password, []byte(secret), 0o600); err != nil {
		return peaks{}, err
	}
	client, err := b.printed(ctx, n, b.keyward, "listkeys", "-a", "--url", "https://"+s.address, "--as", boss,
		"--password-file", password, "--ca-file", filepath.Join(flags[1], "ca.cert.pem"))
	return peaks{client, s.peak()}, err
}

// printed runs a command that prints n lines, and gives the most memory that it held, in MiB. It is looked at while the
// command waits for its last lines to be read: what the system tells of a process that has ended
// is at least what this program held when it started it, and that has filled a store.
func (b *bench) printed(ctx context.Context, n int, argv ...string) (peak float64, err error) {
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Env = append(os.Environ(), b.env...)
	c.Stderr = b.log
	out, err := c.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := c.Start(); err != nil {
		return 0, err
	}
	seen := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if seen++; seen == n*9/10 {
			peak = peakOf(c.Process.Pid)
		}
	}
	if err := c.Wait(); err != nil {
		return 0, err
	}
	if seen != n {
		return 0, fmt.Errorf("%s printed %d lines of %d", argv, seen, n)
	}
	return peak, nil
}
