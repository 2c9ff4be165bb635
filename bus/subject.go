package bus

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"keyward/fault"
)

// Limits on subjects and patterns. A server takes more, in a line of 4096 bytes; these leave room for all that stands beside.
const (
	MaxSubject = 256 // bytes
	MaxTokens  = 32
)

// The wildcards, each a token of its own: any one token, and one or more up to the end.
const (
	anyToken = "*"
	anyTail  = ">"
)

// Subject is where one message goes: tokens with dots between them.
type Subject string

// Pattern is a set of subjects: tokens as in a Subject, * for any one and > at the end for one or more.
type Pattern string

// ParseSubject reads a Subject of at most MaxSubject bytes and MaxTokens tokens. It is stricter than NATS, which takes
// stars within a token and bytes that do not print. Its error is fault.Policy.
func ParseSubject(text string) (Subject, error) {
	if strings.ContainsAny(text, anyToken+anyTail) {
		return "", fault.New(fault.Policy, "name one subject, without * and >", "subject %.80q has a wildcard", text)
	}
	if what := badPattern(text); what != "" {
		return "", fault.New(fault.Policy, subjectHint, "subject %.80q %s", text, what)
	}
	return Subject(text), nil
}

// ParsePattern reads a Pattern, within the limits of ParseSubject. Its error is fault.Policy.
func ParsePattern(text string) (Pattern, error) {
	if what := badPattern(text); what != "" {
		return "", fault.New(fault.Policy, subjectHint, "pattern %.80q %s", text, what)
	}
	return Pattern(text), nil
}

const subjectHint = "write words with dots between them, such as orders.new; * stands for one word, and > at the end for all that follow"

// badPattern says what is wrong with a pattern's text, or nothing.
func badPattern(text string) string {
	tokens := strings.Split(text, ".")
	switch {
	case text == "":
		return "is empty"
	case len(text) > MaxSubject:
		return "is longer than 256 bytes"
	case len(tokens) > MaxTokens:
		return "has more than 32 tokens"
	case !utf8.ValidString(text):
		return "is not UTF-8"
	case strings.ContainsFunc(text, func(r rune) bool { return r == ' ' || r == utf8.RuneError || !unicode.IsPrint(r) }):
		return "has a space or a character that does not print"
	}
	for i, token := range tokens {
		switch {
		case token == "":
			return "has an empty token"
		case token == anyTail && i < len(tokens)-1:
			return "has a > that is not at its end"
		case len(token) > 1 && strings.ContainsAny(token, anyToken+anyTail):
			return "has a wildcard that is not a token of its own"
		}
	}
	return ""
}

func (p Pattern) tokens() []string { return strings.Split(string(p), ".") }

// cut is the pattern's first token, and what follows if there is more.
func (p Pattern) cut() (first string, rest Pattern, more bool) {
	token, after, more := strings.Cut(string(p), ".")
	return token, Pattern(after), more
}

// last is the pattern's last token.
func (p Pattern) last() string { return string(p[strings.LastIndexByte(string(p), '.')+1:]) }

// Matches says whether a subject is in the pattern.
func (p Pattern) Matches(s Subject) bool { return p.Covers(Pattern(s)) }

// Covers says whether all that q matches is matched by p.
func (p Pattern) Covers(q Pattern) bool {
	for {
		all, restOfAll, moreOfAll := p.cut()
		some, restOfSome, moreOfSome := q.cut()
		switch {
		case all == anyTail:
			return true
		case some == anyTail, all != anyToken && all != some:
			return false
		case !moreOfAll || !moreOfSome:
			return moreOfAll == moreOfSome
		}
		p, q = restOfAll, restOfSome
	}
}

// Overlaps says whether there is a subject that both match.
func (p Pattern) Overlaps(q Pattern) bool {
	return p.overlaps(q, func(a, b string) bool { return a == b })
}

// overlapsInAnyCase is Overlaps for eyes that take xbus and XBUS for one.
func (p Pattern) overlapsInAnyCase(q Pattern) bool { return p.overlaps(q, strings.EqualFold) }

func (p Pattern) overlaps(q Pattern, same func(a, b string) bool) bool {
	for {
		one, restOfOne, moreOfOne := p.cut()
		other, restOfOther, moreOfOther := q.cut()
		switch {
		case one == anyTail || other == anyTail:
			return true
		case one != anyToken && other != anyToken && !same(one, other):
			return false
		case !moreOfOne || !moreOfOther:
			return moreOfOne == moreOfOther
		}
		p, q = restOfOne, restOfOther
	}
}
