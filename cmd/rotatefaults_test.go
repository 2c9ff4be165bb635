package cmd_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"keyward/internal/killsweep"
)

// rotating is a registry, at which alice and bob have one and the same key, and two servers that pass requests on to it:
// alice's, kept as work, and bob's, kept as play.
type rotating struct {
	overlap string
	dir     string // of the registry, and of what is the same in all runs
	home    string // of one run
	work    *httptest.Server
	play    *httptest.Server

	mu      sync.Mutex
	seen    int                       // requests of this run
	at      int                       // the request that meets the fault; 0 for none
	fault   func(http.ResponseWriter) // instead of the answer
	refuses bool                      // the registry never sees that request
	noKeys  bool                      // nobody logs in with a key
}

func newRotating(t *testing.T, overlap string) *rotating {
	t.Helper()
	if raceEnabled {
		t.Skip("hundreds of starts, and nothing in them happens at once")
	}
	r := &rotating{dir: t.TempDir(), overlap: overlap}
	registry, roots := serveIn(t, r.dir)
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(p *httputil.ProxyRequest) { p.SetURL(registry) },
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
	}
	r.work, r.play = r.server(t, proxy), r.server(t, proxy)
	write(t, filepath.Join(r.dir, "ca.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.work.Certificate().Raw})))
	write(t, filepath.Join(r.dir, "password"), "a-secret-of-both\n")
	for _, name := range []string{"alice", "bob"} {
		must(t, r.dir, []string{"user", "add", name, "--as", "admin", "--password-file", "registry/admin-password", "--new-password-file", "password",
			"--url", registry.String(), "--ca-file", "registry/ca.cert.pem"})
	}
	return r
}

// serveIn starts a registry in dir.
func serveIn(t *testing.T, dir string) (*url.URL, *x509.CertPool) {
	t.Helper()
	c := command(dir, []string{"serve", "--listen", "127.0.0.1:0", "--data-dir", "registry"})
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(dir, "registry", "ca.cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return u, roots
}

// server passes requests on to the registry, and puts the fault in.
func (r *rotating) server(t *testing.T, proxy http.Handler) *httptest.Server {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.seen++
		meets := r.seen == r.at
		r.mu.Unlock()
		switch {
		case r.noKeys && withKey(req):
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":"login_refused","message":"no"}`))
		case !meets:
			proxy.ServeHTTP(w, req)
		case r.refuses:
			r.fault(w)
		default:
			proxy.ServeHTTP(httptest.NewRecorder(), req) // it is done, and nobody hears of it
			r.fault(w)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// withKey tells a login with a key.
func withKey(req *http.Request) bool {
	body, err := io.ReadAll(req.Body)
	req.Body = io.NopCloser(bytes.NewReader(body))
	return err == nil && strings.Contains(string(body), "grant_type=apikey")
}

// prepare makes the state of one run: a home folder with a key that both users have. Nothing fails in it.
func (r *rotating) prepare(t *testing.T) {
	t.Helper()
	r.set(0)
	r.home = t.TempDir()
	ca := filepath.Join(r.dir, "ca.pem")
	r.must(t, "keygen", "-q")
	r.must(t, "servers", "add", "work", "--url", r.work.URL, "--ca-file", ca, "--as", "alice")
	r.must(t, "servers", "add", "play", "--url", r.play.URL, "--ca-file", ca, "--as", "bob")
	r.must(t, "addkey", "--server", "work", "--server", "play", "-kd", filepath.Base(r.home), "--password-file", filepath.Join(r.dir, "password"))
}

// set has the nth request from now on meet the fault.
func (r *rotating) set(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen, r.at = 0, n
}

func (r *rotating) met() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen >= r.at
}

func (r *rotating) command(args ...string) *exec.Cmd {
	c := command(r.home, args)
	c.Env = append(c.Env, "KEYWARD_HOME="+r.home, "KEYWARD_OVERLAP="+r.overlap)
	return c
}

func (r *rotating) must(t *testing.T, args ...string) string {
	t.Helper()
	c := r.command(args...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, &stderr)
	}
	return string(out)
}

func (r *rotating) rotate() *exec.Cmd {
	return r.command("rotatekey", "--password-file", filepath.Join(r.dir, "password"))
}

// check holds what is promised after a rotation that did not come to its end: the key that is in its place logs in
// everywhere, and called again the rotation ends.
func (r *rotating) check(t *testing.T, old string) {
	t.Helper()
	r.set(0)
	r.login(t)
	if next, err := os.Stat(filepath.Join(r.home, ".vov", "userkey.next")); err == nil && next.Mode().Perm() != 0o600 {
		t.Errorf("the next pair has mode %v", next.Mode())
	}
	r.must(t, "rotatekey", "-q", "--password-file", filepath.Join(r.dir, "password"))
	r.login(t)
	for name := range contents(t, filepath.Join(r.home, ".vov")) {
		if !strings.HasPrefix(name, "userkey") || name == "userkey.next" {
			t.Errorf("%s is left", name)
		}
	}
	for _, name := range []string{"work", "play"} {
		ends := r.expiries(t, name)
		if end, found := ends[old]; found == (r.overlap == "0") || found && end == "" {
			t.Errorf("%s: the old key is there: %v, and expires %q", name, found, end)
		}
		if end, found := ends[r.current(t)]; !found || end != "" {
			t.Errorf("%s: the new key is there: %v, and expires %q", name, found, end)
		}
		if len(ends) > 3 { // one more where all but the last was done the first time
			t.Errorf("%s: too many keys: %v", name, ends)
		}
	}
}

// current is the key that is in its place.
func (r *rotating) current(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(r.must(t, "getkey"))
}

func (r *rotating) login(t *testing.T) {
	t.Helper()
	for _, name := range []string{"work", "play"} {
		r.must(t, "login", "--with-key", "--server", name)
	}
}

// expiries are the ends of this run's keys by the keys, "" for none.
func (r *rotating) expiries(t *testing.T, server string) map[string]string {
	t.Helper()
	var list []struct{ Key, Description, Expires string }
	if err := json.Unmarshal([]byte(r.must(t, "listkeys", "--json", "--server", server, "--password-file", filepath.Join(r.dir, "password"))), &list); err != nil {
		t.Fatal(err)
	}
	ends := map[string]string{}
	for _, k := range list {
		if k.Description == filepath.Base(r.home) {
			ends[k.Key] = k.Expires
		}
	}
	return ends
}

// drop removes this run's keys, of which a user may have so many.
func (r *rotating) drop(t *testing.T) {
	t.Helper()
	for _, name := range []string{"work", "play"} {
		for key := range r.expiries(t, name) {
			r.must(t, "delkey", "-kv", key, "--server", name, "--password-file", filepath.Join(r.dir, "password"))
		}
	}
}

// TestRotateRefused has each request of a rotation refused in turn.
func TestRotateRefused(t *testing.T) {
	r := newRotating(t, "24h")
	r.refuses = true
	r.fault = func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"error":"busy","message":"not now"}`))
	}
	r.sweep(t, func(t *testing.T, n int, old string) {
		out, err := r.rotate().CombinedOutput()
		if err == nil {
			return // a token that was not revoked ends by itself
		}
		text, before := string(out), r.current(t) == old
		if !strings.Contains(text, "stopped at work while it ") && !strings.Contains(text, "stopped at play while it ") {
			t.Errorf("request %d: %s", n, out)
		}
		if before != strings.Contains(text, "(the old key still works)") || !before && !strings.Contains(text, "ended the old key") {
			t.Errorf("request %d: the old key is in its place: %v, and it says %s", n, before, out)
		}
	})
}

// TestRotateUnproved has a registry that takes the new key and lets nobody log in with it: it comes into no place.
func TestRotateUnproved(t *testing.T) {
	r := newRotating(t, "24h")
	r.prepare(t)
	old := r.current(t)
	r.noKeys = true
	out, err := r.rotate().CombinedOutput()
	if err == nil || !strings.Contains(string(out), "logged in with the new key (the old key still works)") {
		t.Errorf("%v: %s", err, out)
	}
	if r.current(t) != old {
		t.Error("the new key is in its place")
	}
	r.noKeys = false
	r.check(t, old)
}

// TestRotateKilled kills a rotation at each of its requests, once the registry has done what it asks for.
func TestRotateKilled(t *testing.T) {
	r := newRotating(t, "0")
	r.sweep(t, func(t *testing.T, _ int, _ string) {
		c := r.rotate()
		started := make(chan struct{})
		r.fault = func(http.ResponseWriter) {
			<-started
			_ = c.Process.Kill()
			panic(http.ErrAbortHandler)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		close(started)
		_ = c.Wait()
	})
}

// TestRotateInterrupted interrupts a rotation while it registers the new key: it says where it stopped.
func TestRotateInterrupted(t *testing.T) {
	r := newRotating(t, "24h")
	r.prepare(t)
	old := r.current(t)
	c := r.rotate()
	var stderr bytes.Buffer
	c.Stderr = &stderr
	started, ended := make(chan struct{}), make(chan struct{})
	r.fault = func(http.ResponseWriter) {
		<-started
		_ = c.Process.Signal(os.Interrupt)
		<-ended
	}
	r.set(5) // two logins and two lists are before it
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	close(started)
	err := c.Wait()
	close(ended)
	if err == nil || !strings.Contains(stderr.String(), "stopped at play while it registered the new key (the old key still works)") {
		t.Errorf("%v: %s", err, &stderr)
	}
	r.check(t, old)
}

// sweep runs a rotation with the fault at its first request, at its second, and so on, and checks what each left.
func (r *rotating) sweep(t *testing.T, run func(t *testing.T, n int, old string)) {
	for n := 1; ; n++ {
		r.prepare(t)
		old := r.current(t)
		r.set(n)
		run(t, n, old)
		if !r.met() {
			t.Logf("%d requests", n-1)
			if n-1 < 16 {
				t.Error("these are too few")
			}
			return
		}
		r.check(t, old)
		if t.Failed() {
			t.Fatalf("after request %d", n)
		}
		r.drop(t)
	}
}

// TestRotateKilledWhileWriting kills a rotation at each of its calls that change files.
func TestRotateKilledWhileWriting(t *testing.T) {
	r := newRotating(t, "0")
	var old string
	killsweep.Sweep{
		Fault: killsweep.Kill, AtLeast: 10,
		Calls: []string{"fsync", "?link", "linkat", "?rename", "?renameat", "renameat2", "?unlink", "unlinkat", "ftruncate"},
	}.Run(t, func(t *testing.T) *exec.Cmd {
		r.prepare(t)
		old = r.current(t)
		return r.rotate()
	}, func(t *testing.T, _ killsweep.Run) {
		r.check(t, old)
		r.drop(t)
	})
}

// TestRotateAtOnce has several rotations of one key: one comes after the other, and each key but the last one ends.
func TestRotateAtOnce(t *testing.T) {
	const runs = 3
	r := newRotating(t, "24h")
	r.prepare(t)
	var running sync.WaitGroup
	for range runs {
		running.Go(func() {
			if out, err := r.rotate().CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	running.Wait()
	r.login(t)
	for _, name := range []string{"work", "play"} {
		ends := r.expiries(t, name)
		if len(ends) != runs+1 {
			t.Errorf("%s: %v", name, ends)
		}
		for key, end := range ends {
			if (end == "") != (key == r.current(t)) {
				t.Errorf("%s: %s expires %q", name, key, end)
			}
		}
	}
}
