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
// they are as they should be. The time of making them counts on a disk, as with apply; in memory
// it is for information.
func (b *bench) plan(ctx context.Context) ([]row, error) {
	few, many := b.leaves(someLeaves), b.leaves(manyLeaves)
	memory := row{what: fmt.Sprintf("memory of `keyward apply` for each leaf, %d over %d, over %d KiB", many, few, perLeaf), unit: kibibytes, target: target{sign: atMost, bound: 1}}
	rows := []row{memory}
	for _, place := range b.durablePlaces() {
		plan := row{what: fmt.Sprintf("`keyward plan` of %d unchanged leaves over making them", many) + place.words, unit: seconds}
		if place.counts {
			plan.target = target{sign: atMost, bound: 0.1}
		}
		for range b.times(2) {
			small, _, err := b.applied(ctx, place.dir, few)
			if err != nil {
				return nil, err
			}
			made, file, err := b.applied(ctx, place.dir, many)
			if err != nil {
				return nil, err
			}
			rows[0].pairs.add((made.peak-small.peak)/float64(many-few), perLeaf)
			for range 3 {
				looked, err := job{env: b.env, code: nothingDue, argv: []string{b.keyward, "plan", file}}.spend(ctx)
				if err != nil {
					return nil, err
				}
				plan.pairs.add(looked.wall, made.wall)
				plan.cpu.add(looked.cpu, made.cpu)
			}
		}
		rows = append(rows, plan)
	}
	return rows, nil
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
