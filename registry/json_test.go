package registry

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"keyward/registry/wire"
)

func TestDecodeJSON(t *testing.T) {
	for text, want := range map[string]wire.NewUser{
		`{}`: {},
		`{"name":"a","password":"b","admin":true}`:      {Name: "a", Password: "b", Admin: true},
		"\n{ \"admin\" : null, \"name\":\"a\" } ":       {Name: "a"},
		`{"password":"p\u00e4ss \ud83d\udd11"}`:         {Password: "päss \U0001f511"},
		"{\"name\":\"\ufffd\",\"password\":\"\ufffd\"}": {Name: "\ufffd", Password: "\ufffd"},
	} {
		var got wire.NewUser
		if err := decodeJSON([]byte(text), &got); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	for name, text := range map[string]string{
		"another case":                       `{"Name":"a"}`,
		"another case beside it":             `{"admin":false,"ADMIN":true}`,
		"twice":                              `{"admin":false,"admin":true}`,
		"twice, escaped":                     `{"admin":false,"\u0061dmin":true}`,
		"folded to ASCII":                    "{\"pa\u017fsword\":\"x\"}",
		"null":                               `null`,
		"array":                              `[]`,
		"Latin-1":                            "{\"password\":\"p\xe4ssw\xf6rd\"}",
		"UTF-16 half":                        `{"password":"\ud800"}`,
		"other half":                         `{"password":"x\udc00x"}`,
		"halves in the wrong order":          `{"password":"\udd11\ud83d"}`,
		"half beside a replacement":          "{\"name\":\"\ufffd\",\"password\":\"\\ud800\"}",
		"surrogate in UTF-8":                 "{\"password\":\"\xed\xa0\x80\"}",
		"object in a field":                  `{"password":{"password":"x"}}`,
		"unknown name that is there already": `{"admin":true,"admin ":false}`,
	} {
		var got wire.NewUser
		if err := decodeJSON([]byte(text), &got); err == nil {
			t.Errorf("%s: %s is taken for %+v", name, text, got)
		}
	}
	if err := decodeJSON([]byte("{\"password\":\"\xe4\"}"), new(wire.NewUser)); err == nil || err.Error() != "the body is not UTF-8" {
		t.Errorf("Latin-1: %v", err)
	}
}

// TestDecodeNested holds the same for objects in a list.
func TestDecodeNested(t *testing.T) {
	for _, text := range []string{
		`{"roles":[{"kind":"worker","name":"a","subjects":["b","c"],"stock":true},{"name":"b","kind":"emitter"}],"identities":null}`,
		`{"roles":[null],"publish":["\ud83d\udd11"]}`,
		"{\"roles\":[{\"name\":\"\ufffd\"}],\"publish\":[\"\ufffd\"]}",
	} {
		if err := decodeJSON([]byte(text), new(wire.NewAccount)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for name, text := range map[string]string{
		"twice":         `{"roles":[{"kind":"worker","kind":"emitter"}]}`,
		"another case":  `{"roles":[{"Kind":"worker"}]}`,
		"unknown":       `{"roles":[{"kind":"worker","colour":"red"}]}`,
		"UTF-16 half":   `{"roles":[{"subjects":["a","\ud800"]}]}`,
		"half in list":  `{"publish":["\udc00"]}`,
		"object":        `{"roles":{"kind":"worker"}}`,
		"list in list":  `{"publish":[["a"]]}`,
		"not the first": `{"roles":[{"kind":"worker"},{"name":"a","name":"b"}]}`,
	} {
		if err := decodeJSON([]byte(text), new(wire.NewAccount)); err == nil {
			t.Errorf("%s: %s is taken", name, text)
		}
	}
}
