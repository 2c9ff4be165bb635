package keys

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/box"
	"keyward/fault"

	"pgregory.net/rapid"
)

var testTime = time.Date(2026, 11, 21, 21, 37, 8, 123456000, time.UTC)

func TestLibsodiumBox(t *testing.T) {
	text, err := os.ReadFile("testdata/libsodium-box.json")
	if err != nil {
		t.Fatal(err)
	}
	var hexed map[string]string
	if err := json.Unmarshal(text, &hexed); err != nil {
		t.Fatal(err)
	}
	vector := func(name string) []byte {
		b, err := hex.DecodeString(hexed[name])
		if err != nil || len(b) == 0 {
			t.Fatalf("%s: %v", name, err)
		}
		return b
	}
	alice, bob := PrivateKey(vector("alice_private")), PrivateKey(vector("bob_private"))
	if alice.Public() != PublicKey(vector("alice_public")) || bob.Public() != PublicKey(vector("bob_public")) {
		t.Fatal("the derived public keys differ")
	}
	shared, err := newServer(t, Pair{Private: bob, Public: bob.Public()}).SharedKey(alice.Public())
	if err != nil || *shared != SharedKey(vector("shared_key")) {
		t.Fatalf("the shared key differs: %v", err)
	}
	sealed := append(vector("nonce"), vector("box")...)
	opened, ok := box.OpenAfterPrecomputation(nil, vector("box"), (*[24]byte)(vector("nonce")), (*[32]byte)(shared))
	if !ok || string(opened) != string(vector("message")) {
		t.Error("the box does not open to the message")
	}
	if _, err := parseLogin(t, EncodeString(sealed)).Open(shared); !errors.Is(err, ErrTime) {
		t.Errorf("a right seal over no login: %v", err)
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := parseLogin(t, EncodeString(sealed)).Open(shared); !errors.Is(err, ErrSeal) {
		t.Errorf("a changed box: %v", err)
	}
}

func TestSharedKeyIsBoxPrecompute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) PrivateKey {
			return PrivateKey(rapid.SliceOfN(rapid.Byte(), Size, Size).Filter(func(b []byte) bool { return PrivateKey(b) != PrivateKey{} }).Draw(t, name))
		}
		user, server := draw("user"), draw("server")
		public := user.Public()
		s, err := NewServer(Pair{Private: server, Public: server.Public()})
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.SharedKey(public)
		if err != nil {
			t.Fatal(err)
		}
		var want [32]byte
		box.Precompute(&want, (*[32]byte)(&public), (*[32]byte)(&server))
		if *got != want {
			t.Error("the keys differ")
		}
	})
}

func TestLoginRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.UnixMicro(rapid.Int64Range(0, 1<<32*1e6-1).Draw(t, "micros")).UTC() // to 2106: a float holds no more microseconds
		user, server, shared := ends(t)
		apikey, err := SealLogin(user, server.Public, at)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseLogin(t, apikey).Open(shared)
		if err != nil || !got.Equal(at) {
			t.Errorf("Open = %v, %v, want %v", got, err, at)
		}
	})
}

func TestLoginIsSealedToOneServerByOneUser(t *testing.T) {
	user, server, _ := ends(t)
	apikey, err := SealLogin(user, server.Public, testTime)
	if err != nil {
		t.Fatal(err)
	}
	otherUser, err := newServer(t, server).SharedKey(generate(t).Public)
	if err != nil {
		t.Fatal(err)
	}
	otherServer, err := newServer(t, generate(t)).SharedKey(user.Public)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]*SharedKey{"user": otherUser, "server": otherServer} {
		if _, err := parseLogin(t, apikey).Open(key); !errors.Is(err, ErrSeal) || !errors.Is(err, fault.LoginRefused) {
			t.Errorf("another %s opens it: %v", name, err)
		}
	}
}

func TestLoginIDs(t *testing.T) {
	user, server, _ := ends(t)
	seal := func() string {
		apikey, err := SealLogin(user, server.Public, testTime)
		if err != nil {
			t.Fatal(err)
		}
		return apikey
	}
	a, b := seal(), seal()
	if again := parseLogin(t, a); again.ID() != parseLogin(t, a).ID() {
		t.Error("one login, two IDs")
	}
	if parseLogin(t, a).ID() == parseLogin(t, b).ID() {
		t.Error("two logins of one moment have one ID")
	}
}

func TestLoginTimes(t *testing.T) {
	_, _, shared := ends(t)
	for _, tt := range []struct {
		message string
		want    time.Time
		bad     bool
	}{
		{message: "VOV API Key Client Auth 1795297028.123456", want: testTime},
		{message: "VOV API Key Client Auth 1795297028.1234562", want: testTime}, // Python's str(time.time())
		{message: "VOV API Key Client Auth 1795297028", want: testTime.Truncate(time.Second)},
		{message: "VOV API Key Client Auth ", bad: true},
		{message: "VOV API Key Client Auth", bad: true},
		{message: "1795297028.123456", bad: true},
		{message: "VOV API Key Client Auth soon", bad: true},
		{message: "VOV API Key Client Auth 1795297028.123456 ", bad: true},
		{message: "VOV API Key Client Auth -1", bad: true},
		{message: "VOV API Key Client Auth NaN", bad: true},
		{message: "VOV API Key Client Auth Inf", bad: true},
		{message: "VOV API Key Client Auth 1e300", bad: true},
		{message: "", bad: true},
	} {
		at, err := parseLogin(t, seal(shared, tt.message)).Open(shared)
		if tt.bad != errors.Is(err, ErrTime) || !at.Equal(tt.want) {
			t.Errorf("%q: %v, %v", tt.message, at, err)
		}
	}
}

