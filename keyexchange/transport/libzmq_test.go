package transport

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestLibzmqSubscribes has libzmq read what we publish. It asks every 100 ms whether we are there.
func TestLibzmqSubscribes(t *testing.T) {
	alone(t)
	ctx := limited(t)
	p, endpoint := listen(t, ZMQOptions{})
	_, stdout := python(t, "zmq", "testdata/zmq_peer.py", "subscribe", endpoint, fmt.Sprint(len(samples())))
	check(t, p.Await(ctx, 1))
	var want strings.Builder
	for _, m := range samples() {
		check(t, p.Publish(ctx, m))
		want.WriteString(hex.EncodeToString(m) + "\n")
	}
	var got strings.Builder
	_, err := stdout.WriteTo(&got)
	check(t, err)
	if got.String() != want.String() {
		t.Errorf("libzmq has %d characters, want %d", got.Len(), want.Len())
	}
	check(t, p.Close())
}

// TestLibzmqPublishes has us read what libzmq publishes.
func TestLibzmqPublishes(t *testing.T) {
	alone(t)
	ctx := limited(t)
	stdin, stdout := python(t, "zmq", "testdata/zmq_peer.py", "publish", "tcp://127.0.0.1:*")
	endpoint, err := stdout.ReadString('\n')
	check(t, err)
	s := dial(t, strings.TrimSpace(endpoint), ZMQOptions{})
	go func() {
		for _, m := range samples() {
			_, _ = fmt.Fprintf(stdin, "%x\n", m)
		}
		_, _ = fmt.Fprintf(stdin, "61 62\n63\n")
	}()
	got, err := receiveAll(ctx, s, len(samples()))
	check(t, err)
	same(t, got, samples())
	if _, err := s.Receive(ctx); !errors.Is(err, ErrBad) {
		t.Errorf("two frames: %v", err)
	}
	m, err := s.Receive(ctx)
	check(t, err)
	if string(m) != "c" {
		t.Errorf("%q", m)
	}
}
