package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/crypto/nacl/box"
	"pgregory.net/rapid"

	"keyward/fault"
	"keyward/keys"
)

// sizes are those about the edges of chunks.
var sizes = []int{0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 2*chunkSize - 1, 2 * chunkSize, 3*chunkSize + 7}

func TestRoundTrip(t *testing.T) {
	alice, bob := generate(t), generate(t)
	for _, size := range sizes {
		plain := text(size)
		sealed := sealed(t, plain, alice, bob.Public)
		r := reader(t, sealed, bob)
		if r.From != "alice" || r.FromKey != alice.Public || r.To != "bob" || len(r.ToKeys) != 1 || r.ToKeys[0] != bob.Public {
			t.Errorf("header %+v", r.Header)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: opened %d, %v", size, len(got), err)
		}
		if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("after the end: %d, %v", n, err)
		}
		chunks := max(1, (size+chunkSize-1)/chunkSize)
		if data := sealed[headerSize(t, sealed):]; len(data) != size+16*chunks {
			t.Errorf("%d bytes have %d of chunks", size, len(data))
		}
	}
}

func TestRoundTripInPieces(t *testing.T) {
	alice, bob := generate(t), generate(t)
	rapid.Check(t, func(t *rapid.T) {
		plain := text(rapid.IntRange(0, 3*chunkSize).Draw(t, "size"))
		var out bytes.Buffer
		w, err := NewWriter(&out, Sender{"alice", alice}, Recipient{"bob", []keys.PublicKey{bob.Public}})
		if err != nil {
			t.Fatal(err)
		}
		for rest := plain; len(rest) > 0; {
			n := rapid.IntRange(0, len(rest)).Draw(t, "piece")
			if n == 0 {
				n = min(len(rest), chunkSize)
			}
			if wrote, err := w.Write(rest[:n]); wrote != n || err != nil {
				t.Fatal(wrote, err)
			}
			rest = rest[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := NewReader(iotest.HalfReader(&out), bob)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("opened %d of %d bytes: %v", len(got), len(plain), err)
		}
	})
}

func TestReaderKeepsTheLaw(t *testing.T) {
	alice, bob := generate(t), generate(t)
	plain := text(chunkSize + 100)
	if err := iotest.TestReader(reader(t, sealed(t, plain, alice, bob.Public), bob), plain); err != nil {
		t.Error(err)
	}
}

func TestEachKeyOpensIt(t *testing.T) {
	alice := generate(t)
	var pairs []keys.Pair
	var public []keys.PublicKey
	for range MaxKeys {
		pairs = append(pairs, generate(t))
		public = append(public, pairs[len(pairs)-1].Public)
	}
	sealed := sealed(t, text(10), alice, public...)
	for i, pair := range pairs {
		if got, err := io.ReadAll(reader(t, sealed, pair)); err != nil || !bytes.Equal(got, text(10)) {
			t.Errorf("key %d: %q, %v", i, got, err)
		}
	}
	if size := headerSize(t, sealed); size > 64<<10 {
		t.Errorf("a header has %d bytes", size)
	}
	_, err := NewReader(bytes.NewReader(sealed), generate(t))
	if !errors.Is(err, fault.NotPermitted) || fault.HintOf(err) == "" || !strings.Contains(err.Error(), public[0].Fingerprint()) {
		t.Errorf("another key: %v", err)
	}
}

func TestSealedToOneself(t *testing.T) {
	alice := generate(t)
	if got, err := io.ReadAll(reader(t, sealed(t, text(10), alice, alice.Public), alice)); err != nil || !bytes.Equal(got, text(10)) {
		t.Error(got, err)
	}
}

func TestTwoFilesShareNothing(t *testing.T) {
	alice, bob := generate(t), generate(t)
	a, b := sealed(t, text(100), alice, bob.Public), sealed(t, text(100), alice, bob.Public)
	if bytes.Equal(a[len(a)-116:], b[len(b)-116:]) {
		t.Error("one plaintext is sealed alike twice")
	}
}

func TestWriterRefuses(t *testing.T) {
	alice, bob := generate(t), generate(t)
	many := make([]keys.PublicKey, MaxKeys+1)
	for i := range many {
		many[i] = generate(t).Public
	}
	unlike := alice
	unlike.Public = bob.Public
	for name, tt := range map[string]struct {
		from Sender
		to   Recipient
		kind fault.Kind
	}{
		"no sender's name":    {Sender{"", alice}, Recipient{"bob", []keys.PublicKey{bob.Public}}, fault.Usage},
		"a name with a space": {Sender{"alice", alice}, Recipient{"bob b", []keys.PublicKey{bob.Public}}, fault.Usage},
		"a name of two lines": {Sender{"alice\nfrom eve", alice}, Recipient{"bob", []keys.PublicKey{bob.Public}}, fault.Usage},
		"a long name":         {Sender{strings.Repeat("a", 65), alice}, Recipient{"bob", []keys.PublicKey{bob.Public}}, fault.Usage},
		"not ASCII":           {Sender{"älice", alice}, Recipient{"bob", []keys.PublicKey{bob.Public}}, fault.Usage},
		"no key":              {Sender{"alice", alice}, Recipient{"bob", nil}, fault.Usage},
		"too many keys":       {Sender{"alice", alice}, Recipient{"bob", many}, fault.Usage},
		"a key twice":         {Sender{"alice", alice}, Recipient{"bob", []keys.PublicKey{bob.Public, bob.Public}}, fault.Usage},
		"no pair":             {Sender{"alice", keys.Pair{}}, Recipient{"bob", []keys.PublicKey{bob.Public}}, fault.InvalidFile},
		"two halves":          {Sender{"alice", unlike}, Recipient{"bob", []keys.PublicKey{bob.Public}}, fault.InvalidFile},
		"a low-order key":     {Sender{"alice", alice}, Recipient{"bob", []keys.PublicKey{bob.Public, {1}}}, fault.InvalidFile},
	} {
		var out bytes.Buffer
		_, err := NewWriter(&out, tt.from, tt.to)
		if !errors.Is(err, tt.kind) || fault.HintOf(err) == "" || out.Len() > 0 {
			t.Errorf("%s: %v (%s), %d bytes written", name, err, fault.HintOf(err), out.Len())
		}
	}
}

// failing takes so many bytes and then fails.
type failing struct{ left int }

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

func TestWriterTellsOfAFullDisk(t *testing.T) {
	alice, bob := generate(t), generate(t)
	to := Recipient{"bob", []keys.PublicKey{bob.Public}}
	if _, err := NewWriter(&failing{10}, Sender{"alice", alice}, to); !errors.Is(err, io.ErrClosedPipe) {
		t.Error("in the header: ", err)
	}
	w, err := NewWriter(&failing{2000}, Sender{"alice", alice}, to)
	if err != nil {
		t.Fatal(err)
	}
	n, err := w.Write(text(3 * chunkSize))
	if n != chunkSize || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%d bytes, %v", n, err)
	}
	if err := w.Close(); !errors.Is(err, io.ErrClosedPipe) {
		t.Error("close: ", err)
	}
}

