package cmd

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"keyward/fault"
	"keyward/internal/term"
)

// reload is something that a service reads anew at a SIGHUP. An error leaves what was before.
type reload struct {
	what string
	read func(context.Context) error
}

// signals are what a service hears while it works.
type signals struct {
	hangup <-chan os.Signal
	ended  func() bool // tells whether the terminal that it was started at is gone
}

// signals has SIGINT and SIGTERM end the context. stop ends the hearing.
func (e *env) signals(ctx context.Context) (ended context.Context, s signals, stop func()) {
	ctx, cancel := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	atTerminal := term.IsTerminal(e.stdin) && !signal.Ignored(syscall.SIGHUP) // as nohup has it
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // Windows has the name, and never sends it
	return ctx, signals{hangup, func() bool { return atTerminal && !term.IsTerminal(e.stdin) }}, func() {
		signal.Stop(hangup)
		cancel()
	}
}

// keeper looks after what changes while a service serves. All of it is one goroutine's, that of keep.
type keeper struct {
	log     *slog.Logger
	reloads []reload // at a SIGHUP
	looks   []reload // every now and then
	shown   *identity
	ended   func() bool // tells whether the terminal that it was started at is gone
}

// keep works until ctx ends. Where the hangup is that of its terminal it calls stop.
func (k *keeper) keep(ctx context.Context, stop func(), hangup <-chan os.Signal) {
	look := time.NewTicker(k.shown.every)
	defer look.Stop()
	beat, rest := watchdog(k.log)
	defer rest()
	tellSystemd(k.log, daemon.SdNotifyReady)
	for {
		select {
		case <-hangup:
			if k.ended() {
				stop()
				continue
			}
			k.reload(ctx)
		case <-look.C:
			for _, r := range k.looks {
				k.do(ctx, r)
			}
		case <-beat:
			tellSystemd(k.log, daemon.SdNotifyWatchdog)
		case <-ctx.Done():
			tellSystemd(k.log, daemon.SdNotifyStopping)
			return
		}
	}
}

// reload reads everything anew, and what fails does not stop the rest.
func (k *keeper) reload(ctx context.Context) {
	tellSystemd(k.log, daemon.SdNotifyReloading+"\n"+daemon.SdNotifyMonotonicUsec())
	var failed []string
	for _, r := range k.reloads {
		if !k.do(ctx, r) {
			failed = append(failed, r.what)
		}
	}
	if failed == nil {
		k.log.Info("reloaded")
	} else {
		k.log.Warn("not all is reloaded", "failed", failed)
	}
	tellSystemd(k.log, daemon.SdNotifyReady)
}

// do tells whether it was read, or need not be any more.
func (k *keeper) do(ctx context.Context, r reload) bool {
	err := r.read(ctx)
	if err == nil || ctx.Err() != nil {
		return true
	}
	tellReloadFailed(k.log, r.what, err)
	return false
}

func tellReloadFailed(log *slog.Logger, what string, err error) {
	log.Error("cannot reload, what was before stays", "what", what, "error", err, "hint", fault.HintOf(err))
}

// followed are files that are read again when they change.
type followed struct {
	what  string
	names []string
	read  func(context.Context) error
	seen  [sha256.Size]byte
}

func (f *followed) reload(ctx context.Context) error {
	f.seen = digest(f.names)
	return f.read(ctx)
}

// look is reload where there is something new.
func (f *followed) look(ctx context.Context) error {
	if digest(f.names) == f.seen {
		return nil
	}
	return f.reload(ctx)
}
