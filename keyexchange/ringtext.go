package keyexchange

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"strings"
	"time"

	"keyward/fault"
	"keyward/keys"
)

// maxRingFile is the largest file of keys in bytes; one generation has about 250.
const maxRingFile = 16 << 10

const ringHint = "restore the file from a backup, or move it away: new keys are made then, which every client has to fetch"

// firstLine is how a file of keys begins after its comments.
const firstLine = "keyward exchange keys v1"

// text is the ring as it stands in its file: comments, the first line, for each generation these lines, each a name and a
// value, and the sum. A key is a key string as in package keys.
//
//	created 2026-11-21T21:37:08Z
//	from 2026-11-21T21:37:08Z
//	until 2026-12-21T21:47:08Z       (not of the last)
//	secretbox 32:dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=
//	signing 32:hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=
//
// The sum is the SHA-256 of all lines before it that say something, each with a newline, in lower-case hexadecimal: where a
// character of a key is another, that would be another key, which nobody has.
//
//	sum 7d1a54127b222502f5b79b5fb0803061152a44f92b37e23c6527baf665d4da9a
func (r *Ring) text() []byte {
	var b bytes.Buffer
	b.WriteString("# Keys of a napalm-logs key exchange. Whoever reads them can read the messages and seal others.\n")
	b.WriteString(firstLine + "\n")
	for _, g := range r.generations {
		fmt.Fprintf(&b, "\ncreated %s\nfrom %s\n", g.Created.Format(time.RFC3339), g.From.Format(time.RFC3339))
		if !g.Until.IsZero() {
			fmt.Fprintf(&b, "until %s\n", g.Until.Format(time.RFC3339))
		}
		fmt.Fprintf(&b, "secretbox %s\nsigning %s\n", g.Box.text(), g.seed().text())
	}
	return withSum(b.Bytes())
}

// withSum appends the sum of a text to it.
func withSum(text []byte) []byte {
	sum := sha256.New()
	for line := range strings.Lines(string(text)) {
		addLine(sum, strings.TrimSpace(line))
	}
	return fmt.Appendf(text, "\nsum %x\n", sum.Sum(nil))
}

// addLine counts a line in, where it says something.
func addLine(sum hash.Hash, line string) {
	if !silent(line) {
		sum.Write([]byte(line + "\n"))
	}
}

func silent(line string) bool { return line == "" || line[0] == '#' }

func (k BoxKey) text() string { return keys.EncodeString(k[:]) }

func (k Seed) text() string { return keys.EncodeString(k[:]) }

// parseRing reads what text writes. Blank lines and comments may stand anywhere, CRLF is fine, and every other line must be
// known. The error is fault.InvalidFile and quotes nothing.
func parseRing(text []byte) (*Ring, error) {
	var r Ring
	p := ringParser{sum: sha256.New()}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		if line = strings.TrimSpace(line); silent(line) {
			continue
		}
		if err := p.line(&r, line); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if p.begun && !p.ended {
		return nil, fault.New(fault.InvalidFile, ringHint, "it is cut off")
	}
	return &r, r.check()
}

// lineOrder is what a generation's lines are called, in their order.
func lineOrder() [5]string { return [...]string{"created", "from", "until", "secretbox", "signing"} }

// ringParser takes lines one after the other.
type ringParser struct {
	begun      bool
	ended      bool      // the sum was there
	sum        hash.Hash // so far
	next       int       // in lineOrder
	generation Generation
	box        BoxKey
}

func (p *ringParser) line(r *Ring, line string) error {
	if p.ended {
		return fault.New(fault.InvalidFile, ringHint, "nothing may follow the sum")
	}
	if value, ok := strings.CutPrefix(line, "sum "); ok && p.next == 0 {
		return p.end(value)
	}
	addLine(p.sum, line)
	if !p.begun {
		if p.begun = line == firstLine; !p.begun {
			return fault.New(fault.InvalidFile, "name a file that keyward keyexchange made", "no file of exchange keys")
		}
		return nil
	}
	name, value, _ := strings.Cut(line, " ")
	order := lineOrder()
	if order[p.next] == "until" && name != "until" {
		p.next++
	}
	if order[p.next] != name {
		return fault.New(fault.InvalidFile, ringHint, "not the line %q that has to follow", order[p.next])
	}
	if err := p.entry(name, value); err != nil {
		return err
	}
	if p.next++; p.next < len(order) {
		return nil
	}
	r.generations = append(r.generations, p.generation)
	p.next, p.generation = 0, Generation{}
	if len(r.generations) > maxGenerations {
		return fault.New(fault.InvalidFile, ringHint, "more than %d pairs of keys", maxGenerations)
	}
	return nil
}

// end holds the sum against what was read.
func (p *ringParser) end(sum string) error {
	p.ended = true
	if sum != fmt.Sprintf("%x", p.sum.Sum(nil)) {
		return fault.New(fault.InvalidFile, ringHint, "the file is damaged: the sum is another")
	}
	return nil
}

func (p *ringParser) entry(name, value string) (err error) {
	g := &p.generation
	switch name {
	case "created":
		g.Created, err = parseTime(value)
	case "from":
		g.From, err = parseTime(value)
	case "until":
		g.Until, err = parseTime(value)
	case "secretbox":
		p.box, err = parseKey(value)
	case "signing":
		var seed Seed
		if seed, err = parseKey(value); err == nil {
			g.SealKeys = NewSealKeys(p.box, seed)
		}
	}
	return err
}

func parseTime(value string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, value)
	if err != nil || at.IsZero() || at.Nanosecond() != 0 {
		return time.Time{}, fault.New(fault.InvalidFile, ringHint, "no time in whole seconds, such as 2026-11-21T21:37:08Z")
	}
	return at.UTC(), nil
}

// parseKey reads a key string, and refuses the key of all zeros, which is no key but an emptied one.
func parseKey(value string) (key [keySize]byte, err error) {
	b, err := keys.DecodeString(value, keySize)
	if err != nil {
		return key, fault.New(fault.InvalidFile, ringHint, "%w", err)
	}
	if len(b) != keySize || bytes.Equal(b, key[:]) {
		return key, fault.New(fault.InvalidFile, ringHint, "no key of %d bytes", keySize)
	}
	return [keySize]byte(b), nil
}
