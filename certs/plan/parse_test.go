package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyward/certs"
	"keyward/certs/export"
	"keyward/fault"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const family = `
defaults: {subject-org-name: Example, renew-within: 20d, outputs: pkeycert}
certificates:
  root:  {permit-dns: [example.org], days: 10y}
  inter: {issuer: root, role: intermediate, path-len: 0}
  web:   {issuer: inter, san: [web.example.org, 192.0.2.7], outputs: [k8s, fullchain]}
  sub/db:
    issuer: inter
    san: db.example.org
    profile: server
    days: 30
    key-type: ed25519
    mode: 0640
user-keys:
  ci:
  bot: {file: keys/bot}
`

func TestParse(t *testing.T) {
	m, err := Parse("m.yaml", "dir", []byte(family), noon)
	if err != nil {
		t.Fatal(err)
	}
	db := m.Entries[3]
	db.marks = nil
	want := Entry{
		Name: "sub/db", Issuer: "inter", Role: certs.Leaf, Organization: "Example", SANs: []string{"db.example.org"},
		Profile: certs.Server, KeyType: certs.Ed25519, NotAfter: noon.AddDate(0, 0, 30), RenewWithin: 20 * 24 * time.Hour,
		Outputs: []export.Format{export.PKeyCert}, Mode: 0o640, at: place{7, 3},
	}
	if diff := cmp.Diff(want, db, cmp.AllowUnexported(Entry{}, place{})); diff != "" {
		t.Error(diff)
	}
	if got := m.Entries[2].Outputs; !slices.Equal(got, []export.Format{export.Kubernetes, export.FullChain}) {
		t.Errorf("own outputs: %v", got)
	}
	if got := m.Entries[0].Outputs; got != nil {
		t.Errorf("a root has a leaf's default outputs: %v", got)
	}
	if got := m.Entries[1].Organization; got != "inter-IntermediateCA" {
		t.Errorf("a CA has a leaf's default organization: %s", got)
	}
	if got := m.UserKeys; got[0].File != "ci.userkey" || got[1].File != "keys/bot" {
		t.Errorf("user keys: %+v", got)
	}
	if diff := cmp.Diff([][]int{{0}, {1}, {2, 3}}, m.levels); diff != "" {
		t.Error(diff)
	}
}

func faultsOf(t *testing.T, text string) []string {
	t.Helper()
	_, err := Parse("m", t.TempDir(), []byte(text), noon)
	if err == nil {
		return nil
	}
	if !errors.Is(err, fault.InvalidFile) {
		t.Errorf("%v is %v", err, fault.KindOf(err))
	}
	found, ok := errors.AsType[Faults](err)
	if !ok {
		t.Fatalf("no list of faults: %v", err)
	}
	var all []string
	for _, f := range found {
		f.Hint = ""
		all = append(all, f.Error())
	}
	return all
}

