package stream

import (
	"bytes"
	"io"
	"runtime"
	"testing"
	"time"

	"keyward/keyexchange"
)

// The bombs, signed by who has the keys, cost little over the whole way: below 16 MB of memory, all that is ever asked for
// counted, and 100 ms, the best of three.
func TestBombs(t *testing.T) {
	keys := keyexchange.GenerateSealKeys()
	full := func(head, unit string) []byte {
		return append([]byte(head), bytes.Repeat([]byte(unit), (keyexchange.DefaultMaxMessage-keyexchange.Overhead-len(head))/len(unit))...)
	}
	all := append([][]byte{
		full("\x81\xa1a", "\x91"),
		full("", "\x81\xa1a"),
		full("\x81\xa1a\xdd\x00\x0f\xff\x00", "\xc0"),
		full("\x81\xa1a\xdd\x00\x0f\xff\x00", "\xdd\x00\x0f\xff\x00"),
	}, bombs...)
	for i, bomb := range all {
		message := keyexchange.Seal(nil, bomb, keys)
		best, most := time.Hour, uint64(0)
		for try := 0; try < 3 || !race && try < 30 && best > 100*time.Millisecond; try++ { // more where the machine is busy
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start, bad := time.Now(), 0
			lines, err := (&Stream{Receive: from(message), Out: io.Discard, Keys: fixed{keys.OpenKeys}, Bad: func(error) { bad++ }}).Run(t.Context())
			best = min(best, time.Since(start))
			runtime.ReadMemStats(&after)
			most = max(most, after.TotalAlloc-before.TotalAlloc)
			if err != nil || lines != 0 || bad != 1 {
				t.Errorf("bomb %d: %d lines, %d bad, %v", i, lines, bad, err)
			}
		}
		t.Logf("bomb %d of %d bytes: %d bytes of memory, %v", i, len(message), most, best)
		if !race && (most > 16<<20 || best > 100*time.Millisecond) {
			t.Errorf("bomb %d: %d bytes of memory, %v", i, most, best)
		}
	}
}
