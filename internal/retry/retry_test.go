package retry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"keyward/fault"
)

func TestPause(t *testing.T) {
	for _, c := range []struct {
		tries  int
		most   time.Duration
		chance float64
		want   time.Duration
	}{
		{0, LastPause, 0, 250 * time.Millisecond},
		{0, LastPause, 0.5, 375 * time.Millisecond},
		{1, LastPause, 0, 500 * time.Millisecond},
		{2, LastPause, 1, 2 * time.Second},
		{3, LastPause, 0, 2 * time.Second},
		{4, LastPause, 1, 8 * time.Second},
		{5, LastPause, 0, 8 * time.Second},
		{6, LastPause, 0, 10 * time.Second},
		{1000, LastPause, 0.5, 15 * time.Second},
		{1000, LastPause, 1, 20 * time.Second},
		{6, LongPause, 0, 16 * time.Second},
		{1000, LongPause, 0, 30 * time.Second},
	} {
		if got := pause(c.tries, c.most, c.chance); got != c.want {
			t.Errorf("pause(%d, %s, %g) = %s, want %s", c.tries, c.most, c.chance, got, c.want)
		}
	}
	if got := Pause(1000, LastPause); got < LastPause/2 || got >= LastPause {
		t.Errorf("Pause(1000, %s) = %s", LastPause, got)
	}
}

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if !Sleep(t.Context(), time.Hour) || time.Since(start) != time.Hour {
			t.Errorf("it slept %v", time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start = time.Now()
		if Sleep(ctx, time.Hour) || time.Since(start) != time.Minute {
			t.Errorf("with a context of a minute it slept %v", time.Since(start))
		}
	})
}

func TestHopeless(t *testing.T) {
	for kind, want := range map[fault.Kind]bool{
		fault.NotTrusted: true, fault.NotPermitted: true, fault.NotFound: true, fault.Usage: true,
		fault.Unreachable: false, fault.Failed: false, fault.Policy: false, fault.InvalidFile: false,
	} {
		if got := Hopeless(fmt.Errorf("again: %w", fault.New(kind, "", "why"))); got != want {
			t.Errorf("%s: %t", kind, got)
		}
	}
	if Hopeless(nil) || Hopeless(errors.New("why")) {
		t.Error("what has no kind is hopeless")
	}
}

// TestWait holds what is logged, how long the pause is, and that the pause is the one that is logged.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			why         error
			level       string
			least, most time.Duration
		}{
			{fault.New(fault.Unreachable, "", "no relay"), "INFO", LastPause / 2, LastPause},
			{fault.New(fault.NotPermitted, "", "no relay"), "WARN", LongPause / 2, LongPause},
		} {
			var text bytes.Buffer
			start := time.Now()
			Wait(t.Context(), slog.New(slog.NewJSONHandler(&text, nil)), "no connection", 1000, c.why, "to", "here")
			slept := time.Since(start)
			var line struct {
				Level, Msg, Cause, To string
				Retry                 time.Duration
			}
			if err := json.Unmarshal(text.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			if line.Level != c.level || line.Msg != "no connection" || line.Cause != "no relay" || line.To != "here" || line.Retry != slept {
				t.Errorf("%v: it logs %s after %v", c.why, text.String(), slept)
			}
			if slept < c.least || slept > c.most {
				t.Errorf("%v: it waits %v", c.why, slept)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		start := time.Now()
		Wait(ctx, slog.New(slog.DiscardHandler), "", 1000, errors.New("why"))
		if slept := time.Since(start); slept != 0 {
			t.Errorf("at its end it waits %v", slept)
		}
	})
}
