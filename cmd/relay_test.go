package cmd_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/rogpeppe/go-internal/testscript"
)

// relayKey has the script's relays by their names.
type relayKey struct{}

// cmdRelay starts a relay on a free port with its log in NAME.log, and sets RELAY_URL: relay start|stop|kill|hangup NAME [flags].
func cmdRelay(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: relay start|stop|kill|hangup NAME [flags]")
	}
	all, name := ts.Value(relayKey{}).(map[string]*running), args[1]
	if args[0] != "start" {
		all[name].tell(ts, args[0])
		return
	}
	service, url := startService(ts, name+".log", append([]string{"relay", "serve"}, args[2:]...))
	all[name] = service
	ts.Setenv("RELAY_URL", url)
	ts.Setenv("RELAY_ADDRESS", strings.Split(url, "/")[2])
}

// peerKey has the script's peers by their names.
type peerKey struct{}

// cmdPeer is a websocket client that is not ours. What it gets becomes lines of the file NAME: what it is sent, and
// how it ended. peer come NAME PKEYCERT MEETUP [HELLO], peer say NAME TEXT, peer leave NAME.
func cmdPeer(ts *testscript.TestScript, neg bool, args []string) {
	all := ts.Value(peerKey{}).(map[string]net.Conn)
	switch {
	case !neg && len(args) >= 4 && args[0] == "come":
		hello := fmt.Sprintf(`{"message":{"messageId":0,"messageType":"CONN:HELLO","requiresResponse":false,"peerClass":"test","peerId":"%s"}}`, args[1])
		if len(args) > 4 {
			hello = args[4]
		}
		all[args[1]] = comePeer(ts, args[1], args[2], args[3], hello)
	case !neg && len(args) == 3 && args[0] == "say":
		send(ts, all[args[1]], ws.NewTextFrame([]byte(args[2])))
	case !neg && len(args) == 2 && args[0] == "leave":
		send(ts, all[args[1]], ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, "")))
	default:
		ts.Fatalf("usage: peer come NAME PKEYCERT MEETUP [HELLO], peer say NAME TEXT, peer leave NAME")
	}
}

func comePeer(ts *testscript.TestScript, name, certFile, meetup, hello string) net.Conn {
	file, err := os.Create(ts.MkAbs(name))
	ts.Check(err)
	config := &tls.Config{InsecureSkipVerify: true} // who the relay is does not matter
	if certFile != "none" {
		cert, err := tls.LoadX509KeyPair(ts.MkAbs(certFile), ts.MkAbs(certFile))
		ts.Check(err)
		config.Certificates = []tls.Certificate{cert}
	}
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	conn, in, _, err := ws.Dialer{TLSConfig: config}.Dial(ctx, ts.Getenv("RELAY_URL")+meetup)
	if err != nil {
		fmt.Fprintln(file, "refused:", err)
		ts.Check(file.Close())
		return nil
	}
	var from io.Reader = conn
	if in != nil {
		from = in
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		listen(file, struct {
			io.Reader
			io.Writer
		}{from, conn})
	})
	ts.Defer(func() {
		_ = conn.Close()
		reading.Wait()
		_ = file.Close()
	})
	if hello != "" {
		send(ts, conn, ws.NewTextFrame([]byte(hello)))
	}
	return conn
}

// send writes a frame at once: pongs are written too meanwhile.
func send(ts *testscript.TestScript, conn io.Writer, frame ws.Frame) {
	text, err := ws.CompileFrame(ws.MaskFrame(frame))
	ts.Check(err)
	_, err = conn.Write(text)
	ts.Check(err)
}

// listen writes down what comes.
func listen(file io.Writer, conn io.ReadWriter) {
	for {
		text, _, err := wsutil.ReadServerData(conn)
		if closed, ok := errors.AsType[wsutil.ClosedError](err); ok {
			fmt.Fprintln(file, "closed", int(closed.Code), closed.Reason)
			return
		}
		if err != nil {
			fmt.Fprintln(file, "failed:", err)
			return
		}
		fmt.Fprintf(file, "got %s\n", text)
	}
}