func TestFaults(t *testing.T) {
	const top = "certificates:\n  root: {}\n"
	for _, c := range []struct {
		text string
		want []string // the beginnings
	}{
		{"", []string{"m:1:1: the manifest names no certificate"}},
		{"certificates: []", []string{"m:1:15: a list where one value belongs"}},
		{"- a", []string{"m:1:1: a list where"}},
		{"{certificates: {root: {}}}", nil},
		{top + "  web: {issuer: root}\ncertificates: {}\n", []string{"m:4:1: the section certificates is there twice"}},
		{"--- # one\n" + top, nil},
		{top + "---\na: b\n", []string{"m:3:1: more than one YAML document"}},
		{top + "...\n", []string{"m:3:1: more than one YAML document"}},
		{"%YAML 1.2\n---\n" + top, []string{"m:1:1: YAML directives"}},
		{"certificates:\n  root: {}\n  w\xffb: {}", []string{"m:3:4: not UTF-8"}},
		{"certificates:\n  root: {days: [}\n", []string{"m:2:17: not YAML: "}},
		{"certificates:\n  root: !!map {}\n", []string{"m:2:9: tags are not taken"}},
		{"certificates:\n  root: {days: !!str 3}\n", []string{"m:2:16: days: tags are not taken"}},
		{"certificates:\n  a: &x {}\n  b: *x\n", []string{"m:2:6: anchors and aliases", "m:3:6: anchors and aliases"}},
		{"certificates:\n  a: {<<: {days: 3}}\n", []string{"m:2:7: unknown field \"<<\""}},
		{"certificates:\n  root: {days: ~}\n", []string{"m:2:16: days: the value is missing"}},
		{"certificates:\n  root: {days: 0}\n", []string{"m:2:16: days: a lifetime of \"0\" would be over"}},
		{"certificates:\n  root: {days: 101y}\n", []string{"m:2:16: days: a lifetime of \"101y\" is more than 100 years"}},
		{"certificates:\n  root: {san: [a.example]}\n", []string{"m:2:16: san: a CA has no names"}},
		{"certificates:\n  root: {mode: 0640}\n", []string{"m:2:16: the key of a CA is for its owner alone"}},
		{"certificates:\n  root: {owner: no-such-user-here}\n", []string{"m:2:17: owner: no user"}},
		{"certificates:\n  root: {issuer: root}\n", []string{"m:2:18: the issuers go in a circle: root <- root"}},
		{"certificates:\n  root: {role: root, issuer: root}\n", []string{"m:2:30: the root \"root\" has an issuer"}},
		{"certificates:\n  web: {role: leaf}\n", []string{"m:2:3: the leaf \"web\" has no issuer"}},
		{"certificates:\n  /etc/x: {}\n  .x: {}\n  a//b: {}\n  'a\\b': {}\n", []string{"m:2:3: ", "m:3:3: ", "m:4:3: ", "m:5:3: "}},
		{top + "  web: {issuer: root, path-len: 1}\n", []string{"m:3:33: path-len: a leaf has no path length"}},
		{top + "  web: {issuer: root, profile: micronets, san: [a.example], key-type: p384}\n", []string{"m:3:49: san: the micronets profile has no", "m:3:71: key-type: the micronets profile has p256"}},
		{top + "issuers:\n  ca: {ca-certfile: missing.pem, ca-keyfile: k}\n  root: {}\n", []string{"m:4:21: ", "m:5:3: the issuer root needs", "m:5:3: \"root\" is an issuer and a certificate"}},
		{top + "  a: {issuer: root}\n  a.legacy: {issuer: root}\n", []string{"m:4:3: \"a.legacy\" has a file of \"a\" in line 3"}},
		{top + "  root.key.pem/a: {issuer: root}\n  a/ROOT.cert.pem/b: {issuer: root}\n", []string{"m:3:3: the folder of \"root.key.pem/a\" is a file of \"root\" in line 2"}},
		{top + "  w: {issuer: root, san: [" + strings.Repeat("a.example, ", 1000) + "a.example]}\n", []string{"m:3:27: san: 1001 names, and a certificate takes 1000 at most"}},
		{"user-keys: {a: {file: x}, b: {file: X}}\n", []string{"m:1:37: the user key \"b\" has the file of \"a\""}},
		{
			"certificates:\n  r: {permit-dns: [example.org], permit-ip: [10.0.0.0/8]}\n  i: {issuer: r, role: intermediate}\n  j: {issuer: i, role: intermediate}\n" +
				"  w: {issuer: j, san: [a.example.org, a.example.com, 192.0.2.1]}\n  k: {issuer: j, role: intermediate, permit-dns: example.net}\n",
			[]string{
				`m:5:39: san: DNS name a.example.com is outside the name constraints of "O=j-IntermediateCA"`,
				`m:5:54: san: IP address 192.0.2.1 is outside the name constraints of "O=j-IntermediateCA"`,
				`m:6:50: permit-dns: domain example.net is outside`,
			},
		},
	} {
		got := faultsOf(t, c.text)
		if !slices.EqualFunc(got, c.want, strings.HasPrefix) {
			t.Errorf("%q:\n got %s\nwant %s", c.text, strings.Join(got, "\n     "), strings.Join(c.want, "\n     "))
		}
	}
}

