package relay

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
)

// TestSoak has good pairs exchange messages while others do what they can to harm them. All that the good ones send arrives, whole and
// in order. The long one, with times and memory, is the part soak of internal/bench.
func TestSoak(t *testing.T) {
	const pairs, messages = 30, 100
	r := startRelay(t, Config{})
	var harmers sync.WaitGroup
	for name, frames := range map[string][]byte{
		"floods":              bytes.Repeat(encoded(0x82, make([]byte, 1024)), 16),
		"never ends":          bytes.Repeat(encoded(0x00, []byte("x")), 1000),
		"sends one-byte ones": bytes.Repeat(encoded(0x81, []byte("x")), 1000),
	} {
		bad, reader := r.pair(name[:5])
		harmers.Go(func() {
			bad.send(0x01, "x")
			for {
				if _, err := bad.Write(frames); err != nil {
					return
				}
			}
		})
		if name != "floods" { // that one's peer never reads
			harmers.Go(func() {
				for {
					if _, err := reader.next(); err != nil {
						return
					}
				}
			})
		}
		defer harmers.Wait()
		defer bad.Close()
		defer reader.Close()
	}
	var good sync.WaitGroup
	for i := range pairs {
		left, right := r.pair(fmt.Sprint("good", i))
		good.Go(func() {
			for n := range messages {
				text := fmt.Sprint(i, " says ", n)
				left.text(text)
				right.wantText(text)
				right.text("yes, " + text)
				left.wantText("yes, " + text)
			}
		})
	}
	good.Wait()
}
