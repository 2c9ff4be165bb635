// Package retry is how long a client that lost its server waits before it connects again.
package retry

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"keyward/fault"
)

const firstPause = 500 * time.Millisecond // doubled for each try that follows

// The longest pauses.
const (
	LastPause = 20 * time.Second
	LongPause = time.Minute // where somebody has to do something first
)

// Pause is how long to wait after so many tries that led to nothing, at most the time given. The half of it is chance: so that
// not all who lost the same server come back at once.
func Pause(tries int, most time.Duration) time.Duration {
	return pause(tries, most, rand.Float64()) //nolint:gosec // it spreads load, and keeps no secret
}

// pause is Pause with a chance below 1.
func pause(tries int, most time.Duration, chance float64) time.Duration {
	whole := min(most, firstPause<<min(tries, 10))
	return whole/2 + time.Duration(chance*float64(whole/2))
}

// Sleep waits, and says whether ctx let it.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Hopeless says whether an error will be the same the next time, unless somebody does something.
func Hopeless(err error) bool {
	switch fault.KindOf(err) {
	case fault.NotTrusted, fault.NotPermitted, fault.NotFound, fault.Usage:
		return true
	}
	return false
}

// Wait waits before the next try, longer where the last one's error is Hopeless, and logs why.
func Wait(ctx context.Context, log *slog.Logger, message string, tries int, why error, about ...any) {
	most, level := LastPause, slog.LevelInfo
	if Hopeless(why) {
		most, level = LongPause, slog.LevelWarn
	}
	pause := Pause(tries, most)
	log.Log(ctx, level, message, append(about, "cause", why, "retry", pause)...)
	Sleep(ctx, pause)
}
