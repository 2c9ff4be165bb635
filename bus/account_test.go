package bus_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"keyward/bus"
	"keyward/bus/bustest"
	"keyward/fault"
)

// aliceWith is an account with nothing but what change gives it.
func aliceWith(change func(*bus.Account)) bus.Account {
	a := bus.Account{Name: "alice", Identities: []string{"spiffe://example.org/bus/account/alice"}, State: bus.Active, Revision: 1}
	change(&a)
	return a
}

func role(kind bus.Kind, name bus.Name, subjects ...bus.Pattern) bus.Role {
	return bus.Role{Kind: kind, Name: name, Subjects: subjects}
}

func TestPermissions(t *testing.T) {
	for what, c := range map[string]struct {
		change func(*bus.Account)
		want   bus.Permissions
	}{
		"nothing": {
			func(*bus.Account) {},
			bus.Permissions{
				Publish:   bus.List{Allow: []string{"_INBOX.alice.out.>"}},
				Subscribe: bus.List{Allow: []string{"_INBOX.alice.in.>"}},
			},
		},
		"emitters and a consumer": {
			func(a *bus.Account) {
				a.Roles = []bus.Role{role(bus.Emitter, "z"), role(bus.Emitter, "alice"), role(bus.Consumer, "news", "xbus.msgbox.*", "news.eu")}
			},
			bus.Permissions{
				Publish: bus.List{Allow: []string{"_INBOX.alice.out.>", "xbus.msgbox.alice", "xbus.msgbox.alice.z"}},
				Subscribe: bus.List{
					Allow: []string{"_INBOX.alice.in.>", "news.eu", "news.eu alice.>", "xbus.msgbox.*", "xbus.msgbox.* alice.>"},
					Deny:  []string{"xbus.msgbox.*.>"},
				},
			},
		},
		"a worker and a service": {
			func(a *bus.Account) { a.Roles = []bus.Role{role(bus.Worker, "jobs"), role(bus.Service, "echo")} },
			bus.Permissions{
				Publish: bus.List{Allow: []string{"_INBOX.*.in.from.alice.>", "_INBOX.alice.out.>"}},
				Subscribe: bus.List{Allow: []string{
					"_INBOX.alice.in.>", "xbus.msgbox.*.echo", "xbus.msgbox.*.echo alice.>", "xbus.msgbox.*.jobs alice.jobs",
				}},
			},
		},
		"a service for stock clients": {
			func(a *bus.Account) { a.Roles = []bus.Role{{Kind: bus.Service, Name: "echo", Stock: true}} },
			bus.Permissions{
				Publish:   bus.List{Allow: []string{"_INBOX.*.in.*", "_INBOX.*.in.*.*", "_INBOX.*.in.from.alice.>", "_INBOX.alice.out.>"}},
				Subscribe: bus.List{Allow: []string{"_INBOX.alice.in.>", "xbus.msgbox.*.echo", "xbus.msgbox.*.echo alice.>"}},
			},
		},
		"extra patterns": {
			func(a *bus.Account) {
				a.Publish, a.Subscribe = []bus.Pattern{"xbus.registration", "xbus.control.*"}, []bus.Pattern{"a.*", "a.>"}
			},
			bus.Permissions{
				Publish:   bus.List{Allow: []string{"_INBOX.alice.out.>", "xbus.control.*", "xbus.registration"}},
				Subscribe: bus.List{Allow: []string{"_INBOX.alice.in.>", "a.*", "a.* alice.>", "a.>", "a.> alice.>"}},
			},
		},
		"revoked": {
			func(a *bus.Account) { a.State = bus.Revoked },
			bus.Permissions{Publish: bus.List{Allow: []string{}, Deny: []string{">"}}, Subscribe: bus.List{Allow: []string{}, Deny: []string{">"}}},
		},
		"not valid": {
			func(a *bus.Account) { a.Publish = []bus.Pattern{"$SYS.>"} },
			bus.Permissions{Publish: bus.List{Allow: []string{}, Deny: []string{">"}}, Subscribe: bus.List{Allow: []string{}, Deny: []string{">"}}},
		},
	} {
		if diff := cmp.Diff(c.want, aliceWith(c.change).Permissions()); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
}

// TestPermissionsInAnyOrder: the same roles and patterns give the same lists, whatever order they come in.
func TestPermissionsInAnyOrder(t *testing.T) {
	accounts := bustest.Accounts()
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SampledFrom(accounts).Draw(t, "account")
		mixed := a
		mixed.Roles = rapid.Permutation(a.Roles).Draw(t, "roles")
		mixed.Publish = rapid.Permutation(a.Publish).Draw(t, "publish")
		mixed.Subscribe = rapid.Permutation(a.Subscribe).Draw(t, "subscribe")
		p := a.Permissions()
		if diff := cmp.Diff(p, mixed.Permissions()); diff != "" {
			t.Error(diff)
		}
		for _, list := range [][]string{p.Publish.Allow, p.Publish.Deny, p.Subscribe.Allow, p.Subscribe.Deny} {
			if !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
				t.Errorf("%q", list)
			}
		}
	})
}

