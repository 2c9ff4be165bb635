// Package bustest has accounts and a matrix of what each may do, for the tests of all that puts package bus to work.
// Its answers do not come from bus: each account's rights stand here a second time, as regular expressions, and are
// held against every subject of a small world.
package bustest

import (
	"regexp"
	"slices"
	"strings"

	"keyward/bus"
)

// Cell is one question: may the account do that, and what does it hear then?
type Cell struct {
	Account bus.Name
	Verb    bus.Verb
	Subject string // or pattern
	Queue   string // the queue group; empty for none
	Want    bus.Decision

	// Hears are the subjects of World that a subscription gets; none where it is refused.
	Hears []string
}

// account is an account with its rights as the model knows them.
type account struct {
	bus.Account
	sends string  // all that it may publish to; empty for nothing
	hears []right // besides its inbox
}

// right is what a subscription may have of subjects, and the queue groups it may be in; the empty one is none.
type right struct{ subjects, groups string }

// consumer is the right of an account that may be in no group, or in one of its own.
func consumer(name, subjects string) right { return right{subjects, `|` + name + `\..+`} }

// Accounts are those of the matrix. Their revisions differ.
func Accounts() []bus.Account {
	var list []bus.Account
	for _, a := range accounts() {
		list = append(list, a.Account)
	}
	return list
}

const (
	one  = `[^.]+`
	more = `.+`
)

func accounts() []account {
	role := func(kind bus.Kind, name bus.Name, subjects ...bus.Pattern) bus.Role {
		return bus.Role{Kind: kind, Name: name, Subjects: subjects}
	}
	stock := bus.Role{Kind: bus.Service, Name: "orders", Subjects: []bus.Pattern{"orders.>"}, Stock: true}
	list := []account{{
		Account: bus.Account{Name: "alice", Roles: []bus.Role{role(bus.Emitter, "alice"), role(bus.Emitter, "echo")}},
		sends:   `xbus\.msgbox\.alice(\.echo)?|_INBOX\.alice\.out\.` + more,
	}, {
		Account: bus.Account{Name: "al", Roles: []bus.Role{role(bus.Emitter, "ice")}},
		sends:   `xbus\.msgbox\.al\.ice|_INBOX\.al\.out\.` + more,
	}, {
		Account: bus.Account{Name: "Alice", Roles: []bus.Role{role(bus.Emitter, "Alice")}},
		sends:   `xbus\.msgbox\.Alice|_INBOX\.Alice\.out\.` + more,
	}, {
		Account: bus.Account{Name: "bob", Roles: []bus.Role{role(bus.Service, "echo")}},
		sends:   `_INBOX\.bob\.out\.` + more + `|_INBOX\.` + one + `\.in\.from\.bob\.` + more,
		hears:   []right{consumer("bob", `xbus\.msgbox\.`+one+`\.echo`)},
	}, {
		Account: bus.Account{Name: "carol", Roles: []bus.Role{role(bus.Consumer, "log", "xbus.msgbox.*"), role(bus.Emitter, "carol")}},
		sends:   `xbus\.msgbox\.carol|_INBOX\.carol\.out\.` + more,
		hears:   []right{consumer("carol", `xbus\.msgbox\.`+one)},
	}, {
		Account: bus.Account{Name: "dave", Roles: []bus.Role{role(bus.Worker, "jobs", "orders.*"), role(bus.Emitter, "done")}},
		sends:   `xbus\.msgbox\.dave\.done|_INBOX\.dave\.out\.` + more + `|_INBOX\.` + one + `\.in\.from\.dave\.` + more,
		hears:   []right{{`orders\.` + one, `dave\.jobs`}},
	}, {
		Account: bus.Account{Name: "erin", Roles: []bus.Role{stock}},
		sends:   `_INBOX\.erin\.out\.` + more + `|_INBOX\.` + one + `\.in\.from\.erin\.` + more + `|_INBOX\.` + one + `\.in\.` + one + `(\.` + one + `)?`,
		hears:   []right{consumer("erin", `orders\.`+more)},
	}, {
		Account: bus.Account{
			Name:    "frank",
			Publish: []bus.Pattern{"orders.*", "xbus.registration", "xbus.control.*"}, Subscribe: []bus.Pattern{"news", "news.>", "xbus.control.frank"},
		},
		sends: `orders\.` + one + `|xbus\.registration|xbus\.control\.` + one + `|_INBOX\.frank\.out\.` + more,
		hears: []right{consumer("frank", `news`), consumer("frank", `news\.`+more), consumer("frank", `xbus\.control\.frank`)},
	}, {
		Account: bus.Account{Name: "grace", Roles: []bus.Role{role(bus.Emitter, "grace"), role(bus.Service, "echo")}, State: bus.Revoked},
	}, {
		Account: bus.Account{Name: "heidi", Roles: []bus.Role{role(bus.Consumer, "all", "xbus.msgbox.>"), role(bus.Consumer, "some", "xbus.msgbox.*")}},
		sends:   `_INBOX\.heidi\.out\.` + more,
		hears:   []right{consumer("heidi", `xbus\.msgbox\.`+more)},
	}, {
		Account: bus.Account{Name: "ivan", Roles: []bus.Role{role(bus.Consumer, "one", "xbus.msgbox.alice"), role(bus.Worker, "one", "xbus.msgbox.alice.*")}},
		sends:   `_INBOX\.ivan\.out\.` + more + `|_INBOX\.` + one + `\.in\.from\.ivan\.` + more,
		hears:   []right{consumer("ivan", `xbus\.msgbox\.alice`), {`xbus\.msgbox\.alice\.` + one, `ivan\.one`}},
	}, {
		Account: bus.Account{Name: "judy", Roles: []bus.Role{role(bus.Consumer, "orders", "orders.*", "orders.*.>")}},
		sends:   `_INBOX\.judy\.out\.` + more,
		hears:   []right{consumer("judy", `orders\.`+more)},
	}, {
		Account: bus.Account{Name: "mallory", Roles: []bus.Role{role(bus.Emitter, "echo"), role(bus.Service, "trap", "trap.*"), role(bus.Worker, "trap", "trap.*")}, Publish: []bus.Pattern{"trap.>"}},
		sends:   `xbus\.msgbox\.mallory\.echo|trap\.` + more + `|_INBOX\.mallory\.out\.` + more + `|_INBOX\.` + one + `\.in\.from\.mallory\.` + more,
		hears:   []right{consumer("mallory", `trap\.`+one)},
	}}
	for i := range list {
		a := &list[i]
		a.Identities = []string{"spiffe://example.org/bus/account/" + string(a.Name)}
		a.Revision = uint64(i + 1)
		if a.State == "" {
			a.State = bus.Active
			a.hears = append(a.hears, right{`_INBOX\.` + string(a.Name) + `\.in\.` + more, `.*`})
		}
	}
	return list
}

