package store

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"keyward/fault"
)

// MaxDescription is the length of the longest description of a key in bytes.
const MaxDescription = 256

// MaxName is the length of the longest name of a user in bytes.
const MaxName = 64

const nameBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

// ValidName returns nil for a user's name that the registry takes: 1 to MaxName letters
// and digits of ASCII, dots, underscores and hyphens, the first neither dot nor hyphen, so that
// a name can be an argument, a file and a path segment. Otherwise a fault.Policy.
func ValidName(name string) error {
	strange := func(r rune) bool { return !strings.ContainsRune(nameBytes, r) }
	if 0 < len(name) && len(name) <= MaxName && name[0] != '.' && name[0] != '-' && !strings.ContainsFunc(name, strange) {
		return nil
	}
	return fault.New(fault.Policy, "use 1 to 64 of A-Z a-z 0-9 . _ - and do not start with . or -",
		"user name %.80q is not allowed", name)
}

// ValidDescription returns nil for a description of a key that the registry takes: one line
// of at most MaxDescription bytes of UTF-8 without control characters; it may be empty.
// Otherwise a fault.Policy.
func ValidDescription(s string) error {
	const hint = "describe the key in one line of plain text, at most 256 bytes"
	if len(s) > MaxDescription {
		return fault.New(fault.Policy, hint, "key description is %d bytes long", len(s))
	}
	if !utf8.ValidString(s) {
		return fault.New(fault.Policy, hint, "key description is not UTF-8")
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return fault.New(fault.Policy, hint, "key description has a control character or a line break")
		}
	}
	return nil
}

// The bounds on the labels of a key: how many, and the length of each in bytes.
const (
	MaxLabels = 16
	MaxLabel  = 64
)

// ValidLabels returns nil for labels that the registry takes: at most MaxLabels words of 1 to MaxLabel
// of the characters A-Z a-z 0-9 . _ - = / : @, sorted, none twice. Otherwise a fault.Policy.
func ValidLabels(labels []string) error {
	const hint = "use at most 16 labels of 1 to 64 of A-Z a-z 0-9 . _ - = / : @, such as ci or host=web1"
	if len(labels) > MaxLabels {
		return fault.New(fault.Policy, hint, "the key has %d labels", len(labels))
	}
	strange := func(r rune) bool { return !strings.ContainsRune(nameBytes+"=/:@", r) }
	for _, label := range labels {
		if len(label) == 0 || len(label) > MaxLabel || strings.ContainsFunc(label, strange) {
			return fault.New(fault.Policy, hint, "label %.80q is not allowed", label)
		}
	}
	if !slices.IsSorted(labels) || len(slices.Compact(slices.Clone(labels))) != len(labels) {
		return fault.New(fault.Policy, hint, "the labels are not sorted, or one is there twice")
	}
	return nil
}
