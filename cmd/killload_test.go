package cmd_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"keyward/internal/pgtest"
	"keyward/keys"
	"keyward/registry/wire"
	"keyward/restclient"
	"keyward/store/audit"
)

// TestKilledUnderLoad kills `serve` again and again while clients add, delete and list keys and log in: what was
// acknowledged is there afterwards, nothing else is half there, no login counts twice, and the audit log is whole.
// FAULT_TIME=60s makes it last as long as CI has it.
func TestKilledUnderLoad(t *testing.T) {
	last := 6 * time.Second
	if text := os.Getenv("FAULT_TIME"); text != "" {
		var err error
		if last, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		killUnderLoad(t, last)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		killUnderLoad(t, last, "--store", pgtest.Database(t))
	})
}

const loadPassword = "correct horse battery"

func killUnderLoad(t *testing.T, last time.Duration, args ...string) {
	s := newServed(t, args...)
	s.start()
	admin := s.client()
	token, err := admin.LoginPassword(t.Context(), "admin", loadPassword)
	if err != nil {
		t.Fatal(err)
	}
	server, err := admin.ServerKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var all sync.WaitGroup
	workers := make([]*worker, 8)
	for i := range workers {
		w := &worker{t: t, s: s, client: s.client(), token: token, server: server, user: fmt.Sprint("worker", i), keys: map[string]state{}}
		w.begin()
		workers[i] = w
		all.Go(func() {
			for ctx.Err() == nil {
				w.step()
			}
		})
	}
	kills := 0
	for begin := time.Now(); time.Since(begin) < last || kills < 3; kills++ {
		time.Sleep(time.Duration(100+rand.IntN(1400)) * time.Millisecond)
		s.kill()
		s.start()
	}
	stop()
	all.Wait()
	s.kill()
	s.start()
	judge(t, s, token, workers, kills)
}

// judge compares what is there with what was acknowledged and what the audit log says.
func judge(t *testing.T, s *served, token restclient.Token, workers []*worker, kills int) {
	client := s.client()
	there := map[string]bool{}
	for k, err := range client.AllKeys(t.Context(), token) {
		if err != nil {
			t.Fatal(err)
		}
		there[k.User+" "+k.Fingerprint] = true
	}
	said := s.audited(client, token)
	changes, logins := 0, 0
	for _, w := range workers {
		for fingerprint, is := range w.keys {
			name := w.user + " " + fingerprint
			if is != unknown && there[name] != (is == present) {
				t.Errorf("%s: there %v, was acknowledged as %v", name, there[name], is)
			}
			if there[name] != said[name] {
				t.Errorf("%s: there %v, and %v by the audit log", name, there[name], said[name])
			}
		}
		changes, logins = changes+w.changes, logins+len(w.logins)
		w.replay()
	}
	t.Logf("%d kills, %d changes and %d logins acknowledged, %d keys there", kills, changes, logins, len(there))
	if changes < 50 || logins < 50 {
		t.Errorf("that is too little to tell anything")
	}
}

// state is what a worker was told of a key. It is unknown after a request without an answer.
type state int

const (
	absent state = iota
	present
	unknown
)

// worker makes requests for a user of its own, one after the other.
type worker struct {
	t      *testing.T
	s      *served
	client *restclient.Client
	token  restclient.Token
	server keys.PublicKey
	pair   keys.Pair
	user   string

	keys    map[string]state
	changes int
	logins  []string // that were granted
}

// begin adds the user, with a key to log in with.
func (w *worker) begin() {
	w.t.Helper()
	var err error
	if w.pair, err = keys.Generate(); err != nil {
		w.t.Fatal(err)
	}
	if err := w.client.AddUser(w.t.Context(), w.token, wire.NewUser{Name: w.user, Password: loadPassword}); err != nil {
		w.t.Fatal(err)
	}
	if err := w.client.AddKey(w.t.Context(), w.token, w.user, wire.NewKey{Key: w.pair.Public.String()}); err != nil {
		w.t.Fatal(err)
	}
	w.keys[w.pair.Public.Fingerprint()] = present
}

// step makes one request. Between two servers it waits a little.
func (w *worker) step() {
	var err error
	switch rand.IntN(4) {
	case 0:
		err = w.add()
	case 1:
		err = w.remove()
	case 2:
		err = w.list()
	default:
		err = w.logIn()
	}
	if err == nil {
		return
	}
	if e, refused := errors.AsType[*restclient.Error](err); refused && e.Status >= 300 && e.Status < 500 {
		w.t.Errorf("%s: %v", w.user, err)
	}
	time.Sleep(20 * time.Millisecond)
}

func (w *worker) add() error {
	pair, err := keys.Generate()
	if err != nil || w.most() {
		return err
	}
	fingerprint := pair.Public.Fingerprint()
	w.keys[fingerprint] = unknown
	if err := w.client.AddKey(w.t.Context(), w.token, w.user, wire.NewKey{Key: pair.Public.String()}); err != nil {
		return err
	}
	w.keys[fingerprint] = present
	w.changes++
	return nil
}

// most tells whether there may be as many keys as the registry takes of a user.
func (w *worker) most() bool {
	n := 0
	for _, is := range w.keys {
		if is != absent {
			n++
		}
	}
	return n > 90
}

