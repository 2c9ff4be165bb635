package msgpack

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/tinylib/msgp/msgp"

	"keyward/fault"
)

// FromJSON appends to dst the message of a JSON object of at most maxSize bytes (DefaultMaxSize where it is 0): one
// MessagePack map, its keys in the object's order, every number and length as short as it can be. An integer of more than 64
// bits and a float beyond their range are refused. An escape of half a character (\ud800) is U+FFFD, as encoding/json reads it.
// The two may not share memory. The error's kind is fault.InvalidFile, and dst is then what it was.
func FromJSON(dst, object []byte, maxSize int) ([]byte, error) {
	if maxSize = cmp.Or(maxSize, DefaultMaxSize); len(object) > maxSize {
		return dst, invalid("an object of %d bytes is larger than %d", len(object), maxSize)
	}
	if !utf8.Valid(object) {
		return dst, invalid("it is not UTF-8")
	}
	p := parser{in: tokens{text: object, may: mayValue}, dst: dst, values: maxValues}
	if err := p.message(); err != nil {
		return dst, err
	}
	return p.dst, nil
}

// parser writes values as it reads them.
type parser struct {
	in     tokens
	dst    []byte
	values budget
}

func (p *parser) message() error {
	token, err := p.in.next()
	if err != nil {
		return err
	}
	if token.kind != '{' {
		return invalid("it is no JSON object")
	}
	start := len(p.dst)
	if err := p.object(1); err != nil {
		return err
	}
	if t := msgp.NextType(p.dst[start:]); t != msgp.MapType {
		return invalid("it stands for a single value and no map")
	}
	if _, more := p.in.peek(); more {
		return invalid("more follows the JSON object")
	}
	return nil
}

func (p *parser) value(depth int) error {
	token, err := p.in.next()
	if err != nil {
		return err
	}
	return p.valueOf(token, depth)
}

func (p *parser) valueOf(t token, depth int) error {
	if err := p.values.take(depth - 1); err != nil {
		return err
	}
	switch t.kind {
	case '{':
		return p.object(depth)
	case '[':
		return p.array(depth)
	case '0':
		return p.number(t.text)
	case '"':
		p.dst = msgp.AppendStringFromBytes(p.dst, t.text)
	case 't', 'f':
		p.dst = msgp.AppendBool(p.dst, t.kind == 't')
	case 'n':
		p.dst = msgp.AppendNil(p.dst)
	}
	return nil
}

func (p *parser) number(text []byte) error {
	if bytes.ContainsAny(text, ".eE") {
		f, err := strconv.ParseFloat(string(text), 64)
		p.dst = msgp.AppendFloat64(p.dst, f)
		return numberError(err)
	}
	if text[0] == '-' {
		i, err := strconv.ParseInt(string(text), 10, 64)
		p.dst = msgp.AppendInt64(p.dst, i)
		return numberError(err)
	}
	u, err := strconv.ParseUint(string(text), 10, 64)
	p.dst = msgp.AppendUint64(p.dst, u)
	return numberError(err)
}

func numberError(err error) error {
	if err == nil {
		return nil
	}
	return fault.New(fault.InvalidFile, "write a number that large as a string", "a number does not fit 64 bits")
}

func (p *parser) array(depth int) error {
	start, n := p.open(), 0
	for ; p.in.more(); n++ {
		if err := p.value(depth + 1); err != nil {
			return err
		}
	}
	p.close(start, msgp.AppendArrayHeader(make([]byte, 0, headerSize), uint32(n)))
	return p.end()
}

const headerSize = 5 // of a map or an array, at most

// open leaves the place of a header whose count is not known yet, and close puts it there.
func (p *parser) open() (start int) {
	p.dst = append(p.dst, 0)
	return len(p.dst) - 1
}

func (p *parser) close(start int, header []byte) {
	p.dst = slices.Replace(p.dst, start, start+1, header...)
}

// end reads the bracket that closes an object or an array, when there is no more in it.
func (p *parser) end() error {
	token, err := p.in.next()
	if err != nil {
		return err
	}
	if token.kind != '}' && token.kind != ']' {
		return invalid("a form has one key")
	}
	return nil
}

