package msgpack

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"keyward/fault"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestBothWays has the forms as the specification of MessagePack writes them. What is packed is the shortest, so both ways
// give the other exactly.
func TestBothWays(t *testing.T) {
	for _, c := range []struct{ packed, json string }{
		{"80", `{}`},
		{"83 a161 00 a162 7f a163 cc80", `{"a":0,"b":127,"c":128}`},
		{"82 a161 cd0100 a162 ce00010000", `{"a":256,"b":65536}`},
		{"81 a161 cf ffffffffffffffff", `{"a":18446744073709551615}`},
		{"84 a161 ff a162 e0 a163 d0df a164 d1ff7f", `{"a":-1,"b":-32,"c":-33,"d":-129}`},
		{"81 a161 d3 8000000000000000", `{"a":-9223372036854775808}`},
		{"81 a161 cb 3ff0000000000000", `{"a":1.0}`},
		{"81 a161 cb 8000000000000000", `{"a":-0.0}`},
		{"81 a161 cb 444b1ae4d6e2ef50", `{"a":1e+21}`},
		{"81 a161 cb 412e848000000000", `{"a":1000000.0}`},
		{"81 a161 cb 7ff8000000000001", `{"a":{"$float":"NaN"}}`},
		{"82 a161 cb 7ff0000000000000 a162 cb fff0000000000000", `{"a":{"$float":"Infinity"},"b":{"$float":"-Infinity"}}`},
		{"83 a161 c0 a162 c2 a163 c3", `{"a":null,"b":false,"c":true}`},
		{"81 a161 93 01 90 80", `{"a":[1,[],{}]}`},
		{"81 a161 a7 225c2f 0a0d09 07", `{"a":"\"\\/\n\r\t\u0007"}`},
		{"81 a161 aa c29b 7f e280a8 f09f9491", `{"a":"\u009b\u007f\u2028🔑"}`},
		{"81 a161 a2 c3a9", `{"a":"é"}`},
		{"81 a161 a1 ff", `{"a":{"$str":"/w=="}}`},
		{"81 a161 c403 000102", `{"a":{"$bin":"AAEC"}}`},
		{"81 a161 d4 05 07", `{"a":{"$ext":[5,"Bw=="]}}`},
		{"81 a161 c7 00 80", `{"a":{"$ext":[-128,""]}}`},
		{"81 a161 d6 ff 00000001", `{"a":{"$time":"1970-01-01T00:00:01Z"}}`},
		{"81 a161 d7 ff 00000004 00000001", `{"a":{"$time":"1970-01-01T00:00:01.000000001Z"}}`},
		{"81 a161 c70cff 00000000 fffffff1868b8400", `{"a":{"$time":"0000-01-01T00:00:00Z"}}`},
		{"81 a161 c70cff 3b9ac9ff fffffff1868b8400", `{"a":{"$time":"0000-01-01T00:00:00.999999999Z"}}`},
		{"81 a161 c70cff 3b9ac9ff ffffffffffffffff", `{"a":{"$time":"1969-12-31T23:59:59.999999999Z"}}`},
		{"81 a161 c70cff 00000000 fffffff1868b83ff", `{"a":{"$ext":[-1,"AAAAAP////GGi4P/"]}}`}, // the second before the year 0
		{"81 a161 c70cff 3b9aca00 0000000000000000", `{"a":{"$ext":[-1,"O5rKAAAAAAAAAAAA"]}}`}, // a billion nanoseconds
		{"81 a161 d4 ff 00", `{"a":{"$ext":[-1,"AA=="]}}`},
		{"82 01 a3 6f6e65 a3 74776f 02", `{"$map":[[1,"one"],["two",2]]}`},
		{"81 a4 2462696e 01", `{"$map":[["$bin",1]]}`},
		{"82 a161 01 a4 2462696e 01", `{"a":1,"$bin":1}`},
		{"81 a2 2478 01", `{"$x":1}`},
		{"81 a1 ff 01", `{"$map":[[{"$str":"/w=="},1]]}`},
		{"81 80 81 c0 01", `{"$map":[[{},{"$map":[[null,1]]}]]}`},
		{"82 a161 81 01 02 a162 81 a163 81 03 04", `{"a":{"$map":[[1,2]]},"b":{"c":{"$map":[[3,4]]}}}`},
	} {
		packed := unhex(t, c.packed)
		got, err := ToJSON([]byte("x"), packed, 0)
		if err != nil || string(got) != "x"+c.json {
			t.Errorf("%s: %s, want %s (%v)", c.packed, got, c.json, err)
		}
		back, err := FromJSON([]byte("x"), []byte(c.json), 0)
		if err != nil || !bytes.Equal(back[1:], packed) {
			t.Errorf("%s: %x, want %s (%v)", c.json, back, c.packed, err)
		}
		if !json.Valid([]byte(c.json)) {
			t.Errorf("%s is not JSON", c.json)
		}
		for n := range packed {
			if out, err := ToJSON([]byte("x"), packed[:n], 0); !errors.Is(err, fault.InvalidFile) || string(out) != "x" {
				t.Errorf("%s cut at %d: %s, %v", c.packed, n, out, err)
			}
		}
		for n := range c.json {
			if out, err := FromJSON([]byte("x"), []byte(c.json[:n]), 0); !errors.Is(err, fault.InvalidFile) || string(out) != "x" {
				t.Errorf("%s cut at %d: %x, %v", c.json, n, out, err)
			}
		}
	}
}

