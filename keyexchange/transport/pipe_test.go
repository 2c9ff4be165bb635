package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"keyward/fault"
)

func Example_pipe() {
	var pipe bytes.Buffer
	w := NewPipeWriter(&pipe)
	_ = w.Publish(context.Background(), []byte("abc"))
	fmt.Printf("% x\n", pipe.Bytes())

	r := NewPipeReader(&pipe, 0)
	m, err := r.Receive(context.Background())
	fmt.Printf("%s %v\n", m, err)
	_, err = r.Receive(context.Background())
	fmt.Println(err)
	// Output:
	// 00 00 00 03 61 62 63
	// abc <nil>
	// EOF
}

func TestPipe(t *testing.T) {
	var pipe bytes.Buffer
	w := NewPipeWriter(&pipe)
	for _, m := range samples() {
		check(t, w.Publish(t.Context(), m))
	}
	check(t, w.Close())
	r := NewPipeReader(iotest.HalfReader(&pipe), 0)
	got, err := receiveAll(t.Context(), r, len(samples()))
	check(t, err)
	same(t, got, samples())
	if _, err := r.Receive(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	check(t, r.Close())
}

func TestPipeFaults(t *testing.T) {
	const announced = "\xff\xff\xff\xff"
	for _, c := range []struct {
		name, stream string
		want         error
	}{
		{"half a length", "\x00\x00", io.ErrUnexpectedEOF},
		{"a length alone", "\x00\x00\x00\x01", io.ErrUnexpectedEOF},
		{"half a message", "\x00\x00\x00\x05ab", io.ErrUnexpectedEOF},
		{"far too long", announced + "ab", fault.InvalidFile},
		{"text", "{\"n\":1}\n", fault.InvalidFile},
		{"too long, and not there", "\x00\x00\x00\x05ab", fault.InvalidFile},
		{"the second too long, and not there", "\x00\x00\x00\x01a\x00\x00\x00\x05ab", io.ErrUnexpectedEOF},
		{"too long", "\x00\x00\x00\x05abcde", ErrBad},
		{"nothing", "", io.EOF},
	} {
		r := NewPipeReader(bytes.NewReader([]byte(c.stream)), 4)
		if c.name == "half a message" {
			r = NewPipeReader(bytes.NewReader([]byte(c.stream)), 5)
		}
		if strings.HasPrefix(c.name, "the second") {
			_, err := r.Receive(t.Context())
			check(t, err)
		}
		if m, err := r.Receive(t.Context()); !errors.Is(err, c.want) || m != nil {
			t.Errorf("%s: %q, %v", c.name, m, err)
		}
	}
	r := NewPipeReader(bytes.NewReader([]byte("\x00\x00\x00\x05abcde\x00\x00\x00\x01x")), 4)
	_, _ = r.Receive(t.Context())
	if m, err := r.Receive(t.Context()); string(m) != "x" || err != nil {
		t.Errorf("after one that is too long: %q, %v", m, err)
	}
	ctx, stop := context.WithCancelCause(t.Context())
	stop(io.ErrClosedPipe)
	if _, err := r.Receive(ctx); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("after the end of the context: %v", err)
	}
}

// TestAnnouncedBytesTakeNoRoom holds that a message has the room of what is there of it, and not of what it says it has.
func TestAnnouncedBytesTakeNoRoom(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := readBody(strings.NewReader("ab"), 1<<30)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, io.ErrUnexpectedEOF) || after.TotalAlloc-before.TotalAlloc > 16<<20 {
		t.Errorf("%v after %d bytes of memory", err, after.TotalAlloc-before.TotalAlloc)
	}
}

// FuzzPipe holds that what is read is what would be written, and that no length takes memory.
func FuzzPipe(f *testing.F) {
	for _, seed := range []string{"", "\x00", "\x00\x00\x00\x03abc", "\x00\x00\x00\x00\x00\x00\x00\x01x", "\xff\xff\xff\xffabc", "\x00\x00\x04\x01abc"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := NewPipeReader(bytes.NewReader(stream), 1<<10)
		var again bytes.Buffer
		w := NewPipeWriter(&again)
		for {
			m, err := r.Receive(t.Context())
			if errors.Is(err, ErrBad) {
				return
			}
			if err != nil {
				break
			}
			check(t, w.Publish(t.Context(), m))
		}
		if !bytes.HasPrefix(stream, again.Bytes()) {
			t.Errorf("%x is read as %x", stream, again.Bytes())
		}
	})
}
