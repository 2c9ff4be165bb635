package registry

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"
)

// decodeJSON takes one JSON object into the struct that v points to. encoding/json alone
// takes more than one reader would agree on: names in any case, a name twice, and text
// that is not UTF-8, which it changes. All that is refused. What is wrong is not quoted:
// it may be a part of a password.
func decodeJSON(data []byte, v any) error {
	if !utf8.Valid(data) {
		return badRequest("the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if d.Decode(v) != nil {
		return badRequest("the body is not the JSON that the path takes, or has an unknown field")
	}
	if _, err := d.Token(); err != io.EOF {
		return badRequest("text after the JSON value")
	}
	return checkFields(data, fieldNames(v))
}

// checkFields goes through a JSON object of strings and lists of strings, as Decode took it: each name is one of those
// given, in that case, and there once. Half of a surrogate pair, escaped, is decoded to the
// replacement character, so there may be no more of these than are in data themselves.
func checkFields(data []byte, names map[string]bool) error {
	replaced := -bytes.Count(data, []byte(string(utf8.RuneError)))
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return badRequest("the body is not a JSON object")
	}
	for d.More() {
		token, _ := d.Token()
		name, _ := token.(string)
		if !names[name] {
			return badRequest("a field is given twice, or not in the case that the path takes")
		}
		names[name] = false
		replaced += replacements(d)
	}
	if replaced != 0 {
		return badRequest("a field has half of a surrogate pair")
	}
	return nil
}

// replacements reads a value, a list of strings at most, and counts the replacement characters in it.
func replacements(d *json.Decoder) (n int) {
	for depth := 0; ; {
		token, err := d.Token()
		switch token := token.(type) {
		case json.Delim:
			if token == '[' {
				depth++
			} else {
				depth--
			}
		case string:
			n += strings.Count(token, string(utf8.RuneError))
		}
		if depth <= 0 || err != nil {
			return n
		}
	}
}

// fieldNames is the names in JSON of the struct that v points to.
func fieldNames(v any) map[string]bool {
	t := reflect.TypeOf(v).Elem()
	names := make(map[string]bool, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names[name] = true
	}
	return names
}
