package plan

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

func many(n int) string {
	var b strings.Builder
	b.WriteString("certificates:\n  root: {}\n  inter: {issuer: root, role: intermediate, path-len: 0}\n")
	for i := range n {
		fmt.Fprintf(&b, "  leaves/l%d: {issuer: inter, san: [l%d.example.org]}\n", i, i)
	}
	return b.String()
}

const benchLeaves = 1000

// BenchmarkApply makes a thousand leaves.
func BenchmarkApply(b *testing.B) {
	text := []byte(many(benchLeaves))
	for b.Loop() {
		m, err := Parse("m", b.TempDir(), text, noon)
		if err != nil {
			b.Fatal(err)
		}
		run(b, m)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/benchLeaves, "us/leaf")
}

// BenchmarkPlan looks at a thousand leaves that are as they should be.
func BenchmarkPlan(b *testing.B) {
	m, err := Parse("m", b.TempDir(), []byte(many(benchLeaves)), noon)
	if err != nil {
		b.Fatal(err)
	}
	run(b, m)
	for b.Loop() {
		p, err := m.Judge(context.Background(), noon, 2, nil)
		if err != nil {
			b.Fatal(err)
		}
		if counts, _ := p.Counts(); counts[Leave] != benchLeaves+2 {
			b.Fatal(counts)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/benchLeaves, "us/leaf")
}

func run(t testing.TB, m *Manifest) *Done {
	t.Helper()
	p, err := m.Judge(context.Background(), noon, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	done, err := p.Apply(context.Background(), Options{Parallel: 2})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func BenchmarkParse(b *testing.B) {
	text := []byte(many(10_000))
	for b.Loop() {
		if _, err := Parse("m", b.TempDir(), text, noon); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/10_000, "us/leaf")
}
