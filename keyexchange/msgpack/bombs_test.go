package msgpack

import (
	"bytes"
	"runtime"
	"testing"
	"time"
)

// bombs are small messages that a careless reader makes large, and the ones of the largest size that cost ours the most.
func bombs() map[string][]byte {
	fill := func(head string, unit string) []byte {
		return append([]byte(head), bytes.Repeat([]byte(unit), (DefaultMaxSize-len(head))/len(unit))...)
	}
	distinct := []byte{0x81, 0xa1, 'm', 0xdf, 0, 0, 0x7f, 0xf0}
	for i := range 0x7ff0 {
		distinct = append(distinct, 0xa3, byte(i>>12)|0x40, byte(i>>6&63)|0x40, byte(i&63)|0x40, 0xc0)
	}
	return map[string][]byte{
		"array32":      []byte("\x81\xa1a\xdd\xff\xff\xff\xff"),
		"map32":        []byte("\xdf\xff\xff\xff\xff"),
		"str32":        []byte("\x81\xa1a\xdb\xff\xff\xff\xff"),
		"bin32":        []byte("\x81\xa1a\xc6\xff\xff\xff\xff"),
		"ext32":        []byte("\x81\xa1a\xc9\xff\xff\xff\xff\x05"),
		"deep arrays":  fill("\x81\xa1a", "\x91"),
		"deep maps":    fill("", "\x81\xa1a"),
		"many tiny":    fill("\x81\xa1a\xdd\x00\x0f\xff\x00", "\xc0"),
		"arrays in it": fill("\x81\xa1a\xdd\x00\x0f\xff\x00", "\xdd\x00\x0f\xff\x00"),
		"most nothing": fill("\x81\xa1a\xdc\xff\xf0", "\x90"),
		"most forms":   fill("\x81\xa1a\xdc\xff\xf0", "\xa1\xff"),
		"escapes":      fill("\x81\xa1a\xdb\x00\x0f\xff\xf8", "\x00"),
		"not UTF-8":    fill("\x81\xa1a\xdb\x00\x0f\xff\xf8", "\xff"),
		"keys":         distinct,
		"odd maps":     fill("\x81\xa1a\xdc\x7f\xf0", "\x81\x01\xc0"),
	}
}

// cheap holds a function below 16 MB of memory, all that it ever asks for counted, and 100 ms, the best of three, or of more where
// the machine is busy. The race detector multiplies both.
func cheap(t *testing.T, name string, size int, f func()) {
	t.Helper()
	if size > DefaultMaxSize {
		t.Fatalf("%s: larger than a message can be", name)
	}
	best, before, after := time.Hour, runtime.MemStats{}, runtime.MemStats{}
	for try := 0; try < 3 || !race && try < 30 && best > 100*time.Millisecond; try++ {
		runtime.ReadMemStats(&before)
		start := time.Now()
		f()
		best = min(best, time.Since(start))
		runtime.ReadMemStats(&after)
	}
	grown := after.TotalAlloc - before.TotalAlloc
	t.Logf("%-13s %8d bytes %9d in memory %v", name, size, grown, best)
	if !race && (grown > 16<<20 || best > 100*time.Millisecond) {
		t.Errorf("%s: %d bytes, %v", name, grown, best)
	}
}

func TestBombs(t *testing.T) {
	for name, message := range bombs() {
		cheap(t, name, len(message), func() { _, _ = ToJSON(nil, message, 0) })
	}
}

// TestBombsOfJSON holds the same of what is packed.
func TestBombsOfJSON(t *testing.T) {
	fill := func(head, unit string) []byte {
		return append([]byte(head), bytes.Repeat([]byte(unit), (DefaultMaxSize-len(head))/len(unit))...)
	}
	for name, object := range map[string][]byte{
		"deep arrays": fill(`{"a":`, `[`),
		"deep maps":   fill(``, `{"a":`),
		"deep pairs":  fill(``, `{"$map":[[`),
		"many tiny":   fill(`{"a":[0`, `,0`),
		"a number":    fill(`{"a":`, `9`),
		"a string":    fill(`{"a":"`, `\n`),
	} {
		cheap(t, name, len(object), func() {
			if _, err := FromJSON(nil, object, 0); err == nil {
				t.Errorf("%s: it is taken", name)
			}
		})
	}
}