// TestOtherSpellings are messages that can be written shorter.
func TestOtherSpellings(t *testing.T) {
	for packed, want := range map[string]string{
		"de0001 d90161 d3 0000000000000001":         `{"a":1}`,
		"df00000001 da000161 d2 ffffffff":           `{"a":-1}`,
		"81 db0000000161 dc0001 dd00000000":         `{"a":[[]]}`,
		"81 a161 ca 3dcccccd":                       `{"a":0.10000000149011612}`, // the value of the 32 bits
		"81 a161 ca 7fc00000":                       `{"a":{"$float":"NaN"}}`,
		"81 a161 c7 04 ff 00000001":                 `{"a":{"$time":"1970-01-01T00:00:01Z"}}`,
		"81 a161 c9 00000001 03 00":                 `{"a":{"$ext":[3,"AA=="]}}`,
		"81 a161 c8 0001 05 00":                     `{"a":{"$ext":[5,"AA=="]}}`,
		"81 a161 c5 0001 00":                        `{"a":{"$bin":"AA=="}}`,
		"81 a161 d7 ff 00000000 00000001":           `{"a":{"$time":"1970-01-01T00:00:01Z"}}`,
		"81 a161 c7 0c 05 000000000000000000000000": `{"a":{"$ext":[5,"AAAAAAAAAAAAAAAA"]}}`, // msgp's own time is none of MessagePack's
	} {
		if got, err := ToJSON(nil, unhex(t, packed), 0); err != nil || string(got) != want {
			t.Errorf("%s: %s, want %s (%v)", packed, got, want, err)
		}
	}
	for object, want := range map[string]string{
		" { \"a\" : [ 1 , 2 ] }\r\n":                  `{"a":[1,2]}`,
		`{"a":1e3,"b":-0,"c":1E-2}`:                   `{"a":1000.0,"b":0,"c":0.01}`,
		`{"\u0061":"\ud83d\udd11\ud800"}`:             `{"a":"🔑�"}`,
		`{"a":{"$time":"2026-11-21T22:37:08+01:00"}}`: `{"a":{"$time":"2026-11-21T21:37:08Z"}}`,
		`{"$map":[]}`:           `{}`,
		`{"a":{"$str":"YQ=="}}`: `{"a":"a"}`,
	} {
		packed, err := FromJSON(nil, []byte(object), 0)
		if err != nil {
			t.Errorf("%s: %v", object, err)
			continue
		}
		if got, err := ToJSON(nil, packed, 0); err != nil || string(got) != want {
			t.Errorf("%s: %s, want %s (%v)", object, got, want, err)
		}
	}
}

