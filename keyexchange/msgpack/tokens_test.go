package msgpack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
	"unicode/utf8"
)

// FuzzTokens holds that tokens are what encoding/json's decoder gives, up to the same error at the same byte.
func FuzzTokens(f *testing.F) {
	for _, seed := range []string{
		``, ` { "a" : [ 1 , -0.5e+3 , true , false , null , [ ] , { } ] } `, `{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\udd11\ud800\udc0x"}`, `{"\u0061":"é` + "\u2028" + `"}`,
		`{"a":1,}`, `{"a" 1}`, `{a:1}`, `{"a":1]`, `[1}`, `[1,]`, `[,]`, `[1 2]`, `{"a"}`, `{"a":}`, `{,}`, `{1:2}`, `]`, `,`, `:`, `[:]`,
		`{"a":01}`, `[-]`, `[1.]`, `[.5]`, `[1e]`, `[1e+]`, `[-`, `[1.`, `[1e`, `[truex]`, `[trux]`, `[tru`, `[nul`, `[NaN]`, `"\q"`, `"\u00`, `"\u00g0"`, `"` + "\n", `"`, `"\`, "\ufeff{}",
		`{} {}`, "[\x00]", "[\v1]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !utf8.Valid(text) {
			return
		}
		theirs := json.NewDecoder(bytes.NewReader(text))
		theirs.UseNumber()
		ours := tokens{text: text, may: mayValue}
		for depth := 0; ; {
			if got, want := ours.more(), theirs.More(); got != want {
				t.Fatalf("%q, byte %d: more is %v, want %v", text, ours.at, got, want)
			}
			got, err := ours.next()
			token, theirErr := theirs.Token()
			if want := told(theirErr, theirs.InputOffset()); fmt.Sprint(err) != want {
				t.Fatalf("%q: %v, want %s", text, err, want)
			}
			if err != nil {
				return
			}
			if got, want := shown(got), fmt.Sprintf("%T %v", token, token); got != want {
				t.Fatalf("%q, byte %d: %s, want %s", text, ours.at, got, want)
			}
			switch got.kind {
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			if depth == 0 {
				return
			}
		}
	})
}

// told is what the decoder's error is to us.
func told(err error, at int64) string {
	if err == nil {
		return "<nil>"
	}
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("it is not JSON, at byte %d", at)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "the JSON is cut off"
	}
	return err.Error()
}

// shown is a token as the decoder has it, with its type.
func shown(t token) string {
	var v any
	switch t.kind {
	case '{', '}', '[', ']':
		v = json.Delim(t.kind)
	case '"':
		v = string(t.text)
	case '0':
		v = json.Number(t.text)
	case 't', 'f':
		v = t.kind == 't'
	}
	return fmt.Sprintf("%T %v", v, v)
}
