package registry

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keyward/registry/wire"
	"keyward/store"
	"keyward/store/audit"
	"keyward/store/storetest"
)

// TestBeats has callers come at all times of a beat and find out different times later that
// they have to wait: all are released on a beat, the second after they came or the next.
func TestBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBeats()
		time.Sleep(refusalBeat / 3)
		for came := time.Duration(0); came < refusalBeat; came += refusalBeat / 7 {
			for _, work := range []time.Duration{0, 100 * time.Microsecond, 7 * time.Millisecond, 3*refusalBeat + 1} {
				time.Sleep(came)
				entered := time.Since(b.start)
				n := b.count()
				time.Sleep(work)
				b.wait(n + 2)
				got := time.Since(b.start)
				want := (n + 2) * int64(refusalBeat)
				if done := entered + work; done >= time.Duration(want) {
					want = (int64(done/refusalBeat) + 1) * int64(refusalBeat)
				}
				if int64(got) != want {
					t.Errorf("came at %s, worked %s: released at %s, want %s", entered, work, got, time.Duration(want))
				}
			}
		}
		if len(b.ahead) != 0 {
			t.Errorf("%d beats are kept", len(b.ahead))
		}
	})
}

// lateBody is a body that comes in two parts.
type lateBody struct {
	first, last io.Reader
	late        time.Duration
}

func (b *lateBody) Read(p []byte) (int, error) {
	if n, err := b.first.Read(p); err != io.EOF {
		return n, err
	}
	time.Sleep(b.late)
	b.late = 0
	return b.last.Read(p)
}

// forgetful is a store that records no act by itself: its writer is not in the bubble of synctest.
type forgetful struct{ store.Store }

func (forgetful) Note(context.Context, audit.Act) error { return nil }

// TestRefusalOnBeat serves refused key logins, with bodies that come late, under a clock of its
// own: every answer is sent on a beat, for users, for one whose key
// expired, and for invented names.
func TestRefusalOnBeat(t *testing.T) {
	h := start(t, func(c *Config) { c.Store = forgetful{c.Store} })
	pair := newPair(t)
	h.register("alice", newPair(t).Public)
	logins := map[string]string{"alice": h.seal(pair, 0), "nobody": h.seal(pair, 0), "erin": h.seal(h.expired("erin"), 0)}
	for name, apikey := range logins { // what is read is kept, so that synctest sees no reader wait
		h.logInWith(name, apikey)
	}
	synctest.Test(t, func(t *testing.T) {
		h.beats = newBeats()
		for name, apikey := range logins {
			for _, late := range []time.Duration{0, 7 * time.Millisecond, 22 * time.Millisecond} {
				time.Sleep(3 * time.Millisecond)
				form := keyForm(name, apikey).Encode()
				body := &lateBody{strings.NewReader(form[:4]), strings.NewReader(form[4:]), late}
				r, err := http.NewRequest(http.MethodPost, "https://x"+wire.PathToken, body)
				if err != nil {
					t.Fatal(err)
				}
				r.Header = formType
				begin := time.Since(h.beats.start) + late
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				over := time.Since(h.beats.start)
				if want := begin.Truncate(refusalBeat) + 2*refusalBeat; w.Code != http.StatusUnauthorized || over != want {
					t.Errorf("%s, %s late: %d at %s, want 401 at %s", name, late, w.Code, over, want)
				}
			}
		}
	})
}

// BenchmarkEnumeration tries to tell users from invented names by the time of refused key logins,
// over kept connections, and fails where it can. It is the statistical side of TestRefusalOnBeat,
// and no test because it depends on a quiet machine. It reports, for each time that the bodies
// come late, how well the medians of the two groups of names separate: 0.5 is not at all, 0 or 1 fully.
func BenchmarkEnumeration(b *testing.B) {
	const names, tries = 20, 30 // of each kind, and logins with each name
	h := start(b)
	var all []string
	for i := range names {
		user := fmt.Sprintf("user%02d", i)
		addUser(b, h.cfg.Store, user, alicePassword, false)
		if err := h.cfg.Store.AddKey(b.Context(), store.Key{User: user, Public: newPair(b).Public}, storetest.Act("test")); err != nil {
			b.Fatal(err)
		}
		all = append(all, user, fmt.Sprintf("none%02d", i))
	}
	h.client.Transport.(*http.Transport).TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	wrong := newPair(b)
	for b.Loop() {
		for _, late := range []time.Duration{0, 7 * time.Millisecond, 22 * time.Millisecond} {
			times := map[string][]time.Duration{}
			for range tries {
				rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
				for _, name := range all {
					times[name] = append(times[name], h.refusal(b, name, h.seal(wrong, 0), late))
				}
			}
			got := separation(times)
			b.ReportMetric(got, fmt.Sprintf("separation-%dms", late.Milliseconds()))
			if got < 0.15 || got > 0.85 {
				b.Errorf("bodies %s late: the names are told apart: %.2f", late, got)
			}
		}
	}
}

// refusal measures from the last byte of a key login's body to the answer's header.
func (h *harness) refusal(b *testing.B, name, apikey string, late time.Duration) time.Duration {
	form := keyForm(name, apikey).Encode()
	last := &sent{Reader: strings.NewReader(form[4:])}
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, h.url+wire.PathToken,
		&lateBody{strings.NewReader(form[:4]), last, late})
	if err != nil {
		b.Fatal(err)
	}
	r.ContentLength = int64(len(form))
	r.Header = formType
	a, err := h.client.Do(r)
	took := time.Since(last.at)
	if err != nil {
		b.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, a.Body)
	a.Body.Close()
	return took
}

// sent notes when it was first read.
type sent struct {
	io.Reader
	at time.Time
}

func (s *sent) Read(p []byte) (int, error) {
	if s.at.IsZero() {
		s.at = time.Now()
	}
	return s.Reader.Read(p)
}

// separation is how often the median of an invented name is above that of a user.
func separation(times map[string][]time.Duration) float64 {
	median := map[bool][]time.Duration{}
	for name, t := range times {
		slices.Sort(t)
		user := strings.HasPrefix(name, "user")
		median[user] = append(median[user], t[len(t)/2])
	}
	above := 0
	for _, u := range median[true] {
		for _, n := range median[false] {
			if n > u {
				above++
			}
		}
	}
	return float64(above) / float64(len(median[true])*len(median[false]))
}
