package backup

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"time"

	"keyward/bus"
	"keyward/keys"
	"keyward/store"
	"keyward/store/audit"
)

const format = "keyward backup"

// line is a line of the file: exactly one of the pointers is set. The order of the fields is that of the text.
type line struct {
	Header    *headerLine    `json:"header,omitempty"`
	User      *userLine      `json:"user,omitempty"`
	Key       *keyLine       `json:"key,omitempty"`
	Login     *loginLine     `json:"login,omitempty"`
	ServerKey *serverKeyLine `json:"server_key,omitempty"`
	Account   *accountLine   `json:"account,omitempty"`
	Audit     *auditLine     `json:"audit,omitempty"`
	File      *fileLine      `json:"file,omitempty"`
	End       *endLine       `json:"end,omitempty"`
}

type headerLine struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Time    stamp  `json:"time"`
	Keyward string `json:"keyward"`
}

type userLine struct {
	Name     string `json:"name"`
	Admin    bool   `json:"admin,omitempty"`
	Password string `json:"password"` // PHC string
	Created  stamp  `json:"created"`
}

type keyLine struct {
	User        string   `json:"user"`
	Public      key      `json:"public"`
	Description string   `json:"description,omitempty"`
	Labels      []string `json:"labels,omitempty"`
	Created     stamp    `json:"created"`
	Expires     stamp    `json:"expires,omitzero"`
	LastUsed    stamp    `json:"last_used,omitzero"`
	LastFrom    string   `json:"last_from,omitempty"`
}

type loginLine struct {
	ID    id    `json:"id"`
	Until stamp `json:"until"`
}

type serverKeyLine struct {
	Public key   `json:"public"`
	Since  stamp `json:"since"`
	Until  stamp `json:"until,omitzero"`
}

type accountLine struct {
	Name       bus.Name      `json:"name"`
	Roles      []bus.Role    `json:"roles,omitempty"`
	Publish    []bus.Pattern `json:"publish,omitempty"`
	Subscribe  []bus.Pattern `json:"subscribe,omitempty"`
	Identities []string      `json:"identities,omitempty"`
	State      bus.State     `json:"state"`
	Revision   uint64        `json:"revision"`
	NotBefore  stamp         `json:"not_before,omitzero"`
}

type auditLine struct {
	Record    string    `json:"record"` // the line that was signed
	Signature signature `json:"signature"`
}

type fileLine struct {
	Name   string `json:"name"`
	Secret bool   `json:"secret,omitempty"`
	Data   []byte `json:"data"` // base64
}

type endLine struct {
	Users      int64  `json:"users"`
	Keys       int64  `json:"keys"`
	Logins     int64  `json:"logins"`
	ServerKeys int64  `json:"server_keys"`
	Accounts   int64  `json:"accounts,omitempty"`
	Records    int64  `json:"audit_records"`
	Files      int    `json:"files"`
	SHA256     string `json:"sha256"`
}

// stamp is a time as RFC 3339 has it, in UTC and to the microsecond.
type stamp time.Time

const stampLayout = "2006-01-02T15:04:05.000000Z"

func (s stamp) IsZero() bool { return time.Time(s).IsZero() }

func (s stamp) MarshalText() ([]byte, error) {
	return time.Time(s).UTC().AppendFormat(nil, stampLayout), nil
}

func (s *stamp) UnmarshalText(text []byte) error {
	at, err := time.Parse(stampLayout, string(text))
	*s = stamp(at)
	return err
}

// key is a public key as a key string. Nobody asks whether it is a good one: the registry did.
type key keys.PublicKey

func (k key) MarshalText() ([]byte, error) { return []byte(keys.PublicKey(k).String()), nil }

func (k *key) UnmarshalText(text []byte) error {
	b, err := keys.DecodeString(string(text), keys.Size)
	if err == nil && len(b) != keys.Size {
		err = invalid("a key has %d bytes", keys.Size)
	}
	if err == nil {
		*k = key(b)
	}
	return err
}

// id is that of a login, in hex.
type id [32]byte

func (i id) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, i[:]), nil }

func (i *id) UnmarshalText(text []byte) error { return fill(i[:], text, hex.AppendDecode) }

// signature is one of Ed25519, in base64.
type signature [ed25519.SignatureSize]byte

func (s signature) MarshalText() ([]byte, error) {
	return base64.StdEncoding.AppendEncode(nil, s[:]), nil
}

func (s *signature) UnmarshalText(text []byte) error {
	return fill(s[:], text, base64.StdEncoding.AppendDecode)
}

