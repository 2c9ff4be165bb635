package relay

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"keyward/internal/fault"
	"keyward/internal/nearest"
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
	own := identities(who.Certificate)
	if mate == nil {
		if r.some(who.Meetup, func(l rule) bool { return l.left.has(own) || l.right.has(own) }) {
			return nil
		}
		return errMayNotCome
	}
	other := identities(mate.Certificate)
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

// side is who comes from one side: identities as the function of that name writes them. nil is everybody.
type side []string

func (s side) has(all []string) bool {
	return s == nil || slices.ContainsFunc(s, func(one string) bool { return slices.Contains(all, one) })
}

// The kinds of identities.
const (
	kindHash    = "sha256"  // of the certificate or of its SubjectPublicKeyInfo, in hex: both are printed so, and no two have one
	kindKey     = "key"     // of its SubjectPublicKeyInfo alone, in hex, as it is or behind sha256:
	kindDNS     = "dns"     // a DNS name among the alternative names, in any case
	kindURI     = "uri"     // a URI there, to the letter
	kindEmail   = "email"   // an e-mail address there, to the letter but for the case of its domain
	kindIP      = "ip"      // an address there
	kindOrg     = "o"       // an organization of the subject, to the letter
	kindSubject = "subject" // the whole subject as RFC 2253 writes it, to the letter
)

// identities are all that a certificate is known by. A common name is none of them: whoever signs certificates
// holds names against its policy where they are alternative names.
func identities(cert *x509.Certificate) []string {
	all := []string{fingerprint(cert), pin(cert), hashOf(kindKey, cert.RawSubjectPublicKeyInfo), kindSubject + ":" + cert.Subject.String()}
	for _, name := range cert.DNSNames {
		all = append(all, kindDNS+":"+strings.ToLower(name))
	}
	for _, uri := range cert.URIs {
		all = append(all, kindURI+":"+uri.String())
	}
	for _, address := range cert.EmailAddresses {
		all = append(all, kindEmail+":"+lowerDomain(address))
	}
	for _, ip := range cert.IPAddresses {
		if address, ok := netip.AddrFromSlice(ip); ok {
			all = append(all, kindIP+":"+address.Unmap().String())
		}
	}
	for _, name := range cert.Subject.Organization {
		all = append(all, kindOrg+":"+name)
	}
	return all
}

// pin is the SHA-256 of a certificate's SubjectPublicKeyInfo, as keyward prints it.
func pin(cert *x509.Certificate) string { return hashOf(kindHash, cert.RawSubjectPublicKeyInfo) }

// fingerprint is the SHA-256 of a certificate.
func fingerprint(cert *x509.Certificate) string { return hashOf(kindHash, cert.Raw) }

func hashOf(kind string, data []byte) string {
	sum := sha256.Sum256(data)
	return kind + ":" + hex.EncodeToString(sum[:])
}

// lowerDomain is an e-mail address as two are compared: RFC 5280, section 7.5.
func lowerDomain(address string) string {
	at := strings.LastIndexByte(address, '@') + 1
	return address[:at] + strings.ToLower(address[at:])
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
	rules, number := new(Rules), 0
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) { // as Windows begins a text
		number++
		words, wrong := split(strings.TrimRight(line, "\r\n"))
		if wrong == nil && len(words) == 0 {
			continue
		}
		var parsed rule
		if wrong == nil {
			parsed, wrong = parseRule(words)
		}
		if wrong != nil {
			return nil, fault.New(fault.InvalidFile, wrong.hint, "%s:%d:%d: %s", name, number, wrong.column, wrong.what)
		}
		rules.list = append(rules.list, parsed)
	}
	return rules, nil
}

// mistake is what is wrong in a line. Columns count characters, from 1.
type mistake struct {
	column     int
	what, hint string
}

// word is a part of a line, with the column where it begins.
type word struct {
	chars  []char
	column int
}

// char is a character of a word. What was quoted stands for itself.
type char struct {
	r      rune
	column int
	quoted bool
}

// split takes a line apart at its blanks.
func split(line string) ([]word, *mistake) {
	if !utf8.ValidString(line) {
		return nil, &mistake{1, "the line is not UTF-8", "write the file as UTF-8"}
	}
	var words []word
	inside, opened := false, 0 // of a word; the column of the double quote that is open, 0 for none
	chars := []rune(line)
	for i := 0; i < len(chars); i++ {
		r, column := chars[i], i+1
		if opened == 0 && unicode.IsSpace(r) {
			inside = false
			continue
		}
		if unicode.IsControl(r) {
			return nil, &mistake{column, fmt.Sprintf("the character %q is in no name", r), "write it without"}
		}
		if !inside && r == '#' {
			break
		}
		if !inside {
			inside, words = true, append(words, word{column: column})
		}
		last := &words[len(words)-1]
		switch {
		case r == '"' && opened != 0 && i+1 < len(chars) && chars[i+1] == '"':
			last.chars = append(last.chars, char{r, column, true})
			i++
		case r == '"' && opened != 0:
			opened = 0
		case r == '"':
			opened = column
		default:
			last.chars = append(last.chars, char{r, column, opened != 0})
		}
	}
	if opened != 0 {
		return nil, &mistake{opened, "this double quote has no end", "close it, or write two where one is meant"}
	}
	return words, nil
}