func (w *worker) remove() error {
	for fingerprint, is := range w.keys {
		if is != present || fingerprint == w.pair.Public.Fingerprint() {
			continue
		}
		w.keys[fingerprint] = unknown
		if err := w.client.DeleteKey(w.t.Context(), w.token, w.user, fingerprint); err != nil {
			return err
		}
		w.keys[fingerprint] = absent
		w.changes++
		return nil
	}
	return nil
}

func (w *worker) list() error {
	list, err := w.client.Keys(w.t.Context(), w.token, w.user)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, k := range list {
		there[k.Fingerprint] = true
	}
	for fingerprint, is := range w.keys {
		if is != unknown && there[fingerprint] != (is == present) {
			w.t.Errorf("%s %s: listed %v, was acknowledged as %v", w.user, fingerprint, there[fingerprint], is)
		}
	}
	return nil
}

// logIn logs in with the key, and now and then once more with a login that was granted before.
func (w *worker) logIn() error {
	if len(w.logins) > 0 && rand.IntN(3) == 0 {
		return w.replay()
	}
	apikey, err := keys.SealLogin(w.pair, w.server, time.Now())
	if err != nil {
		return err
	}
	status, err := w.post(apikey)
	if err == nil && status == http.StatusOK {
		w.logins = append(w.logins, apikey)
	}
	return err
}

func (w *worker) replay() error {
	status, err := w.post(w.logins[len(w.logins)-1])
	if err == nil && status == http.StatusOK {
		w.t.Errorf("%s: a login was granted twice", w.user)
	}
	return err
}

func (w *worker) post(apikey string) (status int, err error) {
	resp, err := w.s.http.PostForm(w.s.url+wire.PathToken, url.Values{
		wire.FieldGrantType: {wire.GrantAPIKey}, wire.FieldUsername: {w.user}, wire.FieldAPIKey: {apikey},
	})
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// served is a `keyward serve` that is killed and started again, at the same address.
type served struct {
	t    *testing.T
	dir  string
	args []string
	url  string
	http *http.Client
	tls  *tls.Config

	running *exec.Cmd
	starts  atomic.Int32
}

func newServed(t *testing.T, args ...string) *served {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte(loadPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	address := l.Addr().String()
	args = append([]string{"serve", "--data-dir", filepath.Join(dir, "data"), "--listen", address, "--admin-password-file", "password"}, args...)
	s := &served{t: t, dir: dir, args: args, url: "https://" + address}
	t.Cleanup(s.kill)
	return s
}

// start returns when the server is ready.
func (s *served) start() {
	s.t.Helper()
	c := command(s.dir, s.args)
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	c.Stderr = log
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.running = c
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != s.url {
		text, _ := os.ReadFile(log.Name())
		s.t.Fatalf("start %d of the server: %q, %v\n%s", s.starts.Load(), line, err, text[max(0, len(text)-2000):])
	}
	if s.starts.Add(1) > 1 {
		return
	}
	pool := x509.NewCertPool()
	text, err := os.ReadFile(filepath.Join(s.dir, "data", "ca.cert.pem"))
	if err != nil || !pool.AppendCertsFromPEM(text) {
		s.t.Fatalf("the server's root: %v", err)
	}
	s.tls = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	s.http = &http.Client{Transport: &http.Transport{TLSClientConfig: s.tls}, Timeout: 20 * time.Second}
	s.t.Cleanup(s.http.CloseIdleConnections)
}

// kill ends the server with SIGKILL.
func (s *served) kill() {
	if s.running == nil {
		return
	}
	_ = s.running.Process.Kill()
	_ = s.running.Wait()
	s.running = nil
}

func (s *served) client() *restclient.Client {
	s.t.Helper()
	c, err := restclient.New(s.url, restclient.Options{TLS: s.tls, Timeout: 20 * time.Second})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

// audited walks the audit log, checks its chain with the public key in the data folder, and tells which keys there are by it.
func (s *served) audited(client *restclient.Client, token restclient.Token) map[string]bool {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "data", "audit-key.pub"))
	if err != nil {
		s.t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		s.t.Fatal(err)
	}
	chain := audit.Chain{Keys: []ed25519.PublicKey{key.(ed25519.PublicKey)}}
	there := map[string]bool{}
	for r, err := range client.Audit(s.t.Context(), token, 0) {
		if err != nil {
			s.t.Fatal(err)
		}
		signature, err := base64.StdEncoding.DecodeString(r.Signature)
		if err != nil || len(signature) != ed25519.SignatureSize {
			s.t.Fatalf("a signature of %d bytes: %v", len(signature), err)
		}
		act, err := chain.Add(audit.Record{Line: []byte(r.Line), Signature: [ed25519.SignatureSize]byte(signature)})
		if err != nil {
			s.t.Fatal(err)
		}
		name := act.User + " " + act.Key
		switch act.What {
		case audit.KeyAdded:
			if there[name] {
				s.t.Errorf("%s was added twice, by the audit log", name)
			}
			there[name] = true
		case audit.KeyDeleted:
			delete(there, name)
		}
	}
	return there
}
