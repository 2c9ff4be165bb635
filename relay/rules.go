package relay

import (
	"errors"
	"slices"
	"strings"

	"keyward/fault"
	"keyward/internal/identity"
	"keyward/internal/rulefile"
)

// Rules say who may come to which meetup ids, and who may meet whom there. They come from a text with a rule a line:
//
//	# MEETUP   LEFT             RIGHT
//	gateway-*  o:"Acme, Inc."   dns:manager.example.org,dns:spare.example.org
//	lab/*      *                key:sha256:5f1c...
//
// MEETUP is a pattern of meetup ids, in which a star stands for any text, slashes and none too. LEFT and RIGHT are who comes
// from the one side and from the other: a star for all, or identities with commas between them, one of which the certificate
// has. What is in double quotes stands for itself: blanks, commas and stars too, and two double quotes are one there. A # at
// the beginning of a word begins a comment.
//
// Who matches one side of a line may come, and two meet where they match both sides of one line. A text without lines
// allows nobody.
type Rules struct{ list []rule }

type rule struct {
	meetup      pattern
	left, right side
}

var (
	errMayNotCome = errors.New("no rule lets it come to this meetup id")
	errMayNotMeet = errors.New("no rule lets the two meet")
)

// Permit tells why who may not come to its meetup id, or may not meet mate there where mate is not nil; nil where it may.
func (r *Rules) Permit(who Visitor, mate *Visitor) error {
	own := identity.Of(who.Certificate)
	if mate == nil {
		if r.some(who.Meetup, func(l rule) bool { return l.left.has(own) || l.right.has(own) }) {
			return nil
		}
		return errMayNotCome
	}
	other := identity.Of(mate.Certificate)
	if r.some(who.Meetup, func(l rule) bool {
		return l.left.has(own) && l.right.has(other) || l.left.has(other) && l.right.has(own)
	}) {
		return nil
	}
	return errMayNotMeet
}

func (r *Rules) some(meetup string, matches func(rule) bool) bool {
	return slices.ContainsFunc(r.list, func(l rule) bool { return l.meetup.matches(meetup) && matches(l) })
}

// Len is how many rules there are.
func (r *Rules) Len() int { return len(r.list) }

// side is who comes from one side: identities as package identity writes them. nil is everybody.
type side []string

func (s side) has(all []string) bool {
	return s == nil || slices.ContainsFunc(s, func(one string) bool { return slices.Contains(all, one) })
}

// pattern is the text between the stars.
type pattern []string

func (p pattern) matches(id string) bool {
	first, last := p[0], p[len(p)-1]
	if len(p) == 1 {
		return id == first
	}
	if !strings.HasPrefix(id, first) || !strings.HasSuffix(id[len(first):], last) {
		return false
	}
	id = id[len(first) : len(id)-len(last)]
	for _, part := range p[1 : len(p)-1] {
		at := strings.Index(id, part)
		if at < 0 {
			return false
		}
		id = id[at+len(part):]
	}
	return true
}

// ParseRules reads the text of rules. What cannot be read is fault.InvalidFile, with the name, the line and the column.
func ParseRules(name string, text []byte) (*Rules, error) {
	rules := new(Rules)
	err := rulefile.Parse(name, text, func(words []rulefile.Word) error {
		parsed, err := parseRule(words)
		rules.list = append(rules.list, parsed)
		return err
	})
	if err != nil {
		return nil, err
	}
	return rules, nil
}

func parseRule(words []rulefile.Word) (rule, error) {
	const hint = "write MEETUP LEFT RIGHT, and what has blanks in double quotes"
	switch {
	case len(words) < 3:
		return rule{}, words[len(words)-1].Wrong(hint, "a rule is a pattern of meetup ids and two sides, and this line ends before")
	case len(words) > 3:
		return rule{}, words[3].Wrong(hint, "%q is too much: a rule is a pattern of meetup ids and two sides", words[3])
	}
	if parts := words[0].Cut(','); len(parts) > 1 {
		return rule{}, words[0].Wrong("put it in double quotes where the ids have it, and write a line for each pattern", "a comma in the pattern of meetup ids")
	}
	var parsed rule
	var err error
	for _, part := range words[0].Cut('*') {
		parsed.meetup = append(parsed.meetup, part.String())
	}
	if parsed.left, err = parseSide(words[1]); err == nil {
		parsed.right, err = parseSide(words[2])
	}
	return parsed, err
}

func parseSide(w rulefile.Word) (side, error) {
	if w.IsStar() {
		return nil, nil
	}
	var s side
	for _, part := range w.Cut(',') {
		one, err := identity.Parse(part.String())
		if err != nil {
			return nil, part.Wrong(fault.HintOf(err), "%w", err)
		}
		s = append(s, one)
	}
	return s, nil
}
