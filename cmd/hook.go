package cmd

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"keyward/certs"
	"keyward/fault"
)

// hookGrace is how long a hook that is told to end has to do so.
const hookGrace = 5 * time.Second

// runHook runs --exec for a renewed certificate, and ends it with all that it started when its time is over or
// somebody interrupts. What it prints goes to stderr.
func (r *renewer) runHook(held *certs.Held, issued *certs.Issued, one *renewal) error {
	ctx, stop := signal.NotifyContext(r.c.Context, os.Interrupt, syscall.SIGTERM)
	defer stop()
	limit := r.c.Duration("exec-timeout")
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	hook := shell(timed, r.c.String("exec"))
	hook.Env = append(withoutSecrets(os.Environ()), hookVariables(held, issued)...)
	hook.Stdout, hook.Stderr = r.stderr, r.stderr
	hook.Cancel, hook.WaitDelay = ownGroup(hook), hookGrace
	err := hook.Run()
	if timed.Err() != nil {
		endGroup(hook)
	}
	code := -1
	if hook.ProcessState != nil {
		code = hook.ProcessState.ExitCode()
	}
	one.HookExit = &code
	const hint = "mend it and run it by hand: keyward runs it after a renewal only, and the next one is far"
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fault.New(fault.Failed, hint, "%s is renewed; its --exec command was %w", held.File, errInterrupted)
	case timed.Err() != nil:
		return fault.New(fault.Failed, "run it by hand, or give it a longer --exec-timeout", "%s is renewed; its --exec command was ended after %v", held.File, limit)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return fault.New(fault.Failed, hint, "%s is renewed; its --exec command failed: %w", held.File, exit)
	}
	return fault.New(fault.Failed, hint, "%s is renewed; its --exec command did not run: %w", held.File, err)
}

// shell runs what the caller typed, as the caller.
func shell(ctx context.Context, command string) *exec.Cmd {
	if runtime.GOOS == "windows" {
		return exec.CommandContext(ctx, "cmd", "/C", command) //nolint:gosec // as said
	}
	return exec.CommandContext(ctx, "/bin/sh", "-c", command) //nolint:gosec // as said
}

// withoutSecrets leaves out the variable that holds a password.
func withoutSecrets(vars []string) []string {
	return slices.DeleteFunc(vars, func(v string) bool { return strings.HasPrefix(v, "VOV_PASSWORD=") })
}

// hookVariables tell the hook what was renewed, with whole paths since a script may change its folder.
func hookVariables(held *certs.Held, issued *certs.Issued) []string {
	whole := func(path string) string {
		if abs, err := filepath.Abs(path); err == nil && path != "" {
			return abs
		}
		return path
	}
	return []string{
		"KEYWARD_CERT_BASENAME=" + whole(held.Base),
		"KEYWARD_CERT_FILE=" + whole(held.File),
		"KEYWARD_KEY_FILE=" + whole(held.KeyFile),
		"KEYWARD_NOT_AFTER=" + issued.Cert.NotAfter.UTC().Format(time.RFC3339),
	}
}
