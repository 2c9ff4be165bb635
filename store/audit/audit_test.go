package audit

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyward/fault"
)

func newSigner(seed byte) *Signer {
	return NewSigner(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)))
}

var full = Act{
	Time: time.Date(2026, 11, 22, 8, 30, 1, 234567000, time.UTC), What: KeyAdded, By: "admin", User: "alice",
	Key: "sha256:5f0c", From: "192.0.2.7", Request: "c0ffee", Count: 12, Note: "my laptop",
}

// TestGoldenLine holds the bytes of a record: whoever kept a log must be able to check it for ever.
func TestGoldenLine(t *testing.T) {
	first := newSigner(1).Sign(Head{}, full)
	zero := strings.Repeat("0", 64)
	want := `{"seq":1,"prev":"` + zero + `","time":"2026-11-22T08:30:01.234567Z","what":"key.add","by":"admin","user":"alice",` +
		`"key":"sha256:5f0c","from":"192.0.2.7","request":"c0ffee","count":12,"note":"my laptop","sig":"` +
		`fLa3/xQfSHJx1SmsbBJifpKnxueLNrhQOs5d14H5lB9qcUWwTemy5j83PQC9LO8YUEAU4jFYfHf9r1eTgof1DQ=="}`
	if diff := cmp.Diff(want, string(first.Export())); diff != "" {
		t.Error(diff)
	}
	second := newSigner(1).Sign(Head{1, first.Hash()}, Act{Time: full.Time, What: Restored})
	want = `{"seq":2,"prev":"fc3d94e79fbe0269d3e0b5c21369f5ddc2dea60a2870dae6368ec2f1f9d42acd","time":"2026-11-22T08:30:01.234567Z","what":"store.restore"}`
	if diff := cmp.Diff(want, string(second.Line)); diff != "" {
		t.Error(diff)
	}
}

