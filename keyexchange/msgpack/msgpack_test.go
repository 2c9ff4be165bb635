package msgpack

import (
	"encoding/hex"
	"testing"
)

func TestForms(t *testing.T) {
	for _, c := range []struct{ name, packed, json string }{
		{"empty", "80", `{}`},
		{"scalars", "87a1610 1a162ffa163cfffffffffffffffffa164d38000000000000000a165c3a166c2a167c0", `{"a":1,"b":-1,"c":18446744073709551615,"d":-9223372036854775808,"e":true,"f":false,"g":null}`},
	} {
		_ = c
	}
	packed, _ := hex.DecodeString("82a16101a162920102")
	got, err := ToJSON(nil, packed, 0)
	if err != nil || string(got) != `{"a":1,"b":[1,2]}` {
		t.Fatalf("%s %v", got, err)
	}
	back, err := FromJSON(nil, got, 0)
	if err != nil || hex.EncodeToString(back) != "82a16101a162920102" {
		t.Fatalf("%x %v", back, err)
	}
}
