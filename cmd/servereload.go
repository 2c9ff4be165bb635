package cmd

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"keyward/internal/fault"
)

// reload is something that serve reads anew at a SIGHUP. An error leaves what was before.
type reload struct {
	what string
	read func(context.Context) error
}

// keeper looks after what changes while the registry serves. All of it is one goroutine's, that of keep.
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
	k.log.Error("cannot reload, what was before stays", "what", r.what, "error", err, "hint", fault.HintOf(err))
	return false
}
