package bus_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// The tests below are of what NATS does otherwise than one would think, which is why the permissions are what they are: see the
// comment of package bus. Each change makes of them what one would give without knowing. Should a later server do as one thinks,
// its test fails, and a rule can go.

// Whoever may respond can name a victim's message box as the place for the response, and a deny does not help.
func TestResponsesForge(t *testing.T) {
	respond := func(p *server.Permissions) {
		p.Publish.Deny = []string{"xbus.msgbox.alice"}
		p.Response = &server.ResponsePermission{MaxMsgs: 1, Expires: time.Hour}
	}
	forge := func(mallory, root *client) []string {
		root.subscribe("xbus.msgbox.alice", "")
		mallory.subscribe("trap.a", "")
		mallory.Do("PUB trap.a xbus.msgbox.alice 0\r\n")
		mallory.Publish("xbus.msgbox.alice")
		return root.unsubscribe()
	}
	gets(t, "mallory", forge, respond, "xbus.msgbox.alice")
	gets(t, "mallory", forge, asIs)
}

// Whoever may hear a.* can subscribe to a.>, and gets all of it.
func TestStarIsTail(t *testing.T) {
	hear := func(carol, root *client) []string {
		carol.subscribe("xbus.msgbox.>", "")
		root.Publish("xbus.msgbox.alice", "xbus.msgbox.alice.echo")
		return carol.unsubscribe()
	}
	gets(t, "carol", hear, denyNothing, "xbus.msgbox.alice", "xbus.msgbox.alice.echo")
	gets(t, "carol", hear, asIs, "xbus.msgbox.alice")
}

// Whoever may hear a subject can take messages there from another's workers, in their queue group.
func TestGroupsAreOpen(t *testing.T) {
	join := func(erin, root *client) []string {
		erin.subscribe("orders.*", "dave.jobs")
		root.Publish("orders.new")
		return erin.unsubscribe()
	}
	gets(t, "erin", join, allowGroups, "orders.new")
	gets(t, "erin", join, asIs)
}

// A server writes traces where the sender may write, and nowhere else. It does so a moment later, in the order of the messages.
func TestTracesForgeNothing(t *testing.T) {
	const victim, own = "xbus.msgbox.alice", "xbus.msgbox.mallory.echo"
	trace := func(mallory, root *client) (heard []string) {
		root.subscribe("xbus.msgbox.>", "")
		mallory.Do(`CONNECT {"verbose":false,"headers":true,"user":"mallory"}`)
		for _, place := range []string{victim, own} {
			header := "NATS/1.0\r\nNats-Trace-Dest: " + place + "\r\n\r\n"
			mallory.Do("HPUB trap.a %d %d\r\n%s", len(header), len(header), header)
		}
		for deadline := time.Now().Add(30 * time.Second); !slices.Contains(heard, own) && time.Now().Before(deadline); {
			more, _ := root.Do("SUB nothing 2")
			heard = append(heard, more...)
		}
		return heard
	}
	gets(t, "mallory", trace, func(p *server.Permissions) { p.Publish.Allow = append(p.Publish.Allow, victim) }, victim, own)
	gets(t, "mallory", trace, asIs, own)
}

// gets has a user do something on a server of its own, and holds what comes of it against what should.
func gets(t *testing.T, user string, do func(user, root *client) []string, change func(*server.Permissions), want ...string) {
	t.Helper()
	addr := serve(t, change)
	if got := do(dial(t, addr, user), dial(t, addr, root)); !slices.Equal(got, want) {
		t.Errorf("%s got %q, not %q", user, got, want)
	}
}

// asIs leaves the permissions what they are.
func asIs(*server.Permissions) {}

// denyNothing leaves out what bus denies.
func denyNothing(p *server.Permissions) { p.Subscribe.Deny = nil }

// allowGroups makes a right for one queue group a right for all, and for none.
func allowGroups(p *server.Permissions) {
	for i, entry := range p.Subscribe.Allow {
		p.Subscribe.Allow[i], _, _ = strings.Cut(entry, " ")
	}
}