// cut takes a word apart at each sep that is not quoted.
func (w word) cut(sep rune) []word {
	parts := []word{{column: w.column}}
	for _, c := range w.chars {
		if c.r == sep && !c.quoted {
			parts = append(parts, word{column: c.column + 1})
			continue
		}
		last := &parts[len(parts)-1]
		last.chars = append(last.chars, c)
	}
	return parts
}

// isStar tells whether the word stands for all.
func (w word) isStar() bool {
	return len(w.chars) == 1 && w.chars[0].r == '*' && !w.chars[0].quoted
}

func (w word) String() string {
	var b strings.Builder
	for _, c := range w.chars {
		b.WriteRune(c.r)
	}
	return b.String()
}

func parseRule(words []word) (rule, *mistake) {
	const hint = "write MEETUP LEFT RIGHT, and what has blanks in double quotes"
	switch {
	case len(words) < 3:
		return rule{}, &mistake{words[len(words)-1].column, "a rule is a pattern of meetup ids and two sides, and this line ends before", hint}
	case len(words) > 3:
		return rule{}, &mistake{words[3].column, fmt.Sprintf("%q is too much: a rule is a pattern of meetup ids and two sides", words[3]), hint}
	}
	if parts := words[0].cut(','); len(parts) > 1 {
		return rule{}, &mistake{parts[1].column - 1, "a comma in the pattern of meetup ids", "put it in double quotes where the ids have it, and write a line for each pattern"}
	}
	var parsed rule
	var wrong *mistake
	for _, part := range words[0].cut('*') {
		parsed.meetup = append(parsed.meetup, part.String())
	}
	if parsed.left, wrong = parseSide(words[1]); wrong == nil {
		parsed.right, wrong = parseSide(words[2])
	}
	return parsed, wrong
}

func parseSide(w word) (side, *mistake) {
	if w.isStar() {
		return nil, nil
	}
	var s side
	for _, part := range w.cut(',') {
		one, err := parseIdentity(part.String())
		if err != nil {
			return nil, &mistake{part.column, err.Error(), fault.HintOf(err)}
		}
		s = append(s, one)
	}
	return s, nil
}

// parseIdentity reads KIND:VALUE, and gives it as identities does.
func parseIdentity(text string) (string, error) {
	kinds := []string{kindHash, kindKey, kindDNS, kindURI, kindEmail, kindIP, kindOrg, kindSubject}
	bad := func(hint, what string) (string, error) {
		return "", fault.New(fault.InvalidFile, hint, "%q is %s", text, what)
	}
	kind, value, found := strings.Cut(text, ":")
	switch {
	case !found || !slices.Contains(kinds, kind):
		hint := "write a star for all, or " + strings.Join(kinds, ":, ") + ":, and what it has to be"
		if near := nearest.Word(kind, kinds); found && near != "" {
			hint = "did you mean " + near + ":?"
		}
		return bad(hint, "no identity")
	case value == "":
		return bad("write what it has to be behind the colon, without a blank", "nobody")
	}
	switch kind {
	case kindHash, kindKey:
		value = strings.ToLower(value)
		if kind == kindKey {
			value = strings.TrimPrefix(value, kindHash+":")
		}
		value = strings.ReplaceAll(value, ":", "") // as others print it
		if hash, err := hex.DecodeString(value); err != nil || len(hash) != sha256.Size {
			return bad("write 64 hex digits, as `keyward show-cert` prints them: sha256: takes a certificate's fingerprint and its pin, key: the pin alone", "no SHA-256")
		}
	case kindDNS:
		if strings.ContainsFunc(value, func(r rune) bool { return r > unicode.MaxASCII }) {
			return bad("write it as it stands in the certificate, in ASCII: xn--...", "no name of DNS")
		}
		value = strings.ToLower(value)
	case kindURI:
		if uri, err := url.Parse(value); err != nil || !uri.IsAbs() || uri.String() != value {
			return bad("write it as `keyward show-cert` prints it", "no whole URI")
		}
	case kindEmail:
		if !strings.Contains(value, "@") {
			return bad("write it as user@example.org", "no e-mail address")
		}
		value = lowerDomain(value)
	case kindIP:
		address, err := netip.ParseAddr(value)
		if err != nil || address.Zone() != "" {
			return bad("write one address, without a length or a zone", "no IP address")
		}
		value = address.Unmap().String()
	}
	return kind + ":" + value, nil
}
