package msgpack

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzToJSON holds that what is taken is one line of JSON, and that it stands for the message: packed and written again it is
// the same text.
func FuzzToJSON(f *testing.F) {
	for _, message := range bombs() {
		f.Add(message[:min(len(message), 200)])
	}
	for _, seed := range []string{
		"80", "84a161009201c0a162cb3ff0000000000000a163c403000102", "8201a36f6e65a374776f02", "81a161d6ff00000001", "81a1ff01",
		"81a161c70cff3b9ac9fffffffff1868b8400", "81a42462696e01", "81a161ca7fc00000", "81a161d8051122334455667788990011223344556677",
	} {
		f.Add(unhex(f, seed))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		object, err := ToJSON(nil, message, 0)
		if err != nil {
			return
		}
		if !json.Valid(object) || bytes.ContainsAny(object, "\n\r\x00\x1b\u009b") || object[0] != '{' {
			t.Fatalf("%x: no line of JSON: %q", message, object)
		}
		packed, err := FromJSON(nil, object, 8*DefaultMaxSize)
		if err != nil {
			t.Fatalf("%x: %s is not taken: %v", message, object, err)
		}
		again, err := ToJSON(nil, packed, 0)
		if err != nil || !bytes.Equal(again, object) {
			t.Fatalf("%x: %s and then %s (%v)", message, object, again, err)
		}
	})
}

// FuzzFromJSON holds that what is taken is JSON, and a message that is written and packed again is the same.
func FuzzFromJSON(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":[1,-1,1.5,1e3,"x",null,true,{"b":18446744073709551615}]}`, `{"a":{"$bin":"AAEC"},"b":{"$str":"/w=="}}`,
		`{"a":{"$float":"-Infinity"}}`, `{"a":{"$time":"2026-11-21T21:37:08.5Z"}}`, `{"a":{"$ext":[5,"AAEC"]}}`, `{"$map":[[1,"one"],[{"$map":[]},2]]}`,
		`{"\ud83d\udd11":"\ud800"}`, `{"a":1,"a":1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, object []byte) {
		packed, err := FromJSON(nil, object, 0)
		if err != nil {
			return
		}
		if !json.Valid(object) {
			t.Fatalf("%q is not JSON", object)
		}
		line, err := ToJSON(nil, packed, 0)
		if err != nil {
			t.Fatalf("%q: %x is not taken: %v", object, packed, err)
		}
		again, err := FromJSON(nil, line, 8*DefaultMaxSize)
		if err != nil || !bytes.Equal(again, packed) {
			t.Fatalf("%q: %x and then %x (%v)", object, packed, again, err)
		}
	})
}