func (p *parser) object(depth int) error {
	start := p.open()
	n := 0
	var seen keySet
	for ; p.in.more(); n++ {
		token, err := p.in.next()
		if err != nil {
			return err
		}
		key := token.text
		if n == 0 && isForm(key) {
			p.dst = p.dst[:start]
			return p.form(string(key), depth)
		}
		if err := p.values.take(depth); err != nil {
			return err
		}
		if !seen.add(key) {
			return invalid("an object has a key twice")
		}
		p.dst = msgp.AppendStringFromBytes(p.dst, key)
		if err := p.value(depth + 1); err != nil {
			return err
		}
	}
	p.close(start, msgp.AppendMapHeader(make([]byte, 0, headerSize), uint32(n)))
	return p.end()
}

// form writes what an object of one key stands for, up to its end.
func (p *parser) form(key string, depth int) error {
	var err error
	switch key {
	case mapForm:
		err = p.pairs(depth)
	case extForm:
		err = p.extension()
	default:
		err = p.textForm(key)
	}
	if err != nil {
		return err
	}
	return p.end()
}

// textForm is a form whose value is a string.
func (p *parser) textForm(key string) error {
	text, err := p.text(key)
	if err != nil {
		return err
	}
	switch key {
	case floatForm:
		return p.float(text)
	case timeForm:
		at, err := time.Parse(time.RFC3339Nano, text)
		p.dst = msgp.AppendTimeExt(p.dst, at)
		return malformed(key, err)
	}
	data, err := unBase64(key, text)
	if key == binForm {
		p.dst = msgp.AppendBytes(p.dst, data)
	} else {
		p.dst = msgp.AppendStringFromBytes(p.dst, data)
	}
	return err
}

func unBase64(key, text string) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fault.New(fault.InvalidFile, "write the bytes in base64, with its padding", "the value of %s is not in base64", key)
	}
	return data, nil
}

func (p *parser) text(key string) (string, error) {
	token, err := p.in.next()
	if err != nil {
		return "", err
	}
	if token.kind != '"' {
		return "", malformed(key, errors.ErrUnsupported)
	}
	return string(token.text), nil
}

func malformed(key string, err error) error {
	if err == nil {
		return nil
	}
	return fault.New(fault.InvalidFile, "write an object that begins with "+key+" as the documentation of its form has it", "the value of %s is not what it should be", key)
}

func (p *parser) float(text string) error {
	var f float64
	switch text {
	case "NaN":
		f = math.NaN()
	case "Infinity":
		f = math.Inf(1)
	case "-Infinity":
		f = math.Inf(-1)
	default:
		return malformed(floatForm, errors.ErrUnsupported)
	}
	p.dst = msgp.AppendFloat64(p.dst, f)
	return nil
}

func (p *parser) extension() error {
	if err := p.bracket('[', extForm); err != nil {
		return err
	}
	token, err := p.in.next()
	if err != nil {
		return err
	}
	if token.kind != '0' {
		return malformed(extForm, errors.ErrUnsupported)
	}
	kind, err := strconv.ParseInt(string(token.text), 10, 8)
	if err != nil {
		return malformed(extForm, err)
	}
	text, err := p.text(extForm)
	if err != nil {
		return err
	}
	data, err := unBase64(extForm, text)
	if err != nil {
		return err
	}
	p.dst, err = msgp.AppendExtension(p.dst, &msgp.RawExtension{Type: int8(kind), Data: data})
	if err != nil {
		return malformed(extForm, err)
	}
	return p.bracket(']', extForm)
}

// bracket reads this one bracket, of the form's value.
func (p *parser) bracket(want byte, form string) error {
	token, err := p.in.next()
	if err != nil {
		return err
	}
	if token.kind != want {
		return malformed(form, errors.ErrUnsupported)
	}
	return nil
}

// pairs writes a map whose keys are any values.
func (p *parser) pairs(depth int) error {
	if err := p.bracket('[', mapForm); err != nil {
		return err
	}
	start, n := p.open(), 0
	var seen keySet
	for ; p.in.more(); n++ {
		if err := p.pair(depth, &seen); err != nil {
			return err
		}
	}
	p.close(start, msgp.AppendMapHeader(make([]byte, 0, headerSize), uint32(n)))
	return p.bracket(']', mapForm)
}

func (p *parser) pair(depth int, seen *keySet) error {
	if err := p.bracket('[', mapForm); err != nil {
		return err
	}
	start := len(p.dst)
	if err := p.value(depth + 1); err != nil {
		return err
	}
	if key, _, err := msgp.ReadStringZC(p.dst[start:]); err == nil && !seen.add(bytes.Clone(key)) {
		return invalid("a map has a key twice")
	}
	if err := p.value(depth + 1); err != nil {
		return err
	}
	return p.bracket(']', mapForm)
}
