package plan

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"keyward/certs"
	"keyward/certs/export"
	"keyward/certs/ledger"
	"keyward/fault"
	"keyward/internal/durable"
)

// Options say how a plan is applied.
type Options struct {
	Parallel int                 // how many certificates are made at a time
	Unlock   certs.Unlock        // the password of a CA's key that has no password file; asked for once a CA
	Progress func(done, all int) // told of each step, one call at a time, from any goroutine; may be nil
}

// Done is what Apply did.
type Done struct {
	Steps []Step // those that changed something, as they were judged in the end
}

const folderMode = 0o755

func noFolder(err error) error {
	return fault.New(fault.NotPermitted, "make the folder, or run it as its owner", "make a folder: %w", err)
}

// Apply does what the plan says, issuers first. Each step is judged again while its files are
// locked, so what another run did in the meantime is not done twice. A signature is noted in its CA's
// ledger before any of its files is placed. What fails does not stop what does not hang on it; the error
// has all of it. After a kill, or an error, Apply of a new plan does the rest.
func (p *Plan) Apply(ctx context.Context, o Options) (*Done, error) {
	a := &applying{Plan: p, o: o, done: &Done{}, slots: make(chan struct{}, max(1, o.Parallel))}
	a.authorities = map[string]*authority{"": noAuthority()}
	for _, o := range p.m.Issuers {
		a.addOutside(o)
	}
	for _, s := range p.Steps {
		if s.Action != Leave {
			a.all++
		}
	}
	for _, level := range p.m.levels {
		for _, i := range level {
			if e := &p.m.Entries[i]; e.Role != certs.Leaf {
				a.addAuthority(e)
			}
		}
		for _, group := range a.groups(level) {
			a.put(ctx, group)
		}
	}
	for n, u := range p.m.UserKeys {
		a.putUserKey(ctx, &p.Steps[len(p.m.Entries)+n], u)
	}
	return a.done, p.Faults()
}

// applying is one Apply.
type applying struct {
	*Plan
	o           Options
	authorities map[string]*authority
	slots       chan struct{} // one for each certificate that is in the making

	done *Done

	mu      sync.Mutex // for what follows
	at, all int        // of the progress
}

// groups are the steps of a level that are to be done, by issuer.
func (a *applying) groups(level []int) [][]int {
	byIssuer := map[string]int{}
	var groups [][]int
	for _, i := range level {
		if s := a.Steps[i]; s.Action == Leave || s.err != nil {
			continue
		}
		issuer := a.m.Entries[i].Issuer
		n, known := byIssuer[issuer]
		if !known {
			n = len(groups)
			byIssuer[issuer] = n
			groups = append(groups, nil)
		}
		groups[n] = append(groups[n], i)
	}
	return groups
}

// errAsWanted says that nothing has to be written any more.
var errAsWanted = errors.New("as wanted")

// put does the steps of one issuer.
func (a *applying) put(ctx context.Context, group []int) {
	issuer := a.authorities[a.m.Entries[group[0]].Issuer]
	entries := make([]*ledger.Entry, len(group)) // there from when a set is built until it is noted
	own := make([]*certs.Issuer, len(group))     // the new CAs
	sets := make([]durable.Set, len(group))
	for n, i := range group {
		e := &a.m.Entries[i]
		base := a.m.base(e)
		sets[n] = durable.Set{Dir: filepath.Dir(base), Name: filepath.Base(base), Replace: true, Build: func() ([]durable.File, error) {
			a.slots <- struct{}{}
			defer func() { <-a.slots }()
			files, issued, old, err := a.build(e, &a.Steps[i], issuer)
			a.tick()
			if issued != nil {
				entries[n], own[n] = noted(issued, old)
			}
			return files, err
		}}
	}
	if err := a.unlocked(issuer, group); err != nil {
		for _, i := range group {
			a.finish(i, err)
		}
		return
	}
	a.makeFolders(sets)
	errs := durable.PutAll(ctx, sets, func(ready []int) error { return a.record(ctx, issuer, group, ready, entries, own) })
	for n, i := range group {
		a.finish(i, errs[n])
	}
}

// unlocked loads the issuer's key if it is to sign, before anything is locked: somebody may have to type its password.
func (a *applying) unlocked(issuer *authority, group []int) error {
	if !slices.ContainsFunc(group, func(i int) bool { return a.Steps[i].Action.signs() }) {
		return nil
	}
	_, err := issuer.issuer()
	return err
}

