package ledger

import (
	"crypto/x509"
	"time"

	"keyward/certs"
)

// Op is what happened to a certificate.
type Op string

// The operations. All but Begin and CRL are about one certificate.
const (
	Begin   Op = "begin"   // the ledger's first line: the CA itself
	Issue   Op = "issue"   // a certificate was signed
	Renew   Op = "renew"   // the same, in the place of another
	Revoke  Op = "revoke"  // it counts no longer
	Release Op = "release" // it is no longer on hold
	CRL     Op = "crl"     // a list of the revoked was signed; with a Source, another tool had come to that number
)

// Entry is one line of a ledger. The empty ones of its fields are left out.
type Entry struct {
	Seq  int64     `json:"seq"`  // 1 for the first line
	Time time.Time `json:"time"` // when it was written, to the second
	Prev string    `json:"prev"` // SHA-256 in hex of the line before with its newline; in the first line of the CA's SubjectPublicKeyInfo
	Op   Op        `json:"op"`

	Serial      string    `json:"serial,omitempty"` // lower-case hex, two digits a byte
	Subject     string    `json:"subject,omitempty"`
	Names       []string  `json:"names,omitempty"`
	NotBefore   time.Time `json:"not_before,omitzero"`
	NotAfter    time.Time `json:"not_after,omitzero"`
	Fingerprint string    `json:"fingerprint,omitempty"` // "sha256:" and 64 hex digits, of the certificate or the CRL
	Pin         string    `json:"pin,omitempty"`         // the same of its SubjectPublicKeyInfo
	Replaces    string    `json:"replaces,omitempty"`    // the serial of the one that Renew is for

	Reason   Reason    `json:"reason,omitempty"`   // of Revoke
	Revoked  time.Time `json:"revoked,omitzero"`   // when, where it was before the line was written
	Unlisted bool      `json:"unlisted,omitempty"` // the ledger did not know it when it was revoked

	Number     int64     `json:"number,omitempty"` // of a CRL
	NextUpdate time.Time `json:"next_update,omitzero"`

	Source string `json:"source,omitempty"` // what it was imported from
	File   string `json:"file,omitempty"`   // the file column of OpenSSL's index.txt
	Name   string `json:"name,omitempty"`   // the subject as OpenSSL's index.txt has it: /C=AT/CN=web
}

// Issued is the entry of a certificate that was signed.
func Issued(cert *x509.Certificate) Entry {
	info := certs.Describe(cert)
	return Entry{
		Op: Issue, Serial: info.Serial, Subject: info.Subject, Names: info.SANs,
		NotBefore: info.NotBefore, NotAfter: info.NotAfter, Fingerprint: info.Fingerprint, Pin: info.Pin,
	}
}

// Renewed is the entry of a certificate that was signed in the place of old.
func Renewed(cert, old *x509.Certificate) Entry {
	entry := Issued(cert)
	entry.Op, entry.Replaces = Renew, certs.Describe(old).Serial
	return entry
}
