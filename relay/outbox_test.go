package relay

import (
	"bytes"
	"slices"
	"testing"

	"github.com/gobwas/ws"
	"pgregory.net/rapid"
)

// TestTogether sends much at once: messages of many sizes, with fragments and a ping among them, and a close frame behind. All of it
// arrives as it was, before the mate hears that it is alone.
func TestTogether(t *testing.T) {
	r := startRelay(t, Config{})
	first, second := r.pair("x")
	var sent [][]byte
	var all []byte
	for i := range 40 {
		for _, size := range []int{0, 1, 125, 126, 1024, 5000, chunkSize - 1, chunkSize} {
			message := bytes.Repeat([]byte{byte('a' + i%26)}, size)
			sent = append(sent, message)
			all = append(all, encoded(0x82, message)...)
		}
		sent = append(sent, []byte("two parts"))
		all = append(all, encoded(0x01, []byte("two "))...)
		all = append(all, encoded(0x89, []byte("ping"))...)
		all = append(all, encoded(0x80, []byte("parts"))...)
	}
	all = append(all, encoded(0x88, []byte{0x03, 0xe8})...)
	go first.raw(all)
	for i, want := range sent {
		f, err := second.next()
		if err != nil || !f.fin || !bytes.Equal(f.payload, want) {
			t.Fatalf("message %d of %d bytes came as %v %v", i, len(want), f, err)
		}
	}
	second.wantClose(1002, alonePhrase)
}

// TestNothingIsHeldUp has a message arrive though the one behind it, which came with it, has not come whole.
func TestNothingIsHeldUp(t *testing.T) {
	r := startRelay(t, Config{})
	first, second := r.pair("x")
	for _, size := range []int{1, 200, 5000, 3 * chunkSize} {
		half := encoded(0x82, make([]byte, size))
		for cut := range 10 { // in the header, and behind it
			cut = min(cut, len(half)-1)
			first.raw(slices.Concat(encoded(0x81, []byte("one")), encoded(0x81, []byte("two")), half[:cut]))
			second.wantText("one")
			second.wantText("two")
			first.raw(half[cut:])
			for got := 0; got < size; {
				f, err := second.next()
				if err != nil {
					t.Fatal(err)
				}
				got += len(f.payload)
			}
		}
	}
}

// TestOutbox takes what was put in, whenever that is, as one stream of frames.
func TestOutbox(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o outbox
		var want, got []byte
		for i := range rapid.IntRange(1, 50).Draw(t, "frames") {
			size := rapid.OneOf(rapid.IntRange(0, 200), rapid.IntRange(0, chunkSize)).Draw(t, "size")
			if int64(size) > o.left() {
				got = append(got, o.take()...)
				if rapid.Bool().Draw(t, "emptied") {
					o.empty()
				}
			}
			payload := bytes.Repeat([]byte{byte(i)}, size)
			copied := copy(o.space(), payload)
			if rapid.Bool().Draw(t, "taken while the frame is read") {
				got = append(got, o.take()...)
			}
			o.add(ws.OpBinary, true, copied)
			want = append(want, ws.MustCompileFrame(ws.NewBinaryFrame(payload))...)
		}
		got = append(got, o.take()...)
		if !bytes.Equal(got, want) {
			t.Fatalf("got %d bytes, want %d", len(got), len(want))
		}
	})
}
