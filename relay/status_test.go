package relay

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStatusOrder(t *testing.T) {
	r := startRelay(t, Config{})
	ids := []string{"b", "ab", "", "é", "B", "a"}
	for _, id := range ids {
		r.arrive(id)
	}
	r.waitFor(func(s Status) bool { return len(s.Meetups) == len(ids) })
	var got []string
	for _, m := range r.Status().Meetups {
		got = append(got, m.ID)
	}
	if diff := cmp.Diff([]string{"", "B", "a", "ab", "b", "é"}, got); diff != "" {
		t.Error(diff)
	}
}
