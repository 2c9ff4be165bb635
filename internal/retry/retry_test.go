package retry

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
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
