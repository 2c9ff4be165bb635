package plan

import (
	"errors"
	"testing"
)

// FuzzParse holds that a manifest of anybody's either parses or is told where it is at fault.
func FuzzParse(f *testing.F) {
	f.Add([]byte(family))
	f.Add([]byte("{certificates: {root: {}}}"))
	f.Add([]byte("certificates:\n  a: &x {}\n  b: *x\n"))
	f.Add([]byte("certificates:\n  a: {issuer: b}\n  b: {issuer: a}\n"))
	f.Add([]byte("defaults: {days: 2027-01-01, mode: 0o640}\r\ncertificates:\r\n\ta: {}\r\n"))
	f.Add([]byte("certificates:\n  root: {\n  }\n  web: {issuer: root, san: [\n  a.example]}\n"))
	f.Add([]byte("user-keys:\n  k:\n\n# x\nissuers:\n  ca: {ca-certfile: c, ca-keyfile: k}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Parse("m", t.TempDir(), text, noon)
		if err == nil {
			if len(m.Entries)+len(m.UserKeys) == 0 {
				t.Error("an empty manifest")
			}
			return
		}
		found, ok := errors.AsType[Faults](err)
		if !ok {
			t.Fatalf("no place: %v", err)
		}
		for _, one := range found {
			if one.Line < 1 || one.Column < 1 {
				t.Errorf("no place: %+v", one)
			}
		}
	})
}
