package msgpack

import (
	"slices"
	"unicode/utf8"

	"github.com/tinylib/msgp/msgp"
)

// scanner walks a message once before it is written as JSON: so a message that is not whole, or too deep, builds nothing.
type scanner struct {
	rest   []byte
	values budget
	size   int // of the JSON, at most

	maps  int   // that began
	pairs []int // the numbers of those maps, from 0, that are written as pairs
}

// message scans one map, and nothing may follow it.
func (s *scanner) message() error {
	if len(s.rest) == 0 {
		return invalid("it is empty")
	}
	if msgp.NextType(s.rest) != msgp.MapType {
		return invalid("it begins with 0x%02x", s.rest[0])
	}
	if err := s.value(1); err != nil {
		return err
	}
	if len(s.rest) > 0 {
		return invalid("%d bytes follow the message", len(s.rest))
	}
	slices.Sort(s.pairs)
	return nil
}

func (s *scanner) value(depth int) error {
	if err := s.values.take(depth - 1); err != nil {
		return err
	}
	var err error
	switch t := msgp.NextType(s.rest); t {
	case msgp.StrType:
		_, err = s.text()
		return err
	case msgp.MapType:
		return s.mapping(depth)
	case msgp.ArrayType:
		return s.array(depth)
	case msgp.BinType:
		return s.bytes()
	case msgp.ExtensionType, msgp.TimeType, msgp.Complex64Type, msgp.Complex128Type: // only the first is of MessagePack
		return s.extension()
	case msgp.NilType:
		s.size += len("null")
		s.rest, err = msgp.ReadNilBytes(s.rest)
	case msgp.BoolType:
		s.size += len("false")
		_, s.rest, err = msgp.ReadBoolBytes(s.rest)
	case msgp.IntType:
		s.size += len("-9223372036854775808")
		_, s.rest, err = msgp.ReadInt64Bytes(s.rest)
	case msgp.UintType:
		s.size += len("18446744073709551615")
		_, s.rest, err = msgp.ReadUint64Bytes(s.rest)
	case msgp.Float32Type:
		s.size += maxFloat
		_, s.rest, err = msgp.ReadFloat32Bytes(s.rest)
	case msgp.Float64Type:
		s.size += maxFloat
		_, s.rest, err = msgp.ReadFloat64Bytes(s.rest)
	default:
		if len(s.rest) > 0 {
			return invalid("%#x begins no value", s.rest[0])
		}
		return errCut()
	}
	if err != nil {
		return errCut()
	}
	return nil
}

// maxFloat is the longest float in JSON: 24 bytes, or a form.
const maxFloat = len(`{"$float":"-Infinity"}`)

func errCut() error { return invalid("it is cut off") }

// text scans a string and gives its bytes.
func (s *scanner) text() ([]byte, error) {
	text, rest, err := msgp.ReadStringZC(s.rest)
	if err != nil {
		return nil, errCut()
	}
	s.rest = rest
	s.size += len(`{"$str":""}`) + len(text)
	if !plain(text) {
		s.size += 5 * len(text) // every byte as \u0000
	}
	return text, nil
}

func (s *scanner) bytes() error {
	data, rest, err := msgp.ReadBytesZC(s.rest)
	if err != nil {
		return errCut()
	}
	s.rest = rest
	s.size += len(`{"$bin":""}`) + base64Size(data)
	return nil
}

func (s *scanner) extension() error {
	_, data, rest, ok := extension(s.rest)
	if !ok {
		return errCut()
	}
	s.rest = rest
	s.size += max(len(`{"$ext":[-128,""]}`)+base64Size(data), len(`{"$time":"2006-01-02T15:04:05.999999999Z"}`))
	return nil
}

func (s *scanner) array(depth int) error {
	n, rest, err := msgp.ReadArrayHeaderBytes(s.rest)
	if err != nil || int(n) > len(rest) {
		return errCut()
	}
	s.rest = rest
	s.size += len("[]") + int(n)
	for range n {
		if err := s.value(depth + 1); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) mapping(depth int) error {
	n, rest, err := msgp.ReadMapHeaderBytes(s.rest)
	if err != nil || int(n) > len(rest)/2 {
		return errCut()
	}
	s.rest = rest
	s.size += len(`{"$map":[]}`) + int(n)*len("[,],")
	number := s.maps
	s.maps++
	var seen keySet
	pairs := false
	for i := range n {
		odd, err := s.key(depth+1, &seen, i == 0)
		if err != nil {
			return err
		}
		pairs = pairs || odd
		if err := s.value(depth + 1); err != nil {
			return err
		}
	}
	if pairs {
		s.pairs = append(s.pairs, number)
	}
	return nil
}

// key scans a key and says whether its map has to be written as pairs.
func (s *scanner) key(depth int, seen *keySet, first bool) (odd bool, err error) {
	if msgp.NextType(s.rest) != msgp.StrType {
		return true, s.value(depth)
	}
	if err := s.values.take(depth - 1); err != nil {
		return false, err
	}
	text, err := s.text()
	if err != nil {
		return false, err
	}
	if !seen.add(text) {
		return false, invalid("a map has a key twice")
	}
	return first && isForm(text) || !utf8.Valid(text), nil
}

// extension takes an extension apart.
func extension(b []byte) (kind int8, data, rest []byte, ok bool) {
	var head, n int
	switch lead := b[0]; {
	case lead >= 0xd4 && lead <= 0xd8: // fixext 1, 2, 4, 8, 16
		head, n = 2, 1<<(lead-0xd4)
	case lead == 0xc7 && len(b) > 1: // ext 8
		head, n = 3, int(b[1])
	case lead == 0xc8 && len(b) > 2: // ext 16
		head, n = 4, int(b[1])<<8|int(b[2])
	case lead == 0xc9 && len(b) > 4: // ext 32
		head, n = 6, int(b[1])<<24|int(b[2])<<16|int(b[3])<<8|int(b[4])
	default:
		return 0, nil, nil, false
	}
	if len(b) < head || len(b)-head < n {
		return 0, nil, nil, false
	}
	return int8(b[head-1]), b[head : head+n], b[head+n:], true
}
