package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	someLeaves = 1000 // of a turn of apply
	peerLeaves = 200  // of a turn of a peer's processes
)

// leaves is how many there are in a run: n, or few in a short one.
func (b *bench) leaves(n int) int {
	if b.short {
		return max(n/100, 20)
	}
	return n
}

// place is where files are made.
type place struct {
	dir, words string
	counts     bool // for the targets
}

// durablePlaces are where to measure what syncs in ours and in the reference.
func (b *bench) durablePlaces() []place {
	places := []place{{b.dir, ", on a disk", true}}
	if b.mem != "" {
		places = append(places, place{b.mem, ", in memory", false})
	}
	return places
}

// apply measures the leaves of one manifest against the least that makes them, and against loops of
// processes of the fastest peer, minica. What syncs is judged on a disk, where a sync costs something;
// the figure in memory, where none does, is for information.
func (b *bench) apply(ctx context.Context) ([]row, error) {
	peers := []peer{
		{what: "minica, a process a leaf", target: target{sign: atLeast, bound: 8}},
		{what: "minica built without cgo, a process a leaf", noCgo: true},
	}
	for i := range peers {
		b.buildMinica(ctx, &peers[i])
	}
	var rows []row
	for _, place := range b.durablePlaces() {
		more, err := b.applyIn(ctx, place.dir, peers)
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

// applyIn measures in a folder.
func (b *bench) applyIn(ctx context.Context, dir string, peers []peer) (rows []row, err error) {
	n := b.leaves(someLeaves)
	words := fmt.Sprintf("%d leaves by `keyward apply` over ", n)
	least := row{what: words + "the least that makes them", unit: perSecond, target: target{sign: atLeast, bound: 0.8}}
	if least.pairs, least.cpu, err = b.overLimit(ctx, dir, n); err != nil {
		return nil, err
	}
	rows = append(rows, least)
	for _, p := range peers {
		r := row{what: words + p.what, unit: perSecond, target: p.target}
		if p.program == "" {
			r.skip = "minica is not to be had"
		} else if r.pairs, err = b.overMinica(ctx, dir, p.program, n); err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// manifest asks for a root, an intermediate and n leaves.
func manifest(n int) string {
	var text strings.Builder
	text.WriteString("defaults: {subject-org-name: bench}\ncertificates:\n" +
		"  root: {permit-dns: [example.org]}\n  inter: {issuer: root, role: intermediate, path-len: 0}\n")
	for i := range n {
		fmt.Fprintf(&text, "  leaf%05d: {issuer: inter, san: [leaf%05d.example.org]}\n", i, i)
	}
	return text.String()
}

// authority makes a fresh folder with a root and an intermediate that an apply made, and a
// manifest that asks for n leaves besides.
func (b *bench) authority(ctx context.Context, parent string, n int) (dir, file string, err error) {
	if dir, err = os.MkdirTemp(parent, "ca"); err != nil {
		return "", "", err
	}
	file = filepath.Join(dir, "manifest.yaml")
	if err := os.WriteFile(file, []byte(manifest(0)), 0o600); err != nil {
		return "", "", err
	}
	if _, err := spend(ctx, b.env, b.keyward, "apply", file); err != nil {
		return "", "", err
	}
	return dir, file, os.WriteFile(file, []byte(manifest(n)), 0o600)
}

// applies are command lines that make n leaves, each in a fresh folder.
func (b *bench) applies(ctx context.Context, parent string, n int) command {
	return func(int) ([]string, error) {
		_, file, err := b.authority(ctx, parent, n)
		return []string{b.keyward, "apply", file}, err
	}
}

// limits are command lines of the least that makes n leaves.
func (b *bench) limits(ctx context.Context, parent string, n int) command {
	return func(int) ([]string, error) {
		dir, _, err := b.authority(ctx, parent, n)
		return []string{b.limit, filepath.Join(dir, "inter"), dir, fmt.Sprint(n)}, err
	}
}

// overLimit compares the rates at which n leaves are made, by turns.
func (b *bench) overLimit(ctx context.Context, parent string, n int) (rates, cpu pairs, err error) {
	wall, cpu, err := b.compare(ctx, b.times(20), b.applies(ctx, parent, n), b.limits(ctx, parent, n))
	return wall.rates(n, n), cpu, err
}

// peer is a build of minica: as `go install` makes it on this machine, or without cgo, which starts faster.
type peer struct {
	what    string
	noCgo   bool
	target  target
	program string // empty where it cannot be built
}

func (b *bench) buildMinica(ctx context.Context, p *peer) {
	program := filepath.Join(b.dir, fmt.Sprintf("minica-%t", p.noCgo))
	argv := []string{"go", "build", "-o", program, "github.com/jsha/minica"}
	if !p.noCgo {
		argv = append([]string{"env", "-u", "CGO_ENABLED"}, argv...)
	}
	if _, err := output(ctx, filepath.Join(b.root, minicaFolder), argv...); err == nil {
		p.program = program
	}
}

// overMinica compares the rates of an apply and of a loop of minica's processes, by turns.
func (b *bench) overMinica(ctx context.Context, parent, minica string, n int) (pairs, error) {
	apply, peers := b.applies(ctx, parent, n), b.leaves(peerLeaves)
	var wall pairs
	for i := range b.times(10) + 1 {
		theirs, err := b.minicaLoop(ctx, parent, minica, peers)
		if err != nil {
			return pairs{}, err
		}
		argv, err := apply(i)
		if err != nil {
			return pairs{}, err
		}
		ours, err := spend(ctx, b.env, argv...)
		if err != nil {
			return pairs{}, err
		}
		if i > 0 {
			wall.add(ours.wall, theirs)
		}
	}
	return wall.rates(n, peers), nil
}

// minicaLoop makes n leaves in a fresh folder, one process each and as many at a time as there are
// cores, and returns the milliseconds. The first process, which makes the CA, does not count.
func (b *bench) minicaLoop(ctx context.Context, parent, minica string, n int) (float64, error) {
	dir, err := os.MkdirTemp(parent, "minica")
	if err != nil {
		return 0, err
	}
	one := func(i int64) error {
		_, err := job{dir: dir, env: b.env, argv: []string{minica, "-ca-alg", "ecdsa", "-domains", fmt.Sprintf("leaf%05d.example.org", i)}}.spend(ctx)
		return err
	}
	if err := one(int64(n)); err != nil {
		return 0, err
	}
	var next atomic.Int64
	var working sync.WaitGroup
	errs := make([]error, runtime.NumCPU())
	start := time.Now()
	for worker := range errs {
		working.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && errs[worker] == nil; i = next.Add(1) - 1 {
				errs[worker] = one(i)
			}
		})
	}
	working.Wait()
	return ms(time.Since(start)), errors.Join(errs...)
}
