package transport

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// alone holds that nothing of ours runs when a test is over.
func alone(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		var stacks string
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			all := make([]byte, 1<<20)
			stacks = string(all[:runtime.Stack(all, true)])
			if !strings.Contains(stacks, "created by keyward/keyexchange/transport.(") && !strings.Contains(stacks, "nats.(*Conn)") {
				return
			}
		}
		t.Errorf("goroutines are left:\n%s", stacks)
	})
}

// within is a context that ends a test that hangs.
func limited(t testing.TB) context.Context {
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(stop)
	return ctx
}

func listen(t testing.TB, o ZMQOptions) (*ZMQPublisher, string) {
	t.Helper()
	p, err := ListenZMQ("tcp://127.0.0.1:0", o)
	check(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p, "tcp://" + p.Addr().String()
}

func dial(t testing.TB, endpoint string, o ZMQOptions) *ZMQSubscriber {
	t.Helper()
	s, err := DialZMQ(endpoint, o)
	check(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// receiveAll gives the lengths or the bytes of n messages as they come.
func receiveAll(ctx context.Context, s Subscriber, n int) ([][]byte, error) {
	var all [][]byte
	for len(all) < n {
		m, err := s.Receive(ctx)
		if err != nil {
			return all, err
		}
		all = append(all, m)
	}
	return all, nil
}

// samples are messages at the borders of lengths.
func samples() [][]byte {
	var all [][]byte
	for i, size := range []int{0, 1, 255, 256, 1024, 65535, 65536, 65537, DefaultMaxMessage} {
		all = append(all, bytes.Repeat([]byte{byte(i)}, size))
	}
	return all
}

func same(t testing.TB, got, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d messages, want %d", len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("message %d has %d bytes, want %d", i, len(got[i]), len(want[i]))
		}
	}
}

// python runs a script of testdata on Debian's Python until the test is over.
func python(t *testing.T, modules string, args ...string) (stdin io.Writer, stdout *bufio.Reader) {
	t.Helper()
	const program = "/usr/bin/python3"
	if err := exec.Command(program, "-c", "import "+modules).Run(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("Python's %s is missing", modules)
		}
		t.Skipf("Python's %s is not installed", modules)
	}
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second) // the test's own ends before it is cleaned up
	c := exec.CommandContext(ctx, program, args...)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	check(t, err)
	out, err := c.StdoutPipe()
	check(t, err)
	check(t, c.Start())
	t.Cleanup(func() {
		defer stop()
		_ = in.Close()
		if err := c.Wait(); err != nil {
			t.Errorf("Python: %v", err)
		}
	})
	return in, bufio.NewReader(out)
}

// peer is a listener that hands out connections to a test that plays the other end by hand.
func peer(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func isClosed(err error) bool {
	var timeout net.Error
	return err != nil && !(errors.As(err, &timeout) && timeout.Timeout())
}
