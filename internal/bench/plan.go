package main

import (
	"context"
	"fmt"
)

const (
	manyLeaves = 50_000
	perLeaf    = 4  // KiB of memory that a leaf may take
	nothingDue = 12 // the exit code of a plan with nothing to do
)

// plan measures the memory that many leaves take, and the time that it takes to see that
// they are as they should be. It happens in memory where there is room: a disk would only make the
// making slower, and the plan look better.
func (b *bench) plan(ctx context.Context) ([]row, error) {
	parent := b.mem
	if parent == "" {
		parent = b.dir
	}
	few, many := b.leaves(someLeaves), b.leaves(manyLeaves)
	memory := row{what: fmt.Sprintf("memory of `keyward apply` for each leaf, %d over %d, over 4 KiB", many, few), unit: kibibytes, target: target{sign: atMost, bound: 1}}
	plan := row{what: fmt.Sprintf("`keyward plan` of %d unchanged leaves over making them", many), unit: seconds, target: target{sign: atMost, bound: 0.1}}
	for range b.times(3) {
		small, _, err := b.applied(ctx, parent, few)
		if err != nil {
			return nil, err
		}
		made, file, err := b.applied(ctx, parent, many)
		if err != nil {
			return nil, err
		}
		memory.pairs.add((made.peak-small.peak)/float64(many-few), perLeaf)
		for range 3 {
			looked, err := job{env: b.env, code: nothingDue, argv: []string{b.keyward, "plan", file}}.spend(ctx)
			if err != nil {
				return nil, err
			}
			plan.pairs.add(looked.wall, made.wall)
			plan.cpu.add(looked.cpu, made.cpu)
		}
	}
	return []row{memory, plan}, nil
}

// applied makes n leaves in a fresh folder, and gives what it took and the manifest.
func (b *bench) applied(ctx context.Context, parent string, n int) (cost, string, error) {
	_, file, err := b.authority(ctx, parent, n)
	if err != nil {
		return cost{}, "", err
	}
	made, err := spend(ctx, b.env, b.keyward, "apply", file)
	return made, file, err
}
