package limit

import (
	"net/netip"
	"testing"
)

func TestSource(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.7:1234":              "192.0.2.7/32",
		"[::ffff:192.0.2.7]:1":        "192.0.2.7/32",
		"[2001:db8:1:2:3:4:5:6]:1234": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:1":            "fe80::/64",
		"":                            "invalid Prefix",
		"@":                           "invalid Prefix",
	} {
		if got := Source(remote).String(); got != want {
			t.Errorf("%q is of source %s, want %s", remote, got, want)
		}
	}
}

func TestTally(t *testing.T) {
	tally := NewTally[netip.Prefix](2)
	one, other := Source("192.0.2.1:1"), Source("192.0.2.2:1")
	for i, step := range []struct {
		got, want bool
	}{
		{tally.Enter(one), true}, {tally.Enter(one), true}, {tally.Enter(one), false},
		{tally.Enter(other), true},
	} {
		if step.got != step.want {
			t.Errorf("step %d: entered is %t, want %t", i, step.got, step.want)
		}
	}
	tally.Leave(one)
	if !tally.Enter(one) {
		t.Error("there is no place where one was given back")
	}
	for range 2 {
		tally.Leave(one)
	}
	if tally.Leave(other); tally.Sources() != 0 {
		t.Errorf("%d sources hold something after all gave it back", tally.Sources())
	}
}
