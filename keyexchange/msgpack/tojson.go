package msgpack

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/tinylib/msgp/msgp"
)

// ToJSON appends to dst the JSON object, on one line, of a message that is one MessagePack map of at most maxSize bytes
// (DefaultMaxSize where it is 0). Control characters are escaped. The error's kind is fault.InvalidFile, and dst is then what
// it was. It needs no memory but dst for a message whose maps have at most 16 keys.
func ToJSON(dst, message []byte, maxSize int) ([]byte, error) {
	if maxSize = cmp.Or(maxSize, DefaultMaxSize); len(message) > maxSize {
		return dst, invalid("a message of %d bytes is larger than %d", len(message), maxSize)
	}
	s := scanner{rest: message, values: maxValues}
	if err := s.message(); err != nil {
		return dst, err
	}
	w := writer{dst: slices.Grow(dst, s.size), rest: message, pairs: s.pairs}
	w.value()
	return w.dst, nil
}

// writer writes a message that was scanned, so nothing of it is wrong.
type writer struct {
	dst, rest []byte
	maps      int   // that began
	pairs     []int // as the scanner's, of the maps that are still to come
}

func (w *writer) value() {
	switch msgp.NextType(w.rest) {
	case msgp.StrType:
		var text []byte
		text, w.rest, _ = msgp.ReadStringZC(w.rest)
		w.text(text)
	case msgp.MapType:
		w.mapping()
	case msgp.ArrayType:
		w.array()
	case msgp.BinType:
		var data []byte
		data, w.rest, _ = msgp.ReadBytesZC(w.rest)
		w.form(binForm, data)
	case msgp.ExtensionType, msgp.TimeType, msgp.Complex64Type, msgp.Complex128Type:
		w.extension()
	default:
		w.scalar()
	}
}

func (w *writer) scalar() {
	switch msgp.NextType(w.rest) {
	case msgp.NilType:
		w.rest, _ = msgp.ReadNilBytes(w.rest)
		w.add("null")
	case msgp.BoolType:
		var b bool
		b, w.rest, _ = msgp.ReadBoolBytes(w.rest)
		w.dst = strconv.AppendBool(w.dst, b)
	case msgp.IntType:
		var i int64
		i, w.rest, _ = msgp.ReadInt64Bytes(w.rest)
		w.dst = strconv.AppendInt(w.dst, i, 10)
	case msgp.UintType:
		var u uint64
		u, w.rest, _ = msgp.ReadUint64Bytes(w.rest)
		w.dst = strconv.AppendUint(w.dst, u, 10)
	case msgp.Float32Type:
		var f float32
		f, w.rest, _ = msgp.ReadFloat32Bytes(w.rest)
		w.float(float64(f))
	case msgp.Float64Type:
		var f float64
		f, w.rest, _ = msgp.ReadFloat64Bytes(w.rest)
		w.float(f)
	}
}

func (w *writer) add(text string) { w.dst = append(w.dst, text...) }

func (w *writer) array() {
	var n uint32
	n, w.rest, _ = msgp.ReadArrayHeaderBytes(w.rest)
	w.add("[")
	for i := range n {
		w.comma(i)
		w.value()
	}
	w.add("]")
}

func (w *writer) comma(i uint32) {
	if i > 0 {
		w.add(",")
	}
}

func (w *writer) mapping() {
	var n uint32
	n, w.rest, _ = msgp.ReadMapHeaderBytes(w.rest)
	number := w.maps
	w.maps++
	if len(w.pairs) > 0 && w.pairs[0] == number {
		w.pairs = w.pairs[1:]
		w.asPairs(n)
		return
	}
	w.add("{")
	for i := range n {
		w.comma(i)
		w.value()
		w.add(":")
		w.value()
	}
	w.add("}")
}

func (w *writer) asPairs(n uint32) {
	w.add(`{"` + mapForm + `":[`)
	for i := range n {
		w.comma(i)
		w.add("[")
		w.value()
		w.add(",")
		w.value()
		w.add("]")
	}
	w.add("]}")
}

// form writes bytes as base64 under the name of a form.
func (w *writer) form(name string, data []byte) {
	w.add(`{"`)
	w.add(name)
	w.add(`":"`)
	w.dst = base64.StdEncoding.AppendEncode(w.dst, data)
	w.add(`"}`)
}

