package restclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"keyward/fault"
	"keyward/registry/wire"
)

func TestReadAllIsBounded(t *testing.T) {
	for _, test := range []struct {
		size int
		want error
	}{{0, nil}, {1, nil}, {wire.MaxAnswer, nil}, {wire.MaxAnswer + 1, errTooLong}, {10 * wire.MaxAnswer, errTooLong}} {
		data, err := readAll(strings.NewReader(strings.Repeat("x", test.size)))
		if !errors.Is(err, test.want) || (err == nil && len(data) != test.size) {
			t.Errorf("%d bytes: read %d, %v; want %v", test.size, len(data), err, test.want)
		}
	}
}

func listKeys(r io.Reader) (list []wire.Key, err error) {
	body := &bounded{r: r, left: wire.MaxAnswer}
	err = decodeEach(body, "keys", func() { body.left = wire.MaxAnswer }, func(key wire.Key) bool {
		list = append(list, key)
		return true
	})
	return list, err
}

// TestDecodeKeysGivesWhatWasEncoded holds that the stream decodes as encoding/json does,
// in whatever pieces it arrives.
func TestDecodeKeysGivesWhatWasEncoded(t *testing.T) {
	key := rapid.Custom(func(t *rapid.T) wire.Key {
		return wire.Key{User: rapid.String().Draw(t, "user"), Description: rapid.String().Draw(t, "description")}
	})
	rapid.Check(t, func(t *rapid.T) {
		var want wire.Keys
		data, err := json.Marshal(wire.Keys{Keys: rapid.SliceOf(key).Draw(t, "keys")})
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
		var r io.Reader = bytes.NewReader(data)
		if rapid.Bool().Draw(t, "byte by byte") {
			r = iotest.OneByteReader(r)
		}
		got, err := listKeys(r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Keys, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
		if _, err := listKeys(bytes.NewReader(data[:rapid.IntRange(0, len(data)-1).Draw(t, "cut")])); err == nil {
			t.Error("a cut answer passes")
		}
	})
}

// spaces never ends.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte(" "), len(p))), nil }

// TestDecodeKeysIsBounded holds that neither one key nor what stands beside the keys fills the memory.
func TestDecodeKeysIsBounded(t *testing.T) {
	for _, start := range []string{`{"keys":[{"user":"`, `{"other":"`, `{"keys":[],"other":[`, `{"keys":[{"user":"a"},`, ` `} {
		_, err := listKeys(io.MultiReader(strings.NewReader(start), spaces{}))
		if !errors.Is(err, errTooLong) {
			t.Errorf("%s...: %v, want %v", start, err, errTooLong)
		}
	}
}

// FuzzAnswer holds that every answer is either taken or a fault of a kind, whose text is printable.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []struct {
		status      int
		contentType string
		body        string
	}{
		{200, "application/json", `{"access_token":"abc","token_type":"Bearer","expires_in":900}`},
		{200, "application/json; charset=utf-8", `{"keys":[{"user":"user1","key":"32:"}]}`},
		{200, "application/json", `{"keys":null}`},
		{200, "application/json", `{"startrow":1,"rows":[["x"]],"errormsg":""}`},
		{201, "application/json", `{}`},
		{204, "", ""},
		{302, "", ""},
		{401, "application/json", `{"error":"login_time","message":"m","server_time":1e300}`},
		{401, "application/json", `{"error":"invalid_grant"}`},
		{422, "application/json", "{\"error\":\"policy\",\"message\":\"\\u001b[2J\",\"hint\":\"\\u202e\"}"},
		{500, "text/html", "<html>"},
		{200, "application/json", `{"keys":[{"user":`},
	} {
		f.Add(seed.status, seed.contentType, []byte(seed.body))
	}
	f.Fuzz(func(t *testing.T, status int, contentType string, body []byte) {
		at := Error{Method: http.MethodPost, URL: "https://localhost:9100" + wire.PathToken, Status: status}
		header := http.Header{"Content-Type": {contentType}, "Location": {contentType}}
		err := judge(at, header, body, time.Unix(1e9, 0))
		if err == nil {
			err = decode(at, body, "keys", new(wire.Keys))
		}
		if err == nil {
			if _, err := listKeys(bytes.NewReader(body)); err != nil && !foreign(body) {
				t.Errorf("decode takes what decodeEach does not: %v", err)
			}
			return
		}
		if fault.KindOf(err) == fault.Failed {
			t.Errorf("no kind: %v", err)
		}
		if text := err.Error() + fault.HintOf(err); strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("not printable: %q", text)
		}
	})
}

// foreign tells the JSON on which the two readers may differ: a field that is there twice,
// or in another case.
func foreign(body []byte) bool {
	return bytes.Count(bytes.ToLower(body), []byte(`keys`)) != 1 || bytes.Contains(body, []byte(`\u`))
}
