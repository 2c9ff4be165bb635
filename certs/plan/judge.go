package plan

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"keyward/certs"
	"keyward/certs/export"
	"keyward/fault"
	"keyward/internal/durable"
	"keyward/internal/secretfile"
)

// Action is what is to be done about a certificate or a user key.
type Action string

// The actions, the least first.
const (
	Leave   Action = "leave"    // all is as asked for
	Set     Action = "set"      // the owner, group or mode of a file
	Write   Action = "write"    // a file, from the certificate and key that are there
	Renew   Action = "renew"    // sign again what ends soon
	Reissue Action = "re-issue" // sign again what is not as asked for
	Make    Action = "make"     // what is not there
)

// Actions lists the actions, the least first.
func Actions() []Action { return []Action{Leave, Set, Write, Renew, Reissue, Make} }

func (a Action) signs() bool { return a == Renew || a == Reissue || a == Make }

// Step is one certificate or user key and what is to be done.
type Step struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind"` // root, intermediate, leaf or user-key
	Action  Action   `json:"action"`
	Reasons []string `json:"reasons,omitempty"`
	NewKey  bool     `json:"new_key,omitempty"`

	err error // why nothing can be done
	at  place
}

// Replaces tells whether a root is signed again: who trusts it holds the old one, with its end and its limits.
func (s Step) Replaces() bool {
	return s.Kind == certs.Root.String() && (s.Action == Renew || s.Action == Reissue)
}

// Plan is what is to be done so that a folder is as its manifest says.
type Plan struct {
	Steps []Step // certificates in the manifest's order, then user keys

	m         *Manifest
	now       time.Time
	passwords *passwords
	unread    []unread
}

// above is what stands above a certificate, as it will be when its turn comes.
type above struct {
	chain   []*x509.Certificate // drafts where they are to be signed; they have their subject and, where it stays, their key
	written time.Time           // when the newest file of the chain was written
	newKey  bool                // the nearest has a key that nobody knows yet
	pending bool                // something in the chain is to be signed
	revoked map[string]bool     // the serial numbers, in decimal, of what it signed and revoked
	err     error               // why it cannot be used at all
	keyless error               // why it cannot sign, or must not
	unsure  bool                // a command is at work on it, so all below is looked at again
}

// Judge holds the manifest against the files, parallel certificates at a time. It changes nothing. password reads
// a password file: each once, and only to see that it can be read.
func (m *Manifest) Judge(ctx context.Context, now time.Time, parallel int, password func(file string) ([]byte, error)) (*Plan, error) {
	p := &Plan{Steps: make([]Step, len(m.Entries), len(m.Entries)+len(m.UserKeys)), m: m, now: now}
	p.passwords = &passwords{read: password, known: map[string]secret{}}
	p.readPasswords()
	authorities := map[string]*above{"": {}}
	for _, o := range m.Issuers {
		authorities[o.Name] = m.outsideAbove(o)
		authorities[o.Name].keyless = p.unreadable(o.PasswordFile)
	}
	for _, level := range m.levels {
		future := make([]*above, len(level))
		each(len(level), parallel, func(n int) {
			if ctx.Err() == nil {
				p.Steps[level[n]], future[n] = p.judgeEntry(level[n], authorities)
			}
		})
		for n, i := range level {
			if future[n] != nil {
				authorities[m.Entries[i].Name] = future[n]
			}
		}
	}
	for _, u := range m.UserKeys {
		p.Steps = append(p.Steps, m.judgeUserKey(ctx, u))
	}
	return p, ctx.Err()
}

