package plan

import (
	"io/fs"
	"os/user"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"keyward/certs"
	"keyward/fault"
)

// The sections of a manifest.
const (
	defaultsSection     = "defaults"
	issuersSection      = "issuers"
	certificatesSection = "certificates"
	userKeysSection     = "user-keys"
)

// whose tells where a field may stand in the defaults.
type whose int

const (
	ownOnly     whose = iota // not in the defaults
	leavesOnly               // a default for leaves
	everybodies              // a default for all
)

// field is a field of a certificate. Either set reads its text, or add reads each text of its list.
type field struct {
	name     string
	defaults whose
	set      func(e *Entry, text string, now time.Time) error
	add      func(e *Entry, text string) error
}

// fields are the fields of a certificate, as docs/manifest.md and manifest.schema.json tell of them.
var fields = []field{
	{name: "issuer", set: func(e *Entry, s string, _ time.Time) error { e.Issuer = s; return notEmpty(s) }},
	{name: "role", set: setRole},
	{name: "subject-org-name", defaults: leavesOnly, set: func(e *Entry, s string, _ time.Time) error { e.Organization = s; return notEmpty(s) }},
	{name: "san", add: addSAN},
	{name: "profile", defaults: leavesOnly, set: func(e *Entry, s string, _ time.Time) (err error) { e.Profile, err = certs.ParseProfile(s); return err }},
	{name: "key-type", defaults: everybodies, set: func(e *Entry, s string, _ time.Time) (err error) { e.KeyType, err = certs.ParseKeyType(s); return err }},
	{name: "days", defaults: leavesOnly, set: func(e *Entry, s string, now time.Time) (err error) {
		e.NotAfter, err = certs.ParseDays(s, now)
		return err
	}},
	{name: "clamp", defaults: everybodies, set: func(e *Entry, s string, _ time.Time) (err error) { e.Clamp, err = parseBool(s); return err }},
	{name: "path-len", set: setPathLen},
	{name: "permit-dns", add: func(e *Entry, s string) error { e.PermitDNS = append(e.PermitDNS, s); return nil }},
	{name: "permit-ip", add: func(e *Entry, s string) error { e.PermitIP = append(e.PermitIP, s); return nil }},
	{name: "renew-within", defaults: everybodies, set: func(e *Entry, s string, now time.Time) (err error) {
		e.RenewWithin, err = ParseSpan(s, now)
		return err
	}},
	{name: "rekey", defaults: leavesOnly, set: func(e *Entry, s string, _ time.Time) (err error) { e.Rekey, err = parseBool(s); return err }},
	{name: "outputs", defaults: leavesOnly, add: addOutput},
	{name: "password-file", defaults: everybodies, set: func(e *Entry, s string, _ time.Time) error { e.PasswordFile = s; return notEmpty(s) }},
	{name: "owner", defaults: leavesOnly, set: setOwner},
	{name: "group", defaults: leavesOnly, set: setGroup},
	{name: "mode", defaults: leavesOnly, set: setMode},
}

func fieldNames(fit func(field) bool) []string {
	var names []string
	for _, f := range fields {
		if fit(f) {
			names = append(names, f.name)
		}
	}
	return names
}

func notEmpty(s string) error {
	if s == "" {
		return fault.New(fault.InvalidFile, "leave the field out, or fill it in", "the value is empty")
	}
	return nil
}

func parseBool(s string) (bool, error) {
	switch s {
	case "true", "false":
		return s == "true", nil
	}
	return false, fault.New(fault.InvalidFile, "write true or false", "%q is neither true nor false", s)
}

func setRole(e *Entry, s string, _ time.Time) error {
	for _, role := range []certs.Role{certs.Root, certs.Intermediate, certs.Leaf} {
		if s == role.String() {
			e.Role = role
			return nil
		}
	}
	return fault.New(fault.InvalidFile, "use one of root, intermediate, leaf", "unknown role %q", s)
}

func addSAN(e *Entry, s string) error {
	e.SANs = append(e.SANs, s)
	err := certs.CheckName(s)
	if err != nil && strings.Contains(s, ",") {
		hint := "names are a list: [" + strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' }), ", ") + "]"
		err = fault.New(fault.KindOf(err), hint, "%w", err)
	}
	return err
}

func setPathLen(e *Entry, s string, _ time.Time) error {
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil {
		return fault.New(fault.InvalidFile, "write a number from 0 to 255", "%q is not a path length", s)
	}
	length := int(n)
	e.PathLen = &length
	return nil
}

// ParseSpan reads a span of time from now on: "30" or "30d", "12w", "1y". What does not read so, or is 0,
// is fault.InvalidFile.
func ParseSpan(s string, now time.Time) (time.Duration, error) {
	end, err := certs.ParseDays(s, now)
	if err != nil || strings.Contains(s, "-") {
		return 0, fault.New(fault.InvalidFile, "say days as 30 or 30d, weeks as 12w, years as 1y", "%q is not a span of time", s)
	}
	return end.Sub(now), nil
}

func setOwner(e *Entry, s string, _ time.Time) error {
	e.Owner = s
	if _, err := strconv.ParseUint(s, 10, 31); err == nil {
		return nil
	}
	if _, err := user.Lookup(s); err != nil {
		return fault.New(fault.InvalidFile, "name a user of this machine, or a number", "no user %q here", s)
	}
	return nil
}

func setGroup(e *Entry, s string, _ time.Time) error {
	e.Group = s
	if _, err := strconv.ParseUint(s, 10, 31); err == nil {
		return nil
	}
	if _, err := user.LookupGroup(s); err != nil {
		return fault.New(fault.InvalidFile, "name a group of this machine, or a number", "no group %q here", s)
	}
	return nil
}

// setMode takes 0400, 0600 and what gives the group some of that.
func setMode(e *Entry, s string, _ time.Time) error {
	const hint = "write 0600, 0640, 0660, 0400 or 0440: the files hold private keys"
	mode, err := strconv.ParseUint(strings.TrimPrefix(s, "0o"), 8, 16)
	if err != nil || len(s) < 3 {
		return fault.New(fault.InvalidFile, hint, "%q is not a mode", s)
	}
	if mode&^0o660 != 0 || mode&0o400 == 0 {
		return fault.New(fault.Policy, hint, "%04o is not for a private key", mode)
	}
	e.Mode = fs.FileMode(mode)
	return nil
}

// textOf is a scalar as it was written. A number may stand for a text, a null or a list may not.
func textOf(v *yaml.Node) (string, error) {
	switch {
	case v.Kind == yaml.AliasNode || v.Anchor != "":
		return "", fault.New(fault.InvalidFile, "write the value out, or move what repeats to the defaults", "anchors and aliases are not taken")
	case v.Style&yaml.TaggedStyle != 0:
		return "", fault.New(fault.InvalidFile, "leave the tag out", "tags are not taken")
	case v.Kind == yaml.SequenceNode:
		return "", fault.New(fault.InvalidFile, "write one value without brackets", "a list where one value belongs")
	case v.Kind == yaml.MappingNode:
		return "", fault.New(fault.InvalidFile, "write one value", "a mapping where one value belongs")
	case v.Tag == "!!null":
		return "", fault.New(fault.InvalidFile, "leave the field out, or fill it in", "the value is missing")
	}
	return v.Value, nil
}
