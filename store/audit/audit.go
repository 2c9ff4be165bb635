// Package audit is the form of the registry's audit log: who did what to whom, when and from
// where, in a chain that shows when a part of it was changed, left out or put elsewhere.
//
// A record is one line of JSON with the number of the record and the hash of the one before, and
// the Ed25519 signature (RFC 8032) of that line. Its hash is the SHA-256 of the line. What a chain
// cannot show by itself is that its end was cut off: for that somebody keeps a hash of its head.
package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"keyward/fault"
)

// What was done. A refusal is of something that was tried.
type What string

// The acts.
const (
	UserAdded       What = "user.add"
	PasswordChanged What = "user.password"
	UserDeleted     What = "user.delete"
	KeyAdded        What = "key.add"
	KeyExpiry       What = "key.expiry" // its expiry was set; Note has it
	KeyDeleted      What = "key.delete"
	KeyPruned       What = "key.prune" // deleted since it had expired
	ServerKeySet    What = "serverkey.set"
	AccountAdded    What = "account.add"
	AccountUpdated  What = "account.update"
	AccountRevoked  What = "account.revoke"
	Restored        What = "store.restore"
	LoginRefused    What = "login.refused"
)

// Acts are all that a record may be of.
func Acts() []What {
	return []What{UserAdded, PasswordChanged, UserDeleted, KeyAdded, KeyExpiry, KeyDeleted, KeyPruned, ServerKeySet,
		AccountAdded, AccountUpdated, AccountRevoked, Restored, LoginRefused}
}

// Is tells whether an act is of that name, or of a kind of that name: key.add is of the kind key.
func (w What) Is(name string) bool {
	return string(w) == name || strings.HasPrefix(string(w), name+".")
}

// Act is what somebody did, or tried. It holds no secret.
type Act struct {
	Time    time.Time
	What    What
	By      string // the user who did it, or whose name was given; "" for the server itself
	User    string // whom it is about
	Key     string // the fingerprint of the key that it is about; "" for none
	Account string // the account of the bus that it is about; "" for none
	From    string // the address that it came from; "" for the server itself
	Request string // the id of the request
	Count   int    // how many like it this stands for; 0 is one
	Note    string
}

// Head is the end of a chain: how many records it has, and the hash of the last. The zero Head is that of none.
type Head struct {
	Seq  int64
	Hash [sha256.Size]byte
}

// Record is an act in its place in the chain.
type Record struct {
	Line      []byte // as it was signed, without a newline
	Signature [ed25519.SignatureSize]byte
}

// Hash is what the next record begins with.
func (r Record) Hash() [sha256.Size]byte { return sha256.Sum256(r.Line) }

// line is the JSON of a record. The order of the fields is that of the line.
type line struct {
	Seq     int64  `json:"seq"`
	Prev    string `json:"prev"` // hex
	Time    string `json:"time"` // RFC 3339 in UTC, to the microsecond
	What    What   `json:"what"`
	By      string `json:"by,omitempty"`
	User    string `json:"user,omitempty"`
	Key     string `json:"key,omitempty"`
	Account string `json:"account,omitempty"`
	From    string `json:"from,omitempty"`
	Request string `json:"request,omitempty"`
	Count   int    `json:"count,omitempty"`
	Note    string `json:"note,omitempty"`
}

const timeLayout = "2006-01-02T15:04:05.000000Z"

// MaxLine bounds a line, in bytes.
const MaxLine = 8 << 10

// Signer makes records. It is safe for concurrent use.
type Signer struct{ private ed25519.PrivateKey }

// NewSigner signs with the key.
func NewSigner(private ed25519.PrivateKey) *Signer { return &Signer{private} }

// Public is the key that the records are checked with.
func (s *Signer) Public() ed25519.PublicKey {
	return s.private.Public().(ed25519.PublicKey)
}

// Sign makes the record after head.
func (s *Signer) Sign(head Head, a Act) Record {
	a.By, a.User, a.Key, a.Account = clip(a.By), clip(a.User), clip(a.Key), clip(a.Account)
	a.From, a.Request, a.Note = clip(a.From), clip(a.Request), clip(a.Note)
	text := marshal(head, a)
	return Record{text, [ed25519.SignatureSize]byte(ed25519.Sign(s.private, text))}
}

// marshal is the line of the act that comes after head.
func marshal(head Head, a Act) []byte {
	text, _ := json.Marshal(line{ // strings and numbers
		head.Seq + 1, hex.EncodeToString(head.Hash[:]), a.Time.UTC().Format(timeLayout),
		a.What, a.By, a.User, a.Key, a.Account, a.From, a.Request, a.Count, a.Note,
	})
	return text
}

// clip cuts what a stranger may have sent, so that no line is longer than MaxLine: JSON takes up to six bytes for one.
// What would move a terminal's cursor goes too: the log is to be read.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		s = s[:most]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// Parse reads a line that Sign made, and no other spelling of it.
func Parse(text []byte) (seq int64, prev [sha256.Size]byte, a Act, err error) {
	var l line
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if len(text) > MaxLine || d.Decode(&l) != nil || d.InputOffset() != int64(len(text)) {
		return 0, prev, a, errors.New("not an audit record")
	}
	hash, err := hex.DecodeString(l.Prev)
	if err != nil || len(hash) != sha256.Size {
		return 0, prev, a, errors.New("no hash of the record before")
	}
	at, err := time.Parse(timeLayout, l.Time)
	if err != nil {
		return 0, prev, a, errors.New("no time")
	}
	prev = [sha256.Size]byte(hash)
	a = Act{at, l.What, l.By, l.User, l.Key, l.Account, l.From, l.Request, l.Count, l.Note}
	if !bytes.Equal(marshal(Head{l.Seq - 1, prev}, a), text) {
		return 0, prev, a, errors.New("not spelt as records are")
	}
	return l.Seq, prev, a, nil
}

// Follow checks that the record is the next of its chain, whoever signed it, and gives the new head and the act.
func (h Head) Follow(r Record) (Head, Act, error) {
	seq, prev, act, err := Parse(r.Line)
	switch {
	case err != nil:
	case seq != h.Seq+1:
		err = fmt.Errorf("it has the number %d", seq)
	case prev != h.Hash:
		err = errors.New("the one before it was changed, or is another")
	default:
		return Head{seq, r.Hash()}, act, nil
	}
	return h, Act{}, broken(h, err)
}

func broken(h Head, err error) error {
	return fault.New(fault.InvalidFile, "somebody changed the log past keyward: compare it with a backup", "audit record %d: %w", h.Seq+1, err)
}

// Chain checks records in their order, each against any of the keys: there are several where the audit key was replaced.
type Chain struct {
	Keys []ed25519.PublicKey
	head Head
}

// Head is the end of what was checked so far.
func (c *Chain) Head() Head { return c.head }

// Add checks the next record. What does not hold is a fault.InvalidFile, and the chain stays where it was.
func (c *Chain) Add(r Record) (Act, error) {
	head, act, err := c.head.Follow(r)
	if err != nil {
		return Act{}, err
	}
	signed := func(key ed25519.PublicKey) bool { return ed25519.Verify(key, r.Line, r.Signature[:]) }
	if !slices.ContainsFunc(c.Keys, signed) {
		return Act{}, broken(c.head, errors.New("its signature is not of the audit key"))
	}
	c.head = head
	return act, nil
}

// String is "sha256:" and the hex of the hash.
func (h Head) String() string { return "sha256:" + hex.EncodeToString(h.Hash[:]) }
