package cmd

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/urfave/cli/v2"

	"keyward/fault"
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

// checkAddress refuses what is no address to listen at.
func checkAddress(c *cli.Context, flag string) error {
	address := c.String(flag)
	if address == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.DefaultResolver.LookupPort(c.Context, "tcp", port)
	}
	if err == nil {
		return nil
	}
	hint := "write --" + flag + " as ADDRESS:PORT, or :PORT for all addresses"
	if _, e := strconv.ParseUint(address, 10, 16); e == nil {
		hint = "write it as :" + address + ", or as 127.0.0.1:" + address + " for this machine alone"
	}
	return fault.New(fault.Usage, hint, "--%s %s: %w", flag, address, err)
}

func listenOn(ctx context.Context, address, flag string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, network(address), address)
	if unknown, ok := errors.AsType[*net.DNSError](err); ok && unknown.IsNotFound {
		return nil, fault.New(fault.Usage, "give "+flag+" an address of this machine, or none for all", "cannot listen: %w", err)
	}
	if err != nil {
		return nil, fault.New(fault.Failed, "give "+flag+" another address or port", "cannot listen: %w", err)
	}
	return listener, nil
}

// network is that of an address to listen at: "tcp" would make all of IPv6 too of 0.0.0.0.
func network(address string) string {
	if at, err := netip.ParseAddrPort(address); err == nil && at.Addr().Is4() {
		return "tcp4"
	}
	return "tcp"
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
