package plan

import (
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"keyward/certs"
	"keyward/certs/export"
)

// What a manifest may hold at most.
const (
	maxManifest = 32 << 20 // bytes
	maxEntries  = 100_000  // certificates and user keys together
)

// Manifest says what there is to be in a folder.
type Manifest struct {
	Dir      string // what all paths in it start from
	Issuers  []Outside
	Entries  []Entry
	UserKeys []UserKey

	file   string  // its name in messages; "" where it was made of flags
	levels [][]int // of Entries: those that nothing above is missing for, and so on
	byName map[string]int
}

// Entry is a certificate with its key and the files made of them. Its zero fields mean the
// defaults of certs.Request.
type Entry struct {
	Name         string // the basename of its files, below the manifest's folder, with slashes
	Issuer       string // another entry's name, or an outside CA's; "" for a root
	Role         certs.Role
	Organization string
	SANs         []string
	Profile      certs.Profile
	KeyType      certs.KeyType
	NotAfter     time.Time // where it would end if it were made now
	Clamp        bool
	PathLen      *int
	PermitDNS    []string
	PermitIP     []string

	RenewWithin  time.Duration // 0: 30 days, or a third of the certificate's lifetime if that is less
	Rekey        bool          // a new key at each renewal
	Outputs      []export.Format
	PasswordFile string      // of the key and of PKCS#12
	Owner, Group string      // of the private files; "" leaves them
	Mode         fs.FileMode // of the private files; 0 is 0600

	at    place
	marks []mark
}

// Outside is a CA that the manifest does not keep, by its files.
type Outside struct {
	Name, CertFile, KeyFile, PasswordFile string
	Ledger                                string // notes what it signs; "" for none

	at, certAt, passwordAt place
}

// UserKey is a NaCl key file.
type UserKey struct {
	Name, File string

	at place
}

// mark remembers where a field, or an item of its list, stands.
type mark struct {
	field uint8 // its place in fields
	item  uint16
	at    place
}

// request is what certs is asked for.
func (e *Entry) request() certs.Request {
	return certs.Request{
		Role: e.Role, Profile: e.Profile, Organization: e.Organization, SANs: e.SANs, KeyType: e.KeyType,
		NotAfter: e.NotAfter, Clamp: e.Clamp, PathLen: e.PathLen, PermitDNS: e.PermitDNS, PermitIP: e.PermitIP,
	}
}

// placeOf is where a field or its item stands; where the entry does if it is not there.
func (e *Entry) placeOf(field string, item int) place {
	for _, m := range e.marks {
		if fields[m.field].name == field && int(m.item) == item {
			return m.at
		}
	}
	return e.at
}

// says tells whether an entry has a field of its own.
func (e *Entry) says(field string) bool {
	return slices.ContainsFunc(e.marks, func(m mark) bool { return fields[m.field].name == field })
}

// New makes a manifest without a file. Its error is as Parse's, with Faults that have no place.
func New(dir string, issuers []Outside, entries []Entry, now time.Time) (*Manifest, error) {
	p := &parser{now: now, m: &Manifest{Dir: dir, Issuers: issuers, Entries: entries, byName: map[string]int{}}}
	for i := range entries {
		if err := checkName(entries[i].Name); err != nil {
			p.add(place{}, err)
		}
	}
	p.link()
	if err := p.err(); err != nil {
		return nil, err
	}
	return p.m, nil
}

// path is a path of the manifest as the system has it; - is stdin.
func (m *Manifest) path(name string) string {
	if filepath.IsAbs(name) || name == "-" {
		return name
	}
	return filepath.Join(m.Dir, filepath.FromSlash(name))
}

func (m *Manifest) base(e *Entry) string { return m.path(e.Name) }
