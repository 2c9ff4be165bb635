package registry

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// TestTurns has one source ask many times before two others ask once: they wait for one of its turns, not for all.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(1, 100)
		var order []string
		work := make(chan bool)
		ask := func(from string) {
			go func() {
				if turns.enter(t.Context(), netip.MustParsePrefix(from+"/32")) {
					order = append(order, from)
					<-work
					turns.leave()
				}
			}()
			synctest.Wait()
		}
		const many, first, second = "192.0.2.1", "192.0.2.2", "192.0.2.3"
		for _, from := range slices.Concat(slices.Repeat([]string{many}, 4), []string{first, second}) {
			ask(from)
		}
		close(work)
		synctest.Wait()
		want := []string{many, many, first, second, many, many}
		if !slices.Equal(order, want) || turns.held() != 0 {
			t.Errorf("%s, %d are held", strings.Join(order, " "), turns.held())
		}
	})
}

// TestTurnGivenUp has a turn come just when nobody waits for it any more: it goes to the next.
func TestTurnGivenUp(t *testing.T) {
	turns := newTurns(1, 10)
	one, other := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32")
	<-turns.join(one)
	given, waits, next := turns.join(one), turns.join(one), turns.join(other)
	turns.leave()
	turns.giveUp(one, given)
	if !<-next {
		t.Error("the turn was lost")
	}
	turns.giveUp(one, waits)
	turns.leave()
	ended, end := context.WithCancel(t.Context())
	end()
	<-turns.join(one)
	if turns.enter(ended, other) || turns.held() != 1 || len(turns.order)+len(turns.queues) != 0 {
		t.Errorf("%d are held, %d wait", turns.held(), len(turns.order))
	}
}
