package cmd

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyward/certs"
)

var clock = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

func ends(title, subject string, end time.Time, sources ...string) expiry {
	return expiry{
		Info: certs.Info{Subject: subject, Serial: "01", NotAfter: end}, Role: "leaf", DaysLeft: daysLeft(end, clock),
		Sources: sources, title: title,
	}
}

func TestDaysLeft(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		left  time.Duration
		days  int
		words string
	}{
		{90 * day, 90, "90 days left"},
		{2*day - time.Second, 1, "1 day left"},
		{day, 1, "1 day left"},
		{day - time.Second, 0, "less than a day left"},
		{0, 0, "less than a day left"},
		{-time.Second, -1, "expired less than a day ago"},
		{-day, -1, "expired less than a day ago"},
		{-day - time.Second, -2, "expired 1 day ago"},
		{-10*day - time.Second, -11, "expired 10 days ago"},
	}
	for _, tt := range tests {
		end := clock.Add(tt.left)
		if days, words := daysLeft(end, clock), remaining(end, clock); days != tt.days || words != tt.words {
			t.Errorf("%v: got %d, %q, want %d, %q", tt.left, days, words, tt.days, tt.words)
		}
	}
}

func TestExpiryTable(t *testing.T) {
	got := expiryTable([]expiry{
		ends("old.test", "CN=old", clock.AddDate(0, 0, -3), "old.pem"),
		ends(strings.Repeat("é", 61), "", clock.AddDate(0, 0, 10), "a\x1b[2J.pem", "b.pem", "c.pem"),
	})
	want := "DAYS  ENDS        NAME                                                          ROLE  WHERE\n" +
		"-3    2026-01-12  old.test                                                      leaf  old.pem\n" +
		"10    2026-01-25  " + strings.Repeat("é", 57) + "...  leaf  a\ufffd[2J.pem and 2 more\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPrometheus(t *testing.T) {
	got := prometheus([]expiry{
		ends("", `CN=a"b\c`+"\nd\x1b", time.Unix(1000, 0), "x.pem", "y.pem"),
		ends("", `CN=a"b\c`+"\nd\x1b", time.Unix(2000, 0), "x.pem"), // the same labels: a scrape would fail
		ends("serial 01", "", time.Unix(3000, 0), "z.pem"),
	})
	want := `# HELP keyward_certificate_not_after_seconds When the certificate ends, in seconds since 1970.
# TYPE keyward_certificate_not_after_seconds gauge
keyward_certificate_not_after_seconds{subject="CN=a\"b\\c�d�",serial="01",path="x.pem"} 1000
keyward_certificate_not_after_seconds{subject="CN=a\"b\\c�d�",serial="01",path="y.pem"} 1000
keyward_certificate_not_after_seconds{subject="serial 01",serial="01",path="z.pem"} 3000
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestChart(t *testing.T) {
	var all []expiry
	for end, count := range map[time.Time]int{
		clock.Add(-time.Second): 3,
		clock:                   1,
		time.Date(2026, 1, 31, 23, 59, 59, 0, time.UTC):     1,
		time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC):         100,
		time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC):    1,
		time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC):         7,
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC):    1,
		time.Date(2026, 3, 1, 1, 0, 0, 0, time.UTC).Local(): 2,
	} {
		for range count {
			all = append(all, ends("", "", end.UTC()))
		}
	}
	want := `expired     3  ##
2026-01     2  #
2026-02   100  ##################################################
2026-03     2  #
2026-04     0
2026-05     0
2026-06     0
2026-07     0
2026-08     0
2026-09     0
2026-10     0
2026-11     0
2026-12     1  #
later       8  ####
`
	if diff := cmp.Diff(want, chart(all, clock)); diff != "" {
		t.Error(diff)
	}
}

func TestWindowEnd(t *testing.T) {
	tests := []struct {
		within string
		want   time.Time // zero for an error
	}{
		{"30d", clock.AddDate(0, 0, 30)},
		{"30", clock.AddDate(0, 0, 30)},
		{"2w", clock.AddDate(0, 0, 14)},
		{"0", clock}, {"0d", clock},
		{"2026-02-01", time.Date(2026, 2, 1, 23, 59, 59, 0, time.UTC)},
		{"", time.Time{}}, {"-1d", time.Time{}}, {"30x", time.Time{}}, {"2025-01-01", time.Time{}},
	}
	for _, tt := range tests {
		got, err := windowEnd(tt.within, clock)
		if (err != nil) != tt.want.IsZero() || err == nil && !got.Equal(tt.want) {
			t.Errorf("%q: got %v, %v, want %v", tt.within, got, err, tt.want)
		}
	}
}
