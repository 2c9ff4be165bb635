package bus

import (
	"cmp"
	"slices"
	"strings"
)

// Permissions are what a NATS server lets an account's connections do, for a user JWT or a server's Permissions. The lists are sorted
// and have nothing twice. To subscribe in a queue group is "SUBJECT QUEUE", as NATS has it. There are no response permissions: see the
// package comment.
type Permissions struct {
	Publish   List `json:"publish"`
	Subscribe List `json:"subscribe"`
}

// List are the patterns of one verb. A server denies what both match.
type List struct {
	Allow []string `json:"allow"`
	Deny  []string `json:"deny,omitempty"`
}

// grant is one right of an account, and where it has it from.
type grant struct {
	pattern Pattern
	queue   Pattern // the queue groups it is for; empty for a subscription in none
	role    string
}

// entry is the grant as NATS writes it.
func (g grant) entry() string { return strings.TrimSpace(string(g.pattern) + " " + string(g.queue)) }

// Permissions are those of an account. One that is revoked or not valid is denied everything.
func (a Account) Permissions() Permissions {
	if !a.open() {
		nothing := List{Allow: []string{}, Deny: []string{anyTail}}
		return Permissions{Publish: nothing, Subscribe: nothing}
	}
	heard := a.heard()
	var deny []string
	for _, filter := range filters(heard) {
		deny = append(deny, string(filter.pattern))
	}
	return Permissions{
		Publish:   List{Allow: entries(a.sent())},
		Subscribe: List{Allow: entries(heard), Deny: sorted(deny)},
	}
}

// open says whether the account can do anything.
func (a Account) open() bool { return a.State == Active && a.Validate() == nil }

func entries(grants []grant) []string {
	list := make([]string, len(grants))
	for i, g := range grants {
		list[i] = g.entry()
	}
	return sorted(list)
}

func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// sent are the rights to publish.
func (a Account) sent() []grant {
	out := []grant{{pattern: inboxes + "." + Pattern(a.Name) + ".out." + anyTail, role: "its own inbox"}}
	for _, role := range a.Roles {
		if role.Kind == Emitter {
			out = append(out, grant{pattern: Pattern(MessageBox(a.Name, role.Name)), role: role.label()})
		}
		if role.replies() {
			out = append(out, grant{pattern: Pattern(ReplyPrefix(anyToken, a.Name)) + "." + anyTail, role: role.label()})
		}
		if role.replies() && role.Stock {
			stock := Pattern(InboxOf(anyToken)) + ".*"
			out = append(out, grant{pattern: stock, role: role.label()}, grant{pattern: stock + ".*", role: role.label()})
		}
	}
	for _, pattern := range a.Publish {
		out = append(out, grant{pattern: pattern, role: extra})
	}
	return out
}

// heard are the rights to subscribe.
func (a Account) heard() []grant {
	own := Pattern(a.Name) + "." + anyTail
	in := []grant{{pattern: Pattern(InboxOf(a.Name)) + "." + anyTail, role: "its own inbox"}}
	hear := func(pattern Pattern, role string) {
		in = append(in, grant{pattern: pattern, role: role}, grant{pattern: pattern, queue: own, role: role})
	}
	for _, role := range a.Roles {
		for _, pattern := range role.Heard() {
			if role.Kind == Worker {
				in = append(in, grant{pattern: pattern, queue: Pattern(QueueGroup(a.Name, role.Name)), role: role.label()})
			} else {
				hear(pattern, role.label())
			}
		}
	}
	for _, pattern := range a.Subscribe {
		hear(pattern, extra)
	}
	return in
}

// extra is the role of the extra patterns.
const extra = "its extra patterns"

func (r Role) label() string { return string(r.Kind) + " " + string(r.Name) }

// QueueGroup is the queue group of an account's worker. Other roles may use any group that begins with ACCOUNT and a dot.
func QueueGroup(account, worker Name) string { return string(account) + "." + string(worker) }

// filter is a denied pattern, and the right that it keeps narrow.
type filter struct {
	pattern Pattern
	of      grant
}

// filters are for each right that ends in * what is below: a server that allows a.* lets a client subscribe to a.>.
// It takes none where the account may hear that anyway.
func filters(heard []grant) []filter {
	tails := slices.DeleteFunc(slices.Clone(heard), func(g grant) bool { return g.pattern.last() != anyTail })
	var list []filter
	for _, g := range heard {
		below := g.pattern + "." + anyTail
		if g.pattern.last() == anyToken && !slices.ContainsFunc(tails, func(tail grant) bool { return tail.hears(below, g.queue) }) {
			list = append(list, filter{below, g})
		}
	}
	slices.SortFunc(list, func(a, b filter) int { return cmp.Compare(a.pattern, b.pattern) })
	return slices.CompactFunc(list, func(a, b filter) bool { return a.pattern == b.pattern })
}

// hears says whether the right lets somebody of a queue group, or of none, hear all of a pattern.
func (g grant) hears(p, queue Pattern) bool {
	return (g.queue == queue || g.queue != "" && queue != "" && g.queue.Covers(queue)) && g.pattern.Covers(p)
}
