package ledger

import (
	"slices"
	"strings"

	"keyward/fault"
)

// Reason is why a certificate was revoked, in the words of RFC 5280 section 5.3.1.
type Reason string

// Hold is the one reason that can be taken back.
const Hold Reason = "certificateHold"

// KeyCompromise is the reason of a certificate whose key others have.
const KeyCompromise Reason = "keyCompromise"

// Superseded is the reason of a certificate that another one took the place of.
const Superseded Reason = "superseded"

// reasons have their CRLReason as their index. 7 is not used, and removeFromCRL is for delta CRLs alone.
var reasons = [...]Reason{
	0: "unspecified", 1: KeyCompromise, 2: "caCompromise", 3: "affiliationChanged", 4: Superseded,
	5: "cessationOfOperation", 6: Hold, 9: "privilegeWithdrawn", 10: "aACompromise",
}

// Reasons lists the reasons, in the order of their codes.
func Reasons() []Reason {
	return slices.DeleteFunc(slices.Clone(reasons[:]), func(r Reason) bool { return r == "" })
}

// ParseReason reads a reason, whatever its case. Another word is fault.Usage.
func ParseReason(s string) (Reason, error) {
	var words []string
	for _, r := range Reasons() {
		if strings.EqualFold(s, string(r)) {
			return r, nil
		}
		words = append(words, string(r))
	}
	return "", fault.New(fault.Usage, "use one of "+strings.Join(words, ", "), "unknown reason %q", s)
}

// Code is the reason's CRLReason; 0 for none.
func (r Reason) Code() int {
	if r == "" { // as the codes that have no reason
		return 0
	}
	return max(slices.Index(reasons[:], r), 0)
}
