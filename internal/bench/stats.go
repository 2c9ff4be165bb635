package main

import (
	"math"
	"slices"
)

// pairs are measurements of two things, taken by turns: ours[i] right after ref[i]. What
// else the machine does meets both alike, so their ratio holds where neither number does.
type pairs struct{ ours, ref []float64 }

// add appends a pair. One with a number that is not positive says nothing and is left out.
func (p *pairs) add(ours, ref float64) {
	if ours > 0 && ref > 0 {
		p.ours, p.ref = append(p.ours, ours), append(p.ref, ref)
	}
}

// rates makes things a second of milliseconds, where ours took the time for n things and the reference for m.
func (p pairs) rates(n, m int) pairs {
	var r pairs
	for i := range p.ours {
		r.add(float64(n)*1000/p.ours[i], float64(m)*1000/p.ref[i])
	}
	return r
}

// ratio is that of the ratios of the pairs, not of the medians.
func (p pairs) ratio() quartiles {
	ratios := make([]float64, len(p.ours))
	for i := range ratios {
		ratios[i] = p.ours[i] / p.ref[i]
	}
	return quartilesOf(ratios)
}

// quartiles are a sample's median and the bounds of its middle half; NaN where it is empty.
type quartiles struct{ low, median, high float64 }

func quartilesOf(sample []float64) quartiles {
	s := slices.Sorted(slices.Values(sample))
	return quartiles{quantile(s, 0.25), quantile(s, 0.5), quantile(s, 0.75)}
}

// quantile is the q-th of a sorted sample, between two of its members on the line through them.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	below := int(at)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}
