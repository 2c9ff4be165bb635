package relay_test

import (
	"testing"
	"time"

	"keyward/relay/message"
)

// The original test client needs some time before it can take a response.
func TestTestClientGetsTime(t *testing.T) {
	w := newWorld(t)
	caller := w.client()
	caller.Hello.PeerClass = "micronets-ws-test-client"
	a, b := run(t, caller), run(t, w.client())
	a.meets(t)
	b.meets(t)
	sent := time.Now()
	_, err := a.Do(t.Context(), &message.Request{Method: "GET", Path: "/"})
	check(t, err)
	if took := time.Since(sent); took < 50*time.Millisecond {
		t.Errorf("the response came after %v", took)
	}
}
