package backup_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"keyward/bus"
	"keyward/fault"
	"keyward/keys"
	"keyward/store"
	"keyward/store/audit"
	"keyward/store/backup"
)

var (
	clock  = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
	header = backup.Header{Time: clock, Keyward: "1.2.3"}
)

// sample is an export with something of everything.
func sample() []store.Row {
	signer := audit.NewSigner(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	first := signer.Sign(audit.Head{}, audit.Act{Time: clock, What: audit.UserAdded, User: "ann", Note: `<"é"> \`})
	head, _, _ := audit.Head{}.Follow(first)
	second := signer.Sign(head, audit.Act{Time: clock, What: audit.KeyAdded, User: "ann", Count: 3})
	return []store.Row{
		{User: &store.User{Name: "ann", Admin: true, Password: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA", Created: clock}},
		{User: &store.User{Name: "bob", Created: time.Unix(0, 0).UTC()}},
		{Key: &store.Key{User: "ann", Public: keys.PublicKey{1}, Description: "<Schlüssel> & \"🔑\"", Labels: []string{"ci", "host=web1"},
			Created: clock, Expires: clock.AddDate(900, 0, 0), LastUsed: clock.Add(time.Minute), LastFrom: "2001:db8::1"}},
		{Key: &store.Key{User: "ann", Public: keys.PublicKey{2}, Created: clock.Add(time.Microsecond)}},
		{Login: &store.Login{ID: [32]byte{1}, Until: clock}},
		{Login: &store.Login{ID: [32]byte{2}, Until: clock}},
		{ServerKey: &store.ServerKey{Public: keys.PublicKey{3}, Since: clock}},
		{ServerKey: &store.ServerKey{Public: keys.PublicKey{4}, Since: clock.Add(time.Hour), Until: clock.Add(2 * time.Hour)}},
		{Account: &bus.Account{Name: "Shop", Identities: []string{"spiffe://example.org/bus/account/Shop"}, State: bus.Revoked, Revision: 9}},
		{Account: &bus.Account{
			Name: "echo", State: bus.Active, Revision: 1 << 52, NotBefore: clock.Truncate(time.Second),
			Roles:   []bus.Role{{Kind: bus.Emitter, Name: "orders"}, {Kind: bus.Service, Name: "echo", Subjects: []bus.Pattern{"echo.>", "tea.*"}, Stock: true}},
			Publish: []bus.Pattern{"a", "b.>"}, Subscribe: []bus.Pattern{"c"}, Identities: []string{"spiffe://a/bus/account/echo", "spiffe://b/bus/account/echo"},
		}},
		{Audit: &first},
		{Audit: &second},
	}
}

var files = []backup.File{
	{Name: "serverkey", Data: []byte("secret\x00\n"), Secret: true},
	{Name: "ca.cert.pem", Data: nil},
}

func each(rows []store.Row) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func write(t testing.TB, rows []store.Row, files []backup.File) []byte {
	t.Helper()
	var text bytes.Buffer
	if _, err := backup.Write(&text, header, each(rows), files); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

func TestRoundTrip(t *testing.T) {
	text := write(t, sample(), files)
	var got []store.Row
	for row, err := range backup.Rows(bytes.NewReader(text)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, row)
	}
	if diff := cmp.Diff(sample(), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	sum, err := backup.Check(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(files, sum.Files, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("files: -want +got:\n%s", diff)
	}
	if sum.Header != header || sum.Head.Seq != 2 {
		t.Errorf("header %v, head %v", sum.Header, sum.Head)
	}
	if want := "2 users, 2 keys, 2 used logins, 2 server keys, 2 bus accounts, 2 audit records"; sum.Tally.String() != want {
		t.Errorf("counts %q, want %q", sum.Tally, want)
	}
}

// TestDamaged cuts a backup off at each byte and changes each byte: none passes.
func TestDamaged(t *testing.T) {
	text := write(t, sample(), files)
	for n := range text {
		refused(t, text[:n], fmt.Sprint("cut off at byte ", n))
		changed := bytes.Clone(text)
		changed[n] ^= 1 << (n % 8)
		refused(t, changed, fmt.Sprint("another byte ", n))
	}
	refused(t, append(bytes.Clone(text), '\n'), "a line more")
	lines := bytes.SplitAfter(text, []byte{'\n'})
	for n := range lines[:len(lines)-1] {
		refused(t, bytes.Join(append(append([][]byte{}, lines[:n]...), lines[n+1:]...), nil), fmt.Sprint("without line ", n+1))
		refused(t, bytes.Join(append(append(append([][]byte{}, lines[:n]...), lines[n], lines[n]), lines[n+1:]...), nil), fmt.Sprint("twice line ", n+1))
	}
}

func refused(t *testing.T, text []byte, what string) {
	t.Helper()
	_, err := backup.Check(bytes.NewReader(text))
	if fault.KindOf(err) != fault.InvalidFile || fault.HintOf(err) == "" {
		t.Fatalf("%s: error is %v, hint %q", what, err, fault.HintOf(err))
	}
	last := error(nil)
	for _, err := range backup.Rows(bytes.NewReader(text)) {
		if last != nil {
			t.Fatalf("%s: the rows go on after an error", what)
		}
		last = err
	}
	if last == nil {
		t.Fatalf("%s: the rows end well", what)
	}
}

// TestBadRows finds at the time of the backup what a restore would refuse.
func TestBadRows(t *testing.T) {
	user := func(name string) store.Row { return store.Row{User: &store.User{Name: name, Created: clock}} }
	key := func(change func(*store.Key)) store.Row {
		k := store.Key{User: "ann", Created: clock}
		change(&k)
		return store.Row{Key: &k}
	}
	account := func(change func(*bus.Account)) store.Row {
		a := bus.Account{Name: "a", State: bus.Active, Revision: 1}
		change(&a)
		return store.Row{Account: &a}
	}
	good := sample()
	for name, rows := range map[string][]store.Row{
		"empty":               {{}},
		"name":                {user("../x")},
		"twice":               {user("ann"), user("ann")},
		"order":               {user("bob"), user("ann")},
		"account's name":      {account(func(a *bus.Account) { a.Name = "a.b" })},
		"account's state":     {account(func(a *bus.Account) { a.State = "asleep" })},
		"no revision":         {account(func(a *bus.Account) { a.Revision = 0 })},
		"large revision":      {account(func(a *bus.Account) { a.Revision = 1<<53 + 1 })},
		"account no UTF-8":    {account(func(a *bus.Account) { a.Roles = []bus.Role{{Subjects: []bus.Pattern{"\xff"}}} })},
		"account's year":      {account(func(a *bus.Account) { a.NotBefore = clock.AddDate(9000, 0, 0) })},
		"accounts twice":      {account(func(*bus.Account) {}), account(func(*bus.Account) {})},
		"accounts' order":     {account(func(a *bus.Account) { a.Name = "b" }), account(func(*bus.Account) {})},
		"parts":               {good[2], good[0]},
		"description":         {key(func(k *store.Key) { k.Description = "two\nlines" })},
		"labels":              {key(func(k *store.Key) { k.Labels = []string{"b", "a"} })},
		"text":                {key(func(k *store.Key) { k.LastFrom = "\xff" })},
		"long text":           {key(func(k *store.Key) { k.LastFrom = strings.Repeat("x", 5000) })},
		"year":                {key(func(k *store.Key) { k.Expires = clock.AddDate(9000, 0, 0) })},
		"a gap in the log":    {good[11]},
		"a changed record":    {{Audit: &audit.Record{Line: append([]byte(" "), good[10].Audit.Line...)}}},
		"the current key":     {good[7], good[6]},
		"too many keys":       manyKeys(store.MaxKeys + 1),
		"an error of its own": nil,
	} {
		rows := each(rows)
		if name == "an error of its own" {
			rows = func(yield func(store.Row, error) bool) {
				yield(store.Row{}, fault.New(fault.InvalidFile, "", "this one"))
			}
		}
		if _, err := backup.Write(io.Discard, header, rows, nil); fault.KindOf(err) != fault.InvalidFile {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	if _, err := backup.Write(io.Discard, header, each(manyKeys(store.MaxKeys)), nil); err != nil {
		t.Error(err)
	}
	for name, list := range map[string][]backup.File{
		"folder": {{Name: "../serverkey"}}, "none": {{}}, "dot": {{Name: "."}}, "backslash": {{Name: `a\b`}},
		"large": {{Name: "a", Data: make([]byte, backup.MaxFile+1)}}, "many": make([]backup.File, backup.MaxFiles+1),
	} {
		for i := range list {
			if name == "many" {
				list[i].Name = fmt.Sprint(i)
			}
		}
		if _, err := backup.Write(io.Discard, header, each(nil), list); fault.KindOf(err) != fault.InvalidFile {
			t.Errorf("files, %s: error is %v", name, err)
		}
	}
}

func manyKeys(n int) (rows []store.Row) {
	for i := range n {
		rows = append(rows, store.Row{Key: &store.Key{User: "ann", Public: keys.PublicKey{byte(i)}, Created: clock.Add(time.Duration(i) * time.Second)}})
	}
	return rows
}

// TestSpelling takes no other spelling of a line, even with the right digest.
func TestSpelling(t *testing.T) {
	for name, line := range map[string]string{
		"space":        `{"user": {"name":"ann","password":"","created":"2026-03-01T12:00:00.123456Z"}}`,
		"unknown":      `{"user":{"name":"ann","password":"","created":"2026-03-01T12:00:00.123456Z","more":1}}`,
		"case":         `{"User":{"name":"ann","password":"","created":"2026-03-01T12:00:00.123456Z"}}`,
		"twice":        `{"user":{"name":"bob","name":"ann","password":"","created":"2026-03-01T12:00:00.123456Z"}}`,
		"nanoseconds":  `{"user":{"name":"ann","password":"","created":"2026-03-01T12:00:00.123456789Z"}}`,
		"zone":         `{"user":{"name":"ann","password":"","created":"2026-03-01T12:00:00.123456+01:00"}}`,
		"two in one":   `{"user":{"name":"ann","password":"","created":"2026-03-01T12:00:00.123456Z"},"login":{"id":"","until":"2026-03-01T12:00:00.123456Z"}}`,
		"none":         `{}`,
		"null":         `null`,
		"short key":    `{"key":{"user":"ann","public":"1:AA==","created":"2026-03-01T12:00:00.123456Z"}}`,
		"short login":  `{"login":{"id":"00","until":"2026-03-01T12:00:00.123456Z"}}`,
		"signature":    `{"audit":{"record":"{}","signature":"AA=="}}`,
		"header again": `{"header":{"format":"keyward backup","version":1,"time":"2026-03-01T12:00:00.123456Z","keyward":"1.2.3"}}`,
		"long":         `{"user":{"name":"` + strings.Repeat("a", backup.MaxLine) + `"}}`,
	} {
		_, err := backup.Check(bytes.NewReader(sealed(line)))
		if fault.KindOf(err) != fault.InvalidFile || !strings.HasPrefix(err.Error(), "line 2: ") {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	if _, err := backup.Check(bytes.NewReader(sealed(`{"user":{"name":"ann","password":"","created":"2026-03-01T12:00:00.123456Z"}}`))); !strings.HasPrefix(err.Error(), "line 3: the counts") {
		t.Errorf("a user that is not counted: %v", err)
	}
}

// sealed puts a line into an empty backup.
func sealed(line string) []byte {
	text := write(&testing.T{}, nil, nil)
	at := bytes.IndexByte(text, '\n') + 1
	return append(append(append([]byte{}, text[:at]...), line+"\n"...), text[at:]...)
}

func TestNewer(t *testing.T) {
	_, err := backup.Check(strings.NewReader(`{"header":{"format":"keyward backup","version":3,"new":true}}` + "\n"))
	if fault.KindOf(err) != fault.InvalidFile || !strings.Contains(err.Error(), "version 3") {
		t.Errorf("error is %v", err)
	}
}

// TestOlder reads what keyward wrote before there were accounts: the rows of the sample, without them.
func TestOlder(t *testing.T) {
	text, err := os.ReadFile("testdata/version1.backup")
	if err != nil {
		t.Fatal(err)
	}
	var got []store.Row
	for row, err := range backup.Rows(bytes.NewReader(text)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, row)
	}
	want := slices.DeleteFunc(sample(), func(r store.Row) bool { return r.Account != nil })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestFaults passes the errors of readers and writers on as they are.
func TestFaults(t *testing.T) {
	broken := errors.New("broken")
	text := write(t, sample(), files)
	_, err := backup.Check(io.MultiReader(bytes.NewReader(text[:len(text)/2]), failing{broken}))
	if !errors.Is(err, broken) || fault.KindOf(err) != fault.Failed {
		t.Errorf("read: %v", err)
	}
	if _, err := backup.Write(failing{broken}, header, each(sample()), files); !errors.Is(err, broken) {
		t.Errorf("write: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error)  { return 0, f.err }
func (f failing) Write([]byte) (int, error) { return 0, f.err }

// FuzzCheck wants what passes to be what Write writes of it.
func FuzzCheck(f *testing.F) {
	text := write(f, sample(), files)
	f.Add(text)
	f.Add(write(f, nil, nil))
	f.Add(write(f, sample()[:3], nil))
	f.Add(text[:len(text)-10])
	f.Add([]byte("{}\n"))
	for line := range bytes.Lines(text) {
		f.Add(line)
	}
	older, err := os.ReadFile("testdata/version1.backup")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(older)
	f.Fuzz(func(t *testing.T, text []byte) {
		sum, err := backup.Check(bytes.NewReader(text))
		if err != nil {
			if fault.KindOf(err) != fault.InvalidFile {
				t.Fatal(err)
			}
			return
		}
		if bytes.Contains(bytes.SplitN(text, []byte("\n"), 2)[0], []byte(`"version":1,`)) {
			return // is written as the newest
		}
		var again bytes.Buffer
		if _, err := backup.Write(&again, sum.Header, backup.Rows(bytes.NewReader(text)), sum.Files); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Bytes(), text) {
			t.Fatalf("%q is spelt again as %q", text, again.Bytes())
		}
	})
}

// FuzzLine puts the right digest behind a line, which a mutation hardly finds.
func FuzzLine(f *testing.F) {
	for line := range bytes.Lines(write(f, sample(), files)) {
		f.Add(bytes.TrimSuffix(line, []byte("\n")))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		text := sealed(string(line))
		rows, err := []store.Row{}, error(nil)
		for row, rowErr := range backup.Rows(bytes.NewReader(text)) {
			if err = rowErr; err == nil {
				rows = append(rows, row)
			}
		}
		if err == nil || fault.KindOf(err) != fault.InvalidFile {
			t.Fatalf("error is %v", err)
		}
		if len(rows) == 0 {
			return
		}
		whole := write(t, rows, nil)
		if !bytes.Contains(whole, line) || !json.Valid(line) {
			t.Fatalf("%q is spelt again as %q", line, whole)
		}
	})
}
