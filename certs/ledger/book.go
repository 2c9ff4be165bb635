package ledger

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"keyward/certs"
	"keyward/fault"
)

// Book is a ledger that was read through once and holds. What it keeps in memory is what was revoked and
// renewed, and not what was issued.
type Book struct {
	Head    Head
	Torn    bool  // a line that was never finished follows; the next Append cuts it off
	LastCRL Entry // the zero Entry where there is none; an imported number is none

	number int64 // the highest of a CRL, an imported one included

	ca         *x509.Certificate
	text       *io.SectionReader
	close      func() error
	revoked    map[string]Entry  // by serial, those that are in force
	released   map[string]bool   // by serial, those that were on hold
	replacedBy map[string]string // the serial of a certificate's renewal
	changed    int64             // the last line that revoked or released something
	size       int64             // of the whole lines, in bytes
}

// Open reads the ledger at path, as Entries does with this ca. The caller closes it. A missing ledger is fault.NotFound.
func Open(path string, ca *x509.Certificate) (*Book, error) { return OpenAt(path, ca, Head{}) }

// OpenAt is Open of a ledger that must have the line that was its head once: one that was cut off before it, or written
// anew, is fault.InvalidFile.
func OpenAt(path string, ca *x509.Certificate, head Head) (*Book, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "name the ledger, or its CA's certificate; it begins when the CA signs something", "%s: no ledger: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fault.New(fault.Failed, "check the path and its permissions", "read the ledger: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fault.New(fault.InvalidFile, "name the ledger's file", "%s is not a regular file", path)
	}
	var b *Book
	if err == nil {
		b, err = read(f, info.Size(), ca, head)
	}
	if err != nil {
		_ = f.Close()
		return nil, named(path, err)
	}
	b.close = f.Close
	return b, nil
}

// named puts the ledger's path before a fault of its.
func named(path string, err error) error {
	return fault.New(fault.KindOf(err), fault.HintOf(err), "%s: %w", path, err)
}

// Close closes the ledger's file.
func (b *Book) Close() error { return b.close() }

func read(r io.ReaderAt, size int64, ca *x509.Certificate, head Head) (*Book, error) {
	b := &Book{
		ca: ca, close: func() error { return nil },
		revoked: map[string]Entry{}, released: map[string]bool{}, replacedBy: map[string]string{},
	}
	return b, b.readOn(r, size, head)
}

// readOn reads what the first size bytes of r have behind what was read before.
func (b *Book) readOn(r io.ReaderAt, size int64, head Head) error {
	c := &checker{ca: b.ca, head: b.Head, size: b.size}
	for l, err := range c.lines(io.NewSectionReader(r, b.size, size-b.size)) {
		if err != nil {
			return err
		}
		if l.Seq == head.Seq && l.sum != head.Sum {
			return unlike("line %d is not the one of the head: the ledger was written anew by somebody with the CA's key", l.Seq)
		}
		b.note(l.Entry)
	}
	if c.head.Seq < head.Seq {
		return unlike("it was cut off: it ends with line %d, and the head is line %d", c.head.Seq, head.Seq)
	}
	b.Head, b.Torn, b.size, b.text = c.head, c.torn, c.size, io.NewSectionReader(r, 0, size)
	return nil
}

func unlike(format string, args ...any) error {
	return fault.New(fault.InvalidFile, "restore the ledger from a copy", "the ledger is damaged: "+format, args...)
}

func (b *Book) note(entry Entry) {
	switch entry.Op {
	case Revoke:
		b.revoked[entry.Serial] = Entry{
			Seq: entry.Seq, Serial: entry.Serial, Reason: entry.Reason, NotAfter: entry.NotAfter,
			Revoked: cmp.Or(entry.Revoked, entry.Time),
		}
		b.changed = entry.Seq
	case Release:
		delete(b.revoked, entry.Serial)
		b.released[entry.Serial] = true
		b.changed = entry.Seq
	case Renew:
		b.replacedBy[entry.Replaces] = entry.Serial
	case CRL:
		b.number = max(b.number, entry.Number)
		if entry.Source == "" {
			b.LastCRL = entry
		}
	case Begin, Issue:
	}
}

