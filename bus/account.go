package bus

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"keyward/fault"
)

// State says whether an account opens anything.
type State string

// The states of an account.
const (
	Active  State = "active"
	Revoked State = "revoked" // opens nothing, and keeps its name
)

// Kind is what a role does.
type Kind string

// The kinds of roles.
const (
	Emitter  Kind = "emitter"  // sends to its message box
	Consumer Kind = "consumer" // hears its subjects, and never replies
	Worker   Kind = "worker"   // hears its subjects in the queue group ACCOUNT.ROLE alone, and replies
	Service  Kind = "service"  // hears its subjects, and replies
)

// Limits on an account: with them its permissions stay small enough for each connect to carry.
const (
	MaxRoles      = 64
	MaxPatterns   = 64  // of a role, and of each list of extra patterns
	MaxHeard      = 256 // patterns that all roles and the extra ones hear together: each is held against the others
	MaxIdentities = 16
)

// maxFaults is how many faults are told of at a time.
const maxFaults = 100

// Role is one thing that an account does.
type Role struct {
	Kind Kind `json:"kind"`
	Name Name `json:"name"`

	// Subjects are what all but an emitter hear; an emitter's are its message box alone. None stands for the message
	// boxes of everybody's emitters of the role's name, xbus.msgbox.*.NAME; an emitter named like its account is at
	// xbus.msgbox.* instead. Only here can message boxes be named.
	Subjects []Pattern `json:"subjects,omitempty"`

	// Stock lets a worker or service reply to clients that set InboxOf as their inbox prefix. It may then write to
	// _INBOX.*.in.* and _INBOX.*.in.*.*, so it is trusted not to fake what others reply there.
	Stock bool `json:"stock,omitempty"`
}

// Heard are the subjects that the role hears: none for an emitter.
func (r Role) Heard() []Pattern {
	if r.Kind == Emitter {
		return nil
	}
	if len(r.Subjects) == 0 {
		return []Pattern{messageBoxes + ".*." + Pattern(r.Name)}
	}
	return r.Subjects
}

// replies says whether the role does.
func (r Role) replies() bool { return r.Kind == Worker || r.Kind == Service }

// Account is what a certificate opens on the bus.
type Account struct {
	Name  Name   `json:"name"`
	Roles []Role `json:"roles,omitempty"`

	// Publish and Subscribe are patterns beyond the roles, outside of inboxes, message boxes and what is NATS's own.
	Publish   []Pattern `json:"publish,omitempty"`
	Subscribe []Pattern `json:"subscribe,omitempty"`

	Identities []string `json:"identities"` // the URIs, as Identity makes them, that open it: one, or two while the trust domain moves
	State      State    `json:"state"`

	// Revision differs from that of any other account or state of this account that ever was: a store counts
	// one number up for all accounts, and never back. A live connection whose revision is not the account's is stale.
	Revision uint64 `json:"revision"`

	// NotBefore is the first moment, to the second, at which a certificate may become valid and open the account. It is zero
	// but for an account that is made again: then it is when its namesake was removed, whose certificates stay shut out.
	NotBefore time.Time `json:"not_before,omitzero"`
}

