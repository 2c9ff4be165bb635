// Package prometheus writes metrics as Prometheus reads them, and serves the page that it fetches. It is so little because
// the whole of the client library costs as much as all of the program's start.
package prometheus

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Page is text in the format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/).
type Page struct{ bytes.Buffer }

// Family begins the samples of one name.
func (p *Page) Family(name, kind, help string) {
	fmt.Fprintf(p, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// Metric is a family of one sample.
func (p *Page) Metric(name, kind, help string, value float64, labels ...string) {
	p.Family(name, kind, help)
	p.Sample(name, value, labels...)
}

// Sample is one line; labels are names and values in turn.
func (p *Page) Sample(name string, value float64, labels ...string) {
	p.WriteString(name)
	before := "{"
	for label := range slices.Chunk(labels, 2) {
		fmt.Fprintf(p, `%s%s="%s"`, before, label[0], escaped(label[1]))
		before = ","
	}
	if len(labels) > 0 {
		p.WriteByte('}')
	}
	fmt.Fprintf(p, " %s\n", number(value))
}

// Times is a family of moments, in the order of their names, which the label has. Where there are none, there is no family.
func (p *Page) Times(name, help, label string, moments map[string]time.Time) {
	if len(moments) == 0 {
		return
	}
	p.Family(name, "gauge", help+", in seconds since 1970.")
	for _, which := range slices.Sorted(maps.Keys(moments)) {
		p.Sample(name, float64(moments[which].Unix()), label, which)
	}
}

// Certificates writes when each certificate ends, by a name for each.
func (p *Page) Certificates(all map[string]*x509.Certificate) {
	ends := make(map[string]time.Time, len(all))
	for name, cert := range all {
		ends[name] = cert.NotAfter
	}
	p.Times("keyward_certificate_not_after_seconds", "When a certificate ends", "certificate", ends)
}

// Started writes when the process began.
func (p *Page) Started(at time.Time) {
	p.Metric("process_start_time_seconds", "gauge", "When the process started, in seconds since 1970.", float64(at.UnixMilli())/1e3)
}

// Runtime writes what the Go runtime says, under the names that every Go program's metrics have.
func (p *Page) Runtime() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p.Metric("go_goroutines", "gauge", "Goroutines that there are.", float64(runtime.NumGoroutine()))
	p.Metric("go_memstats_alloc_bytes_total", "counter", "Bytes allocated on the heap, freed ones too.", float64(m.TotalAlloc))
	p.Metric("go_memstats_heap_alloc_bytes", "gauge", "Bytes of the heap in use or not yet collected.", float64(m.HeapAlloc))
	p.Metric("go_memstats_heap_objects", "gauge", "Objects on the heap.", float64(m.HeapObjects))
	p.Metric("go_memstats_next_gc_bytes", "gauge", "The heap's size at which garbage is collected next.", float64(m.NextGC))
	p.Metric("go_memstats_stack_inuse_bytes", "gauge", "Bytes of stacks.", float64(m.StackInuse))
	p.Metric("go_memstats_sys_bytes", "gauge", "Bytes taken from the system.", float64(m.Sys))
	p.Metric("go_gc_cycles_total", "counter", "How often garbage was collected.", float64(m.NumGC))
	p.Metric("go_gc_pause_seconds_total", "counter", "How long the program stood still for it.", float64(m.PauseTotalNs)/1e9)
}

// number is a value as the format has it.
func number(value float64) string { return strconv.FormatFloat(value, 'f', -1, 64) }

// escaped is a label's value as it stands between quotes.
func escaped(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(s, "\uFFFD"))
}
