package keyexchange

import (
	"fmt"
	"slices"
	"time"

	"keyward/fault"
)

// Generation is one pair of keys and its time; printed, it is the VerifyKey alone. All times are UTC, in whole seconds.
type Generation struct {
	*SealKeys
	Created time.Time
	From    time.Time // messages are sealed with it from then on
	Until   time.Time // it is forgotten then; zero while nothing follows it
}

// Ring is the keys of an exchange over time. A Ring is not changed once it is made, so many goroutines may have it.
type Ring struct {
	generations []Generation // at least one, by From
}

// Format hides the keys that are secret from every verb.
func (r *Ring) Format(f fmt.State, _ rune) { fmt.Fprint(f, r.generations) }

// NewRing makes keys that hold from now on.
func NewRing(now time.Time) *Ring {
	now = second(now)
	return &Ring{[]Generation{{SealKeys: GenerateSealKeys(), Created: now, From: now}}}
}

// At is the generation that seals at that time. Before all of them it is the first.
func (r *Ring) At(now time.Time) Generation { return r.generations[r.index(now)] }

func (r *Ring) index(now time.Time) int {
	for i, g := range slices.Backward(r.generations) {
		if !g.From.After(now) {
			return i
		}
	}
	return 0
}

// Switch is when the generation after the one of now begins; not ok where there is none.
func (r *Ring) Switch(now time.Time) (at time.Time, ok bool) {
	next := r.index(now) + 1
	if next == len(r.generations) {
		return time.Time{}, false
	}
	return r.generations[next].From, true
}

// Known are the generations that may have sealed what is opened at that time, or soon will, the latest first: all that are
// not forgotten.
func (r *Ring) Known(now time.Time) []Generation {
	known := r.alive(now)
	slices.Reverse(known)
	return known
}

func (r *Ring) alive(now time.Time) []Generation {
	return slices.DeleteFunc(slices.Clone(r.generations), func(g Generation) bool { return !g.Until.IsZero() && !now.Before(g.Until) })
}

// maxGenerations is how many a ring holds: more than rotations with sane overlaps leave.
const maxGenerations = 8

// Rotate is the ring with new keys that seal from that moment on, rounded up to a second; those before them are known for the
// overlap longer. It leaves out what is forgotten now, and all but the latest 8. Where another change is still to come it is
// fault.Exists; a moment before now, or an overlap below zero, is fault.Usage.
func (r *Ring) Rotate(now, moment time.Time, overlap time.Duration) (*Ring, error) {
	if at, pending := r.Switch(now); pending {
		return nil, fault.New(fault.Exists, "wait until then", "the keys change already at %s", at.Format(time.RFC3339))
	}
	if overlap < 0 || moment.Before(now) {
		return nil, fault.New(fault.Usage, "name a moment to come, and an overlap of zero or more", "keys cannot change in the past")
	}
	kept := r.alive(now)
	last := &kept[len(kept)-1]
	from := secondUp(moment)
	if !from.After(last.From) {
		from = last.From.Add(time.Second)
	}
	last.Until = secondUp(from.Add(overlap))
	kept = append(kept, Generation{SealKeys: GenerateSealKeys(), Created: second(now), From: from})
	return &Ring{kept[max(0, len(kept)-maxGenerations):]}, nil
}

func second(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func secondUp(t time.Time) time.Time { return second(t.Add(time.Second - 1)) }

// check says whether the generations are a ring's: in order, each but the last followed in time.
func (r *Ring) check() error {
	if len(r.generations) == 0 {
		return fault.New(fault.InvalidFile, ringHint, "no keys in it")
	}
	for i, g := range r.generations {
		last := i == len(r.generations)-1
		switch {
		case g.Until.IsZero() != last:
			return fault.New(fault.InvalidFile, ringHint, "all keys but the last must have an end")
		case !last && (!g.From.Before(r.generations[i+1].From) || g.Until.Before(r.generations[i+1].From)):
			return fault.New(fault.InvalidFile, ringHint, "the keys are not one after the other")
		}
	}
	return nil
}
