package relay_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"keyward/fault"
	"keyward/relay"
)

// stage is something like a relay: it does with each connection what the test says.
func stage(t *testing.T, config *tls.Config, play func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.SetDeadline(time.Now().Add(20 * time.Second))
			play(tls.Server(c, config))
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// websocket plays the handshake, and reads the hello.
func websocket(play func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := ws.Upgrade(c); err != nil {
			return
		}
		if _, err := wsutil.ReadClientText(c); err == nil {
			play(c)
		}
	}
}

// readFrame reads a frame as short as those of control are.
func readFrame(c net.Conn) (ws.Frame, error) {
	h, err := ws.ReadHeader(c)
	if err != nil {
		return ws.Frame{}, err
	}
	f := ws.Frame{Header: h, Payload: make([]byte, min(h.Length, 125))}
	_, err = io.ReadFull(c, f.Payload)
	return f, err
}

func closing(code ws.StatusCode, reason string) func(net.Conn) {
	return websocket(func(c net.Conn) {
		ws.WriteFrame(c, ws.NewCloseFrame(ws.NewCloseFrameBody(code, reason)))
		readFrame(c)
	})
}

// status answers the handshake with something else than 101.
func status(line string) func(net.Conn) {
	return func(c net.Conn) {
		io.ReadAtLeast(c, make([]byte, 4096), 10)
		fmt.Fprintf(c, "HTTP/1.1 %s\r\n\r\n", line)
	}
}

func TestHowAConnectionEnds(t *testing.T) {
	noLeaks(t)
	ca := newAuthority(t)
	for name, c := range map[string]struct {
		play func(net.Conn)
		kind fault.Kind
	}{
		"not permitted":                    {closing(1008, "not permitted"), fault.NotPermitted},
		"wrong path":                       {closing(1011, "no such path"), fault.NotFound},
		"401":                              {status("401 Unauthorized"), fault.NotPermitted},
		"404":                              {status("404 Not Found"), fault.NotFound},
		"third":                            {closing(1000, ""), fault.Unreachable},
		"stopping":                         {closing(1001, "the relay is stopping"), fault.Unreachable},
		"broken":                           {closing(1002, ""), fault.Unreachable},
		"crowded":                          {closing(1013, "too many peers"), fault.Unreachable},
		"502":                              {status("502 Bad Gateway"), fault.Unreachable},
		"200":                              {status("200 OK"), fault.Unreachable},
		"dropped":                          {websocket(func(net.Conn) {}), fault.Unreachable},
		"no HTTP":                          {func(c net.Conn) { c.Write([]byte("220 mail ready\r\n")); io.Copy(io.Discard, c) }, fault.Unreachable},
		"a frame that breaks the protocol": {websocket(func(c net.Conn) { c.Write([]byte{0xff, 0}); readFrame(c) }), fault.Unreachable},
		"a message that is too large": {websocket(func(c net.Conn) {
			ws.WriteHeader(c, ws.Header{Fin: true, OpCode: ws.OpText, Length: 1<<20 + 1})
			readFrame(c)
		}), fault.Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			client := &relay.Client{URL: "wss://" + stage(t, ca.serving(t), c.play) + "/x", TLS: ca.trusting(t)}
			// Where trying again is of no use, Run returns without Once too.
			client.Once = c.kind == fault.Unreachable
			if err := client.Run(t.Context()); fault.KindOf(err) != c.kind {
				t.Errorf("got %v (%s), want kind %s", err, fault.KindOf(err), c.kind)
			} else {
				t.Log(err)
			}
		})
	}
}

// Of an answer without end no more is read than its bound.
func TestEndlessAnswer(t *testing.T) {
	noLeaks(t)
	ca := newAuthority(t)
	const kept = 16 << 20 // more than the kernel has between the two
	for name, more := range map[string]string{
		"a line": strings.Repeat("x", 1000),
		"lines":  "X: " + strings.Repeat("x", 1000) + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			sent := make(chan int, 1)
			addr := stage(t, ca.serving(t), func(c net.Conn) {
				n, err := c.Write([]byte("HTTP/1.1 101 Switching Protocols\r\n"))
				for all := n; ; all += n {
					if err != nil || all > kept {
						sent <- all
						return
					}
					n, err = c.Write([]byte(more))
				}
			})
			client := &relay.Client{URL: "wss://" + addr + "/x", TLS: ca.trusting(t), Once: true}
			if err := client.Run(t.Context()); fault.KindOf(err) != fault.Unreachable {
				t.Errorf("got %v", err)
			}
			if n := got(t, sent); n > kept {
				t.Errorf("%d bytes were taken", n)
			}
		})
	}
}

