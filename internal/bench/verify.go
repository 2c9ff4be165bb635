package main

import (
	"context"
	"fmt"
	"path/filepath"
)

const verified = 10_000 // leaves in one call

// verify measures one call for many certificate files against a program that calls crypto/x509's
// Verify for each of the same files, with the same roots and intermediates and on as many cores.
func (b *bench) verify(ctx context.Context) ([]row, error) {
	n := b.leaves(verified)
	r := row{what: fmt.Sprintf("`keyward verify-cert` of %d leaves over bare x509.Verify", n), unit: milliseconds, target: target{sign: atMost, bound: 1.3}}
	dir, _, err := b.authority(ctx, b.dir, n)
	if err != nil {
		return nil, err
	}
	root, inter := filepath.Join(dir, "root.cert.pem"), filepath.Join(dir, "inter.cert.pem")
	if _, err := spend(ctx, b.env, b.limit, filepath.Join(dir, "inter"), dir, fmt.Sprint(n)); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "leaf*.cert.pem"))
	if err != nil || len(files) != n {
		return nil, fmt.Errorf("%d certificates instead of %d: %w", len(files), n, err)
	}
	ours := append([]string{b.keyward, "verify-cert", "--ca-file", root, "--untrusted", inter}, files...)
	bare := append([]string{b.bareVerify, root, inter}, files...)
	r.pairs, r.cpu, err = b.compare(ctx, b.times(20), always(ours...), always(bare...))
	return []row{r}, err
}
