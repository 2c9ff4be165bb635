package seal

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/secretbox"

	"keyward/fault"
	"keyward/keys"
)

var testTime = time.Date(2026, 11, 21, 21, 37, 8, 0, time.UTC)

// refused opens what was damaged, and holds that it fails and that what it gave until then are whole chunks of
// the plaintext.
func refused(t *testing.T, what string, damaged, plain []byte, pair keys.Pair) error {
	t.Helper()
	got, err := opened(damaged, pair)
	if err == nil {
		t.Errorf("%s: it opens, %d bytes", what, len(got))
		return nil
	}
	if !errors.Is(err, fault.InvalidFile) && !errors.Is(err, fault.NotTrusted) && !errors.Is(err, fault.NotPermitted) || fault.HintOf(err) == "" {
		t.Errorf("%s: %v (%s)", what, err, fault.HintOf(err))
	}
	if !bytes.HasPrefix(plain, got) || len(got)%chunkSize != 0 {
		t.Errorf("%s: it gave %d bytes that were not verified", what, len(got))
	}
	return err
}

func opened(sealed []byte, pair keys.Pair) ([]byte, error) {
	r, err := NewReader(bytes.NewReader(sealed), pair)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func TestEveryBitCounts(t *testing.T) {
	alice, bob, other := generate(t), generate(t), generate(t)
	plain := text(40)
	whole := sealed(t, plain, alice, other.Public, bob.Public) // the line for the other key is bound too
	for i := range whole {
		for _, bit := range []byte{1, 0x20, 0x80} {
			damaged := slices.Clone(whole)
			damaged[i] ^= bit
			refused(t, "a flipped bit", damaged, nil, bob)
		}
	}
}

func TestCutOffAtEachPlace(t *testing.T) {
	alice, bob := generate(t), generate(t)
	plain := text(100)
	whole := sealed(t, plain, alice, bob.Public)
	for at := range whole {
		refused(t, "cut off", whole[:at], nil, bob)
	}
}

func TestCutOffAboutChunks(t *testing.T) {
	alice, bob := generate(t), generate(t)
	for _, size := range sizes {
		plain := text(size)
		whole := sealed(t, plain, alice, bob.Public)
		start := headerSize(t, whole)
		for edge := start; edge <= len(whole)+sealedSize; edge += sealedSize {
			for at := edge - 17; at <= edge+17; at++ {
				if at < start || at >= len(whole) {
					continue
				}
				err := refused(t, "cut off", whole[:at], plain, bob)
				if err != nil && !strings.Contains(err.Error(), "cut off") {
					t.Errorf("%d of %d bytes: %v", at, len(whole), err)
				}
			}
		}
	}
}

func TestChunksHaveTheirPlace(t *testing.T) {
	alice, bob := generate(t), generate(t)
	plain := text(4 * chunkSize) // whose last chunk is full
	whole := sealed(t, plain, alice, bob.Public)
	second := sealed(t, plain, alice, bob.Public)
	header := whole[:headerSize(t, whole)]
	chunk := func(file []byte, i int) []byte {
		return file[headerSize(t, file)+i*sealedSize:][:sealedSize]
	}
	join := func(parts ...[]byte) []byte { return slices.Concat(append([][]byte{header}, parts...)...) }
	c := func(i int) []byte { return chunk(whole, i) }
	for what, tt := range map[string]struct {
		file []byte
		want string
	}{
		"swapped":                {join(c(1), c(0), c(2), c(3)), "chunk 0 is damaged, or not of this file or this place"},
		"swapped later":          {join(c(0), c(2), c(1), c(3)), "chunk 1 is"},
		"duplicated":             {join(c(0), c(0), c(1), c(2), c(3)), "chunk 1 is"},
		"left out":               {join(c(0), c(2), c(3)), "chunk 1 is"},
		"the last duplicated":    {join(c(0), c(1), c(2), c(3), c(3)), "behind its end"},
		"cut off at a chunk":     {join(c(0), c(1), c(2)), "cut off after chunk 2"},
		"the last alone":         {join(c(3)), "chunk 0"},
		"of another file":        {join(c(0), chunk(second, 1), c(2), c(3)), "chunk 1 is"},
		"all of another file":    {slices.Concat(header, second[headerSize(t, second):]), "chunk 0 is"},
		"a byte more":            {join(c(0), c(1), c(2), c(3), []byte{0}), "behind its end"},
		"another file behind it": {slices.Concat(whole, second), "behind its end"},
		"nothing":                {join(), "cut off after its header"},
	} {
		if err := refused(t, what, tt.file, plain, bob); err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := opened(join(c(0), c(1), c(2), c(3)), bob); err != nil {
		t.Error("put together as it was: ", err)
	}
}

// The lines of the header are bound too: for this reader's key and for others'.
func TestLinesHaveTheirPlace(t *testing.T) {
	alice, bob, other := generate(t), generate(t), generate(t)
	plain := text(10)
	whole := sealed(t, plain, alice, bob.Public, other.Public)
	second := sealed(t, plain, alice, bob.Public, other.Public)
	lines, lines2 := strings.SplitAfterN(string(whole), "\n", 6), strings.SplitAfterN(string(second), "\n", 6)
	with := func(at ...string) []byte { return []byte(strings.Join(at, "")) }
	for what, file := range map[string][]byte{
		"swapped":                 with(lines[0], lines[1], lines[3], lines[2], lines[4], lines[5]),
		"without the other":       with(lines[0], lines[1], lines[2], lines[4], lines[5]),
		"the other's of a second": with(lines[0], lines[1], lines[2], lines2[3], lines[4], lines[5]),
		"this one's of a second":  with(lines[0], lines[1], lines2[2], lines[3], lines[4], lines[5]),
		"twice":                   with(lines[0], lines[1], lines[2], lines[2], lines[3], lines[4], lines[5]),
		"without the sender":      with(lines[0], lines[2], lines[3], lines[4], lines[5]),
		"with two senders":        with(lines[0], lines[1], lines[1], lines[2], lines[3], lines[4], lines[5]),
		"without any key":         with(lines[0], lines[1], lines[4], lines[5]),
	} {
		refused(t, what, file, nil, bob)
	}
}

// One plaintext has one form: a sender that ends it with an empty chunk is refused.
func TestEmptyLastChunk(t *testing.T) {
	alice, bob := generate(t), generate(t)
	file, c := craft(t, alice, bob)
	file = c.seal(file, text(chunkSize), false)
	file = c.seal(file, nil, true)
	if err := refused(t, "an empty last chunk", file, text(chunkSize), bob); err != nil && !strings.Contains(err.Error(), "last chunk is empty") {
		t.Error(err)
	}
}

// A chunk that is smaller than the others is the last one, whatever its nonce says.
func TestShortChunkInTheMiddle(t *testing.T) {
	alice, bob := generate(t), generate(t)
	file, c := craft(t, alice, bob)
	file = c.seal(file, text(100), false)
	file = c.seal(file, text(100), true)
	refused(t, "a short chunk", file, nil, bob)
	alone, c := craft(t, alice, bob)
	alone = c.seal(alone, text(100), false)
	refused(t, "a short chunk that is not the last", alone, nil, bob)
}

// craft makes a good header and what seals chunks behind it.
func craft(t *testing.T, from, to keys.Pair) ([]byte, *chunks) {
	t.Helper()
	text, key, err := sealHeader(from, Header{"alice", from.Public, "bob", []keys.PublicKey{to.Public}})
	if err != nil {
		t.Fatal(err)
	}
	return text, &chunks{key: key}
}

func TestBoxesThatHoldSomethingElse(t *testing.T) {
	alice, bob := generate(t), generate(t)
	h := Header{"alice", alice.Public, "bob", []keys.PublicKey{bob.Public}}
	good := h.boxed(bob.Public)
	key := strings.Repeat("k", keySize)
	for what, message := range map[string]string{
		"nothing":        "",
		"no key":         good,
		"only a key":     key,
		"a short key":    good + key[1:],
		"a long key":     good + key + "k",
		"no type":        strings.TrimPrefix(good, keyType) + key,
		"another type":   strings.Replace(good, "v1", "v2", 1) + key,
		"another sender": strings.Replace(good, "alice", "malice", 1) + key,
		"a login":        "VOV API Key Client Auth 1795297028.123456",
	} {
		_, err := opened([]byte(withBox(t, alice, bob, message)), bob)
		if !errors.Is(err, fault.NotTrusted) {
			t.Errorf("%s: %v", what, err)
		}
	}
	text := []byte(withBox(t, alice, bob, good+key))
	chunk := secretbox.Seal(text, []byte("hello"), (&chunks{}).nonce(true), new(chunkKey([]byte(key), text)))
	if got, err := opened(chunk, bob); err != nil || string(got) != "hello" {
		t.Errorf("the right message: %q, %v", got, err)
	}
}

func TestHeadersThatAreNone(t *testing.T) {
	alice, bob := generate(t), generate(t)
	good := string(sealed(t, text(10), alice, bob.Public))
	public, box := bob.Public.String(), strings.Fields(strings.Split(good, "\n")[2])[3]
	change := func(from, to string) string { return strings.Replace(good, from, to, 1) }
	for what, tt := range map[string]struct{ file, want string }{
		"empty":               {"", "not a sealed file"},
		"a text":              {"hello\nfrom\n", "not a sealed file"},
		"zeros":               {strings.Repeat("\x00", 1<<20), "not a sealed file"},
		"a newer one":         {change("v1", "v2"), "another version"},
		"a line too long":     {change("from alice", "from "+strings.Repeat("a", maxLine)), "too long"},
		"no line's end":       {magic + "\n" + strings.Repeat("a", 1<<20), "too long"},
		"CRLF":                {strings.ReplaceAll(good, "\n", "\r\n"), "line ends"},
		"two spaces":          {change("from alice", "from  alice"), "from whom"},
		"a word more":         {change("to bob", "to bob b"), "for whom"},
		"a hidden name":       {change("to bob", "to b\x1bb"), "for whom"},
		"no name":             {change("to bob", "to "), "for whom"},
		"no number before":    {change(public, public[3:]), "a key of bob"},
		"an unlike length":    {change(public, "33"+public[2:]), "a key of bob"},
		"a low-order key":     {change(public, keys.PublicKey{}.String()), "low-order"},
		"a low-order sender":  {change(alice.Public.String(), keys.PublicKey{1}.String()), "low-order"},
		"a short box":         {change(box, keys.EncodeString(make([]byte, 39))), "too short"},
		"a large box":         {change(box, keys.EncodeString(make([]byte, maxBox+1))), "longer than"},
		"no recipient":        {good[:strings.Index(good, "to bob")] + "data\n", "for whom"},
		"two recipients":      {change("data\n", "to carol "+alice.Public.String()+" "+box+"\ndata\n"), "for whom"},
		"more than may be":    {change("data\n", lines(t, MaxKeys, box)+"data\n"), "more than 100"},
		"a key twice":         {change("data\n", "to bob "+public+" "+box+"\ndata\n"), "twice"},
		"an unknown line":     {change("data\n", "note hello\ndata\n"), "for whom"},
		"cut off in a header": {good[:60], "cut off in its header"},
	} {
		_, err := NewReader(strings.NewReader(tt.file), bob)
		if !errors.Is(err, fault.InvalidFile) || fault.HintOf(err) == "" || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v (%s)", what, err, fault.HintOf(err))
		}
	}
}

func lines(t *testing.T, n int, box string) string {
	t.Helper()
	var b strings.Builder
	for range n {
		b.WriteString("to bob " + generate(t).Public.String() + " " + box + "\n")
	}
	return b.String()
}

// The file of testdata was sealed by the first version: what was sealed once opens for ever.
func TestGoldenFile(t *testing.T) {
	whole, err := os.ReadFile("testdata/golden.sealed")
	if err != nil {
		t.Fatal(err)
	}
	r := reader(t, whole, goldenRecipient(t))
	got, err := io.ReadAll(r)
	if err != nil || string(got) != "the quick brown fox\n" || r.From != "alice" || r.To != "bob" || len(r.ToKeys) != 2 {
		t.Errorf("%q, %v, %+v", got, err, r.Header)
	}
}

// goldenRecipient has a private key of 32 bytes 0x02.
func goldenRecipient(t testing.TB) keys.Pair {
	t.Helper()
	private := keys.PrivateKey(bytes.Repeat([]byte{2}, keys.Size))
	return keys.Pair{Private: private, Public: private.Public()}
}

func FuzzReader(f *testing.F) {
	bob := goldenRecipient(f)
	whole, err := os.ReadFile("testdata/golden.sealed")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add(whole[:headerSize(f, whole)])
	f.Add([]byte(magic + "\nfrom a 32:\nto b\ndata\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, file []byte) {
		got, err := opened(file, bob)
		if err == nil && !bytes.Equal(file, whole) {
			t.Errorf("a file that nobody sealed opens: %q", got)
		}
		if err != nil && (len(got) > 0 || fault.HintOf(err) == "") {
			t.Errorf("%v (%s), after %d bytes", err, fault.HintOf(err), len(got))
		}
	})
}

// FuzzHeader parses alone: the fuzzer cannot make a box.
func FuzzHeader(f *testing.F) {
	whole, err := os.ReadFile("testdata/golden.sealed")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(whole[:headerSize(f, whole)]))
	f.Add(magic + "\nfrom a 32:AAAA\n")
	f.Add(magic + "\n\n")
	f.Fuzz(func(t *testing.T, file string) {
		h, err := parse(file)
		if err != nil {
			if !errors.Is(err, fault.InvalidFile) || fault.HintOf(err) == "" {
				t.Error(err)
			}
			return
		}
		if err := h.check(); err != nil {
			t.Errorf("what is read could not be written: %v", err)
		}
		again := magic + "\n" + h.fromLine()
		for i, key := range h.ToKeys {
			again += h.toWords(key) + " " + keys.EncodeString(h.boxes[i]) + "\n"
		}
		if again += dataLine + "\n"; again != string(h.text) || !strings.HasPrefix(file, again) {
			t.Errorf("two spellings: %q and %q", file, again)
		}
	})
}

func parse(file string) (*header, error) {
	return readHeader(bufio.NewReaderSize(strings.NewReader(file), sealedSize+1))
}
