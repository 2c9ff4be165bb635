package plan

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"keyward/certs"
	"keyward/certs/export"
	"keyward/fault"
	"keyward/internal/nearest"
)

func didYouMean(word string, known []string) string {
	if near := nearest.Word(word, known); near != "" {
		return "did you mean " + near + "?"
	}
	const most = 20 // more are of no use
	return "use one of " + strings.Join(known[:min(len(known), most)], ", ")
}

// link holds the certificates against each other: their files, their issuers and the limits above them.
func (p *parser) link() {
	p.checkFiles()
	outside := p.outsideChains()
	p.order(outside)
	p.draft(outside)
}

// folded is how a file system that does not tell cases apart sees a name.
func folded(name string) string { return strings.ToLower(name) }

// checkFiles refuses two things with the same files, also where only the case differs: some
// systems have one file then.
func (p *parser) checkFiles() {
	const hint = "give each its own name; upper and lower case count as the same"
	bases := make(map[string]int, len(p.m.Entries))
	for i := range p.m.Entries {
		e := &p.m.Entries[i]
		if first, taken := bases[folded(e.Name)]; taken {
			p.addf(e.at, hint, "%q has the files of %q in line %d", e.Name, p.m.Entries[first].Name, p.m.Entries[first].at.line)
			continue
		}
		bases[folded(e.Name)] = i
		p.m.byName[e.Name] = i
	}
	endings := overlaps()
	for i := range p.m.Entries {
		e := &p.m.Entries[i]
		for _, ending := range endings {
			base, cut := strings.CutSuffix(folded(e.Name), ending)
			if other, taken := bases[base]; cut && taken {
				p.addf(e.at, hint, "%q has a file of %q in line %d", e.Name, p.m.Entries[other].Name, p.m.Entries[other].at.line)
			}
		}
	}
	p.checkFolders(bases)
	files := map[string]string{}
	for _, u := range p.m.UserKeys {
		file := folded(u.File)
		if other, taken := files[file]; taken {
			p.addf(u.at, hint, "the user key %q has the file of %q", u.Name, other)
		}
		files[file] = u.Name
		for _, suffix := range suffixes() {
			base, cut := strings.CutSuffix(file, suffix)
			if i, taken := bases[base]; cut && taken {
				p.addf(u.at, hint, "the user key %q has a file of the certificate %q", u.Name, p.m.Entries[i].Name)
			}
		}
	}
}

// checkFolders refuses a certificate in a folder that is another's file.
func (p *parser) checkFolders(bases map[string]int) {
	files := suffixes()
	for i := range p.m.Entries {
		e := &p.m.Entries[i]
		name := folded(e.Name)
		for at, c := range name {
			if c != '/' {
				continue
			}
			for _, suffix := range files {
				base, cut := strings.CutSuffix(name[:at], suffix)
				if other, taken := bases[base]; cut && taken {
					p.addf(e.at, "give its folder another name", "the folder of %q is a file of %q in line %d", e.Name, p.m.Entries[other].Name, p.m.Entries[other].at.line)
				}
			}
		}
	}
}

// outsideChains reads the certificates of the outside CAs, by their names.
func (p *parser) outsideChains() map[string][]*x509.Certificate {
	chains := map[string][]*x509.Certificate{}
	for _, o := range p.m.Issuers {
		if _, taken := chains[o.Name]; taken {
			p.addf(o.at, "keep one of them", "the issuer %q is there twice", o.Name)
		}
		if _, taken := p.m.byName[o.Name]; taken {
			p.addf(o.at, "give one of them another name", "%q is an issuer and a certificate", o.Name)
		}
		chains[o.Name] = nil
		if o.CertFile == "" {
			continue
		}
		found, err := certs.ReadFile(p.m.path(o.CertFile))
		if err != nil {
			p.add(o.certAt, err)
			continue
		}
		chains[o.Name] = found.Certs
	}
	return chains
}

// order checks who issues whom and sorts the certificates by how many are above them.
func (p *parser) order(outside map[string][]*x509.Certificate) {
	depths := make([]int, len(p.m.Entries)) // 0 where it is not known yet
	known := p.authorities(outside)
	for i := range p.m.Entries {
		p.checkIssuer(&p.m.Entries[i], outside, known)
	}
	for i := range p.m.Entries {
		depth := p.depth(i, depths)
		for len(p.m.levels) < depth {
			p.m.levels = append(p.m.levels, nil)
		}
		if depth > 0 {
			p.m.levels[depth-1] = append(p.m.levels[depth-1], i)
		}
	}
}

