package keys

import (
	"errors"
	"strings"
	"testing"
	"time"

	"keyward/fault"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The pairs of RFC 7748, section 6.1.
const (
	alicePrivate = "32:dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo="
	alicePublic  = "32:hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
	bobPrivate   = "32:XasIfmJKikt54X+Lg4AO5m87sSkmGLb9HC+LJ/+I4Os="
	bobPublic    = "32:3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="
	zeroKey      = "32:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	oneKey       = "32:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" // of low order
)

func alice(t testing.TB) Pair {
	t.Helper()
	private, err := ParsePrivate(alicePrivate)
	if err != nil {
		t.Fatal(err)
	}
	return Pair{Private: private, Public: private.Public()}
}

func TestUserkeyLayout(t *testing.T) {
	p := alice(t)
	p.Created = testTime.In(time.FixedZone("elsewhere", 3600))
	want := "# VOV user key. Whoever reads the private key is you: keep this file to yourself.\n" +
		"created 2026-11-21T21:37:08Z\n" +
		"private " + alicePrivate + "\n" +
		"public " + alicePublic + "\n"
	if diff := cmp.Diff(want, string(p.Userkey())); diff != "" {
		t.Error(diff)
	}
}

func TestParseUserkeyIsLiberal(t *testing.T) {
	created := testTime.Truncate(time.Second)
	for _, tt := range []struct {
		name, text string
		created    time.Time
	}{
		{name: "ours", text: "# VOV\ncreated 2026-11-21T21:37:08Z\nprivate " + alicePrivate + "\npublic " + alicePublic + "\n", created: created},
		{name: "other order", text: "public " + alicePublic + "\nprivate " + alicePrivate + "\ncreated 2026-11-21T22:37:08+01:00", created: created},
		{name: "equals", text: "private=" + alicePrivate + "\npublic=" + alicePublic},
		{name: "spaced equals", text: "private = " + alicePrivate + "\npublic\t=\t" + alicePublic},
		{name: "environment", text: "VOV_PRIVATE_KEY=" + alicePrivate + "\nVOV_PUBLIC_KEY=" + alicePublic},
		{name: "secret", text: "secretKey " + alicePrivate + "\nPubKey " + alicePublic},
		{name: "Tcl", text: "set vov(privateKey) \"" + alicePrivate + "\"\nset vov(publicKey) \"" + alicePublic + "\""},
		{name: "Tcl braces", text: "set  private {" + alicePrivate + "}\n\tset\tpublic { " + alicePublic + " }"},
		{name: "Tcl bare", text: "set private " + alicePrivate},
		{name: "bare", text: alicePrivate + "\n" + alicePublic},
		{name: "bare, public first", text: alicePublic + "\n\n" + alicePrivate + "\n"},
		{name: "names that say nothing", text: "k1 " + alicePublic + "\nk2 " + alicePrivate},
		{name: "one name", text: alicePublic + "\nprivate " + alicePrivate},
		{name: "the other name", text: alicePrivate + "\npublic " + alicePublic},
		{name: "private alone", text: "private " + alicePrivate},
		{name: "twice the same", text: "private " + alicePrivate + "\nPRIVATE=" + alicePrivate + "\npublic " + alicePublic},
		{name: "CRLF", text: "private " + alicePrivate + "\r\npublic " + alicePublic + "\r\n"},
		{name: "byte order mark", text: "\ufeffprivate " + alicePrivate},
		{name: "byte order mark, bare", text: "\ufeff" + alicePublic + "\n" + alicePrivate},
		{name: "unknown entries", text: "version 3\nhost mercury:6444\n[key]\nprivate " + alicePrivate + "\nexpires 32\n"},
		{name: "created is no time", text: "created yesterday\nprivate " + alicePrivate},
		{name: "commented-out key", text: "#private " + bobPrivate + "\nprivate " + alicePrivate},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := alice(t)
			want.Created = tt.created
			got, err := ParseUserkey([]byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if got != want {
				t.Errorf("got public %s, created %v", got.Public, got.Created)
			}
		})
	}
}

