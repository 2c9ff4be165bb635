package bus

import (
	"strings"

	"keyward/fault"
)

// MaxName is how many bytes a Name has at most.
const MaxName = 64

const nameBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

// Name is the name of an account or of a role: 1 to MaxName of A-Z a-z 0-9 _ -. It is one token of a subject and case counts.
type Name string

// ParseName reads a Name. Its error is fault.Policy.
func ParseName(text string) (Name, error) {
	if !Name(text).valid() {
		return "", fault.New(fault.Policy, nameHint, "%.80q is not allowed as a name on the bus", text)
	}
	return Name(text), nil
}

const nameHint = "use 1 to 64 of A-Z a-z 0-9 _ -"

func (n Name) valid() bool {
	strange := func(r rune) bool { return !strings.ContainsRune(nameBytes, r) }
	return 0 < len(n) && len(n) <= MaxName && !strings.ContainsFunc(string(n), strange)
}
