package bus

import (
	"slices"
	"strings"

	"keyward/fault"
)

// Verb is what a client does with a subject.
type Verb string

// The verbs.
const (
	Publish   Verb = "publish"
	Subscribe Verb = "subscribe"
)

// Decision is what becomes of it.
type Decision string

// The decisions.
const (
	Allowed  Decision = "allowed"
	Refused  Decision = "refused"  // by a permissions violation
	Filtered Decision = "filtered" // a server takes the subscription, and delivers of it only what another one would get
)

// Verdict is a decision and why.
type Verdict struct {
	Decision Decision `json:"decision"`
	Rule     string   `json:"rule,omitempty"` // the entry of the permissions that says so; none where nothing allows it
	Reason   string   `json:"reason"`         // in words
}

// Explain says whether an account may publish to a subject, or subscribe to a pattern: "SUBJECT QUEUE" in a queue group.
// Its error is fault.Usage for another verb, and fault.Policy for what is no subject.
func Explain(a Account, verb Verb, text string) (Verdict, error) {
	if verb != Publish && verb != Subscribe {
		return Verdict{}, fault.New(fault.Usage, "use publish or subscribe", "%.20q is nothing that an account does", string(verb))
	}
	subject, group, inGroup := strings.Cut(text, " ")
	pattern, err := ParsePattern(subject)
	if err != nil {
		return Verdict{}, err
	}
	if inGroup && verb == Publish {
		return Verdict{}, fault.New(fault.Policy, "leave out the queue group", "%.80q: nobody publishes in a queue group", text)
	}
	if inGroup {
		if _, err := ParsePattern(group); err != nil {
			return Verdict{}, err
		}
	}
	switch {
	case !a.open():
		return a.shut(), nil
	case verb == Publish:
		return a.mayPublish(pattern), nil
	}
	return a.mayHear(pattern, Pattern(group)), nil
}

// shut is why an account that is not open can do nothing.
func (a Account) shut() Verdict {
	if a.State == Revoked {
		return Verdict{Refused, anyTail, "the account is revoked"}
	}
	return Verdict{Refused, anyTail, "the account is not valid, so it opens nothing"}
}

// narrow is how a server reads a > at the end of what a client names: as a word, which * allows.
func (p Pattern) narrow() Pattern {
	if p.last() != anyTail {
		return p
	}
	return p[:len(p)-len(anyTail)] + anyToken
}

func (a Account) mayPublish(p Pattern) Verdict {
	sent := a.sent()
	i := slices.IndexFunc(sent, func(g grant) bool { return g.pattern.Covers(p) || g.pattern.Covers(p.narrow()) })
	if i < 0 {
		return a.unmet(Publish, p, sent)
	}
	return Verdict{Allowed, sent[i].entry(), "by " + sent[i].role}
}

func (a Account) mayHear(p, queue Pattern) Verdict {
	heard := a.heard()
	if g, ok := hearing(heard, p, queue); ok {
		return Verdict{Allowed, g.entry(), "by " + g.role}
	}
	if g, ok := hearing(heard, p.narrow(), queue); ok {
		below := g.pattern + "." + anyTail
		if !slices.ContainsFunc(filters(heard), func(f filter) bool { return f.pattern == below }) {
			return Verdict{Allowed, g.entry(), "by " + g.role + ", and the account hears all that is below"}
		}
		return Verdict{Filtered, string(below), "the server takes it and delivers only " + string(p.narrow()) + ", by " + g.role}
	}
	if _, ok := hearing(heard, p, Pattern(a.Name)+"."+anyTail); ok && queue != "" {
		return Verdict{Refused, "", "the queue groups of the account begin with " + string(a.Name) + "."}
	}
	if i := slices.IndexFunc(heard, func(g grant) bool { return g.queue != "" && g.pattern.Covers(p) }); i >= 0 {
		return Verdict{Refused, "", heard[i].role + " hears this subject in the queue group " + string(heard[i].queue) + " alone"}
	}
	return a.unmet(Subscribe, p, heard)
}

// hearing finds the right by which a subscription is allowed, as a server does: groups count only where there are rights for groups.
func hearing(heard []grant, p, queue Pattern) (grant, bool) {
	grouped := slices.ContainsFunc(heard, func(g grant) bool { return g.queue != "" && g.pattern.Covers(p) })
	if !grouped {
		queue = ""
	}
	i := slices.IndexFunc(heard, func(g grant) bool { return g.hears(p, queue) })
	if i < 0 {
		return grant{}, false
	}
	return heard[i], true
}

// unmet says why nothing allows it.
func (a Account) unmet(verb Verb, p Pattern, grants []grant) Verdict {
	tokens := p.tokens()
	switch {
	case tokens[0] == anyTail || tokens[0] == anyToken:
		return Verdict{Refused, "", "it reaches everybody's inboxes and NATS's own subjects"}
	case Pattern(inboxes + "." + anyTail).overlapsInAnyCase(p):
		return Verdict{Refused, "", a.inboxReason(verb, p)}
	case tokens[0][0] == '$' || tokens[0][0] == '_':
		return Verdict{Refused, "", "it is NATS's own"}
	}
	if i := slices.IndexFunc(grants, func(g grant) bool { return g.pattern.Overlaps(p) }); i >= 0 {
		return Verdict{Refused, "", "only a part of it is allowed: " + grants[i].entry() + ", by " + grants[i].role}
	}
	if p.overlapsInAnyCase(messageBoxes + "." + anyTail) {
		if verb == Publish {
			return Verdict{Refused, "", "it is the message box of no emitter of the account"}
		}
		return Verdict{Refused, "", "no role of the account hears this message box"}
	}
	return Verdict{Refused, "", "no role or extra pattern of the account has it"}
}

// inboxReason is why a subject of inboxes is out of reach.
func (a Account) inboxReason(verb Verb, p Pattern) string {
	own := (inboxes + "." + Pattern(a.Name) + "." + anyTail).Covers(p)
	switch {
	case own && verb == Subscribe:
		return "in its own inbox it listens below " + InboxOf(a.Name) + ". alone"
	case own:
		return "in its own inbox it answers below " + inboxes + "." + string(a.Name) + ".out. alone"
	case verb == Subscribe:
		return "it reaches the inbox of another"
	case slices.ContainsFunc(a.Roles, Role.replies):
		return "in the inboxes of others it replies below " + ReplyPrefix(anyToken, a.Name) + ". alone"
	}
	return "no worker or service of the account replies, so nothing of others' inboxes is its own"
}
