//go:build unix

package pgtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestDatabasesAreApart(t *testing.T) {
	first, second := Database(t), Database(t)
	run(t, first, "CREATE TABLE things (name TEXT)")
	run(t, second, "CREATE TABLE things (name TEXT)")
}

// TestStopAndStart holds that what was committed is there after a crash.
func TestStopAndStart(t *testing.T) {
	s := Start(t)
	url, err := s.Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	run(t, url, "CREATE TABLE things AS SELECT 7 AS number")
	for name, mode := range map[string]os.Signal{"fast": Fast, "immediate": Immediate} {
		if err := s.Stop(mode); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if conn, err := pgx.Connect(t.Context(), url); err == nil {
			conn.Close(t.Context())
			t.Errorf("%s: it is still there", name)
		}
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		run(t, url, "SELECT number FROM things WHERE number = 7")
	}
}

func TestDurable(t *testing.T) {
	conn, err := pgx.Connect(t.Context(), Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		var value string
		if err := conn.QueryRow(t.Context(), "SHOW "+setting).Scan(&value); err != nil || value != "on" {
			t.Errorf("%s is %q, %v", setting, value, err)
		}
	}
}

// TestPasswords holds that loopback needs one.
func TestPasswords(t *testing.T) {
	s := Start(t)
	run(t, s.URL("postgres"), "CREATE ROLE keyward LOGIN PASSWORD 'right'")
	run(t, "postgres://keyward:right@"+s.Address()+"/postgres", "SELECT 1")
	conn, err := pgx.Connect(t.Context(), "postgres://keyward:wrong@"+s.Address()+"/postgres")
	if err == nil {
		conn.Close(t.Context())
		t.Error("a wrong password was taken")
	}
}

// TestKilled kills a test that runs a server: nothing of it stays.
func TestKilled(t *testing.T) {
	if dir := os.Getenv("PGTEST_KILLED"); dir != "" {
		s := Start(t)
		note := strconv.Itoa(s.PID()) + " " + s.dir
		if err := os.WriteFile(filepath.Join(dir, "note"), []byte(note), 0o600); err != nil {
			t.Fatal(err)
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	if !Installed() {
		check(t, ErrMissing)
	}
	dir := t.TempDir()
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$")
	c.Env = append(os.Environ(), "PGTEST_KILLED="+dir)
	out, _ := c.CombinedOutput()
	note, err := os.ReadFile(filepath.Join(dir, "note"))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pid, folder, _ := strings.Cut(string(note), " ")
	number, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		_, err := os.Stat(folder)
		if os.IsNotExist(err) && syscall.Kill(number, 0) != nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("process %s or folder %s is still there", pid, folder)
		}
	}
}

func run(t *testing.T, url, query string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}