func TestParseLoginRefuses(t *testing.T) {
	for name, apikey := range map[string]string{
		"empty":         "",
		"too short":     EncodeString(make([]byte, nonceSize+box.Overhead-1)),
		"too long":      EncodeString(make([]byte, maxLogin+1)),
		"wrong length":  "83" + EncodeString(make([]byte, 84))[2:],
		"escaped twice": "40:" + strings.Repeat("%2B", 18),
	} {
		if _, err := ParseLogin(apikey); !errors.Is(err, fault.InvalidFile) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseLogin(f *testing.F) {
	_, _, shared := ends(f)
	f.Add(seal(shared, "VOV API Key Client Auth 1795297028.123456"))
	f.Add(EncodeString(make([]byte, nonceSize+box.Overhead)))
	f.Add("83:")
	f.Fuzz(func(t *testing.T, apikey string) {
		login, err := ParseLogin(apikey)
		if err != nil {
			return
		}
		if _, err := login.Open(shared); err != nil && !errors.Is(err, ErrSeal) && !errors.Is(err, ErrTime) {
			t.Error(err)
		}
	})
}

// The time in a message is any text of the user's choice.
func FuzzLoginTime(f *testing.F) {
	_, _, shared := ends(f)
	for _, s := range []string{"1795297028.123456", "-1", "nan", "0x1p-1074", "1e400", "1_0", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 128 {
			return
		}
		at, err := parseLogin(t, seal(shared, loginPrefix+text)).Open(shared)
		if (err == nil) == at.IsZero() || at.Unix() > maxTime {
			t.Errorf("%q: %v, %v", text, at, err)
		}
	})
}

// PyNaCl is what Altair's documented client uses.
func TestPyNaCl(t *testing.T) {
	const python = "/usr/bin/python3" // Debian's, which has python3-nacl
	if err := exec.Command(python, "-c", "import nacl").Run(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI has to install python3-nacl: ", err)
		}
		t.Skip("python3-nacl is not installed: ", err)
	}
	run := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), python, append([]string{"testdata/login.py"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	user, server, shared := ends(t)

	apikey := run("seal", user.Private.Encode(), server.Public.String(), "1795297028.123456")
	if at, err := parseLogin(t, apikey).Open(shared); err != nil || !at.Equal(testTime) {
		t.Errorf("what PyNaCl sealed: %v, %v", at, err)
	}
	apikey, err := SealLogin(user, server.Public, testTime)
	if err != nil {
		t.Fatal(err)
	}
	const message = "VOV API Key Client Auth 1795297028.123456"
	if got := run("open", server.Private.Encode(), user.Public.String(), apikey); got != message {
		t.Errorf("PyNaCl opens %q, want %q", got, message)
	}
}

func BenchmarkOpen(b *testing.B) {
	user, server, shared := ends(b)
	apikey, err := SealLogin(user, server.Public, testTime)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		login, err := ParseLogin(apikey)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := login.Open(shared); err != nil {
			b.Fatal(err)
		}
	}
}

// SharedKey beside what it stands in for: facts say 0.5 to 0.6 of its cost.
func BenchmarkSharedKey(b *testing.B) {
	pair, public := generate(b), generate(b).Public
	b.Run("kept", func(b *testing.B) {
		server := newServer(b, pair)
		for b.Loop() {
			if _, err := server.SharedKey(public); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("box.Precompute", func(b *testing.B) {
		var key [32]byte
		for b.Loop() {
			box.Precompute(&key, (*[32]byte)(&public), (*[32]byte)(&pair.Private))
		}
	})
}

// fataler is what *testing.T, *testing.B and *rapid.T have in common.
type fataler interface {
	Helper()
	Fatal(...any)
}

// ends makes a user, a server and the key they share.
func ends(t fataler) (user, server Pair, shared *SharedKey) {
	t.Helper()
	user, err1 := Generate()
	server, err2 := Generate()
	s, err3 := NewServer(server)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	shared, err := s.SharedKey(user.Public)
	if err != nil {
		t.Fatal(err)
	}
	return user, server, shared
}

func parseLogin(t fataler, apikey string) SealedLogin {
	t.Helper()
	login, err := ParseLogin(apikey)
	if err != nil {
		t.Fatal(err)
	}
	return login
}

// seal boxes any message with a nonce of zeros.
func seal(shared *SharedKey, message string) string {
	var nonce [nonceSize]byte
	return EncodeString(box.SealAfterPrecomputation(nonce[:], []byte(message), &nonce, (*[32]byte)(shared)))
}
