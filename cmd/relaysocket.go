package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/internal/durable"
	"keyward/internal/secretfile"
	"keyward/relay"
)

// The admin socket of a relay: HTTP with JSON, for those who can open the socket.
const (
	adminStatus = "/status"
	adminTime   = 10 * time.Second // for one call
)

func adminSocketFlag() cli.Flag {
	return &cli.StringFlag{Name: "admin-socket", EnvVars: variable("admin-socket"), TakesFile: true,
		Usage: "the unix socket at `PATH`, by which `relay status` asks", DefaultText: "relay/admin.sock in $KEYWARD_HOME, $XDG_RUNTIME_DIR/keyward or $HOME/.local/share/keyward"}
}

// adminSocketPath is --admin-socket, else one in the user's folder for what runs.
func (e *env) adminSocketPath(c *cli.Context) (string, error) {
	if path := c.String("admin-socket"); path != "" {
		return path, nil
	}
	dir, err := e.place("XDG_RUNTIME_DIR", filepath.Join(".local", "share"))
	return filepath.Join(dir, "relay", "admin.sock"), err
}

const socketHint = "give --admin-socket a path in a folder of yours, of at most 90 bytes"

// adminListener listens at path, for the own user alone. A socket that a killed relay left is replaced; that of one
// that lives is fault.Exists.
func adminListener(ctx context.Context, path string) (net.Listener, error) {
	dir, name := filepath.Split(path)
	dir = filepath.Clean(dir) // "" is the current one
	if err := durable.MakeFolder(dir, 0o700); err != nil {
		return nil, fault.New(kindOf(err), socketHint, "cannot make the folder of the admin socket: %w", err)
	}
	if err := secretfile.FolderExposed(path); err != nil {
		return nil, err
	}
	release, err := durable.Hold(ctx, dir, name)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := stale(ctx, path); err != nil {
		return nil, err
	}
	listener, err := listenUnseen(ctx, filepath.Join(dir, "."+name+".new"), path)
	if err != nil {
		return nil, fault.New(kindOf(err), socketHint, "the admin socket: %w", err)
	}
	return listener, nil
}

// stale tells whether a socket at path can be replaced.
func stale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fault.New(kindOf(err), socketHint, "the admin socket: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return fault.New(fault.Exists, socketHint, "%s is there, and is no socket", path)
	}
	conn, err := dialAdmin(ctx, path)
	switch {
	case err == nil:
		_ = conn.Close()
		return fault.New(fault.Exists, "stop it, or give --admin-socket another path", "another relay has the admin socket %s", path)
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil
	}
	return fault.New(kindOf(err), socketHint, "the admin socket: %w", err)
}

func dialAdmin(ctx context.Context, path string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unix", path)
}

// ownSocket is a unix socket that is removed at its end.
type ownSocket struct {
	net.Listener
	path string
	info fs.FileInfo
}

// listenUnseen has the socket come to its place when its mode is right. A killed relay may have left the hidden one.
func listenUnseen(ctx context.Context, hidden, path string) (net.Listener, error) {
	_ = os.Remove(hidden)
	listener, err := new(net.ListenConfig).Listen(ctx, "unix", hidden)
	if err != nil {
		return nil, err
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	err = os.Chmod(hidden, 0o600)
	if err == nil {
		err = os.Rename(hidden, path)
	}
	var info fs.FileInfo
	if err == nil {
		info, err = os.Lstat(path)
	}
	if err != nil {
		_ = os.Remove(hidden)
		return nil, errors.Join(err, listener.Close())
	}
	return &ownSocket{listener, path, info}, nil
}

// Close removes the socket, unless it is another's by now.
func (s *ownSocket) Close() error {
	if info, err := os.Lstat(s.path); err == nil && os.SameFile(info, s.info) {
		_ = os.Remove(s.path)
	}
	return s.Listener.Close()
}

// serveAdmin answers at the admin socket until ctx ends.
func serveAdmin(ctx context.Context, log *slog.Logger, l net.Listener, server *relay.Server) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+adminStatus, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		out := json.NewEncoder(w)
		out.SetEscapeHTML(false)
		if err := out.Encode(server.Status()); err != nil {
			log.Debug("the status is not told", "error", err)
		}
	})
	srv := &http.Server{Handler: mux, ReadTimeout: adminTime, WriteTimeout: adminTime, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	ctx, stop := context.WithCancel(ctx)
	var closing sync.WaitGroup
	closing.Go(func() {
		<-ctx.Done()
		_ = srv.Close()
	})
	err := srv.Serve(l)
	stop()
	closing.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