func TestRefused(t *testing.T) {
	for packed, want := range map[string]string{
		"":                          "empty",
		"c0":                        "begins with 0xc0",
		"90":                        "begins with 0x90",
		"c1":                        "begins with 0xc1",
		"81a161c1":                  "0xc1 begins no value",
		"8000":                      "1 bytes follow",
		"82a16101a16102":            "a key twice",
		"82a1ff01a1ff02":            "a key twice",
		"8201 01 d90161 01 a161 01": "",
		"83 0101 d9016101 a16101":   "a key twice",
	} {
		if _, err := ToJSON(nil, unhex(t, packed), 0); !errors.Is(err, fault.InvalidFile) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", packed, err, want)
		}
	}
	for object, want := range map[string]string{
		``:                                       "cut off",
		`1`:                                      "no JSON object",
		`[]`:                                     "no JSON object",
		`{"$bin":"AA=="}`:                        "no map",
		`{"$ext":[1,"AA=="]}`:                    "no map",
		`{} {}`:                                  "more follows",
		`{}x`:                                    "more follows",
		`{"a":1,}`:                               "not JSON",
		`{a:1}`:                                  "not JSON",
		`{"a" 1}`:                                "not JSON",
		`{"a":01}`:                               "not JSON",
		`{"a":NaN}`:                              "not JSON",
		"{\"a\":\"\n\"}":                         "not JSON",
		"{\"a\":\"\xff\"}":                       "not UTF-8",
		`{"a":1,"a":2}`:                          "a key twice",
		`{"a":1,"\u0061":2}`:                     "a key twice",
		`{"$map":[["a",1],["a",2]]}`:             "a key twice",
		`{"$map":[["a",1],[{"$str":"YQ=="},2]]}`: "a key twice",
		`{"a":18446744073709551616}`:             "64 bits",
		`{"a":-9223372036854775809}`:             "64 bits",
		`{"a":1e999}`:                            "64 bits",
		`{"a":{"$bin":"AA=="} `:                  "cut off",
		`{"a":{"$bin":"AA==","b":1}}`:            "one key",
		`{"a":{"$bin":"!"}}`:                     "the value of $bin is not in base64",
		`{"a":{"$bin":1}}`:                       "the value of $bin",
		`{"a":{"$bin":["a"]}}`:                   "the value of $bin",
		`{"a":{"$float":"1"}}`:                   "the value of $float",
		`{"a":{"$time":"now"}}`:                  "the value of $time",
		`{"a":{"$ext":[128,""]}}`:                "the value of $ext",
		`{"a":{"$ext":["1",""]}}`:                "the value of $ext",
		`{"a":{"$ext":[1,"",1]}}`:                "the value of $ext",
		`{"a":{"$ext":{}}}`:                      "the value of $ext",
		`{"$map":{}}`:                            "the value of $map",
		`{"$map":[1]}`:                           "the value of $map",
		`{"$map":[[1]]}`:                         "the value of $map",
		`{"$map":[[1,2,3]]}`:                     "the value of $map",
		`{"$map":[[1,2]],"a":1}`:                 "one key",
	} {
		if _, err := FromJSON(nil, []byte(object), 0); !errors.Is(err, fault.InvalidFile) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", object, err, want)
		}
	}
}