func TestExtraPatternsRefused(t *testing.T) {
	closed := []string{
		">", "*", "*.>", "*.alice", "*.msgbox.x", "*.*.in.>",
		"_INBOX", "_INBOX.>", "_INBOX.*", "_INBOX.bob.>", "_INBOX.bob.in.x", "_INBOX.alice.in.>", "_INBOX.*.in.>", "_inbox.>", "_Inbox.bob.in.>", "_other",
		"$SYS.>", "$SYS.REQ.USER.INFO", "$sys.>", "$JS.>", "$JS.API.>", "$JS.ACK.>", "$js.api.x", "$KV.b.k", "$SRV.PING", "$G.x", "$MQTT.x", "_R_.x", "_GR_.x", "$", "_",
		"xbus.>", "xbus.*.>", "xbus.*.bob", "xbus.msgbox.>", "xbus.msgbox.*", "xbus.msgbox.bob", "xbus.msgbox.alice", "xbus.msgbox.alice.x", "XBUS.>", "Xbus.msgBox.bob", "xbus.MSGBOX.>", "XBUS.*.bob.x", "xbuſ.msgbox.bob",
		"", "a..b", "a b", "a.>.b",
	}
	for _, pattern := range closed {
		for what, change := range map[string]func(*bus.Account){
			"publish":   func(a *bus.Account) { a.Publish = []bus.Pattern{bus.Pattern(pattern)} },
			"subscribe": func(a *bus.Account) { a.Subscribe = []bus.Pattern{bus.Pattern(pattern)} },
		} {
			err := aliceWith(change).Validate()
			if fault.KindOf(err) != fault.Policy || fault.HintOf(err) == "" || !strings.HasPrefix(err.Error(), what) {
				t.Errorf("%s %q: %v", what, pattern, err)
			}
		}
	}
	for _, pattern := range []string{"a", "a.>", "a.*.b", "xbus.registration", "xbus.control.>", "xbus.*", "xbus.msgbox", "xbus.*.*.*.*"} {
		err := aliceWith(func(a *bus.Account) { a.Subscribe = []bus.Pattern{bus.Pattern(pattern)} }).Validate()
		if want := pattern != "xbus.*.*.*.*"; (err == nil) != want {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}

func TestRoleSubjects(t *testing.T) {
	for pattern, want := range map[string]bool{
		"orders.>": true, "xbus.msgbox.>": true, "xbus.msgbox.*": true, "xbus.msgbox.bob": true, "xbus.msgbox.*.echo": true, "xbus.msgbox.bob.*": true, "xbus.msgbox.bob.>": true,
		"xbus.>": false, ">": false, "*.msgbox.>": false, "XBUS.msgbox.>": false, "xbus.msgbox.b$b": false, "xbus.msgbox.a.b.c": false, "xbus.msgbox.a.b.>": false, "_INBOX.*.in.>": false, "$JS.>": false,
	} {
		for _, kind := range []bus.Kind{bus.Consumer, bus.Worker, bus.Service} {
			err := aliceWith(func(a *bus.Account) { a.Roles = []bus.Role{role(kind, "x", bus.Pattern(pattern))} }).Validate()
			if (err == nil) != want || err != nil && fault.HintOf(err) == "" {
				t.Errorf("%s %q: %v", kind, pattern, err)
			}
		}
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	bad := bus.Account{
		Name: "a.b", State: "asleep", Identities: []string{"CN=alice", "spiffe://example.org/bus/account/bob"},
		Roles:   []bus.Role{role("boss", "x"), role(bus.Emitter, "e", "orders"), role(bus.Service, "*", ">"), role(bus.Worker, "w"), role(bus.Worker, "w"), {Kind: bus.Consumer, Name: "c", Stock: true}},
		Publish: []bus.Pattern{"$SYS.>", "", "ok", "ok"}, Subscribe: []bus.Pattern{"_INBOX.>"},
	}
	err := bad.Validate()
	faults, ok := errors.AsType[bus.Faults](err)
	if !ok {
		t.Fatal(err)
	}
	var fields []string
	for _, f := range faults {
		fields = append(fields, f.Field)
		if f.Message == "" || f.Hint == "" {
			t.Errorf("%+v", f)
		}
	}
	want := []string{"name", "state", "identities", "identities", "boss x", "emitter e", `service "*"`, `service "*"`, "worker w", "consumer c", "publish", "publish", "publish", "subscribe"}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Errorf("%s\n%v", diff, err)
	}
	if lines := strings.Count(err.Error(), "\n") + 1; lines != len(want) {
		t.Errorf("%d lines for %d faults", lines, len(want))
	}
}

func TestTooMany(t *testing.T) {
	for what, change := range map[string]func(*bus.Account){
		"roles": func(a *bus.Account) {
			for i := range bus.MaxRoles + 1 {
				a.Roles = append(a.Roles, role(bus.Emitter, bus.Name(fmt.Sprint("e", i))))
			}
		},
		"identities": func(a *bus.Account) {
			for i := range bus.MaxIdentities {
				a.Identities = append(a.Identities, fmt.Sprintf("spiffe://d%d/bus/account/alice", i))
			}
		},
		"publish": func(a *bus.Account) {
			for i := range bus.MaxPatterns + 1 {
				a.Publish = append(a.Publish, bus.Pattern(fmt.Sprint("p", i)))
			}
		},
	} {
		err := aliceWith(change).Validate()
		faults, _ := errors.AsType[bus.Faults](err)
		if len(faults) != 1 || faults[0].Field != what {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// hearing is an account with that many subjects, which all end in * and begin alike.
func hearing(subjects int) bus.Account {
	return aliceWith(func(a *bus.Account) {
		for n := range subjects {
			if n%bus.MaxPatterns == 0 {
				a.Roles = append(a.Roles, role(bus.Consumer, bus.Name(fmt.Sprint("r", n))))
			}
			last := &a.Roles[len(a.Roles)-1]
			last.Subjects = append(last.Subjects, bus.Pattern(fmt.Sprintf("plant.hall.%d.*", n)))
		}
	})
}

func TestHeardTogether(t *testing.T) {
	most := hearing(bus.MaxHeard)
	if err := most.Validate(); err != nil {
		t.Fatal(err)
	}
	more := most
	more.Subscribe = []bus.Pattern{"one.more"}
	if faults, _ := errors.AsType[bus.Faults](more.Validate()); len(faults) != 1 || faults[0].Field != "roles" {
		t.Errorf("%v", faults)
	}
	// A role without subjects hears one too.
	most.Roles[0].Subjects = nil
	most.Subscribe = slices.Repeat([]bus.Pattern{"x"}, bus.MaxPatterns)
	if err := most.Validate(); err == nil || !strings.Contains(err.Error(), "they hear 257 patterns") {
		t.Error(err)
	}
}

// TestFewFaults: who sends nonsense gets no book back.
func TestFewFaults(t *testing.T) {
	a := aliceWith(func(a *bus.Account) {
		for n := range 1000 {
			a.Identities = append(a.Identities, fmt.Sprint(n))
		}
	})
	if faults, _ := errors.AsType[bus.Faults](a.Validate()); len(faults) != 100 {
		t.Errorf("%d faults", len(faults))
	}
}

// TestMutedSubscriptions: what one connection cannot have both of is refused when the account is made.
func TestMutedSubscriptions(t *testing.T) {
	for _, c := range []struct {
		roles []bus.Role
		want  bool
	}{
		{[]bus.Role{role(bus.Consumer, "a", "x.*"), role(bus.Consumer, "b", "x.y.z")}, false},
		{[]bus.Role{role(bus.Consumer, "a", "xbus.msgbox.*"), role(bus.Service, "echo")}, false},
		{[]bus.Role{role(bus.Consumer, "a", "x.*"), role(bus.Worker, "b", "x.>")}, false},
		{[]bus.Role{role(bus.Consumer, "a", "x.*"), role(bus.Consumer, "b", "x.>")}, true},
		{[]bus.Role{role(bus.Worker, "a", "x.*"), role(bus.Consumer, "b", "x.>")}, true},
		{[]bus.Role{role(bus.Worker, "a", "x.*", "x.>")}, true},
		{[]bus.Role{role(bus.Consumer, "a", "x.*"), role(bus.Consumer, "b", "x.y", "y.x.z")}, true},
	} {
		err := aliceWith(func(a *bus.Account) { a.Roles = c.roles }).Validate()
		if (err == nil) != c.want || err != nil && fault.HintOf(err) == "" {
			t.Errorf("%v: %v", c.roles, err)
		}
	}
}

func TestSender(t *testing.T) {
	for subject, want := range map[string][2]bus.Name{
		"xbus.msgbox.alice":      {"alice", "alice"},
		"xbus.msgbox.alice.echo": {"alice", "echo"},
	} {
		account, emitter, ok := bus.Sender(subject)
		if !ok || account != want[0] || emitter != want[1] {
			t.Errorf("%s: %s %s %v", subject, account, emitter, ok)
		}
	}
	for _, bad := range []string{"", "xbus.msgbox", "xbus.msgbox.", "xbus.msgbox.alice.", "xbus.msgbox..alice", "xbus.msgbox.alice.alice", "xbus.msgbox.alice.a.b", "xbus.msgbox.*", "xbus.msgbox.alice.>", "XBUS.msgbox.alice", "xbus.msgbox.al ice", "a.xbus.msgbox.alice", "orders.alice"} {
		if account, emitter, ok := bus.Sender(bad); ok || account != "" || emitter != "" {
			t.Errorf("%q: %s %s", bad, account, emitter)
		}
	}
}

func TestReplyAllowed(t *testing.T) {
	for reply, want := range map[string]bool{
		"_INBOX.alice.in.id.token": true, "_INBOX.alice.in.bob.id.token": true, "_INBOX.alice.in.x": true, bus.ReplyPrefix("alice", "bob") + ".x": true,
		"": false, "_INBOX.alice.in": false, "_INBOX.alice.in.": false, "_INBOX.alice.in..x": false, "_INBOX.alice.in.>": false, "_INBOX.alice.in.*": false, "_INBOX.alice.in.x y": false,
		"_INBOX.alice.out.x": false, "_INBOX.bob.in.x": false, "_INBOX.alice2.in.x": false, "_INBOX.Alice.in.x": false, "_inbox.alice.in.x": false,
		"xbus.msgbox.bob": false, "$JS.API.STREAM.DELETE.x": false, "$SYS.REQ.SERVER.PING": false, "_R_.x": false,
	} {
		if got := bus.ReplyAllowed("alice", reply); got != want {
			t.Errorf("%q: %v", reply, got)
		}
	}
	for _, nobody := range []bus.Name{"", "*", ">", "a.b"} {
		if bus.ReplyAllowed(nobody, "_INBOX."+string(nobody)+".in.x") {
			t.Errorf("%q has an inbox", nobody)
		}
	}
}

func TestExplain(t *testing.T) {
	accounts := map[bus.Name]bus.Account{}
	for _, a := range bustest.Accounts() {
		accounts[a.Name] = a
	}
	for _, c := range []struct {
		account bus.Name
		verb    bus.Verb
		text    string
		want    bus.Verdict
	}{
		{"alice", bus.Publish, "xbus.msgbox.alice.echo", bus.Verdict{Decision: bus.Allowed, Rule: "xbus.msgbox.alice.echo", Reason: "by emitter echo"}},
		{"alice", bus.Publish, "xbus.msgbox.bob", bus.Verdict{Decision: bus.Refused, Reason: "it is the message box of no emitter of the account"}},
		{"alice", bus.Publish, "_INBOX.bob.in.x", bus.Verdict{Decision: bus.Refused, Reason: "no worker or service of the account replies, so nothing of others' inboxes is its own"}},
		{"bob", bus.Publish, "_INBOX.alice.in.from.carol.x", bus.Verdict{Decision: bus.Refused, Reason: "in the inboxes of others it replies below _INBOX.*.in.from.bob. alone"}},
		{"bob", bus.Publish, "_INBOX.bob.in.x", bus.Verdict{Decision: bus.Refused, Reason: "in its own inbox it answers below _INBOX.bob.out. alone"}},
		{"bob", bus.Subscribe, "_INBOX.bob.out.x", bus.Verdict{Decision: bus.Refused, Reason: "in its own inbox it listens below _INBOX.bob.in. alone"}},
		{"bob", bus.Subscribe, "_INBOX.*.in.>", bus.Verdict{Decision: bus.Refused, Reason: "it reaches the inbox of another"}},
		{"bob", bus.Subscribe, "xbus.msgbox.*.echo bob.x", bus.Verdict{Decision: bus.Allowed, Rule: "xbus.msgbox.*.echo bob.>", Reason: "by service echo"}},
		{"bob", bus.Subscribe, "xbus.msgbox.*.echo q", bus.Verdict{Decision: bus.Refused, Reason: "the queue groups of the account begin with bob."}},
		{"bob", bus.Subscribe, "xbus.msgbox.*.*", bus.Verdict{Decision: bus.Refused, Reason: "only a part of it is allowed: xbus.msgbox.*.echo, by service echo"}},
		{"bob", bus.Subscribe, "xbus.msgbox.alice", bus.Verdict{Decision: bus.Refused, Reason: "no role of the account hears this message box"}},
		{"carol", bus.Subscribe, "xbus.msgbox.>", bus.Verdict{Decision: bus.Filtered, Rule: "xbus.msgbox.*.>", Reason: "the server takes it and delivers only xbus.msgbox.*, by consumer log"}},
		{"dave", bus.Subscribe, "orders.new", bus.Verdict{Decision: bus.Refused, Reason: "worker jobs hears this subject in the queue group dave.jobs alone"}},
		{"frank", bus.Publish, "orders.new", bus.Verdict{Decision: bus.Allowed, Rule: "orders.*", Reason: "by its extra patterns"}},
		{"frank", bus.Subscribe, "$SYS.>", bus.Verdict{Decision: bus.Refused, Reason: "it is NATS's own"}},
		{"frank", bus.Subscribe, ">", bus.Verdict{Decision: bus.Refused, Reason: "it reaches everybody's inboxes and NATS's own subjects"}},
		{"frank", bus.Subscribe, "other", bus.Verdict{Decision: bus.Refused, Reason: "no role or extra pattern of the account has it"}},
		{"grace", bus.Publish, "xbus.msgbox.grace", bus.Verdict{Decision: bus.Refused, Rule: ">", Reason: "the account is revoked"}},
	} {
		got, err := bus.Explain(accounts[c.account], c.verb, c.text)
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s %s %s: %v %s", c.account, c.verb, c.text, err, diff)
		}
	}
	for text, kind := range map[string]fault.Kind{"": fault.Policy, "a..b": fault.Policy, "a b c": fault.Policy, "a  b": fault.Policy, "a ": fault.Policy, " a": fault.Policy} {
		if _, err := bus.Explain(accounts["alice"], bus.Subscribe, text); fault.KindOf(err) != kind || fault.HintOf(err) == "" {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := bus.Explain(accounts["alice"], bus.Publish, "a q"); fault.KindOf(err) != fault.Policy {
		t.Error(err)
	}
	if _, err := bus.Explain(accounts["alice"], "read", "a"); fault.KindOf(err) != fault.Usage {
		t.Error(err)
	}
}
