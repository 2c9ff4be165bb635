package main

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// row is one line of the table: a thing measured against its reference.
type row struct {
	what   string
	unit   func(float64) string
	pairs  pairs
	cpu    pairs // the same in CPU time, where that was measured
	target target
	skip   string // why it was not measured
}

// target bounds a ratio; the zero value does not.
type target struct {
	sign  string // atMost or atLeast
	bound float64
	note  string
}

const (
	atMost  = "≤"
	atLeast = "≥"
)

func (t target) String() string {
	if t.sign == "" {
		return "–"
	}
	return strings.TrimSpace(fmt.Sprintf("%s %.3g %s", t.sign, t.bound, t.note))
}

// met answers for a ratio: yes, no, or a dash where there is no target.
func (t target) met(ratio float64) string {
	switch {
	case t.sign == "":
		return "–"
	case t.sign == atMost && ratio <= t.bound, t.sign == atLeast && ratio >= t.bound:
		return "yes"
	}
	return "no"
}

// printRows writes the table. A ratio is the median, with the quartiles behind it.
func printRows(w io.Writer, rows []row) {
	fmt.Fprintln(w, "| what | ours | reference | ratio | CPU ratio | target | met |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|")
	for _, r := range rows {
		if r.skip != "" {
			fmt.Fprintf(w, "| %s | | | not measured: %s | | %s | – |\n", r.what, r.skip, r.target)
			continue
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s |\n", r.what,
			r.unit(quartilesOf(r.pairs.ours).median), r.unit(quartilesOf(r.pairs.ref).median),
			r.pairs.ratio(), r.cpu.ratio(), r.target, r.target.met(r.pairs.ratio().median))
	}
}

func (q quartiles) String() string {
	if math.IsNaN(q.median) {
		return "–"
	}
	return fmt.Sprintf("%s (%s to %s)", decimal(q.median), decimal(q.low), decimal(q.high))
}

// decimal prints a ratio: two places, or three where it is small.
func decimal(f float64) string {
	if f < 0.1 {
		return fmt.Sprintf("%.3f", f)
	}
	return fmt.Sprintf("%.2f", f)
}

func milliseconds(f float64) string { return fmt.Sprintf("%.2f ms", f) }
func perSecond(f float64) string    { return fmt.Sprintf("%.0f/s", f) }
func microseconds(f float64) string { return fmt.Sprintf("%.0f µs", 1000*f) } // of milliseconds
func seconds(f float64) string      { return fmt.Sprintf("%.2f s", f/1000) }  // of milliseconds
func kibibytes(f float64) string    { return fmt.Sprintf("%.2f KiB", f) }
func mebibytes(f float64) string    { return fmt.Sprintf("%.0f MiB", f) }