func (p *parser) checkIssuer(e *Entry, outside map[string][]*x509.Certificate, authorities []string) {
	at := e.placeOf("issuer", 0)
	_, isOutside := outside[e.Issuer]
	above, known := p.m.byName[e.Issuer]
	switch {
	case e.Role == certs.Root && e.Issuer != "":
		p.addf(at, "leave the issuer out, or make it an intermediate", "the root %q has an issuer, and signs itself", e.Name)
	case e.Role != certs.Root && e.Issuer == "":
		p.addf(e.at, "set issuer to the name of a CA", "the %v %q has no issuer", e.Role, e.Name)
	case e.Role == certs.Root || isOutside:
	case !known:
		p.addf(at, didYouMean(e.Issuer, authorities), "unknown issuer %q", e.Issuer)
	case p.m.Entries[above].Role == certs.Leaf && e.Issuer != e.Name && !p.m.Entries[above].says("role"):
		p.addf(at, "leave its issuer out to make it a root, or write role: intermediate there", "the issuer %q is a leaf, since it has an issuer itself", e.Issuer)
	case p.m.Entries[above].Role == certs.Leaf && e.Issuer != e.Name:
		p.addf(at, "name a root or an intermediate; role: intermediate makes it one", "the issuer %q is a leaf", e.Issuer)
	}
	if e.Role != certs.Leaf && e.Mode&0o066 != 0 {
		p.addf(e.placeOf("mode", 0), "write 0600 or 0400", "the key of a CA is for its owner alone")
	}
	if i := slices.IndexFunc(e.Outputs, export.Format.TakesPassword); i >= 0 && e.PasswordFile == "" {
		p.addf(e.placeOf("outputs", i), "set password-file", "outputs: %s needs a password", e.Outputs[i])
	}
}

// authorities are names that issuer may have, for hints. All of them would be compared with each unknown one.
func (p *parser) authorities(outside map[string][]*x509.Certificate) []string {
	var names []string
	for i := range p.m.Entries {
		if p.m.Entries[i].Role != certs.Leaf {
			names = append(names, p.m.Entries[i].Name)
		}
	}
	for name := range outside {
		names = append(names, name)
	}
	slices.Sort(names)
	return names[:min(len(names), 100)]
}

// depth is how far below its root entry i stands, from 1 on. What is in a cycle, or below one, is
// -1; the cycle is told of once.
func (p *parser) depth(i int, depths []int) int {
	const onPath = -2
	var way []int
	for depths[i] == 0 {
		depths[i] = onPath
		way = append(way, i)
		above, known := p.m.byName[p.m.Entries[i].Issuer]
		if !known || p.m.Entries[i].Role == certs.Root || p.m.Entries[above].Role == certs.Leaf && above != i {
			break
		}
		i = above
	}
	depth := depths[i]
	if depth == onPath {
		depth = 0 // the top
		if e := &p.m.Entries[i]; e.Role != certs.Root && (way[len(way)-1] != i || e.Issuer == e.Name) {
			p.cycle(way[slices.Index(way, i):])
			depth = -1
		}
	}
	for _, below := range slices.Backward(way) {
		if depth >= 0 {
			depth++
		}
		depths[below] = depth
	}
	return depth
}

func (p *parser) cycle(way []int) {
	first := slices.IndexFunc(way, func(i int) bool { return i == slices.Min(way) })
	way = append(slices.Clone(way[first:]), way[:first]...)
	const most = 10
	var names []string
	for _, i := range way[:min(len(way), most)] {
		names = append(names, p.m.Entries[i].Name)
	}
	if len(way) > most {
		names = append(names, fmt.Sprintf("%d more", len(way)-most))
	}
	names = append(names, p.m.Entries[way[0]].Name)
	p.addf(p.m.Entries[way[0]].placeOf("issuer", 0), "let one of them be a root", "the issuers go in a circle: %s", strings.Join(names, " <- "))
}

