package prometheus

import (
	"slices"
	"sort"
	"time"
)

// bounds are the upper bounds of the histograms, in seconds. A password's hash takes 75 ms, an answer to a NATS server is given up after
// 1.5 seconds, and what waits for the store or for a hash is cut off after some.
var bounds = [...]float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// Durations are how long things took.
type Durations struct {
	within  [len(bounds) + 1]int64 // by the bound that they are below; the last has none
	seconds float64
}

// Add counts one.
func (d *Durations) Add(took time.Duration) {
	d.within[sort.SearchFloat64s(bounds[:], took.Seconds())]++
	d.seconds += took.Seconds()
}

// Histogram writes how many took up to each bound, the shorter ones included. Its family is begun before.
func (p *Page) Histogram(name string, d *Durations, labels ...string) {
	var sum int64
	for i, n := range d.within {
		sum += n
		bound := "+Inf"
		if i < len(bounds) {
			bound = number(bounds[i])
		}
		p.Sample(name+"_bucket", float64(sum), append(slices.Clip(labels), "le", bound)...)
	}
	p.Sample(name+"_sum", d.seconds, labels...)
	p.Sample(name+"_count", float64(sum), labels...)
}
