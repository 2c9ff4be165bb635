package prometheus

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestPage(t *testing.T) {
	var p Page
	p.Metric("open", "gauge", "How many are open.", 2.5)
	p.Family("ends", "counter", "Ends.")
	p.Sample("ends", 1e6, "by", "a \"b\\c\"\n", "code", "")
	want := `# HELP open How many are open.
# TYPE open gauge
open 2.5
# HELP ends Ends.
# TYPE ends counter
ends{by="a \"b\\c\"\n",code=""} 1000000
`
	if p.String() != want {
		t.Errorf("got\n%swant\n%s", &p, want)
	}
	p.Runtime()
	if !strings.Contains(p.String(), "\ngo_goroutines ") {
		t.Error("nothing of the runtime")
	}
}

// TestServeCeiling opens more connections than an address may have, and as many as there may be. Another address is served.
func TestServeCeiling(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(ctx, l, Handler(func() []byte { return nil }), slog.New(slog.DiscardHandler))
	}()
	var last net.Conn
	for range mostConnections {
		if last, err = net.Dial("tcp", l.Addr().String()); err != nil {
			t.Fatal(err)
		}
		defer last.Close()
	}
	if err := last.SetReadDeadline(time.Now().Add(timeLimit / 2)); err != nil {
		t.Fatal(err)
	}
	if _, err := last.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("it was let in")
	}
	if runtime.GOOS == "linux" { // others have no second loopback address
		other := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
		client := http.Client{Transport: &http.Transport{DialContext: other.DialContext}, Timeout: timeLimit / 2}
		answer, err := client.Get("http://" + l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
