package keys

import (
	"errors"
	"strings"
	"testing"

	"keyward/fault"
)

func TestHandover(t *testing.T) {
	user, server, shared := ends(t)
	next := generate(t).Public
	handover := SealHandover(shared, next)
	got, err := OpenHandover(user, server.Public, handover)
	if err != nil || got != next {
		t.Fatalf("%v, %v", got, err)
	}
	if SealHandover(shared, next) == handover {
		t.Error("two handovers share a nonce")
	}
	other := generate(t)
	weak := PublicKey{} // of low order
	cut := func(text string, bytes int) string {
		b, _ := DecodeString(text, maxLogin)
		return EncodeString(b[:bytes])
	}
	for name, c := range map[string]struct {
		user     Pair
		old      PublicKey
		handover string
	}{
		"another user":           {other, server.Public, handover},
		"another server":         {user, other.Public, handover},
		"nothing":                {user, server.Public, ""},
		"no box":                 {user, server.Public, "vouched"},
		"less than a nonce":      {user, server.Public, cut(handover, nonceSize-1)},
		"a nonce alone":          {user, server.Public, cut(handover, nonceSize)},
		"cut":                    {user, server.Public, cut(handover, nonceSize+60)},
		"a login":                {user, server.Public, seal(shared, loginPrefix+"1795297028.123456")},
		"a sealed file's key":    {user, server.Public, seal(shared, "keyward sealed file key v1\n"+string(next[:]))},
		"no type line":           {user, server.Public, seal(shared, string(next[:]))},
		"another version":        {user, server.Public, seal(shared, strings.Replace(handoverLine, "v1", "v2", 1)+string(next[:]))},
		"a key that is cut":      {user, server.Public, seal(shared, handoverLine+string(next[:31]))},
		"more behind the key":    {user, server.Public, seal(shared, handoverLine+string(next[:])+"x")},
		"a low-order key":        {user, server.Public, SealHandover(shared, weak)},
		"a key of another shape": {user, server.Public, SealHandover(shared, PublicKey{31: 0x80})},
	} {
		if got, err := OpenHandover(c.user, c.old, c.handover); !errors.Is(err, fault.NotTrusted) || got != (PublicKey{}) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := OpenHandover(user, weak, handover); !errors.Is(err, fault.InvalidFile) {
		t.Errorf("a low-order server key: %v", err)
	}
}

// TestHandoverIsNoLogin sends a handover back to the server that sealed it: the shared key is the same in both directions.
func TestHandoverIsNoLogin(t *testing.T) {
	_, _, shared := ends(t)
	for range 100 { // whatever key it is for
		if _, err := parseLogin(t, SealHandover(shared, generate(t).Public)).Open(shared); !errors.Is(err, ErrTime) {
			t.Fatalf("a handover opens as a login: %v", err)
		}
	}
}

// FuzzOpenHandover holds that nothing but a handover opens, whatever is in a box with a right seal.
func FuzzOpenHandover(f *testing.F) {
	user, server, shared := ends(f)
	next := generate(f).Public
	for _, message := range []string{"", handoverLine, handoverLine + string(next[:]), loginPrefix + "1795297028.5", handoverLine + strings.Repeat("\x00", Size)} {
		f.Add(message, true)
	}
	f.Add(SealHandover(shared, next), false)
	f.Add("32:AAAA", false)
	f.Fuzz(func(t *testing.T, text string, boxed bool) {
		handover := text
		if boxed {
			if len(text) > 128 {
				return
			}
			handover = seal(shared, text)
		}
		key, err := OpenHandover(user, server.Public, handover)
		if (err == nil) == (key == PublicKey{}) {
			t.Errorf("%v, %v", key, err)
		}
		if err == nil && boxed && text != handoverLine+string(key[:]) {
			t.Errorf("%q hands over to %v", text, key)
		}
	})
}