func base64Size(data []byte) int { return base64.StdEncoding.EncodedLen(len(data)) }

func (w *writer) float(f float64) {
	switch {
	case math.IsNaN(f):
		w.add(`{"$float":"NaN"}`)
		return
	case math.IsInf(f, 0):
		w.add(`{"$float":"`)
		if f < 0 {
			w.add("-")
		}
		w.add(`Infinity"}`)
		return
	}
	if a := math.Abs(f); a != 0 && a < 1e-6 || a >= 1e21 { // as ECMAScript and encoding/json write it
		w.dst = strconv.AppendFloat(w.dst, f, 'e', -1, 64)
		return
	}
	start := len(w.dst)
	w.dst = strconv.AppendFloat(w.dst, f, 'f', -1, 64)
	if !slices.Contains(w.dst[start:], '.') {
		w.add(".0")
	}
}

// timestamp is the type of the one extension that MessagePack defines.
const timestamp = -1

func (w *writer) extension() {
	kind, data, rest, _ := extension(w.rest)
	w.rest = rest
	if at, ok := readTime(data); ok && kind == timestamp {
		w.add(`{"$time":"`)
		w.dst = at.AppendFormat(w.dst, time.RFC3339Nano)
		w.add(`"}`)
		return
	}
	w.add(`{"$ext":[`)
	w.dst = strconv.AppendInt(w.dst, int64(kind), 10)
	w.add(`,"`)
	w.dst = base64.StdEncoding.AppendEncode(w.dst, data)
	w.add(`"]}`)
}

// readTime reads the three forms of a timestamp. Not ok is what RFC 3339 cannot say: a year of more than four digits.
func readTime(data []byte) (at time.Time, ok bool) {
	var seconds int64
	var nanos uint32
	switch len(data) {
	case 4:
		seconds = int64(binary.BigEndian.Uint32(data))
	case 8:
		both := binary.BigEndian.Uint64(data)
		seconds, nanos = int64(both&(1<<34-1)), uint32(both>>34)
	case 12:
		nanos, seconds = binary.BigEndian.Uint32(data), int64(binary.BigEndian.Uint64(data[4:]))
	default:
		return at, false
	}
	if nanos > 999_999_999 || seconds < firstSecond || seconds > lastSecond {
		return at, false
	}
	return time.Unix(seconds, int64(nanos)).UTC(), true
}

// The unix times of 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z.
const (
	firstSecond = -62167219200
	lastSecond  = 253402300799
)

// plain says whether text stands in JSON as it is, between quotes: ASCII without control characters, quotes and backslashes.
// It looks at eight bytes at a time.
func plain(text []byte) bool {
	for len(text) >= 8 {
		x := binary.LittleEndian.Uint64(text)
		if (x|(x-0x20*ones)|zeros(x^'"'*ones)|zeros(x^'\\'*ones)|zeros(x^0x7f*ones))&(0x80*ones) != 0 {
			return false
		}
		text = text[8:]
	}
	for _, b := range text {
		if b < ' ' || b > '~' || b == '"' || b == '\\' {
			return false
		}
	}
	return true
}

const ones = 0x0101010101010101 // 1 in each byte

// zeros has the top bit set in the first byte that is zero. Bytes behind it may have it too.
func zeros(x uint64) uint64 { return (x - ones) &^ x }

func (w *writer) text(text []byte) {
	if plain(text) {
		w.dst = append(w.dst, '"')
		w.dst = append(w.dst, text...)
		w.dst = append(w.dst, '"')
		return
	}
	if !utf8.Valid(text) {
		w.form(strForm, text)
		return
	}
	w.add(`"`)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		w.rune(r)
		text = text[size:]
	}
	w.add(`"`)
}

// rune writes one character of a string, escaped where it could harm a terminal or a reader of lines.
func (w *writer) rune(r rune) {
	switch {
	case r == '"' || r == '\\':
		w.dst = append(w.dst, '\\', byte(r))
	case r == '\n':
		w.add(`\n`)
	case r == '\r':
		w.add(`\r`)
	case r == '\t':
		w.add(`\t`)
	case r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029':
		const digits = "0123456789abcdef"
		w.dst = append(w.dst, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
	default:
		w.dst = utf8.AppendRune(w.dst, r)
	}
}