func TestWriterIsClosedOnce(t *testing.T) {
	alice, bob := generate(t), generate(t)
	var out bytes.Buffer
	w, err := NewWriter(&out, Sender{"alice", alice}, Recipient{"bob", []keys.PublicKey{bob.Public}})
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	size := out.Len()
	_, write := w.Write([]byte("more"))
	if !errors.Is(write, os.ErrClosed) || !errors.Is(w.Close(), os.ErrClosed) || out.Len() != size {
		t.Error("it goes on after its end")
	}
}

func TestReaderPassesErrorsOn(t *testing.T) {
	alice, bob := generate(t), generate(t)
	whole := sealed(t, text(3*chunkSize), alice, bob.Public)
	for _, at := range []int{0, 5, 100, headerSize(t, whole) + 10} {
		_, err := NewReader(io.MultiReader(bytes.NewReader(whole[:at]), iotest.ErrReader(io.ErrClosedPipe)), bob)
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("at %d: %v", at, err)
		}
	}
	r, err := NewReader(io.MultiReader(bytes.NewReader(whole[:len(whole)-10]), iotest.ErrReader(io.ErrClosedPipe)), bob)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); !errors.Is(err, io.ErrClosedPipe) || !bytes.Equal(got, text(3 * chunkSize)[:2*chunkSize]) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// The keys of a login and of a sealed file are the same two, so the messages have to differ.
func TestSealedFileIsNoLogin(t *testing.T) {
	user, server := generate(t), generate(t)
	var out bytes.Buffer
	if _, err := NewWriter(&out, Sender{"a", user}, Recipient{"b", []keys.PublicKey{server.Public}}); err != nil {
		t.Fatal(err)
	}
	boxed := strings.Fields(strings.Split(out.String(), "\n")[2])[3]
	login, err := keys.ParseLogin(boxed)
	if err != nil {
		t.Fatal("with short names a box has a login's size: ", err)
	}
	shared, err := server.SharedKey(user.Public)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := login.Open(shared); !errors.Is(err, keys.ErrTime) {
		t.Errorf("a sealed file's box opens as %v", err)
	}
	other, err := generate(t).SharedKey(user.Public)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := login.Open(other); !errors.Is(err, keys.ErrSeal) {
		t.Errorf("another server: %v", err)
	}
}

