package transport

import (
	"bufio"
	"bytes"
	"net"
	"testing"
	"time"
)

// deaf is a connection that nothing comes back from.
type deaf struct{ net.Conn }

func (deaf) Write(p []byte) (int, error) { return len(p), nil }

func (deaf) SetWriteDeadline(time.Time) error { return nil }

func wireSeeds(f *testing.F) {
	for _, seed := range []string{
		"", "\x00\x01x", "\x02\x00\x00\x00\x00\x00\x00\x00\x01x", "\x02\xff\xff\xff\xff\xff\xff\xff\xffx", "\x01\x01a\x00\x01b",
		string(command("PING", []byte("\x00\x0aab"))), string(command("SUBSCRIBE", nil)), string(command("CANCEL", []byte("a"))),
		"\x00\x01\x01", "\x00\x02\x00a", "\x04\x00", "\x04\x01\x05", "\x04\x02\x01x", "\x08\x00", "\x00\x02\x01a\x00\x02\x01a",
	} {
		f.Add([]byte(hello("PUB") + seed))
		f.Add([]byte(hello("SUB") + seed))
	}
	f.Add([]byte("\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f"))
}

// FuzzPublisherSays holds that what a publisher says gives messages that came so, and none that is too long.
func FuzzPublisherSays(f *testing.F) {
	wireSeeds(f)
	f.Fuzz(func(t *testing.T, said []byte) {
		s := &ZMQSubscriber{in: bufio.NewReader(bytes.NewReader(said)), opts: ZMQOptions{MaxMessage: 100}}
		if readGreeting(s.in) != nil || readReady(s.in, "PUB", "XPUB") != nil {
			return
		}
		for range 100 {
			m, err := s.read(deaf{})
			if err == nil && (len(m) > 100 || !bytes.Contains(said, m)) {
				t.Fatalf("%x is not in what was said", m)
			}
		}
	})
}

// FuzzSubscriberSays holds that what a subscriber says leaves it with few topics, and little that waits for it.
func FuzzSubscriberSays(f *testing.F) {
	wireSeeds(f)
	f.Fuzz(func(t *testing.T, said []byte) {
		r := newReader(deaf{})
		r.in = bufio.NewReader(bytes.NewReader(said))
		if readGreeting(r.in) != nil || readReady(r.in, "SUB", "XSUB") != nil {
			return
		}
		for {
			name, rest, err := r.hear()
			if err != nil || r.obey(name, rest) != nil {
				break
			}
		}
		if len(r.topics) > maxTopics || r.waiting > 0 || len(r.pong) > maxCommand+9 {
			t.Fatalf("%d topics, %d bytes wait, and a pong of %d", len(r.topics), r.waiting, len(r.pong))
		}
	})
}