// TestSign holds what a record keeps of an act, and that it comes back.
func TestSign(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		name      string
		act, want Act
	}{
		{"all fields", full, full},
		{"only what there is", Act{Time: full.Time, What: LoginRefused}, Act{Time: full.Time, What: LoginRefused}},
		{"the time in UTC, to the microsecond",
			Act{Time: full.Time.Add(89).In(time.FixedZone("", 3600))}, Act{Time: full.Time}},
		{"a long text is cut", Act{Time: full.Time, By: long, Note: long}, Act{Time: full.Time, By: long[:200], Note: long[:200]}},
		{"a letter is not cut in two", Act{Time: full.Time, Note: strings.Repeat("x", 199) + "é"}, Act{Time: full.Time, Note: strings.Repeat("x", 199) + "\uFFFD"}},
		{"nothing moves a cursor", Act{Time: full.Time, By: "a\x1b[2J\u009b\u202e\n"}, Act{Time: full.Time, By: "a\uFFFD[2J\uFFFD\uFFFD\uFFFD"}},
		{"what is no UTF-8", Act{Time: full.Time, By: "a\xff"}, Act{Time: full.Time, By: "a\uFFFD"}},
		{"what JSON and HTML escape", Act{Time: full.Time, Note: `<a href="x">&\`}, Act{Time: full.Time, Note: `<a href="x">&\`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newSigner(1).Sign(Head{Seq: 6}, c.act)
			seq, prev, got, err := Parse(r.Line)
			if err != nil || seq != 7 || prev != (Head{}).Hash {
				t.Fatalf("%d %x %v: %s", seq, prev, err, r.Line)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			again, err := ParseExport(r.Export())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(r, again); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestLongestLine holds that no act makes a line that Parse refuses, nor an export that ParseExport does.
func TestLongestLine(t *testing.T) {
	worst := strings.Repeat("<", 300) // six bytes each
	r := newSigner(1).Sign(Head{Seq: 1<<63 - 2}, Act{Time: full.Time, What: KeyAdded, By: worst, User: worst, Key: worst, From: worst, Request: worst, Count: 1<<63 - 1, Note: worst})
	t.Logf("%d bytes", len(r.Line))
	if _, _, _, err := Parse(r.Line); err != nil {
		t.Error(err)
	}
	if _, err := ParseExport(r.Export()); err != nil {
		t.Error(err)
	}
}

// TestParse holds that a record has one spelling.
func TestParse(t *testing.T) {
	good := string(newSigner(1).Sign(Head{}, full).Line)
	if _, _, _, err := Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	hash := strings.Repeat("0", 64)
	for name, text := range map[string]string{
		"nothing":                 "",
		"null":                    "null",
		"no object":               `"seq"`,
		"not all":                 good[:len(good)-1],
		"more behind it":          good + " ",
		"two":                     good + good,
		"a space":                 strings.Replace(good, ",", ", ", 1),
		"an unknown field":        strings.Replace(good, `"seq":1,`, `"seq":1,"x":1,`, 1),
		"a field twice":           strings.Replace(good, `"seq":1,`, `"seq":2,"seq":1,`, 1),
		"another order":           strings.Replace(good, `"seq":1,"prev":"`+hash+`"`, `"prev":"`+hash+`","seq":1`, 1),
		"letters of another case": strings.Replace(good, `"seq"`, `"Seq"`, 1),
		"an empty field":          strings.Replace(good, `"by":"admin"`, `"by":""`, 1),
		"an escape":               strings.Replace(good, `"admin"`, `"\u0061dmin"`, 1),
		"a number with a point":   strings.Replace(good, `"count":12`, `"count":12.0`, 1),
		"a large number":          strings.Replace(good, `"count":12`, `"count":99999999999999999999`, 1),
		"a short hash":            strings.Replace(good, hash, hash[2:], 1),
		"no hash":                 strings.Replace(good, hash, strings.Repeat("x", 64), 1),
		"a hash in capitals":      strings.Replace(good, hash, strings.Repeat("A", 64), 1),
		"another zone":            strings.Replace(good, `1.234567Z`, `1.234567+00:00`, 1),
		"a time with a comma":     strings.Replace(good, `1.234567Z`, `1,234567Z`, 1),
		"whole seconds":           strings.Replace(good, `1.234567Z`, `1Z`, 1),
		"no time":                 strings.Replace(good, `2026-11-22`, `2026-11-31`, 1),
		"too long":                strings.Replace(good, "my laptop", strings.Repeat("x", MaxLine), 1),
	} {
		if text == good {
			t.Errorf("%s: not changed", name)
		}
		if _, _, _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s: it parses: %s", name, text)
		}
	}
}

// log is a log of several records and its head.
func log(s *Signer, n int) (records []Record, head Head) {
	for i := range n {
		a := full
		a.Time, a.Count = a.Time.Add(time.Duration(i)*time.Second), i
		r := s.Sign(head, a)
		records, head = append(records, r), Head{head.Seq + 1, r.Hash()}
	}
	return records, head
}

// check gives the head of what holds.
func check(records []Record, trusted ...*Signer) (Head, error) {
	var c Chain
	for _, s := range trusted {
		c.Keys = append(c.Keys, s.Public())
	}
	for _, r := range records {
		before := c.Head()
		if _, err := c.Add(r); err != nil {
			if c.Head() != before {
				return c.Head(), errors.New("what does not hold moved the head")
			}
			return c.Head(), err
		}
	}
	return c.Head(), nil
}

func TestChain(t *testing.T) {
	records, want := log(newSigner(1), 5)
	head, err := check(records, newSigner(1))
	if err != nil || head != want {
		t.Errorf("%v, %v", head, err)
	}
	if head, err := check(nil, newSigner(1)); err != nil || head != (Head{}) {
		t.Errorf("%v, %v", head, err)
	}
	// The audit key was replaced.
	more := newSigner(2).Sign(want, full)
	if _, err := check(append(slices.Clone(records), more), newSigner(1), newSigner(2)); err != nil {
		t.Error(err)
	}
	if _, err := check(append(slices.Clone(records), more), newSigner(1)); !errors.Is(err, fault.InvalidFile) || fault.HintOf(err) == "" {
		t.Errorf("a record of another key: %v", err)
	}
}

// TestChanged holds that a log does not hold when any part of it is another, and that the record where it begins is named.
func TestChanged(t *testing.T) {
	s := newSigner(1)
	whole, _ := log(s, 5)
	swapped := slices.Clone(whole)
	swapped[2], swapped[3] = swapped[3], swapped[2]
	signedAnew := slices.Clone(whole)
	signedAnew[2] = s.Sign(Head{2, whole[1].Hash()}, Act{Time: full.Time, What: KeyDeleted})
	of := func(other byte) []Record { all, _ := log(newSigner(other), 5); return all }
	others := slices.Clone(whole)
	others[2].Signature = of(2)[2].Signature
	for _, c := range []struct {
		name    string
		records []Record
		holds   int64 // how many do, before that
	}{
		{"the first left out", whole[1:], 0},
		{"one left out", slices.Delete(slices.Clone(whole), 2, 3), 2},
		{"two put elsewhere", swapped, 2},
		{"one there twice", slices.Insert(slices.Clone(whole), 2, whole[1]), 2},
		{"one of another log inserted", slices.Insert(slices.Clone(whole), 2, of(2)[2]), 2},
		{"one signed anew with the key", signedAnew, 3},
		{"a number left out, signed with the key", append(slices.Clone(whole[:2]), s.Sign(Head{3, whole[1].Hash()}, full)), 2},
		{"the signature of another key", others, 2},
		{"all of another key", of(2), 0},
	} {
		head, err := check(c.records, s)
		if !errors.Is(err, fault.InvalidFile) || head.Seq != c.holds {
			t.Errorf("%s: %d records hold: %v", c.name, head.Seq, err)
		}
	}
}

// TestEveryByte flips each bit of a record and of its signature.
func TestEveryByte(t *testing.T) {
	s := newSigner(1)
	whole, _ := log(s, 3)
	flips := 0
	for i := range len(whole[1].Line) + ed25519.SignatureSize {
		for bit := range 8 {
			changed := slices.Clone(whole)
			r := Record{slices.Clone(changed[1].Line), changed[1].Signature}
			if i < len(r.Line) {
				r.Line[i] ^= 1 << bit
			} else {
				r.Signature[i-len(r.Line)] ^= 1 << bit
			}
			changed[1] = r
			if head, err := check(changed, s); err == nil || head.Seq != 1 {
				t.Errorf("bit %d of byte %d: %d records hold", bit, i, head.Seq)
			}
			flips++
		}
	}
	t.Logf("%d bits", flips)
}

// TestEveryField gives each field of a record another value, its signature kept, and signed anew by a stranger.
func TestEveryField(t *testing.T) {
	s, stranger := newSigner(1), newSigner(2)
	head := Head{}
	r := s.Sign(head, full)
	for name, change := range map[string]func(*Act, *Head){
		"seq":     func(_ *Act, h *Head) { h.Seq++ },
		"prev":    func(_ *Act, h *Head) { h.Hash[0]++ },
		"time":    func(a *Act, _ *Head) { a.Time = a.Time.Add(time.Microsecond) },
		"what":    func(a *Act, _ *Head) { a.What = KeyDeleted },
		"by":      func(a *Act, _ *Head) { a.By = "bob" },
		"user":    func(a *Act, _ *Head) { a.User = "bob" },
		"key":     func(a *Act, _ *Head) { a.Key = "" },
		"from":    func(a *Act, _ *Head) { a.From = "192.0.2.8" },
		"request": func(a *Act, _ *Head) { a.Request = "" },
		"count":   func(a *Act, _ *Head) { a.Count++ },
		"note":    func(a *Act, _ *Head) { a.Note += "x" },
	} {
		act, at := full, head
		change(&act, &at)
		forged := stranger.Sign(at, act)
		if bytes.Equal(forged.Line, r.Line) {
			t.Errorf("%s: not changed", name)
		}
		for _, r := range []Record{forged, {forged.Line, r.Signature}} {
			if _, err := check([]Record{r}, s); !errors.Is(err, fault.InvalidFile) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestCut holds what a chain alone does not find: only who kept the head does.
func TestCut(t *testing.T) {
	records, head := log(newSigner(1), 5)
	got, err := check(records[:4], newSigner(1))
	if err != nil || got == head {
		t.Errorf("%v, %v", got, err)
	}
}

func TestParseExport(t *testing.T) {
	good := string(newSigner(1).Sign(Head{}, full).Export())
	for name, text := range map[string]string{
		"nothing":                "",
		"no signature":           `{"seq":1}`,
		"an empty one":           good[:strings.Index(good, signatureField)] + `,"sig":""}`,
		"not closed":             good[:len(good)-1],
		"more behind it":         good + "\n",
		"a short one":            good[:len(good)-6] + `"}`,
		"another spelling of it": strings.Replace(good, `=="}`, `"}`, 1),
		"bits that do not count": good[:len(good)-5] + string(good[len(good)-5]+1) + `=="}`,
		"too long":               `{"` + strings.Repeat("x", MaxExport) + good[1:],
	} {
		if _, err := ParseExport([]byte(text)); !errors.Is(err, fault.InvalidFile) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzParse holds that a line that is read is the only spelling of its act.
func FuzzParse(f *testing.F) {
	for _, act := range []Act{{}, full, {Time: full.Time, What: LoginRefused, By: `"<\>`, Count: -1}} {
		f.Add(newSigner(1).Sign(Head{}, act).Line)
	}
	f.Add([]byte(`{"seq":1,"prev":"","time":"","what":""}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		seq, prev, act, err := Parse(text)
		if err != nil {
			return
		}
		again := marshal(Head{seq - 1, prev}, act)
		if !bytes.Equal(again, text) {
			t.Errorf("%s\nis read as\n%s", text, again)
		}
	})
}

// FuzzParseExport holds that an export that is read is the only spelling of its record.
func FuzzParseExport(f *testing.F) {
	f.Add(newSigner(1).Sign(Head{}, full).Export())
	f.Add([]byte(`{,"sig":"` + strings.Repeat("A", 86) + `=="}`))
	f.Add([]byte(`,"sig":"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ParseExport(text)
		if err == nil && !bytes.Equal(r.Export(), text) {
			t.Errorf("%s\nis read as\n%s", text, r.Export())
		}
	})
}

// TestActs holds that Acts has every act that is declared.
func TestActs(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "audit.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []What
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && fmt.Sprint(spec.Type) == "What" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Error(err)
			}
			declared = append(declared, What(text))
		}
		return true
	})
	if !slices.Equal(Acts(), declared) || len(declared) == 0 {
		t.Errorf("Acts has %q, and declared are %q", Acts(), declared)
	}
}
