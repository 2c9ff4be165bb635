package pgtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// ErrMissing says that the machine has no PostgreSQL.
var ErrMissing = errors.New("PostgreSQL is not installed (Debian: apt install postgresql)")

// How a server is stopped: Fast ends connections and writes all out, Immediate is like a crash.
const (
	Fast      = syscall.SIGINT
	Immediate = syscall.SIGQUIT
)

// Server is a PostgreSQL cluster of its own, as durable as one in production. It listens on a socket, where everybody is
// let in, and on loopback, where a role needs its password (SCRAM).
type Server struct {
	bin     string // where its programs are
	dir     string // has the data and the socket
	port    string
	guard   *exec.Cmd
	alive   io.Closer // the guard acts once it is closed
	process *exec.Cmd
	said    chan string // all that it wrote, once it ended

	mu        sync.Mutex // held to make a database
	databases int
}

// Installed tells whether the machine has PostgreSQL.
func Installed() bool { return programs() != "" }

// programs is the folder of PostgreSQL's programs: the newest of Debian's packages, else the one in PATH; "" for none.
func programs() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if path, err := exec.LookPath("initdb"); err == nil {
		found = append(found, path)
	}
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[0])
}

// version is the 15 of /usr/lib/postgresql/15/bin/initdb.
func version(initdb string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	return n
}

// New makes a cluster and starts it. It is gone with this process, however that ends.
func New(ctx context.Context) (*Server, error) {
	bin := programs()
	if bin == "" {
		return nil, ErrMissing
	}
	dir, err := os.MkdirTemp("", "keyward-pg-")
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, dir: dir}
	if err := s.guardIt(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.init(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// guardIt starts the process that cleans up behind this one: it reads a pipe that ends with this process, then ends
// the server and removes the folder.
func (s *Server) guardIt() (err error) {
	const script = `cat
if pid=$(head -n 1 "$1/data/postmaster.pid"); then
	kill -QUIT "$pid"
	for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" || break; sleep 0.2; done
fi
rm -rf "$1"`
	s.guard = exec.Command("/bin/sh", "-c", script, "sh", s.dir)
	apart(s.guard)
	if s.alive, err = s.guard.StdinPipe(); err != nil {
		return err
	}
	return s.guard.Start()
}

// init makes the cluster's files and starts it. initdb syncs nothing: the server syncs what it writes later.
func (s *Server) init(ctx context.Context) error {
	c := s.command(ctx, "initdb", "-D", "data", "-U", "postgres", "--auth-local=trust", "--auth-host=scram-sha-256",
		"--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions")
	if err := becomePostgres(c, s.dir); err != nil {
		return err
	}
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	_, s.port, err = net.SplitHostPort(l.Addr().String())
	if err := errors.Join(err, l.Close()); err != nil {
		return err
	}
	return s.Start(ctx)
}

// command is one of PostgreSQL's programs, in the folder.
func (s *Server) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, filepath.Join(s.bin, name), args...)
	c.Dir = s.dir
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	apart(c)
	return c
}

// Start starts a server that was stopped and waits until it takes connections.
func (s *Server) Start(ctx context.Context) error {
	// Not CommandContext: it outlives the call.
	c := s.command(context.Background(), "postgres", "-D", "data", "-p", s.port, "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories="+s.dir)
	if err := becomePostgres(c, s.dir); err != nil {
		return err
	}
	stderr, err := c.StderrPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	s.process, s.said = c, make(chan string, 1)
	ready := make(chan struct{})
	go follow(stderr, ready, s.said)
	select {
	case <-ready:
		return nil
	case said := <-s.said:
		s.process = nil
		return fmt.Errorf("postgres: %w\n%s", c.Wait(), said)
	case <-ctx.Done():
		return errors.Join(ctx.Err(), s.Stop(Immediate))
	}
}

// follow reads what a server writes until it ended, and closes ready once it takes connections.
func follow(stderr io.Reader, ready chan<- struct{}, said chan<- string) {
	var all strings.Builder
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		fmt.Fprintln(&all, lines.Text())
		if ready != nil && strings.HasSuffix(lines.Text(), "database system is ready to accept connections") {
			close(ready)
			ready = nil
		}
	}
	said <- all.String()
}

// Stop stops the server, Fast or Immediate, and waits for its end.
func (s *Server) Stop(mode os.Signal) error {
	if s.process == nil {
		return nil
	}
	c := s.process
	s.process = nil
	if err := c.Process.Signal(mode); err != nil {
		return err
	}
	said := <-s.said
	if err := c.Wait(); err != nil {
		return fmt.Errorf("postgres: %w\n%s", err, said)
	}
	return nil
}

// Close stops the server and removes its folder.
func (s *Server) Close() error {
	return errors.Join(s.Stop(Immediate), s.alive.Close(), s.guard.Wait())
}

// Address is its host and port on loopback.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", s.port) }

// PID is the number of its first process.
func (s *Server) PID() int { return s.process.Process.Pid }

// URL is that of a database by the socket, as the superuser postgres.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@/%s?host=%s&port=%s", database, url.QueryEscape(s.dir), s.port)
}

// Database makes an empty database and returns its URL.
func (s *Server) Database(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	s.databases++
	name := fmt.Sprint("test", s.databases)
	_, err = conn.Exec(ctx, "CREATE DATABASE "+name)
	return s.URL(name), err
}