// However long what is wrong is, what is told of it is not, and it is told in a moment.
func TestFaultsOfGiants(t *testing.T) {
	giant := strings.Repeat("x", 1<<20)
	var circle, lost strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&circle, "  c%d: {issuer: c%d, role: intermediate}\n", i, (i+1)%5000)
		fmt.Fprintf(&lost, "  c%d: {}\n  w%d: {issuer: none%d}\n", i, i, i)
	}
	for name, text := range map[string]string{
		"value":    "  root: {days: " + giant + "}\n",
		"name":     "  \"" + giant + "\": {}\n  w: {issuer: y" + giant + "}\n",
		"circle":   circle.String(),
		"unknown":  lost.String(),
		"organize": "  root: {subject-org-name: \"\\e" + giant + "\"}\n",
	} {
		_, err := Parse("m", t.TempDir(), []byte("certificates:\n"+text), noon)
		if err == nil || len(err.Error()) > 50_000 {
			t.Errorf("%s: %.200v", name, err)
		}
		if found, _ := errors.AsType[Faults](err); len(found) == 0 || len(found[0].Message) > 1100 || len(found[0].Hint) > 1100 {
			t.Errorf("%s: %d faults: %.200v", name, len(found), err)
		}
	}
}

// The places must be right also where a manifest is parsed in parts.
func TestFaultsFarDown(t *testing.T) {
	var b strings.Builder
	b.WriteString("certificates:\n  root: {}\n")
	for i := range 3 * maxChunk {
		fmt.Fprintf(&b, "  w%d:\n    issuer: root\n    # a comment\n\n", i)
	}
	fmt.Fprintf(&b, "  w7: {issuer: root}\n  last:\n    isuer: root\nuser-keys:\n  k: {fil: x}\n")
	line := strings.Count(b.String(), "\n")
	want := []string{
		fmt.Sprintf("m:%d:3: \"w7\" has the files of \"w7\" in line 31", line-4),
		fmt.Sprintf("m:%d:5: unknown field \"isuer\"", line-2),
		fmt.Sprintf("m:%d:7: unknown field \"fil\"", line),
	}
	if diff := cmp.Diff(want, faultsOf(t, b.String())); diff != "" {
		t.Error(diff)
	}
}

func TestTooMany(t *testing.T) {
	var b strings.Builder
	b.WriteString("user-keys:\n")
	for i := range maxEntries + 5 {
		fmt.Fprintf(&b, "  k%d:\n", i)
	}
	if diff := cmp.Diff([]string{fmt.Sprintf("m:%d:3: more than 100000 entries", maxEntries+2)}, faultsOf(t, b.String())); diff != "" {
		t.Error(diff)
	}
}

// The schema and the table of fields are about the same fields.
func TestSchema(t *testing.T) {
	type object struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	var schema struct {
		Properties struct {
			Defaults     object `json:"defaults"`
			Certificates struct {
				Each object `json:"additionalProperties"`
			} `json:"certificates"`
		} `json:"properties"`
		Defs map[string]json.RawMessage `json:"$defs"`
	}
	if err := json.Unmarshal([]byte(Schema), &schema); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		where string
		have  map[string]json.RawMessage
		want  []string
	}{
		{"certificates", schema.Properties.Certificates.Each.Properties, fieldNames(func(field) bool { return true })},
		{"$defs", schema.Defs, fieldNames(func(field) bool { return true })},
		{"defaults", schema.Properties.Defaults.Properties, fieldNames(func(f field) bool { return f.defaults != ownOnly })},
	} {
		var have []string
		for name := range c.have {
			have = append(have, name)
		}
		slices.Sort(have)
		slices.Sort(c.want)
		if diff := cmp.Diff(c.want, have); diff != "" {
			t.Errorf("%s: %s", c.where, diff)
		}
	}
}

// The page about manifests starts with a sound one, and has each field in its table.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/manifest.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	example, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("no example")
	}
	if _, err := Parse("manifest.md", t.TempDir(), []byte(example), noon); err != nil {
		t.Error(err)
	}
	for _, name := range fieldNames(func(field) bool { return true }) {
		if !regexp.MustCompile("(?m)^\\| .*`" + name + "`.* \\|").MatchString(rest) {
			t.Errorf("the table lacks %s", name)
		}
	}
}
