package cmd_test

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdService starts an HTTP service with a path for each thing that a service can do, and sets NAME_URL to its URL: service
// NAME. Each request leaves a line in the file NAME.requests.
func cmdService(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: service NAME")
	}
	var writing sync.Mutex
	requests := ts.MkAbs(args[0] + ".requests")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		line := r.Method + " " + r.URL.RequestURI() + "\n"
		writing.Lock()
		f, err := os.OpenFile(requests, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err == nil {
			_, _ = f.WriteString(line)
			_ = f.Close()
		}
		writing.Unlock()
		w.Header().Set("X-Asked", strings.TrimSpace(line))
		serveOne(w, r)
	}))
	ts.Defer(server.Close)
	ts.Setenv(strings.ToUpper(args[0])+"_URL", server.URL)
}

func serveOne(w http.ResponseWriter, r *http.Request) {
	switch name := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]; name {
	case "echo": // the body, as it came
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		_, _ = io.Copy(w, r.Body)
	case "tell": // what came, for people
		w.Header().Add("X-Twice", "one")
		w.Header().Add("X-Twice", "two")
		for _, header := range slices.Sorted(maps.Keys(r.Header)) {
			if strings.HasPrefix(header, "X-") {
				fmt.Fprintf(w, "%s: %q\n", header, r.Header[header])
			}
		}
		fmt.Fprintf(w, "%s %s %d\n", r.Method, r.URL.RequestURI(), r.ContentLength)
	case "teapot":
		http.Error(w, "short and stout", http.StatusTeapot)
	case "empty":
		w.WriteHeader(http.StatusNoContent)
	case "slow": // no answer
		<-r.Context().Done()
	case "away":
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
	case "large":
		_, _ = w.Write(make([]byte, 2<<20))
	default:
		http.NotFound(w, r)
	}
}

// TestREADMERelay runs the README's seven lines as they are printed, but for the three ports, which may be taken here.
func TestREADMERelay(t *testing.T) {
	needsShell(t)
	if _, err := exec.LookPath("curl"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("curl is not installed")
	}
	page, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## A REST service behind a relay\n")
	found := blocks(section)
	if len(found) == 0 || strings.Count(found[0].text, "\n") != 7 {
		t.Fatal("the README has no seven lines for it")
	}
	service, relay, proxy := freePort(t), freePort(t), freePort(t)
	lines := strings.NewReplacer("8080", service, ":5050/", ":"+relay+"/", ":5001", ":"+proxy).Replace(found[0].text)
	c := shell(t.TempDir(), "trap 'kill $(jobs -p); wait' EXIT\n"+lines)
	c.Env = append(c.Env, "KEYWARD_LISTEN=127.0.0.1:"+relay)
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Directory listing") {
		t.Errorf("%v in\n%s\nprinted\n%s", err, lines, out)
	}
}

// freePort is one that nobody listens at.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// cmdTunnel starts an http proxy that connects whoever asks to one address, whatever they ask for: tunnel NAME ADDRESS. It
// sets NAME_ADDRESS, and what it was asked becomes lines of NAME.requests.
func cmdTunnel(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tunnel NAME ADDRESS")
	}
	requests, err := os.Create(ts.MkAbs(args[0] + ".requests"))
	ts.Check(err)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(requests, r.Method, r.Host, r.Header.Get("Proxy-Authorization"))
		far, err := net.Dial("tcp", args[1])
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer far.Close()
		near, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer near.Close()
		fmt.Fprint(near, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			_, _ = io.Copy(near, far)
			_ = near.Close()
		}()
		_, _ = io.Copy(far, near)
	}))
	ts.Defer(func() {
		proxy.Close()
		_ = requests.Close()
	})
	ts.Setenv(strings.ToUpper(args[0])+"_ADDRESS", proxy.Listener.Addr().String())
}
