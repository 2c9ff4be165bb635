package relay

import (
	"testing"
)

func TestMeet(t *testing.T) {
	r := startRelay(t, Config{})
	first := r.open(testPrefix + "a/b?c=d")
	first.text(hello("first"))
	r.waitFor(func(s Status) bool { return stateOf(s, "a/b?c=d") == StateWaiting })
	second := r.open(testPrefix + "a/b?c=d")
	second.send(0x82, hello("second"))
	first.wantText(hello("second"))
	second.wantText(hello("first"))
	first.text("not even JSON")
	first.send(0x82, "\x00\xff")
	second.want(1, "not even JSON")
	second.want(2, "\x00\xff")
	second.closeWith(4000)
	second.wantEcho(4000)
	first.wantClose(1002, "the peer websocket disconnected")
}
