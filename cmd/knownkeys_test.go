package cmd

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keyward/fault"
	"keyward/keys"
	"keyward/keys/seal"
	"keyward/registry/wire"
)

const mercury = "mercury:9100"

// publicKey is one of many.
func publicKey(n byte) keys.PublicKey { return keys.PrivateKey{1: n}.Public() }

func publicKeysOf(numbers string) (list []keys.PublicKey) {
	for _, n := range numbers {
		list = append(list, publicKey(byte(n)))
	}
	return list
}

func TestKnownKeysFollow(t *testing.T) {
	for _, tt := range []struct {
		name     string
		pinned   string // "-" for a user whose keys are all gone
		shown    string
		trustNew bool
		want     string
		refused  bool
	}{
		{name: "seen first", shown: "ab", want: "ab"},
		{name: "nobody with no key", shown: "", want: ""},
		{name: "the same", pinned: "ab", shown: "ba", want: "ab"},
		{name: "one gone", pinned: "ab", shown: "b", want: "b"},
		{name: "all gone", pinned: "ab", shown: "", want: "-"},
		{name: "one new", pinned: "a", shown: "ab", refused: true, want: "a"},
		{name: "another", pinned: "a", shown: "b", refused: true, want: "a"},
		{name: "one new, one gone", pinned: "ab", shown: "ac", refused: true, want: "ab"},
		{name: "new after all were gone", pinned: "-", shown: "a", refused: true, want: "-"},
		{name: "one new that is meant", pinned: "a", shown: "ab", trustNew: true, want: "ab"},
		{name: "another that is meant", pinned: "a", shown: "b", trustNew: true, want: "b"},
		{name: "meant after all were gone", pinned: "-", shown: "a", trustNew: true, want: "a"},
		{name: "the first ones, meant", shown: "a", trustNew: true, want: "a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "known_keys")
			lines := []string{mercury + " carol " + publicKey('c').String(), "venus:9100 bob " + publicKey('v').String()}
			others := strings.Join(lines, "\n") + "\n"
			for _, n := range tt.pinned {
				lines = append(lines, pinLine(n))
			}
			if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			k := &knownKeys{path: path}
			if err := k.read(); err != nil {
				t.Fatal(err)
			}
			_, err := k.follow(t.Context(), mercury, "bob", publicKeysOf(tt.shown), tt.trustNew)
			if tt.refused != errors.Is(err, fault.NotTrusted) || !tt.refused && err != nil {
				t.Errorf("error %v", err)
			}
			want := others
			for _, n := range tt.want {
				want += pinLine(n) + "\n"
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != want {
				t.Errorf("%v\n%s", err, cmp.Diff(want, string(got)))
			}
		})
	}
}

func pinLine(n rune) string {
	if n == '-' {
		return mercury + " bob -"
	}
	return mercury + " bob " + publicKey(byte(n)).String()
}

// Of two that see a user first at the same time the second one holds what it saw against the first one's.
func TestKnownKeysOfTwoAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "known_keys")
	one, two := &knownKeys{path: path}, &knownKeys{path: path}
	if err := errors.Join(one.read(), two.read()); err != nil {
		t.Fatal(err)
	}
	if _, err := one.follow(t.Context(), mercury, "bob", publicKeysOf("a"), false); err != nil {
		t.Fatal(err)
	}
	if _, err := two.follow(t.Context(), mercury, "bob", publicKeysOf("b"), false); !errors.Is(err, fault.NotTrusted) {
		t.Errorf("two first keys: %v", err)
	}
}

// A file that was damaged is no reason to take the next key for the first.
func TestDamagedKnownKeys(t *testing.T) {
	for _, text := range []string{
		mercury + " bob\n",
		mercury + " bob 32:AAAA\n",
		mercury + " bob " + publicKey('a').String() + " more\n",
		mercury + " bob -\n" + mercury,
		"\n",
		"\x00\x00\x00",
	} {
		k := &knownKeys{path: filepath.Join(t.TempDir(), "known_keys")}
		if err := os.WriteFile(k.path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := k.read(); !errors.Is(err, fault.InvalidFile) || fault.HintOf(err) == "" {
			t.Errorf("%q: %v", text, err)
		}
		if _, err := k.follow(t.Context(), mercury, "carol", publicKeysOf("a"), false); !errors.Is(err, fault.InvalidFile) {
			t.Errorf("%q: %v", text, err)
		}
		if got, err := os.ReadFile(k.path); err != nil || string(got) != text {
			t.Errorf("%q became %q, %v", text, got, err)
		}
	}
}

// TestTooManyKeys is over 100 keys, which no registry keeps of a user.
func TestTooManyKeys(t *testing.T) {
	e := &env{now: time.Now}
	if _, err := e.usable(make([]wire.DirectoryKey, seal.MaxKeys+1), "bob"); !errors.Is(err, fault.Unreachable) || !strings.Contains(err.Error(), "101 keys") {
		t.Error(err)
	}
}

func TestUsableKeys(t *testing.T) {
	now := time.Date(2026, 11, 21, 21, 37, 8, 0, time.UTC)
	e := &env{now: func() time.Time { return now }}
	a, b, c := publicKey('a').String(), publicKey('b').String(), publicKey('c').String()
	list, err := e.usable([]wire.DirectoryKey{
		{Key: a}, {Key: a}, // a server may say it twice
		{Key: b, Expires: "2026-11-21T21:37:08Z"}, // the moment is over
		{Key: c, Expires: "2026-11-21T21:37:09Z"},
	}, "bob")
	if err != nil {
		t.Fatal(err)
	}
	if got := publicKeys(list); len(got) != 2 || got[0].String() != a || got[1].String() != c || list[1].Expires != "2026-11-21T21:37:09Z" {
		t.Errorf("%+v", list)
	}
	for name, k := range map[string]wire.DirectoryKey{
		"no key":    {Key: ""},
		"low order": {Key: keys.PublicKey{1}.String()},
		"no time":   {Key: a, Expires: "tomorrow"},
	} {
		if _, err := e.usable([]wire.DirectoryKey{k}, "bob"); !errors.Is(err, fault.Unreachable) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
