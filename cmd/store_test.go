package cmd_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"keyward/internal/pgtest"
	"keyward/keys"
	"keyward/registry/wire"
	"keyward/store/audit"
	"keyward/store/backup"
)

// TestBackupUnderLoad takes backups while clients add and delete keys. Each is of one moment: its keys are those that there
// are by its own audit log. Then it restores the first, and the registry goes on.
func TestBackupUnderLoad(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		s := newServed(t)
		backupUnderLoad(t, s, "--data-dir", "data")
	})
	t.Run("postgres", func(t *testing.T) {
		url := pgtest.Database(t)
		backupUnderLoad(t, newServed(t, "--store", url), "--data-dir", "data", "--store", url)
	})
}

func backupUnderLoad(t *testing.T, s *served, where ...string) {
	s.start()
	c := s.client()
	token, err := c.LoginPassword(t.Context(), "admin", loadPassword)
	check(t, err)
	check(t, c.AddUser(t.Context(), token, wire.NewUser{Name: "alice", Password: loadPassword}))
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range 3 {
		clients.Go(func() {
			for ctx.Err() == nil {
				pair, err := keys.Generate()
				if err == nil {
					err = c.AddKey(t.Context(), token, "alice", wire.NewKey{Key: pair.Public.String()})
				}
				if err == nil && pair.Public[0]%2 == 0 {
					err = c.DeleteKey(t.Context(), token, "alice", pair.Public.Fingerprint())
				}
				if err != nil && !strings.Contains(err.Error(), "the most there may be") {
					t.Error(err)
					return
				}
			}
		})
	}
	const backups = 4
	for n := range backups {
		must(t, s.dir, append([]string{"backup", fmt.Sprint(n), "-q"}, where...))
	}
	stop()
	clients.Wait()
	seen := map[int]bool{}
	for n := range backups {
		seen[ofOneMoment(t, read(t, filepath.Join(s.dir, fmt.Sprint(n))))] = true
	}
	if len(seen) < 2 {
		t.Errorf("nothing changed between %d backups", backups)
	}

	must(t, s.dir, append([]string{"restore", "0", "--replace", "-q"}, where...))
	if _, err := c.Keys(t.Context(), token, "alice"); err == nil {
		t.Error("a token outlives a restore")
	}
	token, err = c.LoginPassword(t.Context(), "admin", loadPassword)
	check(t, err)
	list, err := c.Keys(t.Context(), token, "alice")
	check(t, err)
	if want := ofOneMoment(t, read(t, filepath.Join(s.dir, "0"))); len(list) != want {
		t.Errorf("%d keys after the restore, want %d", len(list), want)
	}
	s.audited(c, token)
}

// ofOneMoment sees that a backup's keys are those that its audit log tells of, and counts them.
func ofOneMoment(t *testing.T, text []byte) int {
	t.Helper()
	there, told := map[string]bool{}, map[string]bool{}
	for row, err := range backup.Rows(bytes.NewReader(text)) {
		check(t, err)
		switch {
		case row.Key != nil:
			there[row.Key.Public.Fingerprint()] = true
		case row.Audit != nil:
			_, _, act, err := audit.Parse(row.Audit.Line)
			check(t, err)
			switch act.What {
			case audit.KeyAdded:
				told[act.Key] = true
			case audit.KeyDeleted:
				delete(told, act.Key)
			}
		}
	}
	if len(there) != len(told) {
		t.Errorf("%d keys, and %d by the audit log", len(there), len(told))
	}
	for fingerprint := range there {
		if !told[fingerprint] {
			t.Errorf("key %s is not in the audit log", fingerprint)
		}
	}
	return len(there)
}

// TestReplicasAtOnce starts three servers at the same time on an empty database: there is one administrator with one
// password, and one server key on record.
func TestReplicasAtOnce(t *testing.T) {
	url, dir := pgtest.Database(t), t.TempDir()
	pair, err := keys.Generate()
	check(t, err)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	check(t, err)
	check(t, os.WriteFile(filepath.Join(dir, "serverkey"), pair.Userkey(), 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "audit-key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))

	var replicas []*served
	var started sync.WaitGroup
	for range 3 {
		s := newServed(t, "--store", url, "--server-key", filepath.Join(dir, "serverkey"), "--audit-key", filepath.Join(dir, "audit-key"))
		check(t, os.Remove(filepath.Join(s.dir, "password")))
		for i, arg := range s.args {
			if arg == "--admin-password-file" {
				s.args = append(s.args[:i:i], s.args[i+2:]...)
				break
			}
		}
		replicas = append(replicas, s)
		started.Go(s.start)
	}
	started.Wait()
	passwords := map[string]bool{}
	for _, s := range replicas {
		if text, err := os.ReadFile(filepath.Join(s.dir, "data", "admin-password")); err == nil {
			passwords[strings.TrimSpace(string(text))] = true
		}
	}
	if len(passwords) != 1 {
		t.Errorf("%d passwords of one administrator", len(passwords))
	}
	for password := range passwords {
		for _, s := range replicas {
			_, err := s.client().LoginPassword(t.Context(), "admin", password)
			check(t, err)
		}
	}
	out, err := command(dir, []string{"store", "show", "--store", url}).Output()
	check(t, err)
	if text := string(out); !strings.Contains(text, "1 user,") || !strings.Contains(text, "1 server key,") || !strings.Contains(text, "2 audit records") {
		t.Errorf("the store holds %s", text)
	}
}

// TestAuditKeysAtOnce starts three servers at the same time on an empty database, with one server key and each with an audit
// key of its own: the log is one server's, and the others do not start.
func TestAuditKeysAtOnce(t *testing.T) {
	url := pgtest.Database(t)
	pair, err := keys.Generate()
	check(t, err)
	var started, refused atomic.Int32
	var all sync.WaitGroup
	for range 3 {
		s := newServed(t, "--store", url)
		check(t, os.Mkdir(filepath.Join(s.dir, "data"), 0o700))
		check(t, os.WriteFile(filepath.Join(s.dir, "data", "serverkey"), pair.Userkey(), 0o600))
		c := command(s.dir, s.args)
		c.Stderr = new(bytes.Buffer)
		out, err := c.StdoutPipe()
		check(t, err)
		check(t, c.Start())
		all.Go(func() {
			if line, _ := bufio.NewReader(out).ReadString('\n'); line != "" {
				started.Add(1)
				_ = c.Process.Kill()
			}
			_ = c.Wait()
			if strings.Contains(fmt.Sprint(c.Stderr), "audit log") { // it was there at the start, or since
				refused.Add(1)
			}
		})
	}
	all.Wait()
	if started.Load() != 1 || refused.Load() != 2 {
		t.Errorf("%d of three started, and %d were refused", started.Load(), refused.Load())
	}
}
