package keys

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"keyward/fault"
)

func TestGenerateMakesDifferentGoodPairs(t *testing.T) {
	a, b := generate(t), generate(t)
	if a.Private == b.Private {
		t.Error("the same pair twice")
	}
	if err := a.check(); err != nil {
		t.Error(err)
	}
	if _, err := ParsePublic(a.Public.String()); err != nil {
		t.Error(err)
	}
	if k, err := ParsePrivate(a.Private.Encode()); err != nil || k != a.Private {
		t.Error(err)
	}
}

func TestFingerprint(t *testing.T) {
	k, err := ParsePublic(documented[0])
	if err != nil {
		t.Fatal(err)
	}
	// printf '%s' wlefJq4QjTm2QgtWTUtD7kG11nCyUtrKfobW/HPfoD0= | base64 -d | sha256sum
	const want = "sha256:76150ea94e638bcef1a4bdb126e80d34f27742302ea17a3f52f6cedb7265c3c2"
	if got := k.Fingerprint(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestLowOrderKeysAreRefused(t *testing.T) {
	server := newServer(t, generate(t))
	for _, k := range points(t, "testdata/wycheproof-low-order.txt", 14) {
		if _, err := ParsePublic(k.String()); !errors.Is(err, fault.InvalidFile) || fault.HintOf(err) == "" {
			t.Errorf("%x parses: %v", k, err)
		}
		if _, err := server.SharedKey(k); !errors.Is(err, fault.InvalidFile) {
			t.Errorf("%x shares a key: %v", k, err)
		}
		if _, err := SealLogin(generate(t), k, testTime); !errors.Is(err, fault.InvalidFile) {
			t.Errorf("a login is sealed to %x: %v", k, err)
		}
	}
}

func TestNonCanonicalKeysAreRefused(t *testing.T) {
	for _, k := range points(t, "testdata/wycheproof-non-canonical.txt", 19) {
		_, err := ParsePublic(k.String())
		if !errors.Is(err, fault.InvalidFile) || !strings.Contains(err.Error(), "canonical") || fault.HintOf(err) == "" {
			t.Errorf("%x: %v", k, err)
		}
	}
}

func TestLargestCanonicalKeyParses(t *testing.T) {
	k := PublicKey(bytes.Repeat([]byte{0xff}, Size))
	k[0], k[31] = 0xeb, 0x7f // 2^255-21; one more is p-1, of low order
	if _, err := ParsePublic(k.String()); err != nil {
		t.Error(err)
	}
}

func TestKeysHaveThirtyTwoBytes(t *testing.T) {
	short := EncodeString(make([]byte, Size-1))
	if _, err := ParsePublic(short); !errors.Is(err, fault.InvalidFile) {
		t.Error(err)
	}
	if _, err := ParsePrivate(short); !errors.Is(err, fault.InvalidFile) {
		t.Error(err)
	}
}

func TestZeroPrivateKeyIsRefused(t *testing.T) {
	if _, err := ParsePrivate(PrivateKey{}.Encode()); !errors.Is(err, fault.InvalidFile) {
		t.Error(err)
	}
	if _, err := NewServer(Pair{}); !errors.Is(err, fault.InvalidFile) {
		t.Error(err)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	pair := generate(t)
	shared, err := newServer(t, pair).SharedKey(generate(t).Public)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o"} {
		fmt.Fprintf(&out, verb+"\n", pair.Private)
		fmt.Fprintf(&out, verb+"\n", &pair.Private)
		fmt.Fprintf(&out, verb+"\n", struct{ P Pair }{pair})
		fmt.Fprintf(&out, verb+"\n", shared)
		fmt.Fprintf(&out, verb+"\n", *shared)
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("m", "private", pair.Private, "pair", pair, "shared", shared)
	}
	if err := json.NewEncoder(&out).Encode([]any{pair, pair.Private, shared}); err != nil {
		t.Fatal(err)
	}
	out.WriteString(pair.Private.String() + pair.Private.GoString())

	for _, secret := range [][]byte{pair.Private[:], shared[:]} {
		a, b, c, d := secret[0], secret[1], secret[2], secret[3]
		for _, shown := range []string{
			string(secret[:4]),
			EncodeString(secret)[3:],
			fmt.Sprintf("%d %d %d %d", a, b, c, d),
			fmt.Sprintf("%d,%d,%d,%d", a, b, c, d), // JSON
			fmt.Sprintf("%#x, %#x, %#x, %#x", a, b, c, d),
			fmt.Sprintf("%x", secret[:4]),
			fmt.Sprintf("%X", secret[:4]),
			fmt.Sprintf("%o %o %o %o", a, b, c, d),
		} {
			if strings.Contains(out.String(), shown) {
				t.Errorf("%q of the secret is shown in\n%s", shown, out.String())
			}
		}
	}
	if !strings.Contains(out.String(), redacted) {
		t.Error("nothing was printed")
	}
}

func generate(t testing.TB) Pair {
	t.Helper()
	p, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newServer(t testing.TB, p Pair) *Server {
	t.Helper()
	s, err := NewServer(p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// points reads a file of points in hexadecimal, which must have so many.
func points(t *testing.T, name string, want int) (all []PublicKey) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		b, err := hex.DecodeString(strings.Fields(lines.Text())[0])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, PublicKey(b))
	}
	if len(all) != want {
		t.Fatalf("%s has %d points, want %d", name, len(all), want)
	}
	return all
}