// World are subjects of every sort that the accounts can and cannot reach. Who checks a server publishes to all of them, as somebody
// without limits, and sees who hears what.
func World() []string {
	world := []string{
		"orders", "orders.new", "orders.new.eu", "Orders.new", "news", "news.today", "news.today.late", "trap", "trap.a", "trap.a.b",
		"xbus", "xbus.registration", "xbus.control", "xbus.control.stop", "xbus.control.frank", "xbus.control.stop.now", "xbus.msgbox",
		"XBUS.msgbox.alice", "xbus.MSGBOX.alice", "xbus.msgbox.ALICE", "xbus.msgbox.alice2", "xbus.msgbox.zoe", "xbus.msgbox.zoe.echo",
		"_INBOX", "_INBOX.id", "_INBOX.id.token", "_inbox.alice.in.id.token", "_INBOX.alice.IN.id.token", "_INBOX.alice.in",
		"_INBOX.zoe.in.id.token", "_INBOX.zoe.out.id.token", "_INBOX.alice.other.id.token", "_INBOX.alice.in.id.token.more.still",
		"other", "other.word",
	}
	for _, a := range accounts() {
		box, inbox := "xbus.msgbox."+string(a.Name), "_INBOX."+string(a.Name)
		world = append(world, box, box+".echo", box+".done", box+"."+string(a.Name), box+".echo.more",
			inbox+".in.id", inbox+".in.id.token", inbox+".in.bob.id.token", inbox+".in.from.bob", inbox+".in.from.bob.id", inbox+".in.from.bob.id.token", inbox+".in.from.mallory.id.token", inbox+".out.id", inbox+".out.id.token")
	}
	return world
}

// beyond are NATS's own subjects, which nobody may publish to, or hear: servers and JetStream answer there, or take no such message.
func beyond() []string {
	return []string{"$SYS.REQ.SERVER.PING", "$SYS.REQ.USER.INFO", "$sys.x.y", "$JS.API.INFO", "$JS.API.STREAM.DELETE.orders", "$JS.ACK.orders.jobs.1.1.1.1.0", "$KV.bucket.key", "_R_.x.y"}
}