func TestItTriesAgain(t *testing.T) {
	noLeaks(t)
	ca := newAuthority(t)
	came := make(chan struct{}, 10)
	addr := stage(t, ca.serving(t), func(c net.Conn) {
		came <- struct{}{}
		closing(1013, "")(c)
	})
	run(t, &relay.Client{URL: "wss://" + addr + "/x", TLS: ca.trusting(t)})
	got(t, came)
	got(t, came)
}

func TestClosesWith1000(t *testing.T) {
	noLeaks(t)
	ca := newAuthority(t)
	here, said := make(chan struct{}), make(chan ws.StatusCode, 1)
	addr := stage(t, ca.serving(t), websocket(func(c net.Conn) {
		close(here)
		f, err := readFrame(c)
		if err != nil {
			t.Error(err)
			return
		}
		code, _ := ws.ParseCloseFrameData(ws.UnmaskFrame(f).Payload)
		said <- code
		ws.WriteFrame(c, ws.NewCloseFrame(f.Payload))
	}))
	r := run(t, &relay.Client{URL: "wss://" + addr + "/x", TLS: ca.trusting(t)})
	got(t, here)
	check(t, r.stop())
	if code := got(t, said); code != 1000 {
		t.Errorf("closed with %d", code)
	}
}

// A relay that is there and says nothing, as behind a connection that is half open.
func TestSilentRelay(t *testing.T) {
	noLeaks(t)
	ca := newAuthority(t)
	addr := stage(t, ca.serving(t), websocket(func(c net.Conn) { io.Copy(io.Discard, c) }))
	client := &relay.Client{URL: "wss://" + addr + "/x", TLS: ca.trusting(t), Once: true}
	client.SetSilence(30 * time.Millisecond)
	err := client.Run(t.Context())
	if fault.KindOf(err) != fault.Unreachable || !strings.Contains(err.Error(), "nothing was heard") {
		t.Errorf("got %v", err)
	}
}

// One that pings is there. What it has to say it says when the client gave it ten chances to be silent.
func TestPingsAreHeard(t *testing.T) {
	noLeaks(t)
	ca := newAuthority(t)
	addr := stage(t, ca.serving(t), websocket(func(c net.Conn) {
		for range 100 {
			ws.WriteFrame(c, ws.NewPingFrame(nil))
			if _, err := readFrame(c); err != nil {
				return
			}
		}
		ws.WriteFrame(c, ws.NewCloseFrame(ws.NewCloseFrameBody(1008, "heard all")))
		readFrame(c)
	}))
	client := &relay.Client{URL: "wss://" + addr + "/x", TLS: ca.trusting(t), Once: true}
	if err := client.Run(t.Context()); fault.KindOf(err) != fault.NotPermitted {
		t.Errorf("got %v", err)
	}
}

