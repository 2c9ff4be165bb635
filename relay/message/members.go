package message

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"unicode/utf8"
)

const (
	// MaxSize is how many bytes a message may have. What is read from a socket should have a limit far below.
	MaxSize = 64 << 20

	maxDepth     = 500          // of arrays and objects in a message; peers in Python give up near 1,000
	maxBodyDepth = maxDepth - 2 // of those in a JSON body
)

// members are those of a JSON object. Of a name that is there twice the last one counts, as in Python. Their names are
// held to the letter, which encoding/json does not do for structs.
type members map[string]json.RawMessage

// open checks the text as a whole and gives the members of its message.
func open(text []byte) (members, error) {
	if len(text) > MaxSize {
		return nil, fmt.Errorf("the message is larger than %d MiB", MaxSize>>20)
	}
	if !utf8.Valid(text) {
		return nil, errors.New("the message is not UTF-8")
	}
	if deeper(text, maxDepth) {
		return nil, fmt.Errorf("the message is nested deeper than %d levels", maxDepth)
	}
	if !json.Valid(text) {
		return nil, errors.New("the message is not JSON")
	}
	raw, ok := split(text)["message"]
	if !ok {
		return nil, errors.New(`the message is not an object with the member "message"`)
	}
	in := split(raw)
	if in == nil {
		return nil, errors.New(`the member "message" is not an object`)
	}
	return in, nil
}

// split takes a JSON text, known to be one, apart; what is no object has no members. The text is gone through once more
// for each level, and not three times as encoding/json does. The members are parts of it.
func split(text json.RawMessage) members {
	text = bytes.TrimSpace(text)
	if text[0] != '{' {
		return nil
	}
	in := members{}
	depth, start := 0, 1
	var name string
	for i, c := range unquoted(text) {
		switch {
		case c == '{' || c == '[':
			depth++
		case depth > 1 && (c == '}' || c == ']'):
			depth--
		case depth == 1 && c == ':':
			_ = json.Unmarshal(text[start:i], &name) // it is a string
			start = i + 1
		case depth == 1 && (c == ',' || c == '}'):
			if value := bytes.TrimSpace(text[start:i]); len(value) > 0 {
				in[name] = value
			}
			start = i + 1
		}
	}
	return in
}

// has says whether a member is there and not null.
func (in members) has(name string) bool {
	raw, ok := in[name]
	return ok && string(raw) != "null"
}

// read puts a member into v, and leaves v alone where there is none.
func (in members) read(name string, v any) error {
	if !in.has(name) {
		return nil
	}
	if err := decode(in[name], v); err != nil {
		return fmt.Errorf("the member %q: %w", name, err)
	}
	return nil
}

// decode is json.Unmarshal with errors that do not speak of Go.
func decode(raw json.RawMessage, v any) error {
	err := json.Unmarshal(raw, v)
	if other, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("a JSON %s is not what it should be", other.Value)
	}
	return err
}

// need is read for a member that must be there.
func (in members) need(name string, v any) error {
	if !in.has(name) {
		return fmt.Errorf("there is no member %q", name)
	}
	return in.read(name, v)
}

// finite has a number of JSON for each that is none.
func finite(text []byte) []byte {
	text = bytes.Clone(text)
	for i := range unquoted(text) {
		for _, name := range []string{"NaN", "Infinity"} {
			if bytes.HasPrefix(text[i:], []byte(name)) {
				copy(text[i:], "0       "[:len(name)])
			}
		}
	}
	return text
}

// deeper says whether arrays and objects are nested more than limit levels.
func deeper(text []byte, limit int) bool {
	depth := 0
	for _, c := range unquoted(text) {
		switch c {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if depth > limit {
			return true
		}
	}
	return false
}

// unquoted goes through the bytes of a JSON text that are in no string.
func unquoted(text []byte) iter.Seq2[int, byte] {
	return func(yield func(int, byte) bool) {
		quoted := false
		for i := 0; i < len(text); i++ {
			switch c := text[i]; {
			case quoted && c == '\\':
				i++
			case c == '"':
				quoted = !quoted
			case !quoted && !yield(i, c):
				return
			}
		}
	}
}
