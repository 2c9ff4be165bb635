package cmd

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"

	"keyward/internal/fault"
)

// apiListener opens a port. A socket that systemd passes on (sd_listen_fds(3)) takes its place.
func apiListener(ctx context.Context, address string) (net.Listener, error) {
	passed := activation.Files(true)
	if len(passed) == 0 {
		return listenOn(ctx, address, "--listen")
	}
	defer func() {
		for _, file := range passed {
			_ = file.Close()
		}
	}()
	if len(passed) > 1 {
		return nil, fault.New(fault.Usage, "give the socket unit one ListenStream=", "systemd passes on %d sockets", len(passed))
	}
	listener, err := net.FileListener(passed[0])
	if err == nil && listener.Addr().Network() != "tcp" {
		err = errors.Join(errors.New("not TCP"), listener.Close())
	}
	if err != nil {
		return nil, fault.New(fault.Usage, "give the socket unit one ListenStream= with a port", "the socket that systemd passes on: %w", err)
	}
	return listener, nil
}

func listenOn(ctx context.Context, address, flag string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fault.New(fault.Failed, "give "+flag+" another address or port", "cannot listen: %w", err)
	}
	return listener, nil
}

// tellTime is how long the service manager has to take a message.
const tellTime = time.Second

// tellSystemd tells the service manager how the service is (sd_notify(3)); nothing where it runs under none.
func tellSystemd(log *slog.Logger, state string) {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return
	}
	if err := notify(socket, state); err != nil {
		log.Warn("systemd is not told", "error", err)
	}
}

// notify is daemon.SdNotify with a time-out: that waits for ever for a manager that does not read.
func notify(socket, state string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	_ = conn.SetWriteDeadline(time.Now().Add(tellTime))
	_, err = conn.Write([]byte(state))
	return errors.Join(err, conn.Close())
}

// watchdog ticks as often as systemd wants to hear from the service; it never does where it need not.
func watchdog(log *slog.Logger) (beat <-chan time.Time, stop func()) {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("no watchdog", "error", err)
	}
	if every <= 0 {
		return nil, func() {}
	}
	tick := time.NewTicker(every / 2)
	return tick.C, tick.Stop
}