// patterns are what all try to subscribe to besides each subject of World.
func patterns() []string {
	list := []string{
		">", "*", "*.>", "*.*", "*.*.*", "*.*.*.*.*", "*.msgbox.*", "*.*.in.>", "*.alice.>", "*.msgbox.alice", "*.new",
		"_INBOX.>", "_INBOX.*", "_INBOX.*.>", "_INBOX.*.in.>", "_INBOX.*.in.*.*", "_INBOX.*.out.>", "_INBOX.*.in.from.>", "_INBOX.*.in.from.bob.>", "_INBOX.*.in.from.*.>", "_INBOX.*.in.from.mallory.>", "_INBOX.*.*.>", "_inbox.>",
		"xbus.>", "xbus.*", "xbus.*.*", "xbus.*.alice", "xbus.*.>", "XBUS.>", "xbus.msgbox.>", "xbus.msgbox.*", "xbus.msgbox.*.*", "xbus.msgbox.*.>", "xbus.msgbox.*.echo",
		"xbus.control.*", "xbus.control.>", "orders.>", "orders.*", "orders.*.*", "orders.*.>", "news.>", "news.*", "trap.>", "trap.*", "trap.*.>", "other.*",
	}
	for _, name := range []string{"alice", "Alice", "bob", "carol", "mallory"} {
		list = append(list, "_INBOX."+name+".>", "_INBOX."+name+".*.>", "_INBOX."+name+".in.>", "_INBOX."+name+".in.*", "_INBOX."+name+".in.*.*", "_INBOX."+name+".in.id.*", "_INBOX."+name+".out.>",
			"xbus.msgbox."+name+".>", "xbus.msgbox."+name+".*")
	}
	return list
}

// Cells are the matrix: every account and every subject, pattern and queue group of a short list.
func Cells() []Cell {
	var cells []Cell
	world := World()
	for _, a := range accounts() {
		wild := []string{">", "xbus.msgbox.*", "xbus.msgbox.>", "xbus.msgbox.*.echo", "_INBOX.>", "_INBOX.*.in.>", "_INBOX.*.in.id.token", "_INBOX.*.out.id.token", "$SYS.>", "$JS.>", "orders.*", "orders.>"}
		for _, subject := range slices.Concat(world, beyond(), wild) {
			cells = append(cells, Cell{Account: a.Name, Verb: bus.Publish, Subject: subject, Want: a.publish(subject)})
		}
		for _, pattern := range slices.Concat(world, patterns()) {
			cells = append(cells, a.subscribe(pattern, "", world))
		}
		for _, pattern := range append(beyond(), "$SYS.>", "$JS.>", "$JS.API.>", "$KV.>", "_R_.>") {
			cells = append(cells, Cell{Account: a.Name, Verb: bus.Subscribe, Subject: pattern, Want: bus.Refused})
		}
		for _, pattern := range []string{"orders.new", "orders.*", "orders.>", "trap.a", "trap.>", "news", "xbus.msgbox.alice", "xbus.msgbox.alice.echo", "xbus.msgbox.*.echo", "xbus.msgbox.>"} {
			for _, group := range []string{"jobs", "dave.jobs", "dave.other", "ivan.one", "mallory.trap", "erin.orders", string(a.Name), string(a.Name) + ".x", string(a.Name) + ".x.y", "*.>", ">"} {
				cells = append(cells, a.subscribe(pattern, group, world))
			}
		}
	}
	return cells
}

func (a account) publish(subject string) bus.Decision {
	if a.sends != "" && whole(a.sends).MatchString(subject) {
		return bus.Allowed
	}
	return bus.Refused
}

func (a account) subscribe(pattern, group string, world []string) Cell {
	cell := Cell{Account: a.Name, Verb: bus.Subscribe, Subject: pattern, Queue: group}
	narrow := strings.TrimSuffix(pattern, ">") + "*"
	switch {
	case a.hearsAll(pattern, group, world):
		cell.Want, cell.Hears = bus.Allowed, among(world, pattern)
	case strings.HasSuffix(pattern, ">") && a.hearsAll(narrow, group, world):
		cell.Want, cell.Hears = bus.Filtered, among(world, narrow)
	default:
		cell.Want = bus.Refused
	}
	return cell
}

// hearsAll says whether one right has all of a pattern that is in the world.
func (a account) hearsAll(pattern, group string, world []string) bool {
	heard := among(world, pattern)
	return len(heard) > 0 && slices.ContainsFunc(a.hears, func(r right) bool {
		subjects := whole(r.subjects)
		return whole(r.groups).MatchString(group) && !slices.ContainsFunc(heard, func(s string) bool { return !subjects.MatchString(s) })
	})
}

// among are the subjects of the world that a pattern has.
func among(world []string, pattern string) []string {
	text := regexp.QuoteMeta(pattern)
	text = strings.ReplaceAll(text, `\*`, one)
	if head, ok := strings.CutSuffix(text, ">"); ok {
		text = head + more
	}
	match := whole(text)
	return slices.DeleteFunc(slices.Clone(world), func(s string) bool { return !match.MatchString(s) })
}

func whole(text string) *regexp.Regexp { return regexp.MustCompile(`^(?:` + text + `)$`) }
