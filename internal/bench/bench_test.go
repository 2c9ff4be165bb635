package main

import (
	"io"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"keyward/internal/killsweep"
)

func TestQuartiles(t *testing.T) {
	for _, tt := range []struct {
		sample []float64
		want   quartiles
	}{
		{[]float64{7}, quartiles{7, 7, 7}},
		{[]float64{2, 1}, quartiles{1.25, 1.5, 1.75}},
		{[]float64{5, 1, 4, 2, 3}, quartiles{2, 3, 4}},
		{[]float64{4, 3, 2, 1}, quartiles{1.75, 2.5, 3.25}},
	} {
		if got := quartilesOf(tt.sample); got != tt.want {
			t.Errorf("%v: got %v, want %v", tt.sample, got, tt.want)
		}
	}
	if q := quartilesOf(nil); !math.IsNaN(q.median) {
		t.Errorf("of nothing: %v", q)
	}
}

// The median of the ratios, not the ratio of the medians: one slow turn of both is no ratio.
func TestRatioIsPaired(t *testing.T) {
	var p pairs
	p.add(2, 1)
	p.add(200, 100)
	p.add(30, 10)
	p.add(0, 10) // not measured
	if got := p.ratio().median; got != 2 {
		t.Errorf("got %v, want 2", got)
	}
}

// Whatever slows both of a pair alike leaves the ratio as it is.
func TestRatioOfANoisyMachine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p pairs
		for _, noise := range rapid.SliceOfN(rapid.Float64Range(0.1, 1000), 1, 50).Draw(t, "noise") {
			p.add(3*noise, 2*noise)
		}
		if q := p.ratio(); math.Abs(q.low-1.5) > 1e-9 || math.Abs(q.high-1.5) > 1e-9 {
			t.Errorf("got %v", q)
		}
	})
}

func TestMet(t *testing.T) {
	for _, tt := range []struct {
		target target
		ratio  float64
		want   string
	}{
		{target{}, 9, "–"},
		{target{sign: atMost, bound: 2}, 2, "yes"},
		{target{sign: atMost, bound: 2}, 2.01, "no"},
		{target{sign: atLeast, bound: 0.5}, 0.5, "yes"},
		{target{sign: atLeast, bound: 0.5}, 0.49, "no"},
		{target{sign: atLeast, bound: 0.5}, math.NaN(), "no"},
	} {
		if got := tt.target.met(tt.ratio); got != tt.want {
			t.Errorf("%v at %v: got %s, want %s", tt.target, tt.ratio, got, tt.want)
		}
	}
}

func TestTable(t *testing.T) {
	r := row{what: "a thing", unit: milliseconds, target: target{sign: atMost, bound: 2}}
	r.pairs.add(3, 2)
	missing := row{what: "another", unit: milliseconds, target: target{sign: atMost, bound: 0.7}, skip: "a tool is not installed"}
	var text strings.Builder
	printRows(&text, []row{r, missing})
	want := `| what | ours | reference | ratio | CPU ratio | target | met |
|---|---|---|---|---|---|---|
| a thing | 3.00 ms | 2.00 ms | 1.50 (1.50 to 1.50) | – | ≤ 2 | yes |
| another | | | not measured: a tool is not installed | | ≤ 0.7 | – |
`
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutOpenSSL(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	rows, err := new(bench).leaf(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 {
		t.Errorf("%d rows", len(rows))
	}
	for _, r := range rows {
		if r.skip != "openssl is not installed" || r.target == (target{}) {
			t.Errorf("got %+v", r)
		}
	}
}

func TestParseInits(t *testing.T) {
	const trace = `init internal/bytealg @0.008 ms, 0 ms clock, 0 bytes, 0 allocs
init net/http @4.5 ms, 0.027 ms clock, 4712 bytes, 49 allocs
keyward dev
`
	want := map[string]float64{"internal/bytealg": 0, "net/http": 0.027}
	if diff := cmp.Diff(want, parseInits(strings.NewReader(trace))); diff != "" {
		t.Error(diff)
	}
}

func TestServerNumbers(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc")
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	s := &server{process: self}
	if s.peak() < 1 {
		t.Errorf("this process holds %v MiB", s.peak())
	}
	before := s.cpu()
	for s.cpu() == before { // burns CPU itself
	}
}

// The reference of apply makes the same calls that change files as apply does, in the same
// order: what comes several times on end, as syncs side by side do, counts as often as it comes.
func TestLimitDoesWhatApplyDoes(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	const n = 60 // one batch
	b := &bench{short: true, log: io.Discard}
	t.Cleanup(b.close)
	if err := b.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	trace := func(command command) map[string]int {
		t.Helper()
		argv, err := command(0)
		if err != nil {
			t.Fatal(err)
		}
		calls := killsweep.Trace(t, exec.Command(argv[0], argv[1:]...), "fsync", "syncfs", "fdatasync", "sync_file_range", "renameat", "unlinkat", "ftruncate")
		counts := map[string]int{}
		for _, c := range calls {
			counts[c]++
		}
		order := slices.Compact(calls)
		counts["order: "+strings.Join(order, " ")] = 1
		return counts
	}
	ours := trace(b.applies(t.Context(), t.TempDir(), n))
	if ours["fsync"] < n {
		t.Errorf("apply of %d leaves did no more than %v", n, ours)
	}
	if diff := cmp.Diff(ours, trace(b.limits(t.Context(), t.TempDir(), n))); diff != "" {
		t.Errorf("-apply +limit\n%s", diff)
	}
}
