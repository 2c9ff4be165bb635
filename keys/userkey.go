package keys

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"keyward/fault"
)

// maxUserkey is the largest userkey file in bytes; ours has about 220.
const maxUserkey = 4 << 10

const userkeyHint = "restore the file from a backup, or make a new pair with `keyward keygen --force`"

// Userkey is the text of p's userkey file, as the package comment shows it. The line
// `created` is left out where the time is zero.
func (p Pair) Userkey() []byte {
	var b bytes.Buffer
	b.WriteString("# VOV user key. Whoever reads the private key is you: keep this file to yourself.\n")
	if !p.Created.IsZero() {
		fmt.Fprintf(&b, "created %s\n", p.Created.UTC().Format(time.RFC3339))
	}
	fmt.Fprintf(&b, "private %s\n", p.Private.Encode())
	fmt.Fprintf(&b, "public %s\n", p.Public)
	return b.Bytes()
}

// ParseUserkey reads a userkey file of at most 4 KiB, ours or another's. A line is an entry:
//
//	name value    name=value    set name "value"    set name {value}    32:...
//
// in any order, between blank lines and # comments; CRLF and a byte order mark are fine.
// A name with "priv" or "secret" in it is the private key's, one with "pub" the public
// key's, in any case. Two keys without such a name are told apart by deriving the public
// one. A private key alone is enough. What else has a name and no key is ignored, but for
// `created`, a time in RFC 3339.
//
// Every error is of kind fault.InvalidFile: an entry that is no key, two different keys of
// one kind, a public key that is not the private key's, no private key.
func ParseUserkey(data []byte) (Pair, error) {
	if len(data) > maxUserkey {
		return Pair{}, fault.New(fault.InvalidFile, userkeyHint, "larger than %d bytes", maxUserkey)
	}
	var found userkey
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(data), "\ufeff")) {
		number++
		if err := found.add(line); err != nil {
			return Pair{}, fmt.Errorf("line %d: %w", number, err)
		}
	}
	return found.pair()
}

// userkey collects the entries of a file, each key once.
type userkey struct {
	private, public, unnamed [][]byte
	created                  time.Time
}

func (u *userkey) add(line string) error {
	name, value := entry(line)
	switch lower := strings.ToLower(name); {
	case strings.Contains(lower, "priv"), strings.Contains(lower, "secret"):
		return collect(&u.private, value)
	case strings.Contains(lower, "pub"):
		return collect(&u.public, value)
	case name == "" && value != "", strings.HasPrefix(value, "32:"):
		return collect(&u.unnamed, value)
	case lower == "created":
		u.created = parseCreated(value)
	}
	return nil
}

// parseCreated reads a time that is only told to people, so one that makes no sense is none.
func parseCreated(value string) time.Time {
	at, err := time.Parse(time.RFC3339, value)
	if err != nil || at.Unix() < 0 || at.Year() > 9000 {
		return time.Time{}
	}
	return at.UTC().Truncate(time.Second)
}

func collect(to *[][]byte, value string) error {
	key, err := decodeKey(value)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(*to, func(k []byte) bool { return bytes.Equal(k, key) }) {
		*to = append(*to, key)
	}
	return nil
}

// entry splits a line. A name never starts with a digit, so what does is a value alone.
func entry(line string) (name, value string) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return "", ""
	}
	if '0' <= line[0] && line[0] <= '9' {
		return "", line
	}
	name, value = split(line)
	if name == "set" {
		name, value = split(value)
	}
	return name, unquote(value)
}

func split(line string) (name, value string) {
	end := strings.IndexAny(line, " \t=")
	if end < 0 {
		return line, ""
	}
	value = strings.TrimSpace(line[end:])
	return line[:end], strings.TrimSpace(strings.TrimPrefix(value, "="))
}

// unquote takes Tcl's quotes or braces off.
func unquote(value string) string {
	for _, quotes := range []string{`""`, "{}"} {
		if len(value) >= 2 && value[0] == quotes[0] && value[len(value)-1] == quotes[1] {
			return strings.TrimSpace(value[1 : len(value)-1])
		}
	}
	return value
}

func (u userkey) pair() (Pair, error) {
	if err := u.nameUnnamed(); err != nil {
		return Pair{}, err
	}
	if len(u.private) == 0 {
		return Pair{}, fault.New(fault.InvalidFile, userkeyHint, "no private key")
	}
	if len(u.private) > 1 || len(u.public) > 1 {
		return Pair{}, fault.New(fault.InvalidFile, "keep one pair a file", "keys of more than one pair")
	}
	p := Pair{Private: PrivateKey(u.private[0]), Created: u.created}
	if len(u.public) == 0 {
		p.Public = p.Private.Public()
		return p, p.Private.check()
	}
	p.Public = PublicKey(u.public[0])
	return p, p.check()
}

// nameUnnamed files the keys without a name. Two are a pair if one derives the other; one
// beside a named key is what that lacks, which the pair's check confirms.
func (u *userkey) nameUnnamed() error {
	rest := u.unnamed
	switch {
	case len(rest) == 0:
		return nil
	case len(u.private)+len(u.public) == 0 && len(rest) == 2:
		a, b := rest[0], rest[1]
		if !derives(a, b) {
			a, b = b, a
		}
		if !derives(a, b) {
			return fault.New(fault.InvalidFile, userkeyHint, "neither of the two keys is the other's public key")
		}
		u.private, u.public = [][]byte{a}, [][]byte{b}
	case len(u.private) == 1 && len(u.public) == 0 && len(rest) == 1:
		u.public = rest
	case len(u.private) == 0 && len(u.public) == 1 && len(rest) == 1:
		u.private = rest
	default:
		return fault.New(fault.InvalidFile, "name them: private 32:... and public 32:...", "which key is the private one is not said")
	}
	return nil
}

func derives(private, public []byte) bool {
	p := PrivateKey(private).Public()
	return bytes.Equal(p[:], public)
}