func TestParseUserkeyRefuses(t *testing.T) {
	low := points(t, "testdata/wycheproof-low-order.txt", 14)
	for _, tt := range []struct{ name, text, why string }{
		{"nothing", "", "no private key"},
		{"comments only", "# private " + alicePrivate, "no private key"},
		{"public alone", "public " + alicePublic, "no private key"},
		{"bare key alone", alicePrivate, "not said"},
		{"three bare keys", alicePrivate + "\n" + alicePublic + "\n" + bobPublic, "not said"},
		{"a pair and a third key", "private " + alicePrivate + "\npublic " + alicePublic + "\nserver " + bobPublic, "not said"},
		{"two bare keys, no pair", alicePublic + "\n" + bobPublic, "neither"},
		{"two private keys", "private " + alicePrivate + "\nsecret " + bobPrivate, "more than one pair"},
		{"two public keys", "private " + alicePrivate + "\npub " + alicePublic + "\npublic " + bobPublic, "more than one pair"},
		{"another's public key", "private " + alicePrivate + "\npublic " + bobPublic, "not the private key's"},
		{"names swapped", "private " + alicePublic + "\npublic " + alicePrivate, "not the private key's"},
		{"zero private key", "private " + zeroKey, "all zeros"},
		{"zero private key, public", "private " + zeroKey + "\npublic " + alicePublic, "all zeros"},
		{"low-order public key", "private " + alicePrivate + "\npublic " + oneKey, "low-order"},
		{"non-canonical public key", "private " + alicePrivate + "\npublic " + low[11].String(), "canonical"},
		{"length", "private 31" + alicePrivate[2:], "line 1: key string: the length says 31 bytes"},
		{"after the padding", "\nprivate " + alicePrivate + " # mine", "line 2: key string: "},
		{"short key", "private 4:AAAAAA==", "32 bytes, this has 4"},
		{"name without a key", "private", "line 1: key string: no length"},
		{"bare rubbish", "32:rubbish", "line 1: key string: "},
		{"too large", "private " + alicePrivate + strings.Repeat("\n", maxUserkey), "larger than 4096"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseUserkey([]byte(tt.text))
			if !errors.Is(err, fault.InvalidFile) || !strings.Contains(err.Error(), tt.why) {
				t.Fatalf("error %v, want %q", err, tt.why)
			}
			if fault.HintOf(err) == "" {
				t.Error("no hint")
			}
			if strings.Contains(err.Error(), alicePrivate[3:20]) {
				t.Error("the error shows the private key")
			}
		})
	}
}

func TestEveryLowOrderKeyIsRefusedInAFile(t *testing.T) {
	for _, k := range points(t, "testdata/wycheproof-low-order.txt", 14) {
		for _, text := range []string{"private " + alicePrivate + "\npublic " + k.String(), alicePrivate + "\n" + k.String()} {
			if _, err := ParseUserkey([]byte(text)); !errors.Is(err, fault.InvalidFile) {
				t.Errorf("%x: %v", k, err)
			}
		}
	}
}

func TestUserkeyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want, err := Generate()
		if err != nil {
			t.Fatal(err)
		}
		if seconds := rapid.Int64Range(0, 1<<35).Draw(t, "created"); seconds > 0 {
			want.Created = time.Unix(seconds, 0).UTC()
		}
		got, err := ParseUserkey(want.Userkey())
		if err != nil || got != want {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	})
}

// What parses is a pair, and means the same in our layout.
func FuzzParseUserkey(f *testing.F) {
	f.Add([]byte("# VOV\ncreated 2026-11-21T21:37:08Z\nprivate " + alicePrivate + "\npublic " + alicePublic + "\n"))
	f.Add([]byte("set vov(secret) {" + alicePrivate + "}\r\nset pub \"" + alicePublic + "\""))
	f.Add([]byte("\ufeff" + alicePublic + "\n" + alicePrivate))
	f.Add([]byte("PRIV=" + alicePrivate + "\nx = " + alicePublic))
	f.Add([]byte("private " + alicePrivate + "\npublic " + oneKey))
	f.Add([]byte("created 0000-01-01T00:00:00Z\nprivate " + bobPrivate))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParseUserkey(data)
		if err != nil {
			if !errors.Is(err, fault.InvalidFile) {
				t.Errorf("kind %v", fault.KindOf(err))
			}
			return
		}
		if p.Private.Public() != p.Public || p.Private == (PrivateKey{}) {
			t.Error("not a pair")
		}
		again, err := ParseUserkey(p.Userkey())
		if err != nil || again != p {
			t.Errorf("again %+v, %v; want %+v", again, err, p)
		}
	})
}