// Behind tells whether something was revoked or released since the last CRL.
func (b *Book) Behind() bool { return b.changed > b.LastCRL.Seq }

// State is what has become of a certificate.
type State string

// The states. The first that fits counts.
const (
	StateRevoked    State = "revoked"
	StateExpired    State = "expired"
	StateSuperseded State = "superseded" // another one was signed in its place; verifiers take it still
	StateValid      State = "valid"
)

// States lists the states.
func States() []State { return []State{StateValid, StateRevoked, StateExpired, StateSuperseded} }

// Certificate is what a ledger knows of a certificate.
type Certificate struct {
	State       State     `json:"state"`
	Serial      string    `json:"serial"`            // lower-case hex, two digits a byte
	Subject     string    `json:"subject,omitempty"` // RFC 2253; where only an index.txt told of it, as OpenSSL writes it there
	Names       []string  `json:"names"`             // never null
	Issued      time.Time `json:"issued"`            // when the ledger noted it
	NotBefore   time.Time `json:"not_before,omitzero"`
	NotAfter    time.Time `json:"not_after"`
	Fingerprint string    `json:"fingerprint,omitempty"`
	Pin         string    `json:"pin,omitempty"`
	Revoked     time.Time `json:"revoked,omitzero"`
	Reason      Reason    `json:"reason,omitempty"`
	Replaces    string    `json:"replaces,omitempty"` // serials
	ReplacedBy  string    `json:"replaced_by,omitempty"`
	Seq         int64     `json:"seq"` // the line

	file     string
	name     string
	unlisted bool
}

// Unlisted is a certificate that the ledger does not know, to be revoked.
func Unlisted(cert *x509.Certificate) Certificate {
	entry := Issued(cert)
	return Certificate{
		State: StateValid, Serial: entry.Serial, Subject: entry.Subject, Names: entry.Names,
		NotBefore: entry.NotBefore, NotAfter: entry.NotAfter, Fingerprint: entry.Fingerprint, Pin: entry.Pin, unlisted: true,
	}
}

// Certificates gives what the CA issued, in the order in which the ledger learned of it, those that it learned of
// when they were revoked included. The ledger is read once more, so that they need not be held.
func (b *Book) Certificates(now time.Time) iter.Seq2[Certificate, error] {
	return func(yield func(Certificate, error) bool) {
		c := &checker{}
		for l, err := range c.lines(io.NewSectionReader(b.text, 0, b.text.Size())) {
			if err != nil {
				yield(Certificate{}, err)
				return
			}
			if l.Op == Issue || l.Op == Renew || l.Unlisted {
				if !yield(b.certificate(l.Entry, now), nil) {
					return
				}
			}
		}
		if b.Head.Seq > 0 && c.head != b.Head { // it holds all that goes before
			yield(Certificate{}, fault.New(fault.InvalidFile, "try again", "the ledger changed while it was read"))
		}
	}
}

func (b *Book) certificate(entry Entry, now time.Time) Certificate {
	cert := Certificate{
		State: StateValid, Serial: entry.Serial, Subject: cmp.Or(entry.Subject, entry.Name), Names: entry.Names, Issued: entry.Time,
		NotBefore: entry.NotBefore, NotAfter: entry.NotAfter, Fingerprint: entry.Fingerprint, Pin: entry.Pin,
		Replaces: entry.Replaces, ReplacedBy: b.replacedBy[entry.Serial], Seq: entry.Seq, file: entry.File, name: entry.Name,
	}
	if cert.Names == nil {
		cert.Names = []string{}
	}
	revocation, revoked := b.revoked[entry.Serial]
	switch {
	case revoked:
		cert.State, cert.Revoked, cert.Reason = StateRevoked, revocation.Revoked, revocation.Reason
	case now.After(entry.NotAfter):
		cert.State = StateExpired
	case cert.ReplacedBy != "":
		cert.State = StateSuperseded
	}
	return cert
}

