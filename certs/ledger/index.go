package ledger

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"math/big"
	"slices"
	"strings"
	"time"

	"keyward/fault"
)

// Indexed is a line of OpenSSL's index.txt, the database of `openssl ca`: tab-separated status, end,
// revocation, serial, file and subject.
type Indexed struct {
	Status   byte // V, R or E: valid, revoked, expired
	NotAfter time.Time
	Revoked  time.Time // zero where it is not
	Reason   Reason
	Serial   string // lower-case hex, two digits a byte
	File     string // "unknown", as a rule
	Subject  string // as /C=AT/CN=web
}

// The times of index.txt: UTCTime up to 2049, and GeneralizedTime.
const (
	utcTime         = "060102150405Z"
	generalizedTime = "20060102150405Z"
)

// Index reads an index.txt. A line that does not read ends it with a *Fault that is fault.InvalidFile.
func Index(r io.Reader) iter.Seq2[Indexed, error] {
	return func(yield func(Indexed, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, 1<<20)
		for n := int64(1); lines.Scan(); n++ {
			text := strings.TrimSuffix(lines.Text(), "\r")
			if text == "" || strings.HasPrefix(text, "#") {
				continue
			}
			x, what := parseIndexed(text)
			if what != "" {
				yield(x, fault.New(fault.InvalidFile, "name the index.txt of `openssl ca` or easy-rsa", "%w", &Fault{n, what}))
				return
			}
			if !yield(x, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Indexed{}, fault.New(fault.InvalidFile, "name the index.txt of `openssl ca` or easy-rsa", "read the index: %w", err))
		}
	}
}

// parseIndexed reads a line, or says what is wrong with it.
func parseIndexed(text string) (x Indexed, what string) {
	fields := strings.Split(text, "\t")
	if len(fields) != 6 {
		return x, fmt.Sprintf("%d fields between tabs, and not 6", len(fields))
	}
	if !slices.Contains([]string{"V", "R", "E"}, fields[0]) {
		return x, fmt.Sprintf("the status is %q, and not V, R or E", fields[0])
	}
	x = Indexed{Status: fields[0][0], File: fields[4], Subject: fields[5]}
	var ok bool
	if x.NotAfter, ok = parseTime(fields[1]); !ok {
		return x, fmt.Sprintf("its end is %q, and not a time as 270101000000Z", fields[1])
	}
	if (x.Status == 'R') != (fields[2] != "") {
		return x, fmt.Sprintf("status %c with a revocation %q", x.Status, fields[2])
	}
	if x.Status == 'R' {
		if what = x.parseRevocation(fields[2]); what != "" {
			return x, what
		}
	}
	if x.Serial, ok = ParseSerial(fields[3]); !ok {
		return x, fmt.Sprintf("the serial number is %q, and not hex", fields[3])
	}
	return x, ""
}

// opensslReasons are OpenSSL's words that are not those of RFC 5280. The last two have the time of the compromise behind them.
var opensslReasons = map[string]Reason{
	"holdinstruction": Hold, "cakeytime": KeyCompromise, "cacompromisetime": "caCompromise",
}

// parseRevocation reads when and why: 260101000000Z,keyCompromise; what may follow the reason is left.
func (x *Indexed) parseRevocation(field string) (what string) {
	parts := strings.Split(field, ",")
	var ok bool
	if x.Revoked, ok = parseTime(parts[0]); !ok {
		return fmt.Sprintf("its revocation is %q, and not a time as 270101000000Z", parts[0])
	}
	if len(parts) == 1 {
		return ""
	}
	if x.Reason, ok = opensslReasons[strings.ToLower(parts[1])]; ok {
		return ""
	}
	reason, err := ParseReason(parts[1])
	if err != nil {
		return err.Error()
	}
	x.Reason = reason
	return ""
}

func parseTime(s string) (time.Time, bool) {
	layout := utcTime
	if len(s) == len(generalizedTime) {
		layout = generalizedTime
	}
	t, err := time.Parse(layout, s)
	if err == nil && layout == utcTime && t.Year() >= 2050 { // package time draws the line at 1969
		t = t.AddDate(-100, 0, 0)
	}
	return t, err == nil && t.Year() >= 1950 && t.Format(layout) == s // as in a certificate
}

func formatTime(t time.Time) string {
	if t = t.UTC(); t.Year() >= 1950 && t.Year() < 2050 {
		return t.Format(utcTime)
	}
	return t.Format(generalizedTime)
}

// ParseSerial reads a serial number in hex, with or without colons, 0x and leading zeros, as the ledger writes it.
func ParseSerial(s string) (string, bool) {
	s = strings.TrimPrefix(strings.ToLower(strings.ReplaceAll(s, ":", "")), "0x")
	digits := strings.TrimLeft(s, "0")
	if digits == "" && s != "" {
		digits = "0"
	}
	if len(digits)%2 != 0 {
		digits = "0" + digits
	}
	raw, err := hex.DecodeString(digits)
	return digits, err == nil && len(raw) > 0 && len(raw) <= maxSerial
}

// maxSerial is the most bytes of a serial number: twice what RFC 5280 section 4.1.2.2 lets a CA make.
const maxSerial = 40