// draft holds each certificate to the rules of signing, as if all were made now.
func (p *parser) draft(outside map[string][]*x509.Certificate) {
	chains := map[string][]*x509.Certificate{}
	for name, chain := range outside {
		chains[name] = chain
	}
	for _, level := range p.m.levels {
		for _, i := range level {
			e := &p.m.Entries[i]
			above := chains[e.Issuer]
			if e.Role != certs.Root && len(above) == 0 {
				continue // its issuer is at fault
			}
			draft, asked := p.hold(e, above)
			if draft == nil {
				chains[e.Name] = above // what is below is still held to the limits further up
				continue
			}
			if e.Role != certs.Leaf {
				chains[e.Name] = append([]*x509.Certificate{draft}, above...)
			}
			if e.RenewWithin > 0 && e.RenewWithin >= asked.Sub(p.now) {
				p.addf(e.placeOf("renew-within", 0), "set fewer days than it lives", "renew-within: %q would be due as soon as it is made", e.Name)
			}
		}
	}
}

// hold drafts e below the CAs above it. What is against it is told where it stands: the fields that are
// at fault are left out one by one. The draft is nil where none was found.
func (p *parser) hold(e *Entry, above []*x509.Certificate) (*x509.Certificate, time.Time) {
	req := e.request()
	for range len(suspects) + 1 {
		draft, asked, err := certs.Draft(req, above, p.now)
		if err == nil {
			return draft, asked
		}
		if !p.blame(e, &req, above, err) {
			p.add(e.at, fault.New(fault.KindOf(err), fault.HintOf(err), "%s: %w", e.Name, err))
			return nil, asked
		}
	}
	return nil, time.Time{}
}

// suspect is a field that may be at fault: without takes it out of a request; of a list only leaves
// one item.
type suspect struct {
	field   string
	without func(*certs.Request)
	list    func(*certs.Request) *[]string
}

var suspects = []suspect{
	{field: "san", list: func(r *certs.Request) *[]string { return &r.SANs }},
	{field: "permit-dns", list: func(r *certs.Request) *[]string { return &r.PermitDNS }},
	{field: "permit-ip", list: func(r *certs.Request) *[]string { return &r.PermitIP }},
	{field: "path-len", without: func(r *certs.Request) { r.PathLen = nil }},
	{field: "days", without: func(r *certs.Request) { r.Clamp = true }},
	{field: "key-type", without: func(r *certs.Request) { r.KeyType = "" }},
	{field: "profile", without: func(r *certs.Request) { r.Profile = "" }},
	{field: "subject-org-name", without: func(r *certs.Request) { r.Organization = "Example" }},
}

// blame finds the field without which err goes away, tells of it, and takes it out of req.
func (p *parser) blame(e *Entry, req *certs.Request, above []*x509.Certificate, err error) bool {
	goesAway := func(r certs.Request) bool {
		_, _, without := certs.Draft(r, above, p.now)
		return without == nil || without.Error() != err.Error()
	}
	for _, s := range suspects {
		less := *req
		if s.list == nil {
			s.without(&less)
			if goesAway(less) {
				p.add(e.placeOf(s.field, 0), worded(s.field, err))
				*req = less
				return true
			}
			continue
		}
		items := *s.list(&less)
		*s.list(&less) = nil
		if len(items) > 0 && goesAway(less) {
			p.blameItems(e, s, less, items, above, err)
			if s.field == "san" && less.Profile == certs.Server {
				less.Profile = "" // which would miss the names that were taken out
			}
			*req = less
			return true
		}
	}
	return false
}

// blameItems tells of each item of a list that is at fault by itself, or of the list.
func (p *parser) blameItems(e *Entry, s suspect, req certs.Request, items []string, above []*x509.Certificate, err error) {
	_, _, none := certs.Draft(req, above, p.now)
	told := false
	for i, item := range items {
		*s.list(&req) = []string{item}
		_, _, one := certs.Draft(req, above, p.now)
		if one != nil && (none == nil || one.Error() != none.Error()) {
			at := e.placeOf(s.field, i)
			if !slices.ContainsFunc(p.list, func(f Fault) bool { return f.Line == int(at.line) && f.Column == int(at.column) }) {
				p.add(at, worded(s.field, one))
			}
			told = true
		}
	}
	if !told {
		p.add(e.placeOf(s.field, 0), worded(s.field, err))
	}
}