func (a *applying) makeFolders(sets []durable.Set) {
	made := map[string]bool{}
	for _, s := range sets {
		if !made[s.Dir] {
			_ = durable.MakeFolder(s.Dir, folderMode) // where it fails the set says so
			made[s.Dir] = true
		}
	}
}

// noted is what the ledger is to say of a certificate; ca is not nil for a CA whose key is new.
func noted(issued *certs.Issued, old *x509.Certificate) (entry *ledger.Entry, ca *certs.Issuer) {
	newKey := old == nil || !slices.Equal(old.RawSubjectPublicKeyInfo, issued.Cert.RawSubjectPublicKeyInfo)
	if issued.Cert.IsCA && newKey {
		ca = issued.Issuer()
	}
	line := ledger.Issued(issued.Cert)
	if old != nil {
		line = ledger.Renewed(issued.Cert, old)
	}
	return &line, ca
}

// record notes a batch in the issuer's ledger, and begins those of new CAs.
func (a *applying) record(ctx context.Context, issuer *authority, group, ready []int, entries []*ledger.Entry, own []*certs.Issuer) error {
	var batch []ledger.Entry
	for _, n := range ready {
		e := &a.m.Entries[group[n]]
		path := ledger.Path(a.m.base(e) + certSuffix)
		if own[n] != nil {
			if err := ledger.Start(ctx, path, own[n], a.now); err != nil {
				return err
			}
		}
		switch {
		case entries[n] == nil:
		case e.Role != certs.Root:
			batch = append(batch, *entries[n])
		case own[n] == nil: // a root notes its renewal itself
			if err := ledger.Append(ctx, path, a.authorities[e.Name].renewed, a.now, *entries[n]); err != nil {
				return err
			}
		}
		entries[n], own[n] = nil, nil
	}
	if len(batch) == 0 || issuer.ledger == "" {
		return nil
	}
	ca, err := issuer.issuer()
	if err != nil {
		return err
	}
	return ledger.Append(ctx, issuer.ledger, ca, a.now, batch...)
}

// build makes the files of a step, while its set is locked, from what there is now.
func (a *applying) build(e *Entry, s *Step, issuer *authority) (files []durable.File, issued *certs.Issued, old *x509.Certificate, err error) {
	stand, err := issuer.stand()
	if err != nil {
		return nil, nil, nil, err
	}
	v, err := a.m.verdict(e, stand, a.now)
	if err != nil {
		return nil, nil, nil, err
	}
	s.Action, s.Reasons, s.NewKey = v.action, v.reasons, v.newKey && v.action.signs()
	switch {
	case v.action == Leave || v.action == Set:
		return nil, nil, nil, errAsWanted
	case v.action == Write:
		files, err = a.rewritten(e, &v, stand.chain)
		return files, nil, nil, err
	}
	ca, err := issuer.issuer()
	if err != nil {
		return nil, nil, nil, err
	}
	if issued, err = a.sign(e, &v, ca); err != nil {
		return nil, nil, nil, err
	}
	files, err = a.files(e, &v, issued)
	return files, issued, v.cert, err
}

// sign makes the certificate, with the key that is there unless a new one is due.
func (a *applying) sign(e *Entry, v *verdict, ca *certs.Issuer) (*certs.Issued, error) {
	req := e.request()
	req.Clamp = true
	if !v.newKey {
		key, err := a.key(e, v.key, v.cert)
		if err != nil {
			return nil, err
		}
		req.Key = key
	}
	issued, err := certs.Issue(req, ca, a.now)
	if err != nil {
		return nil, fault.New(fault.KindOf(err), fault.HintOf(err), "%s: %w", e.Name, err)
	}
	if e.Role == certs.Root {
		a.authorities[e.Name].renewed = issued.Issuer()
	}
	return issued, nil
}

