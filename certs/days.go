package certs

import (
	"strconv"
	"strings"
	"time"

	"keyward/fault"
)

// maxYears is how far ahead a certificate may end.
const maxYears = 100

const daysHint = "say days as 90 or 90d, weeks as 12w, years as 1y, or a last day as 2027-01-01"

// ParseDays reads when a certificate is to end: "90" or "90d" (days of 24 hours), "12w"
// (weeks), "1y" (calendar years), or "2027-01-01", the last day, whose end is meant
// (23:59:59 UTC). What does not read so, is not after now, or is more than 100 years
// ahead is fault.Usage.
func ParseDays(s string, now time.Time) (time.Time, error) {
	notAfter, ok := parseEnd(s, now.UTC())
	if !ok {
		return time.Time{}, fault.New(fault.Usage, daysHint, "%q is not a lifetime", s)
	}
	if !notAfter.After(now) {
		return time.Time{}, fault.New(fault.Usage, daysHint, "a lifetime of %q would be over already", s)
	}
	if notAfter.After(now.AddDate(maxYears, 0, 0)) {
		return time.Time{}, fault.New(fault.Usage, daysHint, "a lifetime of %q is more than %d years", s, maxYears)
	}
	return notAfter, nil
}

func parseEnd(s string, now time.Time) (time.Time, bool) {
	if day, err := time.ParseInLocation(time.DateOnly, s, time.UTC); err == nil {
		return day.AddDate(0, 0, 1).Add(-time.Second), true
	}
	digits := strings.TrimRight(s, "dwy")
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	count := int(min(n, 1_000_000)) // beyond this every unit is more than maxYears
	switch s[len(digits):] {
	case "", "d":
		return now.AddDate(0, 0, count), true
	case "w":
		return now.AddDate(0, 0, 7*count), true
	case "y":
		return now.AddDate(count, 0, 0), true
	}
	return time.Time{}, false
}
