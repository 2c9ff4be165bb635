package cmd

import (
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/fault"
)

const spanHint = "say hours as 12h, days as 90 or 90d, weeks as 12w, years as 1y"

// says tells whether a flag or its variable says something. A flag with nothing behind it does: it is mostly a script's
// variable that is not set, and must not pass for what holds without the flag.
func (e *env) says(c *cli.Context, flag string) bool {
	return e.call.given[flag] || c.String(flag) != ""
}

// parseEnd reads the end that a flag gives, from now on: hours as 12h, else what certs.ParseDays reads.
func parseEnd(flag, s string, now time.Time) (time.Time, error) {
	if hours, found := strings.CutSuffix(s, "h"); found {
		n, err := strconv.ParseUint(hours, 10, 16)
		if err != nil || n == 0 {
			return time.Time{}, fault.New(fault.Usage, spanHint, "--%s: %q is not a time", flag, s)
		}
		return now.Add(time.Duration(n) * time.Hour), nil
	}
	end, err := certs.ParseDays(s, now)
	if err != nil {
		return end, fault.New(fault.KindOf(err), fault.HintOf(err), "--%s: %w", flag, err)
	}
	return end, nil
}

// parseSpan reads a span of time, which may be 0: as parseEnd, but no date.
func parseSpan(flag, s string, now time.Time) (time.Duration, error) {
	if strings.TrimRight(s, "hdwy") == "0" {
		return 0, nil
	}
	end, err := parseEnd(flag, s, now)
	if err != nil || strings.Contains(s, "-") {
		return 0, fault.New(fault.Usage, spanHint, "--%s: %q is not a span of time", flag, s)
	}
	return end.Sub(now), nil
}