// key is a certificate's own key, unlocked; read is nil where it was not read yet.
func (a *applying) key(e *Entry, read crypto.Signer, cert *x509.Certificate) (crypto.Signer, error) {
	if read != nil {
		return read, nil
	}
	file := a.m.base(e) + keySuffix
	text, err := readIfThere(file)
	if err == nil && text == nil {
		err = fault.New(fault.NotFound, "", "%s: %w", file, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	return certs.ReadKey(file, text, cert, a.unlock(e.PasswordFile))
}

// unlock is how a key is opened: by its password file, else as the options say.
func (a *applying) unlock(file string) certs.Unlock {
	if file == "" {
		return a.o.Unlock
	}
	return func(string) ([]byte, error) { return a.password(file) }
}

// password is what a password file holds; nil where there is none.
func (a *applying) password(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	return a.passwords.of(a.m.path(file))
}

// files are all that hold a new certificate: where there was an old one, also those that are there without being
// asked for, since they would hold that.
func (a *applying) files(e *Entry, v *verdict, issued *certs.Issued) ([]durable.File, error) {
	password, err := a.password(e.PasswordFile)
	if err != nil {
		return nil, err
	}
	files, err := issued.Files(a.m.base(e), false, password)
	if err != nil {
		return nil, err
	}
	files = slices.DeleteFunc(files, func(f durable.File) bool { return f.Name == export.DER.FileName(filepath.Base(a.m.base(e))) })
	formats := slices.Clone(e.Outputs)
	for _, format := range export.Formats() {
		if v.cert == nil && !v.keyed {
			break
		}
		if _, err := os.Lstat(format.FileName(a.m.base(e))); err == nil && !format.TakesPassword() && !slices.Contains(formats, format) {
			formats = append(formats, format)
		}
	}
	more, err := a.outputs(e, formats, issued.Cert, issued.Chain, issued.Key)
	return append(files, more...), err
}

// rewritten are the files that are made of the certificate and key that are there.
func (a *applying) rewritten(e *Entry, v *verdict, chain []*x509.Certificate) ([]durable.File, error) {
	files, err := a.outputs(e, v.write, v.cert, chain, v.key)
	if err != nil || !v.lock {
		return files, err
	}
	password, err := a.password(e.PasswordFile)
	if err != nil {
		return nil, err
	}
	key, err := certs.KeyPEM(v.key, password)
	return append(files, durable.File{Name: filepath.Base(a.m.base(e)) + keySuffix, Data: key, Mode: 0o600}), err
}

func (a *applying) outputs(e *Entry, formats []export.Format, cert *x509.Certificate, chain []*x509.Certificate, key crypto.Signer) ([]durable.File, error) {
	password, err := a.password(e.PasswordFile)
	if err != nil {
		return nil, err
	}
	if key == nil && slices.ContainsFunc(formats, export.Format.TakesKey) {
		if key, err = a.key(e, nil, cert); err != nil {
			return nil, err
		}
	}
	var files []durable.File
	for _, format := range formats {
		file, err := a.m.output(e, format, cert, chain, key, password)
		if err != nil {
			return nil, fault.New(fault.KindOf(err), fault.HintOf(err), "%s: %w", e.Name, err)
		}
		files = append(files, file)
	}
	return files, nil
}

// finish ends a step: its private files get their owner, and the error is kept.
func (a *applying) finish(i int, err error) {
	e, s := &a.m.Entries[i], &a.Steps[i]
	asWanted := errors.Is(err, errAsWanted)
	if asWanted {
		err = nil
	}
	if err == nil && (s.Action == Set || e.Owner != "" || e.Group != "" || e.Mode != 0) {
		for _, file := range a.m.privateFiles(e, nil) {
			if err = own(file, e); err != nil {
				break
			}
		}
	}
	a.tell(s, s.Action != Leave && (!asWanted || s.Action == Set), err)
}

// tell keeps what came of a step.
func (a *applying) tell(s *Step, changed bool, err error) {
	s.err = err
	if err == nil && changed {
		a.done.Steps = append(a.done.Steps, *s)
	}
}

// tick moves the progress on by one step.
func (a *applying) tick() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at++
	if a.o.Progress != nil {
		a.o.Progress(a.at, a.all)
	}
}

func (a *applying) putUserKey(ctx context.Context, s *Step, u UserKey) {
	if s.Action == Leave || s.err != nil {
		return
	}
	if ctx.Err() != nil {
		a.tell(s, false, ctx.Err())
		return
	}
	made, err := a.m.makeUserKey(ctx, u, a.now)
	a.tick()
	a.tell(s, made, err)
}
