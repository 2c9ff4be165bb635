package message

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// fields draws headers or parameters, without those that a body stands for.
var fields = rapid.Custom(func(t *rapid.T) []Field {
	var list []Field
	for range rapid.IntRange(0, 3).Draw(t, "fields") {
		list = append(list, Field{"X-" + rapid.String().Draw(t, "name"), rapid.String().Draw(t, "value")})
	}
	return list
})

// value draws a JSON text, also with numbers that no float holds and with blanks.
var value = rapid.OneOf(
	rapid.SampledFrom([]string{"null", "true", "1e400", "12345678901234567890", "-0.0", "{ }", "[ 1,\n2 ]", `{"a":1,"a":2}`, `"\ud800"`, `"<&>\u2028"`}),
	rapid.Map(rapid.String(), func(s string) string { return string(must(json.Marshal(s))) }),
	rapid.Map(rapid.MapOf(rapid.String(), rapid.Float64()), func(v map[string]float64) string { return string(must(json.Marshal(v))) }),
)

// bodies draws what NewBody makes.
var bodies = rapid.Custom(func(t *rapid.T) Body {
	contentType := rapid.SampledFrom([]string{"", JSON, JSON + "; charset=utf-8", OctetStream, "text/plain", "text/html; charset=latin1", "image/png"}).Draw(t, "type")
	if mediaType(contentType) == JSON {
		return must(NewBody(contentType, []byte(value.Draw(t, "json"))))
	}
	if rapid.Bool().Draw(t, "text") {
		return must(NewBody(contentType, []byte(rapid.String().Draw(t, "data"))))
	}
	return must(NewBody(contentType, rapid.SliceOf(rapid.Byte()).Draw(t, "data")))
})

var messages = rapid.Custom(func(t *rapid.T) *Message {
	m := &Message{
		ID:               rapid.Int64().Draw(t, "id"),
		Type:             rapid.SampledFrom([]string{TypeHello, TypeRequest, TypeResponse, EventPrefix, "CONN:INFO"}).Draw(t, "type"),
		RequiresResponse: rapid.Bool().Draw(t, "requiresResponse"),
	}
	if m.Type == TypeResponse {
		m.InResponseTo = new(rapid.Int64().Draw(t, "inResponseTo"))
	}
	switch m.Type {
	case TypeHello:
		m.Hello = &Hello{rapid.String().Draw(t, "class"), rapid.String().Draw(t, "peer")}
	case TypeRequest:
		m.Request = &Request{
			rapid.StringN(1, 9, -1).Draw(t, "method"), rapid.String().Draw(t, "path"),
			fields.Draw(t, "query"), fields.Draw(t, "headers"), bodies.Draw(t, "body"),
		}
	case TypeResponse:
		m.Response = &Response{
			rapid.IntRange(100, 999).Draw(t, "status"), rapid.String().Draw(t, "reason"),
			fields.Draw(t, "headers"), bodies.Draw(t, "body"),
		}
	case EventPrefix:
		m.Event = &Event{rapid.StringN(1, 9, -1).Draw(t, "name"), bodies.Draw(t, "body")}
		m.Type += m.Event.Name
	}
	return m
})

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := messages.Draw(t, "message")
		text, err := want.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("%s (-written +read):\n%s", text, d)
		}
	})
}

// What is written is JSON of one line, and never has the headers that a body stands for.
func TestWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := messages.Draw(t, "message")
		if m.Request != nil {
			m.Request.Headers = append(m.Request.Headers, Field{"Content-Type", "a/b"}, Field{"content-length", "1"}, Field{"CONTENT-ENCODING", "gzip"})
		}
		text := must(m.Marshal())
		if !json.Valid(text) || strings.HasSuffix(string(text), "\n") {
			t.Fatalf("written as %q", text)
		}
		if m.Request != nil && len(must(Parse(text)).Request.Headers) != len(m.Request.Headers)-3 {
			t.Fatalf("written as %s", text)
		}
	})
}

// FuzzParse: what parses, is written, and says the same when it is read again.
func FuzzParse(f *testing.F) {
	for _, c := range golden {
		f.Add([]byte(c.in))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		_, strict := ParseHello(text)
		m, err := Parse(text)
		if (strict == nil) != (err == nil && m.Type == TypeHello) {
			t.Fatalf("as a hello: %v, as a message: %v", strict, err)
		}
		if err != nil {
			return
		}
		out, err := m.Marshal()
		if err != nil {
			t.Fatalf("%s cannot be written: %v", text, err)
		}
		again, err := Parse(out)
		if err != nil {
			t.Fatalf("%s was written as %s: %v", text, out, err)
		}
		if d := cmp.Diff(m, again); d != "" {
			t.Fatalf("%s was written as %s (-first +second):\n%s", text, out, d)
		}
	})
}

// FuzzSplit: an object has the members that encoding/json finds.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{`{}`, ` { "a" : [ 1 , {"b":"}"} ] ,"a":"\\\"," } `, `{"\u0061":{},"":null}`, `[{"a":1}]`, `"{"`, ` 1`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !json.Valid(text) {
			return
		}
		var want members
		if err := json.Unmarshal(text, &want); err != nil {
			want = nil
		}
		if d := cmp.Diff(want, split(text)); d != "" {
			t.Fatalf("%s (-encoding/json +split):\n%s", text, d)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