// fill decodes what must have the length of dst.
func fill(dst, text []byte, decode func(dst, src []byte) ([]byte, error)) error {
	b, err := decode(nil, text)
	if err == nil && len(b) != len(dst) {
		err = invalid("%d bytes, not %d", len(b), len(dst))
	}
	copy(dst, b)
	return err
}

// text is the line with its newline.
func (l line) text() ([]byte, error) {
	text, err := json.Marshal(l)
	return append(text, '\n'), err
}

// parseLine reads a line as text spells it, and no other spelling of it.
func parseLine(text []byte) (line, error) {
	var l line
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return line{}, invalid("not a line of a backup")
	}
	again, err := l.text()
	if err != nil || !bytes.Equal(again[:len(again)-1], text) || l.kinds() != 1 {
		return line{}, invalid("not spelt as the lines of a backup are")
	}
	return l, nil
}

func (l line) kinds() (n int) {
	for _, there := range []bool{l.Header != nil, l.User != nil, l.Key != nil, l.Login != nil, l.ServerKey != nil, l.Account != nil, l.Audit != nil, l.File != nil, l.End != nil} {
		if there {
			n++
		}
	}
	return n
}

// versionOf is the version that a header says, whatever else is in it; 0 of what is no header.
func versionOf(text []byte) int {
	var l struct {
		Header struct {
			Format  string `json:"format"`
			Version int    `json:"version"`
		} `json:"header"`
	}
	if json.Unmarshal(text, &l) != nil || l.Header.Format != format {
		return 0
	}
	return l.Header.Version
}

func newHeader(h Header) *headerLine { return &headerLine{format, Version, stamp(h.Time), h.Keyward} }

func (l *headerLine) header() Header { return Header{time.Time(l.Time), l.Keyward} }

func newFile(f File) *fileLine { return &fileLine{f.Name, f.Secret, f.Data} }

func (l fileLine) file() (File, error) {
	f := File{Name: l.Name, Secret: l.Secret, Data: l.Data}
	return f, f.check()
}

func newEnd(s Summary) *endLine {
	return &endLine{s.Users, s.Keys, s.Logins, s.ServerKeys, s.Accounts, s.Records, len(s.Files), s.SHA256}
}

// newLine is the line of a row that check let pass.
func newLine(row store.Row) line {
	switch {
	case row.User != nil:
		u := row.User
		return line{User: &userLine{u.Name, u.Admin, u.Password, stamp(u.Created)}}
	case row.Key != nil:
		k := row.Key
		return line{Key: &keyLine{k.User, key(k.Public), k.Description, k.Labels, stamp(k.Created), stamp(k.Expires), stamp(k.LastUsed), k.LastFrom}}
	case row.Login != nil:
		return line{Login: &loginLine{id(row.Login.ID), stamp(row.Login.Until)}}
	case row.ServerKey != nil:
		k := row.ServerKey
		return line{ServerKey: &serverKeyLine{key(k.Public), stamp(k.Since), stamp(k.Until)}}
	case row.Account != nil:
		a := row.Account
		return line{Account: &accountLine{a.Name, a.Roles, a.Publish, a.Subscribe, a.Identities, a.State, a.Revision, stamp(a.NotBefore)}}
	default:
		return line{Audit: &auditLine{string(row.Audit.Line), signature(row.Audit.Signature)}}
	}
}

// row is the row of a line.
func (l line) row() store.Row {
	switch {
	case l.User != nil:
		u := l.User
		return store.Row{User: &store.User{Name: u.Name, Admin: u.Admin, Password: u.Password, Created: time.Time(u.Created)}}
	case l.Key != nil:
		k := l.Key
		return store.Row{Key: &store.Key{User: k.User, Public: keys.PublicKey(k.Public), Description: k.Description, Labels: k.Labels,
			Created: time.Time(k.Created), Expires: time.Time(k.Expires), LastUsed: time.Time(k.LastUsed), LastFrom: k.LastFrom}}
	case l.Login != nil:
		return store.Row{Login: &store.Login{ID: l.Login.ID, Until: time.Time(l.Login.Until)}}
	case l.ServerKey != nil:
		k := l.ServerKey
		return store.Row{ServerKey: &store.ServerKey{Public: keys.PublicKey(k.Public), Since: time.Time(k.Since), Until: time.Time(k.Until)}}
	case l.Account != nil:
		a := l.Account
		return store.Row{Account: &bus.Account{Name: a.Name, Roles: a.Roles, Publish: a.Publish, Subscribe: a.Subscribe,
			Identities: a.Identities, State: a.State, Revision: a.Revision, NotBefore: time.Time(a.NotBefore)}}
	default:
		return store.Row{Audit: &audit.Record{Line: []byte(l.Audit.Record), Signature: l.Audit.Signature}}
	}
}
