package cmd

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keyward/certs"
	"keyward/fault"
	"keyward/restclient"
)

// TestOwnCertificateOverTheYears serves for 30 years without a restart. The pin stays, no certificate comes near its end,
// and a client with any ca.cert.pem goes on until that one's end.
func TestOwnCertificateOverTheYears(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	var log bytes.Buffer
	names := []string{"localhost", "registry.example.org"}
	e := &env{now: func() time.Time { return now }}
	i, err := e.ownIdentity(t.Context(), slog.New(slog.NewJSONHandler(&log, nil)), t.TempDir(), names)
	if err != nil {
		t.Fatal(err)
	}
	pin := restclient.Pin(i.now.Load().Leaf)
	roots := []*x509.Certificate{i.now.Load().root}
	var leaves int
	for end := now.AddDate(30, 0, 0); now.Before(end); now = now.Add(20 * 24 * time.Hour) {
		before := i.now.Load()
		if err := i.look(t.Context()); err != nil {
			t.Fatal(err)
		}
		shown := i.now.Load()
		if !bytes.Equal(shown.Leaf.Raw, before.Leaf.Raw) {
			leaves++
		}
		if !bytes.Equal(shown.root.Raw, before.root.Raw) {
			roots = append(roots, shown.root)
		}
		if left := shown.Leaf.NotAfter.Sub(now); left < renewBefore || restclient.Pin(shown.Leaf) != pin {
			t.Fatalf("%s: %s are left, the pin is %s", now, left, restclient.Pin(shown.Leaf))
		}
		for n, root := range roots {
			err := verifies(shown.Leaf, root, now)
			if _, expired := errors.AsType[x509.CertificateInvalidError](err); err != nil && (!expired || now.Before(root.NotAfter)) {
				t.Fatalf("%s: with root %d, until %s: %v", now, n, root.NotAfter, err)
			}
			if n == len(roots)-1 && root.NotAfter.Sub(now) < 365*24*time.Hour {
				t.Fatalf("%s: the root ends %s", now, root.NotAfter)
			}
		}
	}
	if len(roots) != 4 || leaves < 30 || leaves > 40 {
		t.Errorf("%d roots, %d certificates", len(roots), leaves)
	}
	told := strings.Count(log.String(), `"level":"WARN","msg":"the root certificate is renewed`)
	shown := strings.Count(log.String(), `"msg":"certificate","names":["localhost","registry.example.org"]`)
	if told != len(roots)-1 || shown != leaves+1 {
		t.Errorf("%d roots and %d certificates are in the log:\n%s", told, shown, log.String())
	}
}

func verifies(leaf, root *x509.Certificate, now time.Time) error {
	pool := x509.NewCertPool()
	pool.AddCert(root)
	_, err := leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: "registry.example.org", CurrentTime: now})
	return err
}

// TestKeptCA holds that what ends with a CA of somebody's own is not signed again and again.
func TestKeptCA(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	root, err := certs.Issue(certs.Request{Role: certs.Root, Organization: "Root"}, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := certs.Issue(certs.Request{Role: certs.Intermediate, Organization: "CA", NotAfter: now.AddDate(0, 1, 0)}, root.Issuer(), now)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := certs.Write(t.Context(), filepath.Join(dir, caBasename), ca, certs.Placing{}); err != nil {
		t.Fatal(err)
	}
	e := &env{now: func() time.Time { return now }}
	i, err := e.ownIdentity(t.Context(), slog.New(slog.DiscardHandler), dir, []string{"localhost"})
	if err != nil {
		t.Fatal(err)
	}
	first := i.now.Load().Leaf
	for range 3 {
		now = now.Add(time.Hour)
		if err := i.look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(i.now.Load().Leaf.Raw, first.Raw) {
		t.Error("signed again")
	}
}

// TestHalfIdentity loses one of the server's two files: it takes no new key for that, which clients with a pin would refuse.
func TestHalfIdentity(t *testing.T) {
	dir := t.TempDir()
	e := &env{now: time.Now}
	i, err := e.ownIdentity(t.Context(), slog.New(slog.DiscardHandler), dir, []string{"localhost"})
	if err != nil {
		t.Fatal(err)
	}
	first := i.now.Load().Leaf
	for _, name := range []string{"server.cert.pem", "server.key.pem"} {
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(dir, "away")); err != nil {
			t.Fatal(err)
		}
		if err := i.look(t.Context()); !errors.Is(err, fault.NotFound) || !strings.Contains(err.Error(), name) || i.now.Load().Leaf != first {
			t.Errorf("without %s: %v", name, err)
		}
		if err := os.Rename(filepath.Join(dir, "away"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKeep lets minutes pass: files that changed are taken up without a signal, and a hangup takes up all.
func TestKeep(t *testing.T) {
	dir := t.TempDir()
	files := []string{filepath.Join(dir, "cert"), filepath.Join(dir, "key")}
	put := func(text string) {
		if err := os.WriteFile(files[0], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("1")
	synctest.Test(t, func(t *testing.T) {
		var reads []string
		read := func(context.Context) (*shown, error) {
			text, err := os.ReadFile(files[0])
			if err != nil {
				return nil, err
			}
			reads = append(reads, string(text))
			if string(text) == "bad" {
				return nil, errors.New("bad")
			}
			return &shown{Certificate: tls.Certificate{Leaf: &x509.Certificate{Raw: text}}}, nil
		}
		var text bytes.Buffer
		log := slog.New(slog.NewJSONHandler(&text, nil))
		i := &identity{log: log, every: lookAtFiles, read: read, files: files}
		if err := i.reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		hangup, gone := make(chan os.Signal), false
		k := &keeper{log: log, shown: i, ended: func() bool { return gone }, reloads: []reload{
			{"other", func(context.Context) error { return errors.New("other is broken") }},
			{"certificate", i.reload},
		}, looks: []reload{{"certificate", i.look}}}
		ended := make(chan struct{})
		go func() { defer close(ended); k.keep(ctx, stop, hangup) }()
		pass := func(want ...string) {
			t.Helper()
			time.Sleep(lookAtFiles + time.Second)
			synctest.Wait()
			if !slices.Equal(reads, want) {
				t.Errorf("read were %v, want %v", reads, want)
			}
		}
		pass("1")
		put("2")
		pass("1", "2")
		put("bad")
		pass("1", "2", "bad")
		pass("1", "2", "bad") // is told once
		if got := string(i.now.Load().Leaf.Raw); got != "2" {
			t.Errorf("%s is shown", got)
		}
		put("3")
		hangup <- os.Interrupt
		synctest.Wait()
		pass("1", "2", "bad", "3")
		gone = true
		hangup <- os.Interrupt
		<-ended
		if want := []string{"certificate", "certificate", "ERROR certificate", "ERROR other", "certificate", "not all is reloaded"}; !slices.Equal(lines(t, &text), want) {
			t.Errorf("the log has %q, want %q", lines(t, &text), want)
		}
	})
}

// TestNotifyNobody tells a service manager that does not read. It must not keep the server from its end.
func TestNotifyNobody(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Skip(err) // Windows has none
	}
	defer l.Close()
	for err == nil {
		err = notify(socket, "READY=1") // until its queue is full
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

// lines are the messages of a log; of an error what it is about.
func lines(t *testing.T, log *bytes.Buffer) (all []string) {
	t.Helper()
	for line := range strings.Lines(log.String()) {
		var l struct{ Level, Msg, What string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if l.Level == "ERROR" {
			l.Msg = "ERROR " + l.What
		}
		all = append(all, l.Msg)
	}
	return all
}
