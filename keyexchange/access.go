package keyexchange

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"keyward/fault"
	"keyward/internal/identity"
	"keyward/internal/rulefile"
)

// Access says who gets the keys. It comes from a text with a rule a line:
//
//	# VERB  CONDITIONS
//	deny    from:10.9.0.0/16
//	allow   from:10.0.0.0/8,from:2001:db8::/32
//	allow   dns:collector.example.org,uri:spiffe://example.org/collector from:192.0.2.7
//
// VERB is allow or deny. All conditions of a line must hold, and of each one of the alternatives between its commas: an
// identity that the certificate has, as package identity reads them, or from: with the address or the prefix that the client
// comes from. A star is a condition that everybody meets. Words and comments are as package rulefile reads them.
//
// The first line whose conditions hold decides, and who meets none gets nothing. Where no certificate is required a deny by
// identity stops nobody: who knows of it shows no certificate.
type Access struct{ rules []accessRule }

type accessRule struct {
	allow bool
	all   []condition
	text  string
}

// condition holds the alternatives; nil is everybody.
type condition []alternative

// alternative is an identity, or where that is empty a prefix.
type alternative struct {
	identity string
	from     netip.Prefix
}

var errNotAllowed = errors.New("no rule lets it have the keys")

// Permit tells why a visitor may not have the keys; nil where it may.
func (a *Access) Permit(v Visitor) error {
	var own []string
	if v.Certificate != nil {
		own = identity.Of(v.Certificate)
	}
	address := v.Address.Addr().WithZone("") // a prefix holds none with a zone
	for _, r := range a.rules {
		if !r.matches(own, address) {
			continue
		}
		if r.allow {
			return nil
		}
		return fmt.Errorf("a rule says: %s", r.text)
	}
	return errNotAllowed
}

func (r accessRule) matches(own []string, address netip.Addr) bool {
	for _, c := range r.all {
		holds := func(one alternative) bool {
			if one.identity != "" {
				return slices.Contains(own, one.identity)
			}
			return one.from.Contains(address)
		}
		if c != nil && !slices.ContainsFunc(c, holds) {
			return false
		}
	}
	return true
}

// Len is how many rules there are.
func (a *Access) Len() int { return len(a.rules) }

// NeedsCertificates tells whether a rule, or one that denies, asks for an identity.
func (a *Access) NeedsCertificates() (some, deny bool) {
	for _, r := range a.rules {
		named := slices.ContainsFunc(r.all, func(c condition) bool {
			return slices.ContainsFunc(c, func(one alternative) bool { return one.identity != "" })
		})
		some, deny = some || named, deny || named && !r.allow
	}
	return some, deny
}

// ParseAccess reads the text of rules. What cannot be read is fault.InvalidFile, with the name, the line and the column.
func ParseAccess(name string, text []byte) (*Access, error) {
	a := new(Access)
	err := rulefile.Parse(name, text, func(words []rulefile.Word) error {
		r, err := parseAccessRule(words)
		a.rules = append(a.rules, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

func parseAccessRule(words []rulefile.Word) (r accessRule, err error) {
	verb := words[0].String()
	if verb != "allow" && verb != "deny" {
		return r, words[0].Wrong("begin the line with allow or deny", "%q is no verb of a rule", verb)
	}
	if len(words) == 1 {
		return r, words[0].Wrong("write a star for everybody, or an identity or from: with an address", "the rule does not say whom it is about")
	}
	r = accessRule{allow: verb == "allow", text: verb}
	for _, w := range words[1:] {
		c, err := parseCondition(w)
		if err != nil {
			return r, err
		}
		r.all, r.text = append(r.all, c), r.text+" "+w.String()
	}
	return r, nil
}

func parseCondition(w rulefile.Word) (condition, error) {
	if w.IsStar() {
		return nil, nil
	}
	var c condition
	for _, part := range w.Cut(',') {
		one, err := parseAlternative(part.String())
		if err != nil {
			return nil, part.Wrong(fault.HintOf(err), "%w", err)
		}
		c = append(c, one)
	}
	return c, nil
}

func parseAlternative(text string) (one alternative, err error) {
	address, found := strings.CutPrefix(text, "from:")
	if !found {
		if _, err := parsePrefix(text); err == nil {
			return one, fault.New(fault.InvalidFile, "write from:"+text+" for who comes from there", "%q is no identity", text)
		}
		one.identity, err = identity.Parse(text)
		return one, err
	}
	one.from, err = parsePrefix(address)
	return one, err
}

// parsePrefix reads an address, or a prefix such as 10.0.0.0/8.
func parsePrefix(text string) (netip.Prefix, error) {
	const hint = "write from: and an address, or a prefix such as 10.0.0.0/8 or 2001:db8::/32"
	if !strings.Contains(text, "/") {
		address, err := netip.ParseAddr(text)
		if err != nil || address.Zone() != "" {
			return netip.Prefix{}, fault.New(fault.InvalidFile, hint, "%q is no address", text)
		}
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return prefix, fault.New(fault.InvalidFile, hint, "%q is no prefix of addresses", text)
	case prefix.Addr().Is4In6():
		return prefix, fault.New(fault.InvalidFile, "write it as a prefix of IPv4", "%q is none that a client comes from", text)
	case prefix != prefix.Masked():
		return prefix, fault.New(fault.InvalidFile, "write "+prefix.Masked().String()+" for all of them, or the address alone", "%q has more of an address than its length", text)
	}
	return prefix, nil
}