func TestLoginIsNoSealedFile(t *testing.T) {
	alice, bob := generate(t), generate(t)
	apikey, err := keys.SealLogin(alice, bob.Public, testTime)
	if err != nil {
		t.Fatal(err)
	}
	whole := string(sealed(t, text(10), alice, bob.Public))
	boxed := strings.Fields(strings.Split(whole, "\n")[2])[3]
	_, err = NewReader(strings.NewReader(strings.Replace(whole, boxed, apikey, 1)), bob)
	if !errors.Is(err, fault.NotTrusted) || !strings.Contains(err.Error(), "not the key of this file") {
		t.Error(err)
	}
}

// The box of one header does not open in another, though the shared key is the same.
func TestBoxIsOfOneHeader(t *testing.T) {
	alice, bob := generate(t), generate(t)
	whole := string(sealed(t, text(10), alice, bob.Public))
	for from, to := range map[string]string{
		"from alice ": "from malice ",
		"to bob ":     "to rob ",
	} {
		_, err := NewReader(strings.NewReader(strings.Replace(whole, from, to, 1)), bob)
		if !errors.Is(err, fault.NotTrusted) || !strings.Contains(err.Error(), "not the key of this file") {
			t.Errorf("%s: %v", to, err)
		}
	}
	// To bob from alice and to alice from bob have one shared key, and other words.
	back := sealed(t, text(10), bob, alice.Public)
	boxed := func(text string) string { return strings.Fields(strings.Split(text, "\n")[2])[3] }
	_, err := NewReader(strings.NewReader(strings.Replace(whole, boxed(whole), boxed(string(back)), 1)), bob)
	if !errors.Is(err, fault.NotTrusted) {
		t.Errorf("turned about: %v", err)
	}
}

func TestOnlyTheSenderSeals(t *testing.T) {
	alice, eve, bob := generate(t), generate(t), generate(t)
	whole := string(sealed(t, text(10), eve, bob.Public))
	forged := strings.Replace(whole, "from alice "+eve.Public.String(), "from alice "+alice.Public.String(), 1)
	_, err := NewReader(strings.NewReader(forged), bob)
	if !errors.Is(err, fault.NotTrusted) || fault.HintOf(err) == "" || !strings.Contains(err.Error(), alice.Public.Fingerprint()) {
		t.Error(err)
	}
}

func TestConstantMemory(t *testing.T) {
	alice, bob := generate(t), generate(t)
	const size = 64 << 20
	pr, pw := io.Pipe()
	wrote := make(chan error, 1)
	go func() {
		w, err := NewWriter(pw, Sender{"alice", alice}, Recipient{"bob", []keys.PublicKey{bob.Public}})
		if err == nil {
			_, err = io.CopyN(w, zeros{}, size)
			err = errors.Join(err, w.Close())
		}
		wrote <- errors.Join(err, pw.Close())
	}()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := NewReader(pr, bob)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, r)
	runtime.ReadMemStats(&after)
	if err := errors.Join(err, <-wrote); err != nil || n != size {
		t.Fatal(n, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 2<<20 {
		t.Errorf("%d bytes were allocated on the way", used)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func BenchmarkSeal(b *testing.B) {
	alice, bob := generate(b), generate(b)
	plain := text(1 << 20)
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		sealed(b, plain, alice, bob.Public)
	}
}

func BenchmarkOpen(b *testing.B) {
	alice, bob := generate(b), generate(b)
	whole := sealed(b, text(1<<20), alice, bob.Public)
	b.SetBytes(1 << 20)
	for b.Loop() {
		if _, err := io.Copy(io.Discard, reader(b, whole, bob)); err != nil {
			b.Fatal(err)
		}
	}
}

// withBox makes a header whose one box holds the message.
func withBox(t testing.TB, from, to keys.Pair, message string) string {
	t.Helper()
	shared, err := from.SharedKey(to.Public)
	if err != nil {
		t.Fatal(err)
	}
	var nonce [nonceSize]byte
	boxed := box.SealAfterPrecomputation(nonce[:], []byte(message), &nonce, (*[32]byte)(shared))
	return fmt.Sprintf("%s\nfrom alice %s\nto bob %s %s\ndata\n", magic, from.Public, to.Public, keys.EncodeString(boxed))
}

func generate(t testing.TB) keys.Pair {
	t.Helper()
	pair, err := keys.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// text is a plaintext of that size, without a period that a chunk's could hide.
func text(size int) []byte {
	plain := make([]byte, size)
	for i := range plain {
		plain[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return plain
}

func sealed(t testing.TB, plain []byte, from keys.Pair, to ...keys.PublicKey) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, Sender{"alice", from}, Recipient{"bob", to})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(plain)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func reader(t testing.TB, sealed []byte, pair keys.Pair) *Reader {
	t.Helper()
	r, err := NewReader(bytes.NewReader(sealed), pair)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// headerSize is where the chunks begin.
func headerSize(t testing.TB, sealed []byte) int {
	t.Helper()
	const end = "\n" + dataLine + "\n"
	at := bytes.Index(sealed, []byte(end))
	if at < 0 {
		t.Fatal("no header")
	}
	return at + len(end)
}
