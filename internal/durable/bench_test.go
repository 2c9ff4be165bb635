package durable_test

import (
	"testing"

	"keyward/internal/durable"
)

func BenchmarkPut(b *testing.B) {
	for name, files := range map[string][]durable.File{"one": newSet[:1], "two": newSet[:2], "three": newSet} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			for b.Loop() {
				if err := durable.Put(b.Context(), dir, "peer", files, true); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