// Fault is something wrong in an account.
type Fault struct {
	Field   string `json:"field"` // such as service echo
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// Faults are all that is wrong with an account, in its own order.
type Faults []Fault

// Error has a line for each fault; a single one leaves its hint to others.
func (f Faults) Error() string {
	if len(f) == 1 {
		return f[0].Field + ": " + f[0].Message
	}
	lines := make([]string, len(f))
	for i, one := range f {
		lines[i] = fmt.Sprintf("%s: %s (%s)", one.Field, one.Message, one.Hint)
	}
	return strings.Join(lines, "\n")
}

// add puts a fault to the others, once, while there are not too many to read.
func (f *Faults) add(field, hint, format string, args ...any) {
	one := Fault{Field: field, Message: fmt.Sprintf(format, args...), Hint: hint}
	if len(*f) < maxFaults && !slices.Contains(*f, one) {
		*f = append(*f, one)
	}
}

// Validate returns nil for an account that can have permissions. Otherwise fault.Policy with the Faults.
func (a Account) Validate() error {
	faults := a.faults()
	if len(faults) == 0 {
		return nil
	}
	hint := ""
	if len(faults) == 1 {
		hint = faults[0].Hint
	}
	return fault.New(fault.Policy, hint, "%w", faults)
}

func (a Account) faults() Faults {
	var faults Faults
	if !a.Name.valid() {
		faults.add("name", nameHint, "%.80q is not allowed", string(a.Name))
	}
	if a.State != Active && a.State != Revoked {
		faults.add("state", "it is active or revoked", "%.80q is none", string(a.State))
	}
	a.checkIdentities(&faults)
	a.checkRoles(&faults)
	a.checkHeard(&faults)
	faults.checkExtra("publish", a.Publish)
	faults.checkExtra("subscribe", a.Subscribe)
	if len(faults) == 0 {
		a.checkFilters(&faults)
	}
	return faults
}

func (a Account) checkIdentities(faults *Faults) {
	const field = "identities"
	if len(a.Identities) == 0 || len(a.Identities) > MaxIdentities {
		faults.add(field, "give 1 to 16, such as spiffe://example.org/bus/account/NAME", "there are %d", len(a.Identities))
	}
	seen := map[string]bool{}
	for _, uri := range a.Identities {
		_, account, err := ParseIdentity(uri)
		switch {
		case err != nil:
			faults.add(field, fault.HintOf(err), "%v", err)
		case account != a.Name:
			faults.add(field, "an identity ends in the name of the account that it opens", "%s is of another account", uri)
		case seen[uri]:
			faults.add(field, "give it once", "%s is there twice", uri)
		}
		seen[uri] = true
	}
}

func (a Account) checkRoles(faults *Faults) {
	if len(a.Roles) > MaxRoles {
		faults.add("roles", "spread them over several accounts", "there are %d, and may be %d", len(a.Roles), MaxRoles)
	}
	type key struct {
		kind Kind
		name Name
	}
	seen := map[key]bool{}
	for _, role := range a.Roles {
		field := fmt.Sprintf("%.20s %.80s", string(role.Kind), string(role.Name))
		if !role.Name.valid() {
			field = fmt.Sprintf("%.20s %.80q", string(role.Kind), string(role.Name))
			faults.add(field, nameHint, "the name is not allowed")
		}
		if seen[key{role.Kind, role.Name}] {
			faults.add(field, "give one role all its subjects", "it is there twice")
		}
		seen[key{role.Kind, role.Name}] = true
		faults.checkRole(field, role)
	}
}

func (a Account) checkHeard(faults *Faults) {
	n := len(a.Subscribe)
	for _, role := range a.Roles {
		n += len(role.Heard())
	}
	if n > MaxHeard {
		faults.add("roles", "use wildcards, or spread them over several accounts", "with the extra patterns they hear %d patterns, and may hear %d", n, MaxHeard)
	}
}

func (f *Faults) checkRole(field string, role Role) {
	switch role.Kind {
	case Emitter:
		if len(role.Subjects) > 0 {
			f.add(field, "leave them out, or give them as extra patterns to publish", "an emitter sends to its message box, and has no other subjects")
		}
	case Consumer, Worker, Service:
		f.checkPatterns(field, role.Subjects, unheard)
	default:
		f.add(field, "use emitter, consumer, worker or service", "there is no such kind of role")
	}
	if role.Stock && !role.replies() {
		f.add(field, "only workers and services reply", "it cannot reply to stock clients")
	}
}

func (f *Faults) checkExtra(field string, patterns []Pattern) {
	f.checkPatterns(field, patterns, reserved)
}

// checkPatterns holds a list to its limits, and each pattern to a rule that says what is wrong and what to do.
func (f *Faults) checkPatterns(field string, patterns []Pattern, rule func(Pattern) (what, hint string)) {
	if len(patterns) > MaxPatterns {
		f.add(field, "use wildcards, or spread them over several accounts", "there are %d patterns, and may be %d", len(patterns), MaxPatterns)
	}
	seen := map[Pattern]bool{}
	for _, pattern := range patterns {
		if what := badPattern(string(pattern)); what != "" {
			f.add(field, subjectHint, "pattern %.80q %s", string(pattern), what)
			continue
		}
		if what, hint := rule(pattern); what != "" {
			f.add(field, hint, "%q %s", string(pattern), what)
		}
		if seen[pattern] {
			f.add(field, "give it once", "%q is there twice", string(pattern))
		}
		seen[pattern] = true
	}
}

// reserved says why an extra pattern is refused, or nothing.
func reserved(p Pattern) (what, hint string) {
	first := p.tokens()[0]
	switch {
	case first == anyToken || first == anyTail:
		return "reaches everybody's inboxes and NATS's own subjects", "begin it with a word"
	case strings.EqualFold(first, inboxes):
		return "reaches into inboxes", "leave it out: an account has its own inbox, and nobody another's"
	case first[0] == '$' || first[0] == '_':
		return "is NATS's own", "use a subject that begins with neither $ nor _"
	case p.overlapsInAnyCase(messageBoxes + "." + anyTail):
		return "reaches message boxes", "give the account an emitter to send, or a consumer, worker or service to hear"
	}
	return "", ""
}

// unheard says why a role cannot hear a pattern, or nothing.
func unheard(p Pattern) (what, hint string) {
	if !Pattern(messageBoxes + "." + anyTail).Covers(p) {
		return reserved(p)
	}
	names := p.tokens()[2:]
	if len(names) > 2 {
		return "is deeper than message boxes are", "write xbus.msgbox.ACCOUNT or xbus.msgbox.ACCOUNT.EMITTER, * or > for any"
	}
	for _, name := range names {
		if name != anyToken && name != anyTail && !Name(name).valid() {
			return "is no message box", "the names of accounts and emitters are of A-Z a-z 0-9 _ -"
		}
	}
	return "", ""
}

// checkFilters refuses what one connection cannot have both of: a subscription that ends in *, which takes a denied pattern
// to keep it at that, and another one that the denied pattern would mute.
func (a Account) checkFilters(faults *Faults) {
	heard := a.heard()
	for _, filter := range filters(heard) {
		for _, g := range heard {
			if g.pattern.Overlaps(filter.pattern) {
				faults.add(g.role, "end the shorter one in >, or give them to two accounts",
					"%q cannot go with %q of %s: a server keeps a subscription that ends in * to one word only by denying what is below", g.pattern, filter.of.pattern, filter.of.role)
			}
		}
	}
}
