package cmd_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"

	"keyward/restclient"
)

// cmdAwait waits until a pattern is in a file: await FILE PATTERN.
func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await FILE PATTERN")
	}
	pattern := regexp.MustCompile(args[1])
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if text, err := os.ReadFile(ts.MkAbs(args[0])); err == nil && pattern.Match(text) {
			return
		}
	}
	ts.Fatalf("%s does not come up in %s", args[1], args[0])
}

// keptKey has the open connections by name.
type keptKey struct{}

// cmdKept has a connection to the registry that outlasts what else happens: kept open NAME, then kept get NAME PATH as
// often as wanted. The answer's status and the pin of the connection's certificate are left in the file NAME.
func cmdKept(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case !neg && len(args) == 2 && args[0] == "open":
		// Who it is does not matter: the script compares the pin.
		conn, err := tls.Dial("tcp", strings.TrimPrefix(ts.Getenv("KEYWARD_URL"), "https://"), &tls.Config{InsecureSkipVerify: true})
		ts.Check(err)
		ts.Defer(func() { _ = conn.Close() })
		ts.Value(keptKey{}).(map[string]*tls.Conn)[args[1]] = conn
	case !neg && len(args) == 3 && args[0] == "get":
		conn := ts.Value(keptKey{}).(map[string]*tls.Conn)[args[1]]
		_, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: registry\r\n\r\n", args[2])
		ts.Check(err)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		ts.Check(err)
		_, err = io.Copy(io.Discard, answer.Body)
		ts.Check(err)
		text := fmt.Sprintln(answer.StatusCode, restclient.Pin(conn.ConnectionState().PeerCertificates[0]))
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
	default:
		ts.Fatalf("usage: kept open NAME, kept get NAME PATH")
	}
}

// cmdManager hears what a service tells systemd, as sd_notify(3) has it: it sets NOTIFY_SOCKET, and each message becomes
// a line in the file told. PORT is a port that nobody has, and UNITS the folder of our units.
func cmdManager(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: manager")
	}
	dir, err := os.MkdirTemp("", "keyward-") // the path of a socket has to be short
	ts.Check(err)
	socket := filepath.Join(dir, "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	ts.Check(err)
	told, err := os.Create(ts.MkAbs("told"))
	ts.Check(err)
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		message := make([]byte, 4096)
		for {
			n, err := l.Read(message)
			if err != nil {
				return
			}
			_, _ = fmt.Fprintln(told, strings.ReplaceAll(strings.TrimSpace(string(message[:n])), "\n", " "))
		}
	}()
	ts.Defer(func() {
		_ = l.Close()
		<-heard
		_ = told.Close()
		_ = os.RemoveAll(dir)
	})
	ts.Setenv("NOTIFY_SOCKET", socket)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	_, port, err := net.SplitHostPort(free.Addr().String())
	ts.Check(err)
	ts.Check(free.Close())
	ts.Setenv("PORT", port)
	units, err := filepath.Abs("../registry/systemd")
	ts.Check(err)
	ts.Setenv("UNITS", units)
}

// TestServeEndsWithItsTerminal closes the terminal that serve was started at, whose SIGHUP is no reload.
func TestServeEndsWithItsTerminal(t *testing.T) {
	dir := t.TempDir()
	c := exec.Command(filepath.Join(program, "keyward"+exe()), "serve", "--listen", "127.0.0.1:0", "--data-dir", filepath.Join(dir, "registry"))
	c.Env = append(os.Environ(), "HOME="+dir, "CI=true") // CI: nothing is asked
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	c.Stderr = log
	tty, err := pty.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	if _, err := bufio.NewReader(tty).ReadString('\n'); err != nil { // its URL
		t.Fatal(err)
	}
	tty.Close()
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	select {
	case err = <-ended:
	case <-time.After(30 * time.Second):
		_ = c.Process.Kill()
		<-ended
		err = fmt.Errorf("it goes on without its terminal")
	}
	if err != nil {
		text, _ := os.ReadFile(log.Name())
		t.Errorf("%v\n%s", err, text)
	}
}