func TestURLs(t *testing.T) {
	for _, bad := range []string{"", "ws://host/x", "https://host/x", "wss:///x", "wss://user:secret@host/x", "wss://host/x#y", "host:5050/x", "wss://host:port/x", "\x00"} {
		err := (&relay.Client{URL: bad}).Run(t.Context())
		if fault.KindOf(err) != fault.Usage {
			t.Errorf("%q: %v", bad, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error repeats a password: %v", err)
		}
	}
}

func TestWhomItTrusts(t *testing.T) {
	noLeaks(t)
	ca, other := newAuthority(t), newAuthority(t)
	const met = fault.NotPermitted // what the stage closes with
	for name, c := range map[string]struct {
		names      []string
		serverName string
		roots      *authority
		want       fault.Kind
	}{
		"no SAN":                      {nil, "", ca, met},
		"no SAN, a name demanded":     {nil, "relay.example", ca, fault.NotTrusted},
		"another name":                {[]string{"other.example"}, "", ca, fault.NotTrusted},
		"the name demanded":           {[]string{"relay.example"}, "relay.example", ca, met},
		"another name than demanded":  {[]string{"other.example"}, "relay.example", ca, fault.NotTrusted},
		"another CA":                  {nil, "", other, fault.NotTrusted},
		"another CA, the name":        {[]string{"relay.example"}, "relay.example", other, fault.NotTrusted},
		"the system's roots":          {nil, "", nil, fault.NotTrusted},
		"the system's roots and name": {[]string{"relay.example"}, "relay.example", nil, fault.NotTrusted},
	} {
		t.Run(name, func(t *testing.T) {
			addr := stage(t, ca.serving(t, c.names...), closing(1008, ""))
			client := &relay.Client{URL: "wss://" + addr + "/x", TLS: &tls.Config{
				Certificates: []tls.Certificate{ca.issue(t)}, ServerName: c.serverName,
				InsecureSkipVerify: true, // is not heeded
			}}
			if c.roots != nil {
				client.TLS.RootCAs = c.roots.roots()
			}
			if err := client.Run(t.Context()); fault.KindOf(err) != c.want {
				t.Errorf("got %v, want kind %s", err, c.want)
			}
		})
	}
}

func TestExpiredRelay(t *testing.T) {
	noLeaks(t)
	ca := newAuthority(t)
	config := ca.trusting(t)
	config.Time = func() time.Time { return time.Now().Add(24 * time.Hour) }
	client := &relay.Client{URL: "wss://" + stage(t, ca.serving(t), closing(1000, "")) + "/x", TLS: config}
	if err := client.Run(t.Context()); fault.KindOf(err) != fault.NotTrusted {
		t.Errorf("got %v", err)
	}
}

// The caller's own check comes beside the chain's.
func TestFurtherChecks(t *testing.T) {
	noLeaks(t)
	ca := newAuthority(t)
	config := ca.trusting(t)
	refused := fault.New(fault.NotTrusted, "", "it is revoked")
	config.VerifyConnection = func(tls.ConnectionState) error { return refused }
	client := &relay.Client{URL: "wss://" + stage(t, ca.serving(t), closing(1000, "")) + "/x", TLS: config}
	if err := client.Run(t.Context()); !errors.Is(err, fault.NotTrusted) || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("got %v", err)
	}
}

func TestRelayDoesNotTakeTheCertificate(t *testing.T) {
	w := newWorld(t)
	for name, config := range map[string]*tls.Config{
		"none":    {RootCAs: w.ca.roots()},
		"foreign": {RootCAs: w.ca.roots(), Certificates: []tls.Certificate{newAuthority(t).issue(t)}},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(name+" "+tls.VersionName(version), func(t *testing.T) {
				config := config.Clone()
				config.MaxVersion = version
				err := (&relay.Client{URL: w.url(), TLS: config, Once: true}).Run(t.Context())
				if fault.KindOf(err) != fault.NotPermitted {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

func TestNobodyListens(t *testing.T) {
	noLeaks(t)
	client := &relay.Client{URL: "wss://127.0.0.1:1/x", Once: true}
	if err := client.Run(t.Context()); fault.KindOf(err) != fault.Unreachable {
		t.Errorf("got %v", err)
	}
	client.Once = false
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	check(t, client.Run(ctx)) // ends while it waits to try again
}

// What the relay says first is final; once it took us it is a lapse, after which we come back.
func TestItComesBackAfterALapse(t *testing.T) {
	noLeaks(t)
	ca := newAuthority(t)
	came := make(chan int, 10)
	visits := 0
	addr := stage(t, ca.serving(t), func(c net.Conn) {
		visits++
		came <- visits
		if visits == 1 {
			closing(1000, "no peer came in time")(c)
			return
		}
		closing(1008, "not permitted")(c)
	})
	run(t, &relay.Client{URL: "wss://" + addr + "/x", TLS: ca.trusting(t)})
	for range 3 {
		got(t, came)
	}
}

func TestHintsOfEnds(t *testing.T) {
	noLeaks(t)
	ca := newAuthority(t)
	for name, c := range map[string]struct {
		names []string
		play  func(net.Conn)
		want  string
	}{
		"nobody came":  {nil, closing(1000, "no peer came in time"), "--wait-timeout"},
		"crowded":      {nil, closing(1000, "two peers are here already"), "two peers"},
		"no reason":    {nil, closing(1000, ""), "two peers"},
		"no HELLO":     {nil, closing(1000, "the first message is no HELLO"), "sort of relay"},
		"too large":    {nil, closing(1009, "a message is at most 10 bytes"), "--max-message"},
		"another name": {[]string{"other.example"}, closing(1000, ""), "--server-name"},
	} {
		t.Run(name, func(t *testing.T) {
			client := &relay.Client{URL: "wss://" + stage(t, ca.serving(t, c.names...), c.play) + "/x", TLS: ca.trusting(t), Once: true}
			if hint := fault.HintOf(client.Run(t.Context())); !strings.Contains(hint, c.want) {
				t.Errorf("the hint is %q", hint)
			}
		})
	}
}