// String is the line, without its newline.
func (x Indexed) String() string {
	revocation := ""
	if x.Status == 'R' {
		revocation = formatTime(x.Revoked)
		if code := x.Reason.Code(); x.Reason != "" && code < 9 { // OpenSSL knows no word for the others
			revocation += "," + string(x.Reason)
		}
	}
	return strings.Join([]string{string(x.Status), formatTime(x.NotAfter), revocation, strings.ToUpper(x.Serial), x.File, x.Subject}, "\t")
}

// Indexed is the certificate's line in an index.txt.
func (c Certificate) Indexed() Indexed {
	x := Indexed{Status: 'V', NotAfter: c.NotAfter, Serial: c.Serial, File: c.file, Subject: c.name}
	switch c.State {
	case StateRevoked:
		x.Status, x.Revoked, x.Reason = 'R', c.Revoked, c.Reason
	case StateExpired:
		x.Status = 'E'
	case StateValid, StateSuperseded:
	}
	if x.File == "" {
		x.File = "unknown"
	}
	if x.Subject == "" {
		x.Subject = oneLine(c.Subject)
	}
	return x
}

// oneLine writes a subject of RFC 2253 as OpenSSL does in its index: /C=AT/O=Example, the other way round, with
// what is not printable ASCII as \xC3.
func oneLine(subject string) string {
	attributes := splitEscaped(subject, ',')
	slices.Reverse(attributes)
	var b strings.Builder
	for _, attribute := range attributes {
		if attribute == "" {
			continue
		}
		b.WriteByte('/')
		for i := range len(attribute) {
			if c := attribute[i]; c < ' ' || c > '~' {
				fmt.Fprintf(&b, `\x%02X`, c)
			} else {
				b.WriteByte(c)
			}
		}
	}
	return b.String()
}

// splitEscaped splits at what has no backslash before it, and takes the backslashes away.
func splitEscaped(s string, at byte) []string {
	var parts []string
	var part []byte
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			part = append(part, s[i])
		case s[i] == at:
			parts, part = append(parts, string(part)), nil
		default:
			part = append(part, s[i])
		}
	}
	return append(parts, string(part))
}

// entries are what an index's line adds to the ledger: nothing where it knows all of it. end is when the
// certificate ends as the ledger has it, zero where it has not, and read the certificate itself where it is at hand.
func (x Indexed) entries(b *Book, end time.Time, read func(serial string) (Entry, error)) ([]Entry, error) {
	var all []Entry
	if end.IsZero() {
		entry, err := read(x.Serial)
		if err != nil {
			return nil, err
		}
		end = cmp.Or(entry.NotAfter, x.NotAfter)
		entry.Op, entry.Serial, entry.NotAfter, entry.File, entry.Name, entry.Source = Issue, x.Serial, end, x.File, x.Subject, "index.txt"
		all = append(all, entry)
	}
	if _, revoked := b.revoked[x.Serial]; x.Status == 'R' && !revoked {
		all = append(all, Entry{Op: Revoke, Serial: x.Serial, NotAfter: end, Reason: x.Reason, Revoked: x.Revoked, Source: "index.txt"})
	}
	return all, nil
}

// Import are the entries that the ledger lacks of an index.txt. read gives the entry of a certificate that is at hand, and
// the zero Entry of another one.
func (b *Book) Import(index io.Reader, now time.Time, read func(serial string) (Entry, error)) ([]Entry, error) {
	var lines []Indexed
	ends := map[string]time.Time{} // as the ledger has them
	for x, err := range Index(index) {
		if err != nil {
			return nil, err
		}
		if _, twice := ends[x.Serial]; twice {
			return nil, fault.New(fault.InvalidFile, "mend the index", "the serial number %s is there twice", x.Serial)
		}
		ends[x.Serial] = time.Time{}
		lines = append(lines, x)
	}
	for cert, err := range b.Certificates(now) {
		if err != nil {
			return nil, err
		}
		if _, asked := ends[cert.Serial]; asked {
			ends[cert.Serial] = cert.NotAfter
		}
	}
	var all []Entry
	for _, x := range lines {
		added, err := x.entries(b, ends[x.Serial], read)
		if err != nil {
			return nil, err
		}
		all = append(all, added...)
	}
	return all, nil
}

// ParseCRLNumber reads the crlnumber file of `openssl ca`: the number of its next list, in hex. What is none, or too
// large for others to follow, is fault.InvalidFile.
func ParseCRLNumber(text []byte) (int64, error) {
	const hint = "mend it, or move it away: lists then begin with the number that the ledger or the list in place has"
	digits := strings.TrimSpace(string(text))
	number, ok := new(big.Int).SetString(digits, 16)
	switch {
	case !ok || strings.Trim(digits, "0123456789abcdefABCDEF") != "": // no sign, no underscore
		return 0, fault.New(fault.InvalidFile, hint, "%q is not a number in hex", digits)
	case number.BitLen() > 62:
		return 0, fault.New(fault.InvalidFile, hint, "the number %x leaves no room for more", number)
	}
	return number.Int64(), nil
}

// ImportCRLNumber is the entry that has the next list's number be above that of another tool; none where it is already.
func (b *Book) ImportCRLNumber(number int64) []Entry {
	if number <= b.number {
		return nil
	}
	return []Entry{{Op: CRL, Number: number, Source: "crlnumber"}}
}
