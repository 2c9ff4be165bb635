package registry

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"keyward/registry/wire"
	"keyward/store"
	"keyward/store/audit"
)

// refusedLogins lists the records of refused logins.
func (h *harness) refusedLogins() (list []audit.Act) {
	h.t.Helper()
	for r, err := range h.cfg.Store.Audit(h.t.Context(), 0) {
		if err != nil {
			h.t.Fatal(err)
		}
		_, _, act, err := audit.Parse(r.Line)
		if err != nil {
			h.t.Fatal(err)
		}
		if act.What == audit.LoginRefused {
			list = append(list, act)
		}
	}
	return list
}

// TestRefusalsRecorded refuses logins of all sorts, and looks for the record of each once it is answered.
func TestRefusalsRecorded(t *testing.T) {
	h := startCheap(t)
	pair, stranger := newPair(t), newPair(t)
	h.register("alice", pair.Public)
	used := h.seal(pair, 0)
	h.wantFrom("192.0.2.1:1", keyForm("alice", used), 200, "a key")
	h.wantFrom("192.0.2.1:1", right("alice"), 200, "a password")
	h.guess("admin", freeNearby)
	asking := func(form url.Values, scope string) url.Values { form.Set(wire.FieldScope, scope); return form }
	for i, c := range []struct {
		name, from string
		form       map[string][]string
		by, note   string
	}{
		{"wrong password", "192.0.2.1:1", wrong("alice"), "alice", "password: login_refused"},
		{"short password", "192.0.2.1:1", passwordForm("alice", "x"), "", "password: login_refused"},
		{"unknown user", "192.0.2.1:1", wrong("nobody"), "", "password: login_refused"},
		{"a password for a name", "192.0.2.1:1", wrong(alicePassword), "", "password: login_refused"},
		{"wrong key", "[2001:db8::7]:1", keyForm("alice", h.seal(stranger, 0)), "alice", "apikey: login_refused"},
		{"user without a key", "[2001:db8::7]:1", keyForm("admin", h.seal(stranger, 0)), "admin", "apikey: login_refused"},
		{"unknown user's key", "[2001:db8::7]:1", keyForm("nobody", h.seal(stranger, 0)), "", "apikey: login_refused"},
		{"used", "[2001:db8::7]:1", keyForm("alice", used), "alice", "apikey: login_replay"},
		{"old", "[2001:db8::7]:1", keyForm("alice", h.seal(pair, -time.Hour)), "alice", "apikey: login_time"},
		{"a scope that no key gives", "[2001:db8::8]:1", asking(keyForm("alice", h.seal(pair, time.Second)), wire.ScopeKeys), "alice", "apikey: not_permitted"},
		{"a scope that is an administrator's", "192.0.2.2:1", asking(right("alice"), wire.ScopeAdmin), "alice", "password: not_permitted"},
		{"too many", "127.0.0.1:1", wrong("admin"), "", "password: too_many_failures"},
	} {
		a := h.logInFrom(c.from, c.form)
		from, _ := netip.ParseAddrPort(c.from)
		want := audit.Act{Time: h.clock.Now(), What: audit.LoginRefused, By: c.by, From: from.Addr().String(), Request: a.header.Get("X-Request-Id"), Note: c.note}
		list := h.refusedLogins()
		if len(list) != i+1 {
			t.Fatalf("%s: %d records, want %d", c.name, len(list), i+1)
		}
		if diff := cmp.Diff(want, list[i]); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// TestRefusalsCounted has two sources refused past ten in a minute: the rest is one record each when it ends, and the
// next minute begins anew.
func TestRefusalsCounted(t *testing.T) {
	h := startCheap(t)
	refuse := func(remote string, n int) {
		for range n {
			h.wantFrom(remote, passwordForm("alice", "short"), 401, "short")
		}
	}
	refuse("192.0.2.1:1", 25)
	refuse("[2001:db8::1]:1", 11)
	refuse("192.0.2.2:1", 3)
	if n := len(h.refusedLogins()); n != 23 {
		t.Errorf("%d records, want 23", n)
	}
	h.noteCounted(t.Context())
	const note = "more in a minute than have records of their own"
	byFrom := cmpopts.SortSlices(func(a, b audit.Act) bool { return a.From < b.From })
	if diff := cmp.Diff([]audit.Act{
		{Time: h.clock.Now(), What: audit.LoginRefused, From: "192.0.2.1", Count: 15, Note: note},
		{Time: h.clock.Now(), What: audit.LoginRefused, From: "2001:db8::/64", Count: 1, Note: note},
	}, h.refusedLogins()[23:], byFrom); diff != "" {
		t.Error(diff)
	}
	h.noteCounted(t.Context())
	refuse("192.0.2.1:1", 1)
	if n := len(h.refusedLogins()); n != 26 {
		t.Errorf("%d records, want 26", n)
	}
}

// TestRefusalsBound has many sources refused at once: few records are written, and all are counted.
func TestRefusalsBound(t *testing.T) {
	h := startCheap(t)
	const sources, each = maxRefused + 50, 3
	var all sync.WaitGroup
	for i := range sources {
		all.Go(func() {
			for range each {
				h.wantFrom(fmt.Sprintf("10.0.%d.%d:1", i/256, i%256), passwordForm("alice", "short"), 401, "short")
			}
		})
	}
	all.Wait()
	if len(h.refused.of) != maxRefused {
		t.Errorf("%d sources in the table", len(h.refused.of))
	}
	if n := len(h.refusedLogins()); n != refusalsInAll {
		t.Errorf("%d records before the minute ended, want %d", n, refusalsInAll)
	}
	h.noteCounted(t.Context())
	list, total := h.refusedLogins(), 0
	for _, act := range list {
		total += max(1, act.Count)
	}
	if total != sources*each || len(list) > refusalsInAll+maxRefused+1 {
		t.Errorf("%d records stand for %d, want %d", len(list), total, sources*each)
	}
}

// TestRefusalsAtStop sees that what was counted is written when the server stops.
func TestRefusalsAtStop(t *testing.T) {
	h := startCheap(t)
	for range refusalsOfSource + 7 {
		h.do(request{method: "POST", path: "/api/v3/token", form: passwordForm("alice", "short")})
	}
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	list := h.refusedLogins()
	if last := list[len(list)-1]; last.Count != 7 || last.From != "127.0.0.1" {
		t.Errorf("%+v", last)
	}
}

// mute is a store that cannot record acts for a while.
type mute struct {
	store.Store
	on *bool
}

func (m mute) Note(ctx context.Context, act audit.Act) error {
	if *m.on {
		return fmt.Errorf("note: %w", store.ErrUnavailable)
	}
	return m.Store.Note(ctx, act)
}

// TestRefusalUnrecorded sees that a refusal that cannot be recorded is not given, and that counts are kept until they can.
func TestRefusalUnrecorded(t *testing.T) {
	on := true
	h := startCheap(t, func(c *Config) { c.Store = mute{c.Store, &on} })
	h.wantFrom("192.0.2.1:1", wrong("alice"), 503, "unrecorded")
	for range refusalsOfSource + 4 {
		h.logInFrom("192.0.2.1:1", passwordForm("alice", "short"))
	}
	h.noteCounted(t.Context())
	if log := h.log.String(); !strings.Contains(log, "record refused logins") || !strings.Contains(log, `"from":"192.0.2.1","count":5`) {
		t.Errorf("the log does not tell of it: %s", log)
	}
	on = false
	h.noteCounted(t.Context())
	if list := h.refusedLogins(); len(list) != 1 || list[0].Count != 5 {
		t.Errorf("%+v", list)
	}
}

// TestRefusalOfWhoIsGone sees that a caller who hangs up is counted and recorded all the same.
func TestRefusalOfWhoIsGone(t *testing.T) {
	h := startCheap(t)
	c := newCall(discard{}, h.request("192.0.2.1:1"), "")
	who := h.claim(c, "alice")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c.r = c.r.WithContext(ctx)
	if err := h.compare(c, who, h.noHash, "not my password"); err != errRefused {
		t.Errorf("compare: %v", err)
	}
	if err := h.noteRefusal(c, errRefused); err != errRefused {
		t.Errorf("note: %v", err)
	}
	failures, err := h.cfg.Store.Failures(t.Context(), who.source)
	if err != nil || failures[0].Count != 1 || len(h.refusedLogins()) != 1 {
		t.Errorf("%v counted, %d recorded: %v", failures, len(h.refusedLogins()), err)
	}
}