// Named tells whether a name of the certificate is like the one asked for: a subject alternative name, or its
// subject's CN or O.
func (c Certificate) Named(like func(name string) bool) bool {
	if slices.ContainsFunc(c.Names, like) {
		return true
	}
	for _, attribute := range slices.Concat(splitEscaped(c.Subject, ','), strings.Split(c.name, "/")) {
		key, value, _ := strings.Cut(attribute, "=")
		if (key == "CN" || key == "O") && like(value) {
			return true
		}
	}
	return false
}

// revocations are those in force, in the order in which they were made.
func (b *Book) revocations() []Entry {
	return slices.SortedFunc(maps.Values(b.revoked), func(x, y Entry) int { return cmp.Compare(x.Seq, y.Seq) })
}

// Update adds the entries that build makes of what the ledger says, while no other can add any. The whole
// ledger is checked first; of one that the caller read with this CA's certificate, or else nil, only what came since. Its
// errors are those of Append, Entries and build.
func Update(ctx context.Context, path string, issuer *certs.Issuer, known *Book, now time.Time, build func(*Book) ([]Entry, error)) error {
	early := known.orRead(path, issuer.Chain[0])
	return change(ctx, path, issuer, false, now, func(w *writer) ([]Entry, error) {
		b, err := w.book(early)
		if err != nil {
			return nil, named(path, err)
		}
		return build(b)
	})
}

// orRead reads a ledger that is not known yet before it is locked, so that others wait only while the rest is read. It is
// nil where that fails: why is said under the lock.
func (b *Book) orRead(path string, ca *x509.Certificate) *Book {
	if b != nil {
		return b
	}
	b, err := Open(path, ca)
	if err != nil {
		return nil
	}
	_ = b.Close()
	return b
}

// book is what the ledger says now. What early read counts where the ledger goes on from there: a failed Append
// takes lines back.
func (w *writer) book(early *Book) (*Book, error) {
	if early != nil && early.readOn(w.file, w.size, Head{}) == nil && early.Head == w.head {
		return early, nil
	}
	return read(w.file, w.size, w.ca, Head{})
}

func (c Certificate) refused(kind fault.Kind, hint, why string) error {
	return fault.New(kind, hint, "%q, serial %s, %s", c.Subject, c.Serial, why)
}

// Revocation is the entry that revokes a certificate. One that is revoked already is fault.Exists, but a hold
// can be made final. One with the CA's own key, as a renewed root, is fault.Policy.
func (b *Book) Revocation(cert Certificate, reason Reason) (Entry, error) {
	if cert.Pin == pinOf(b.ca) {
		return Entry{}, cert.refused(fault.Policy, "have its issuer revoke it, or end the trust in it where it is trusted", "is the CA itself")
	}
	if old, revoked := b.revoked[cert.Serial]; revoked && (old.Reason != Hold || reason == Hold) {
		return Entry{}, cert.refused(fault.Exists, "", "is revoked already, since "+old.Revoked.Format(time.DateTime))
	}
	entry := Entry{Op: Revoke, Serial: cert.Serial, Subject: cert.Subject, NotAfter: cert.NotAfter, Reason: reason}
	if cert.unlisted {
		entry.Unlisted, entry.Names, entry.NotBefore, entry.Fingerprint, entry.Pin = true, cert.Names, cert.NotBefore, cert.Fingerprint, cert.Pin
	}
	return entry, nil
}

// Revoked tells whether a certificate is revoked or on hold.
func (b *Book) Revoked(serial string) bool {
	_, revoked := b.revoked[serial]
	return revoked
}

// Released is the entry that ends a hold. One that is not on hold is fault.Policy.
func (b *Book) Released(cert Certificate) (Entry, error) {
	switch old, revoked := b.revoked[cert.Serial]; {
	case !revoked:
		return Entry{}, cert.refused(fault.Exists, "", "is not revoked")
	case old.Reason != Hold:
		return Entry{}, cert.refused(fault.Policy, "issue a new one", "is revoked for good: only certificateHold can be released")
	}
	return Entry{Op: Release, Serial: cert.Serial, Subject: cert.Subject}, nil
}
