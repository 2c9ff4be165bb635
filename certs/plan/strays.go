package plan

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Strays are the certificates that lie in the folders of the manifest's own and that it does not name: one that
// was renamed or taken out stays until it ends, or somebody revokes it. None where the manifest was made of flags.
func (m *Manifest) Strays() []string {
	if m.file == "" {
		return nil
	}
	known := map[string]bool{}
	for _, o := range m.Issuers {
		known[m.path(o.CertFile)] = true
	}
	looked := map[string]bool{}
	var strays []string
	for i := range m.Entries {
		dir := path.Dir(m.Entries[i].Name)
		if looked[dir] {
			continue
		}
		looked[dir] = true
		for _, name := range namesIn(m.path(dir)) {
			base, cut := strings.CutSuffix(name, certSuffix)
			if !cut {
				continue
			}
			if _, named := m.byName[path.Join(dir, base)]; named {
				continue
			}
			if file := path.Join(dir, name); !known[m.path(file)] {
				strays = append(strays, file)
			}
		}
	}
	slices.Sort(strays)
	return strays
}

// namesIn are the names in a folder; none where it cannot be read, which is told of elsewhere.
func namesIn(dir string) []string {
	f, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	names, _ := f.Readdirnames(0)
	return names
}
