package keys

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"keyward/fault"

	"pgregory.net/rapid"
)

// documented are the public keys in Altair's documentation.
var documented = []string{
	"32:wlefJq4QjTm2QgtWTUtD7kG11nCyUtrKfobW/HPfoD0=",
	"32:Ihq6djlx5L9XQzRWRWy0Z2hl5fD64JhJoqa7FpDmiyg=",
	"32:+fmR1SmWValRspQjcLQ7OGX266MZj/m90B5fii3FMTY=",
	"32:jA0iq1mLbdSuuDKjlPeEoHJX+fYqR/0HxpI5nhgThE8=",
}

func TestDocumentedKeysParse(t *testing.T) {
	for _, s := range documented {
		k, err := ParsePublic(s)
		if err != nil || k.String() != s {
			t.Errorf("ParsePublic(%s) = %s, %v", s, k, err)
		}
	}
}

func TestDecodeStringRefuses(t *testing.T) {
	const key = "wlefJq4QjTm2QgtWTUtD7kG11nCyUtrKfobW/HPfoD0="
	for _, tt := range []struct{ name, in, why string }{
		{"empty", "", "no length"},
		{"no length", key, "no length"},
		{"empty length", ":" + key, "not a plain decimal"},
		{"signed length", "+32:" + key, "not a plain decimal"},
		{"negative length", "-1:" + key, "not a plain decimal"},
		{"leading zero", "032:" + key, "not a plain decimal"},
		{"hexadecimal length", "0x20:" + key, "not a plain decimal"},
		{"space", " 32:" + key, "not a plain decimal"},
		{"huge length", "99999999999999999999:" + key, "not a plain decimal"},
		{"shorter than it says", "33:" + key, "says 33 bytes, the base64 holds 32"},
		{"longer than it says", "31:" + key, "says 31 bytes, the base64 holds 32"},
		{"two keys", "32:" + key + key, "after the base64's padding"},
		{"too much base64", "33:" + strings.Repeat("A", 44), "longer than 32"},
		{"far too much base64", "99:" + strings.Repeat("A", 132), "longer than 32"},
		{"nothing", "32:", "holds 0"},
		{"not padded", "32:" + strings.TrimSuffix(key, "="), "not padded"},
		{"cut off", "32:" + key[:42], "not padded"},
		{"text after the padding", "4:AAAAAA==AAAA", "after the base64's padding"},
		{"space after the padding", "32:" + key + " ", "after the base64's padding"},
		{"line break inside", "32:" + key[:20] + "\n" + key[20:40], "line break"},
		{"carriage return", "32:" + key[:20] + "\r" + key[20:40], "line break"},
		{"URL alphabet", "32:" + strings.ReplaceAll(key, "/", "_"), "URL alphabet"},
		{"other letters", "32:" + strings.ReplaceAll(key, "/", "!"), "not base64"},
		{"too much padding", "1:A===", "not base64"},
		{"bits beyond the data", "32:" + strings.ReplaceAll(key, "D0=", "D1="), "not canonical"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := DecodeString(tt.in, Size)
			if !errors.Is(err, fault.InvalidFile) || !strings.Contains(err.Error(), tt.why) {
				t.Fatalf("error %v, want %q", err, tt.why)
			}
			if fault.HintOf(err) == "" {
				t.Error("no hint")
			}
			if len(tt.in) > 8 && strings.Contains(err.Error()+fault.HintOf(err), tt.in[4:8]) {
				t.Errorf("the error quotes what may be a secret: %v", err)
			}
		})
	}
}

func TestEncodeDecodeString(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "data")
		got, err := DecodeString(EncodeString(data), 300)
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("got %x, %v, want %x", got, err, data)
		}
	})
}

// What decodes has one spelling: its own encoding.
func FuzzDecodeString(f *testing.F) {
	for _, s := range append(documented, "0:", "1:AA==", "32:", "1:AB==", "2:AAA=", "1:A A=", "01:AA==") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		data, err := DecodeString(s, 64)
		if err == nil && EncodeString(data) != s {
			t.Errorf("%q decodes to %x, which is spelled %q", s, data, EncodeString(data))
		}
		if len(data) > 64 {
			t.Errorf("%d bytes", len(data))
		}
	})
}
