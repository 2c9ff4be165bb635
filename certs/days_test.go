package certs_test

import (
	"errors"
	"testing"
	"time"

	"keyward/certs"
	"keyward/fault"
)

func TestParseDays(t *testing.T) {
	at := time.Date(2026, 2, 27, 12, 0, 0, 0, time.UTC)
	for s, want := range map[string]time.Time{
		"1":          at.Add(24 * time.Hour),
		"90":         at.Add(90 * 24 * time.Hour),
		"90d":        at.Add(90 * 24 * time.Hour),
		"0007":       at.Add(7 * 24 * time.Hour),
		"12w":        at.Add(12 * 7 * 24 * time.Hour),
		"1y":         time.Date(2027, 2, 27, 12, 0, 0, 0, time.UTC),
		"100y":       time.Date(2126, 2, 27, 12, 0, 0, 0, time.UTC),
		"36500":      at.AddDate(0, 0, 36500),
		"2027-01-01": time.Date(2027, 1, 1, 23, 59, 59, 0, time.UTC),
		"2026-02-27": time.Date(2026, 2, 27, 23, 59, 59, 0, time.UTC),
	} {
		got, err := certs.ParseDays(s, at)
		if err != nil || !got.Equal(want) {
			t.Errorf("ParseDays(%q) = %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "0", "0d", "-1", "+5", "1.5", "1 d", " 1", "d", "1m", "1dd", "1wy", "1h", "ninety", "١",
		"101y", "36600", "99999999999999999999", "9223372036854775807y", "18446744073709551615w",
		"2026-02-26", "2027-02-30", "2027-1-1", "2027-01-01T00:00:00Z", "9999-12-31"} {
		if got, err := certs.ParseDays(s, at); !errors.Is(err, fault.Usage) || fault.HintOf(err) == "" {
			t.Errorf("ParseDays(%q) = %v, %v; want a usage error with a hint", s, got, err)
		}
	}
}
