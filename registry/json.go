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
	return checkFields(data, reflect.TypeOf(v).Elem())
}

// checkFields goes through a JSON object as Decode took it into a struct of type t: each name is one of the struct's, in that
// case, and there once. Half of a surrogate pair, escaped, is decoded to the replacement character, so there may be no more of
// these than are in data themselves.
func checkFields(data []byte, t reflect.Type) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return badRequest("the body is not a JSON object")
	}
	replaced, err := checkObject(d, t)
	if err == nil && replaced != bytes.Count(data, []byte(string(utf8.RuneError))) {
		err = badRequest("a field has half of a surrogate pair")
	}
	return err
}

// checkObject goes on behind the brace of an object, and counts the replacement characters in it.
func checkObject(d *json.Decoder, t reflect.Type) (replaced int, err error) {
	fields := fieldsOf(t)
	for d.More() {
		token, _ := d.Token()
		name, _ := token.(string)
		field, ok := fields[name]
		if !ok {
			return 0, badRequest("a field is given twice, or not in the case that the path takes")
		}
		delete(fields, name)
		n, err := checkValue(d, field)
		if err != nil {
			return 0, err
		}
		replaced += n
	}
	_, err = d.Token()
	return replaced, err
}

// checkValue reads a value of type t, or null.
func checkValue(d *json.Decoder, t reflect.Type) (replaced int, err error) {
	token, err := d.Token()
	switch token := token.(type) {
	case string:
		return strings.Count(token, string(utf8.RuneError)), err
	case json.Delim:
		if token == '{' {
			return checkObject(d, t)
		}
		for d.More() {
			n, err := checkValue(d, t.Elem())
			if err != nil {
				return 0, err
			}
			replaced += n
		}
		_, err = d.Token()
	}
	return replaced, err
}

// fieldsOf are the fields of a struct by their names in JSON.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		fields[name] = t.Field(i).Type
	}
	return fields
}
