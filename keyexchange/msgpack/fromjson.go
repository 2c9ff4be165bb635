package msgpack

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tinylib/msgp/msgp"

	"keyward/internal/fault"
)

// FromJSON appends to dst the message of a JSON object of at most maxSize bytes (DefaultMaxSize where it is 0): one
// MessagePack map, its keys in the object's order, every number and length as short as it can be. An integer of more than 64
// bits and a float beyond their range are refused. An escape of half a character (\ud800) is U+FFFD, as encoding/json reads it.
// The error's kind is fault.InvalidFile, and dst is then what it was.
func FromJSON(dst, object []byte, maxSize int) ([]byte, error) {
	if maxSize = cmp.Or(maxSize, DefaultMaxSize); len(object) > maxSize {
		return dst, invalid("an object of %d bytes is larger than %d", len(object), maxSize)
	}
	if !utf8.Valid(object) {
		return dst, invalid("it is not UTF-8")
	}
	p := parser{in: json.NewDecoder(bytes.NewReader(object)), dst: dst, values: maxValues}
	p.in.UseNumber()
	if err := p.message(); err != nil {
		return dst, err
	}
	return p.dst, nil
}

// parser writes values as it reads them.
type parser struct {
	in     *json.Decoder
	dst    []byte
	values budget
}

func (p *parser) message() error {
	token, err := p.token()
	if err != nil {
		return err
	}
	if token != json.Delim('{') {
		return invalid("it is no JSON object")
	}
	start := len(p.dst)
	if err := p.object(1); err != nil {
		return err
	}
	if t := msgp.NextType(p.dst[start:]); t != msgp.MapType {
		return invalid("it stands for a single value and no map")
	}
	if _, err := p.in.Token(); err != io.EOF {
		return invalid("more follows the JSON object")
	}
	return nil
}

// token reads the next token. Its error quotes nothing of the text.
func (p *parser) token() (json.Token, error) {
	token, err := p.in.Token()
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return nil, invalid("it is not JSON, at byte %d", p.in.InputOffset())
	}
	if err != nil {
		return nil, invalid("the JSON is cut off")
	}
	return token, nil
}

func (p *parser) value(depth int) error {
	token, err := p.token()
	if err != nil {
		return err
	}
	return p.valueOf(token, depth)
}

func (p *parser) valueOf(token json.Token, depth int) error {
	if err := p.values.take(depth - 1); err != nil {
		return err
	}
	switch v := token.(type) {
	case json.Delim:
		if v == '{' {
			return p.object(depth)
		}
		return p.array(depth)
	case json.Number:
		return p.number(v.String())
	case string:
		p.dst = msgp.AppendString(p.dst, v)
	case bool:
		p.dst = msgp.AppendBool(p.dst, v)
	case nil:
		p.dst = msgp.AppendNil(p.dst)
	}
	return nil
}

func (p *parser) number(text string) error {
	if strings.ContainsAny(text, ".eE") {
		f, err := strconv.ParseFloat(text, 64)
		p.dst = msgp.AppendFloat64(p.dst, f)
		return numberError(err)
	}
	if strings.HasPrefix(text, "-") {
		i, err := strconv.ParseInt(text, 10, 64)
		p.dst = msgp.AppendInt64(p.dst, i)
		return numberError(err)
	}
	u, err := strconv.ParseUint(text, 10, 64)
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
	for ; p.in.More(); n++ {
		if err := p.value(depth + 1); err != nil {
			return err
		}
	}
	p.close(start, msgp.AppendArrayHeader(nil, uint32(n)))
	return p.end()
}

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
	token, err := p.token()
	if err != nil {
		return err
	}
	if token != json.Delim('}') && token != json.Delim(']') {
		return invalid("a form has one key")
	}
	return nil
}

func (p *parser) object(depth int) error {
	start := p.open()
	n := 0
	var seen keySet
	for ; p.in.More(); n++ {
		token, err := p.token()
		if err != nil {
			return err
		}
		key := token.(string) // the decoder takes nothing else for a key
		if n == 0 && isForm(key) {
			p.dst = p.dst[:start]
			return p.form(key, depth)
		}
		if err := p.values.take(depth); err != nil {
			return err
		}
		if !seen.add([]byte(key)) {
			return invalid("an object has a key twice")
		}
		p.dst = msgp.AppendString(p.dst, key)
		if err := p.value(depth + 1); err != nil {
			return err
		}
	}
	p.close(start, msgp.AppendMapHeader(nil, uint32(n)))
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
	data, err := base64.StdEncoding.DecodeString(text)
	if key == binForm {
		p.dst = msgp.AppendBytes(p.dst, data)
	} else {
		p.dst = msgp.AppendStringFromBytes(p.dst, data)
	}
	return malformed(key, err)
}

func (p *parser) text(key string) (string, error) {
	token, err := p.token()
	if err != nil {
		return "", err
	}
	text, ok := token.(string)
	if !ok {
		return "", malformed(key, errors.ErrUnsupported)
	}
	return text, nil
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
	token, err := p.token()
	if err != nil {
		return err
	}
	number, _ := token.(json.Number)
	kind, err := strconv.ParseInt(number.String(), 10, 8)
	if err != nil {
		return malformed(extForm, err)
	}
	text, err := p.text(extForm)
	if err != nil {
		return err
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return malformed(extForm, err)
	}
	p.dst, err = msgp.AppendExtension(p.dst, &msgp.RawExtension{Type: int8(kind), Data: data})
	if err != nil {
		return malformed(extForm, err)
	}
	return p.bracket(']', extForm)
}

// bracket reads this one bracket, of the form's value.
func (p *parser) bracket(want json.Delim, form string) error {
	token, err := p.token()
	if err != nil {
		return err
	}
	if token != want {
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
	for ; p.in.More(); n++ {
		if err := p.pair(depth, &seen); err != nil {
			return err
		}
	}
	p.close(start, msgp.AppendMapHeader(nil, uint32(n)))
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
