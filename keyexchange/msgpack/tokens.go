package msgpack

import (
	"bytes"
	"encoding/json"
	"strings"
)

// tokens takes JSON apart as encoding/json's Decoder.Token does, with what it takes and where it stops, at a tenth of the cost:
// a token is a part of the text. Its errors quote nothing of it. The zero value with a text and mayValue is ready.
type tokens struct {
	text []byte // UTF-8
	at   int    // of the next byte
	open []byte // the brackets around it
	may  may    // what it may be
}

// may is what may come next. Nothing may after the end.
type may uint8

const (
	mayValue may = 1 << iota
	mayKey
	mayColon
	mayComma
	mayEnd // of the last bracket that is open
)

// token is a part of JSON. Its kind is the bracket, '"' of a key or a string, '0' of a number, 't', 'f' and 'n' of true, false and
// null. Only a string, without quotes and escapes, and a number have a text.
type token struct {
	kind byte
	text []byte
}

// next gives the next token; commas and colons are none.
func (t *tokens) next() (token, error) {
	for {
		c, ok := t.peek()
		switch {
		case !ok:
			return token{}, errCutOff()
		case c == ',' && t.may&mayComma != 0, c == ':' && t.may&mayColon != 0:
			t.at++
			t.may = t.after(c)
		case (c == '{' || c == '[') && t.may&mayValue != 0:
			t.open = append(t.open, c)
			t.at++
			t.may = t.after(',') | mayEnd
			return token{kind: c}, nil
		case (c == '}' || c == ']') && t.may&mayEnd != 0 && t.open[len(t.open)-1] == c-2: // ASCII has the pairs two apart
			t.open = t.open[:len(t.open)-1]
			t.at++
			t.ended()
			return token{kind: c}, nil
		case c == '"' && t.may&mayKey != 0:
			t.may = mayColon
			return t.string()
		case t.may&mayValue != 0:
			t.ended()
			return t.value(c)
		default:
			return token{}, t.syntax()
		}
	}
}

// peek skips space and gives the byte behind it.
func (t *tokens) peek() (c byte, ok bool) {
	for ; t.at < len(t.text); t.at++ {
		switch c := t.text[t.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c, true
		}
	}
	return 0, false
}

// more says whether another key or value is in the brackets, if it is JSON at all.
func (t *tokens) more() bool {
	c, ok := t.peek()
	return ok && c != '}' && c != ']'
}

// after is what may come after a comma or a colon.
func (t *tokens) after(c byte) may {
	if c == ',' && t.open[len(t.open)-1] == '{' {
		return mayKey
	}
	return mayValue
}

// ended is after a value.
func (t *tokens) ended() {
	t.may = 0
	if len(t.open) > 0 {
		t.may = mayComma | mayEnd
	}
}

func (t *tokens) value(c byte) (token, error) {
	switch c {
	case '"':
		return t.string()
	case 't':
		return t.word("true")
	case 'f':
		return t.word("false")
	case 'n':
		return t.word("null")
	}
	return t.number()
}

// syntax is of the value that begins here, or of the byte.
func (t *tokens) syntax() error { return invalid("it is not JSON, at byte %d", t.at) }

func errCutOff() error { return invalid("the JSON is cut off") }

func (t *tokens) word(word string) (token, error) {
	rest := t.text[t.at:]
	for i := range len(word) {
		if i == len(rest) {
			return token{}, errCutOff()
		}
		if rest[i] != word[i] {
			return token{}, t.syntax()
		}
	}
	t.at += len(word)
	return token{kind: word[0]}, nil
}

// number reads -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?, as much as there is of it.
func (t *tokens) number() (token, error) {
	n := t.at
	isNext := func(chars string) bool { return n < len(t.text) && strings.IndexByte(chars, t.text[n]) >= 0 }
	digits := func() bool {
		first := n
		for isNext("0123456789") {
			n++
		}
		return n > first
	}
	if isNext("-") {
		n++
	}
	ok := true
	if isNext("0") {
		n++
	} else {
		ok = digits()
	}
	if ok && isNext(".") {
		n++
		ok = digits()
	}
	if ok && isNext("eE") {
		n++
		if isNext("+-") {
			n++
		}
		ok = digits()
	}
	switch {
	case ok:
		number := t.text[t.at:n]
		t.at = n
		return token{'0', number}, nil
	case n == len(t.text):
		return token{}, errCutOff()
	}
	return token{}, t.syntax()
}

// string reads a key or a string.
func (t *tokens) string() (token, error) {
	rest := t.text[t.at+1:]
	if n := bytes.IndexByte(rest, '"'); n >= 0 && plain(rest[:n]) {
		return t.unquote(n, false)
	}
	escapes, escape, digits := false, false, 0
	for n, c := range rest {
		switch {
		case digits > 0:
			if !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)) {
				return token{}, t.syntax()
			}
			digits--
		case escape:
			if !strings.ContainsRune(`"\/bfnrtu`, rune(c)) {
				return token{}, t.syntax()
			}
			escape = false
			if c == 'u' {
				digits = 4
			}
		case c == '"':
			return t.unquote(n, escapes)
		case c == '\\':
			escapes, escape = true, true
		case c < ' ':
			return token{}, t.syntax()
		}
	}
	return token{}, errCutOff()
}

// unquote ends a string with n bytes between its quotes.
func (t *tokens) unquote(n int, escapes bool) (token, error) {
	quoted := t.text[t.at : t.at+n+2]
	text := quoted[1 : n+1]
	if escapes {
		var plain string
		if json.Unmarshal(quoted, &plain) != nil {
			return token{}, t.syntax()
		}
		text = []byte(plain)
	}
	t.at += len(quoted)
	return token{'"', text}, nil
}