func TestLimits(t *testing.T) {
	nested := func(n int) []byte { return append(bytes.Repeat([]byte("\x81\xa1a"), n), 0) }
	wide := func(n int) []byte {
		return append([]byte{0x81, 0xa1, 'a', 0xdd, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, make([]byte, n)...)
	}
	for _, c := range []struct {
		name    string
		message []byte
		ok      bool
	}{
		{"deepest", nested(maxDepth), true},
		{"too deep", nested(maxDepth + 1), false},
		{"most values", wide(maxValues - 3), true},
		{"too many values", wide(maxValues - 2), false},
	} {
		object, err := ToJSON(nil, c.message, 0)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil {
			continue
		}
		back, err := FromJSON(nil, object, 0)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if again, err := ToJSON(nil, back, 0); err != nil || !bytes.Equal(again, object) {
			t.Errorf("%s: not the same again: %v", c.name, err)
		}
	}
	for object, ok := range map[string]bool{
		strings.Repeat(`{"a":`, maxDepth) + `1` + strings.Repeat(`}`, maxDepth):     true,
		strings.Repeat(`{"a":`, maxDepth+1) + `1` + strings.Repeat(`}`, maxDepth+1): false,
		`{"a":[` + strings.Repeat(`1,`, maxValues) + `1]}`:                          false,
		`{"a":` + strings.Repeat(`[`, 300000):                                       false,
		strings.Repeat(`{"$map":[[`, 100000):                                        false,
	} {
		if _, err := FromJSON(nil, []byte(object), 0); (err == nil) != ok {
			t.Errorf("%.40s: %v", object, err)
		}
	}
	if _, err := ToJSON(nil, []byte{0x80}, 1); err != nil {
		t.Error(err)
	}
	if _, err := ToJSON(nil, []byte{0x81, 1, 1}, 2); !errors.Is(err, fault.InvalidFile) {
		t.Error(err)
	}
	if _, err := FromJSON(nil, []byte(`{}`), 1); !errors.Is(err, fault.InvalidFile) {
		t.Error(err)
	}
}

// TestPlain puts each byte at each place of a text.
func TestPlain(t *testing.T) {
	for place := range 20 {
		for b := range 256 {
			text := []byte("~!a ~!a ~!a ~!a ~!a ")
			text[place] = byte(b)
			if want := b >= ' ' && b <= '~' && b != '"' && b != '\\'; plain(text) != want {
				t.Errorf("%q: %v", text, !want)
			}
		}
	}
}

func TestLargeMap(t *testing.T) {
	var object strings.Builder
	object.WriteString(`{"k":0`)
	for i := range 30000 {
		fmt.Fprintf(&object, `,"k%d":%d`, i, i)
	}
	whole := object.String() + "}"
	packed, err := FromJSON(nil, []byte(whole), 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ToJSON(nil, packed, 0); err != nil || string(got) != whole {
		t.Errorf("not the same: %v", err)
	}
	if _, err := FromJSON(nil, []byte(object.String()+`,"k29999":1}`), 0); err == nil {
		t.Error("a key is twice")
	}
	if _, err := FromJSON(nil, []byte(object.String()+`,"k3":1}`), 0); err == nil {
		t.Error("a key is twice")
	}
}

// TestNoMemory holds that a usual message needs no memory but what is there.
func TestNoMemory(t *testing.T) {
	packed := unhex(t, "84 a161 92 01 81 a178 c3 a162 cb 3fb999999999999a a163 a4 680ac3a9 a164 c70cff 3b9ac9ff ffffffffffffffff")
	out := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { _, _ = ToJSON(out, packed, 0) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

const python = "/usr/bin/python3" // Debian's, which has python3-u-msgpack

func needUmsgpack(t *testing.T) {
	t.Helper()
	if err := exec.CommandContext(t.Context(), python, "-c", "import umsgpack").Run(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI has to install python3-u-msgpack: ", err)
		}
		t.Skip("python3-u-msgpack is not installed: ", err)
	}
}

// TestUmsgpack exchanges random maps with the library that napalm-logs uses.
func TestUmsgpack(t *testing.T) {
	needUmsgpack(t)
	lines, err := exec.CommandContext(t.Context(), python, "testdata/umsgpack_peer.py", "pack", "6", "300").Output()
	if err != nil {
		t.Fatal(err)
	}
	var back strings.Builder
	count := 0
	for line := range strings.Lines(string(lines)) {
		packed, want, _ := strings.Cut(strings.TrimSpace(line), "\t")
		got, err := ToJSON(nil, unhex(t, packed), 0)
		if err != nil {
			t.Fatalf("%s: %v", packed, err)
		}
		if !reflect.DeepEqual(tree(t, want), tree(t, string(got))) {
			t.Fatalf("%s: %s, want %s", packed, got, want)
		}
		again, err := FromJSON(nil, []byte(want), 0)
		if err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		fmt.Fprintf(&back, "%x\t%s\n", again, got)
		count++
	}
	peer := exec.CommandContext(t.Context(), python, "testdata/umsgpack_peer.py", "unpack")
	peer.Stdin = strings.NewReader(back.String())
	if out, err := peer.CombinedOutput(); err != nil || count != 300 {
		t.Errorf("%d maps: %v: %s", count, err, out)
	}
}

// tree reads JSON with its numbers as what they are: an integer's digits, or a float.
func tree(t *testing.T, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return floats(v)
}

func floats(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = floats(v[k])
		}
	case []any:
		for i := range v {
			v[i] = floats(v[i])
		}
	case json.Number:
		if f, err := v.Float64(); err == nil && strings.ContainsAny(v.String(), ".eE") {
			return f
		}
	}
	return v
}

func BenchmarkFromJSON(b *testing.B) {
	object := []byte(`{"error":"BGP_PREFIX_THRESH_EXCEEDED","facility":18,"host":"vmx01","ip":"127.0.0.1","os":"junos","severity":4,"message_details":{"date":"Mar 30","message":"` + strings.Repeat("192.168.140.254 (External AS 4230): ", 20) + `"}}`)
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out, _ = FromJSON(out[:0], object, 0)
	}
}