// each calls do for 0 to n-1 on some goroutines.
func each(n, parallel int, do func(i int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(n, max(1, parallel)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	workers.Wait()
}

// judgeEntry says what is to be done about a certificate, and, for a CA, what those below it will find above them.
func (p *Plan) judgeEntry(i int, authorities map[string]*above) (Step, *above) {
	m := p.m
	e := &m.Entries[i]
	issuer := authorities[e.Issuer]
	v, err := m.verdict(e, issuer, p.now)
	if err == nil && v.action.signs() {
		err = issuer.keyless
		if e.Role != certs.Leaf && err == nil {
			err = exposed(m.base(e))
		}
	}
	if issuer.unsure && err == nil {
		v.raise(Write, "its issuer %s may change", e.Issuer)
	}
	locked := p.unreadable(e.PasswordFile)
	if err == nil && (v.action.signs() || v.action == Write) {
		err = locked
	}
	unsure := (err != nil || v.action == Leave) && m.unfinished(e)
	if unsure {
		v, err = verdict{action: Write, reasons: []string{"a command is at work on it, or was killed"}, found: v.found, draft: v.draft}, nil
	}
	step := Step{Name: e.Name, Kind: e.Role.String(), Action: v.action, Reasons: v.reasons, NewKey: v.newKey && v.action.signs(), err: err, at: e.at}
	if err != nil {
		step.Action = Leave
	}
	if e.Role == certs.Leaf {
		return step, nil
	}
	below := m.below(e, issuer, v, err)
	below.unsure = unsure || issuer.unsure
	below.keyless = cmp.Or(below.keyless, locked)
	return step, below
}

// unfinished tells whether a killed command left files that the next writer finishes or discards.
func (m *Manifest) unfinished(e *Entry) bool {
	base := m.base(e)
	return durable.Unfinished(filepath.Dir(base), filepath.Base(base))
}

// below is what the certificates below a CA find above them.
func (m *Manifest) below(e *Entry, issuer *above, v verdict, err error) *above {
	if err != nil || v.cert == nil && !v.action.signs() {
		return &above{err: fault.New(fault.KindOf(err), "", "its issuer %s is at fault", e.Name)}
	}
	a := &above{pending: issuer.pending || v.action.signs(), newKey: v.newKey || v.cert == nil && v.key == nil, written: issuer.written}
	own := v.cert
	if v.action.signs() {
		own = v.draft
		own.RawSubject, a.err = asn1.Marshal(own.Subject.ToRDNSequence())
		switch {
		case a.newKey:
		case v.cert != nil:
			own.PublicKey, own.SubjectKeyId = v.cert.PublicKey, v.cert.SubjectKeyId
		default:
			own.PublicKey = v.key.Public()
		}
	} else if made := m.madeAt(e); made.After(a.written) {
		a.written = made
	}
	if v.cert != nil && !a.newKey && a.err == nil {
		a.revoked, a.err = revoked(m.base(e)+certSuffix, v.cert)
	}
	if !v.keyed {
		a.keyless = noKey(m, e)
	}
	if v.action.signs() {
		a.keyless = nil
	}
	if a.keyless == nil {
		a.keyless = exposed(m.base(e))
	}
	a.chain = append([]*x509.Certificate{own}, issuer.chain...)
	return a
}

// madeAt is when a certificate's file was written.
func (m *Manifest) madeAt(e *Entry) time.Time { return modTime(m.base(e) + certSuffix) }

// exposed says that others can put their own key in the place of a CA's: no command signs with such a one.
func exposed(base string) error {
	err := secretfile.FolderExposed(base + keySuffix)
	if errors.Is(err, fault.NotFound) {
		return nil // the folder will be made
	}
	return err
}

func noKey(m *Manifest, e *Entry) error {
	base := m.base(e)
	return fault.New(fault.NotFound, "put it back, or move "+base+certSuffix+" away to have a new CA made", "%s: the CA's key is missing", base+keySuffix)
}

// otherRoot refuses to put another root in the place of the one that is there: by a change of the
// defaults alone, all who trust it would stop to trust what is below it.
func (m *Manifest) otherRoot(e *Entry, v *verdict) error {
	base := m.base(e)
	return fault.New(fault.Policy, "set the manifest back; or move "+base+certSuffix+" and "+base+keySuffix+
		" away to have a new root made, which all who trust this one need to be given",
		"%s is to become another root: %s", base+certSuffix, strings.Join(v.reasons, "; "))
}

// becomesAnother tells whether a root that is there would get a new name, or a key of another type.
func (v *verdict) becomesAnother(e *Entry) bool {
	if v.cert == nil {
		return v.keyed && v.newKey
	}
	return isRoot(v.cert) && (keyDrifts(e, v.cert) || !sameSubject(e, v.cert))
}

// verdict is what is to be done about a certificate, and what it was judged by.
type verdict struct {
	found
	action  Action
	reasons []string
	newKey  bool
	draft   *x509.Certificate // what would be signed now
	write   []export.Format   // the outputs that are missing or stale
	lock    bool              // the key is to be encrypted
}

// raise makes the verdict at least action, for a reason.
func (v *verdict) raise(action Action, format string, args ...any) {
	if slices.Index(Actions(), action) > slices.Index(Actions(), v.action) {
		v.action = action
	}
	v.reasons = append(v.reasons, fmt.Sprintf(format, args...))
}

// verdict judges one certificate below its issuer.
func (m *Manifest) verdict(e *Entry, issuer *above, now time.Time) (verdict, error) {
	v := verdict{action: Leave}
	if issuer.err != nil {
		return v, issuer.err
	}
	req := e.request()
	req.Clamp = true // Parse has held the lifetimes against each other; near the issuer's end this one's is shorter
	draft, asked, err := certs.Draft(req, issuer.chain, now)
	if err != nil {
		return v, fault.New(fault.KindOf(err), fault.HintOf(err), "%s: %w", e.Name, err)
	}
	v.draft = draft
	if v.found, err = m.find(e); err != nil {
		return v, err
	}
	if err := issuer.refuseRevoked(m.base(e)+certSuffix, v.cert); err != nil {
		return v, err
	}
	switch {
	case v.cert == nil && !v.keyed:
		v.raise(Make, "it is not there")
		v.newKey = true
	case v.cert == nil:
		v.raise(Reissue, "its certificate is missing")
		if have := v.keyType(); have != keyType(e) && !v.locked {
			v.raise(Reissue, "its key is %s, not %s", have, keyType(e))
			v.newKey = true
		}
	default:
		m.compare(e, issuer, &v, asked, now)
	}
	if v.newKey && v.cert != nil && e.Role != certs.Leaf && !v.keyed {
		return v, noKey(m, e)
	}
	if e.Role == certs.Root && v.becomesAnother(e) {
		return v, m.otherRoot(e, &v)
	}
	if !v.action.signs() {
		if err := m.judgeFiles(e, issuer, &v); err != nil {
			return v, err
		}
	}
	return v, nil
}

// compare holds the certificate that is there against the one asked for.
func (m *Manifest) compare(e *Entry, issuer *above, v *verdict, asked, now time.Time) {
	for _, reason := range drift(e, v.cert, v.draft, asked) {
		v.raise(Reissue, "%s", reason)
	}
	v.newKey = keyDrifts(e, v.cert) || v.draft.IsCA && !v.cert.IsCA // a leaf's key lies on servers
	if reason := issuerDrift(e, issuer, v.cert); reason != "" {
		v.raise(Reissue, "%s", reason)
	}
	if v.draft.NotAfter.After(v.cert.NotAfter) && !v.cert.NotAfter.After(now.Add(window(e, v.cert))) {
		v.raise(Renew, "%s", ends(v.cert.NotAfter, now))
	}
	if !v.keyed && e.Role == certs.Leaf {
		v.raise(Reissue, "its key is missing")
	}
	if v.action.signs() {
		v.newKey = v.newKey || e.Rekey || !v.keyed
	}
}

// window is how long before its end a certificate is due.
func window(e *Entry, cert *x509.Certificate) time.Duration {
	if e.RenewWithin > 0 {
		return e.RenewWithin
	}
	return min(30*24*time.Hour, cert.NotAfter.Sub(cert.NotBefore)/3)
}

func ends(end, now time.Time) string {
	if !end.After(now) {
		return "it ended on " + day(end)
	}
	return "it ends on " + day(end)
}

// issuerDrift says why cert is not what the issuer signed, or would sign.
func issuerDrift(e *Entry, issuer *above, cert *x509.Certificate) string {
	if e.Role == certs.Root {
		if !isRoot(cert) {
			return "it did not sign itself"
		}
		return ""
	}
	ca := issuer.chain[0]
	switch {
	case issuer.newKey:
		return fmt.Sprintf("its issuer %s gets a new key", e.Issuer)
	case !bytes.Equal(cert.RawIssuer, ca.RawSubject):
		return fmt.Sprintf("its issuer is %q, not %s", cert.Issuer.String(), e.Issuer)
	case !signedWith(ca, cert):
		return fmt.Sprintf("it was signed by another key than that of %s", e.Issuer)
	case cert.NotAfter.After(ca.NotAfter):
		return fmt.Sprintf("it outlives its issuer %s", e.Issuer)
	}
	return ""
}

// signedWith tells whether cert was signed with the key of ca. For leaves the key identifiers have
// to do: all else in them is held against the manifest and their key, and a signature takes longer to check
// than the rest together. It is verify-cert that checks them all.
func signedWith(ca, cert *x509.Certificate) bool {
	if len(ca.SubjectKeyId) > 0 && len(cert.AuthorityKeyId) > 0 && (!cert.IsCA || !bytes.Equal(cert.AuthorityKeyId, ca.SubjectKeyId)) {
		return bytes.Equal(cert.AuthorityKeyId, ca.SubjectKeyId)
	}
	return signedBy(ca, cert)
}

func isRoot(cert *x509.Certificate) bool { return signedBy(cert, cert) }

func signedBy(ca, cert *x509.Certificate) bool {
	return ca.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil
}

// judgeFiles looks whether the outputs hold the certificate that is there, and whose the private files are.
func (m *Manifest) judgeFiles(e *Entry, issuer *above, v *verdict) error {
	if v.lock = e.PasswordFile != "" && v.key != nil; v.lock {
		v.raise(Write, "its key is not encrypted")
	}
	for _, format := range e.Outputs {
		if v.lock && format == export.PKeyCert {
			v.write = append(v.write, format) // it holds the key too
			continue
		}
		stale, err := m.stale(e, issuer, v, format)
		if err != nil {
			return err
		}
		if stale != "" {
			v.raise(Write, "%s", stale)
			v.write = append(v.write, format)
		}
	}
	for _, file := range m.privateFiles(e, v.write) {
		if reason, err := drifted(file, e); err != nil {
			return err
		} else if reason != "" {
			v.raise(Set, "%s", reason)
		}
	}
	return nil
}

// outsideAbove is an outside CA.
func (m *Manifest) outsideAbove(o Outside) *above {
	contents, err := certs.ReadFile(m.path(o.CertFile))
	if err != nil {
		return &above{err: err}
	}
	a := &above{chain: contents.Certs, written: modTime(m.path(o.CertFile))}
	a.revoked, a.err = revoked(m.path(o.CertFile), contents.Certs[0])
	return a
}

// Faults are what stands in the way of steps, as far as something does: a damaged file, an issuer
// without its key, a password file that cannot be read. They are fault.InvalidFile, or the one kind that all of them have.
func (p *Plan) Faults() error {
	f := faults{file: p.m.file}
	kind := fault.Kind(0)
	add := func(at place, err error) {
		if k := fault.KindOf(err); kind == 0 || kind == k {
			kind = k
		} else {
			kind = fault.InvalidFile
		}
		f.add(at, err)
	}
	for _, u := range p.unread {
		add(u.at, u.err)
	}
	for _, s := range p.Steps {
		told := slices.ContainsFunc(p.unread, func(u unread) bool { return errors.Is(s.err, u.err) })
		if s.err != nil && !told {
			add(s.at, s.err)
		}
	}
	return f.asOne(kind)
}

// Counts tells how many steps have each action, and for how many nothing can be done: see Faults.
func (p *Plan) Counts() (counts map[Action]int, stuck int) {
	counts = map[Action]int{}
	for _, s := range p.Steps {
		if s.err != nil {
			stuck++
		} else {
			counts[s.Action]++
		}
	}
	return counts, stuck
}
