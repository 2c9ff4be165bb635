// Package msgpack turns a MessagePack map into a JSON object and back, as the messages of napalm-logs have it
// (https://github.com/msgpack/msgpack/blob/master/spec.md). It holds hard limits before it builds anything: the size that the
// caller says, a depth of 64, 65,536 values.
//
// Strings, booleans, nil, arrays and maps with string keys are what they are in JSON. Integers stay integers, up to 64 bits
// with or without a sign; what has a point or an exponent in JSON is a float of 64 bits, and a float always has one. What JSON
// has no form for is an object of one key:
//
//	{"$bin":"AAEC"}                      bytes, in base64 (RFC 4648, padded)
//	{"$str":"/w=="}                      a string that is not UTF-8, in base64
//	{"$float":"NaN"}                     also Infinity and -Infinity
//	{"$time":"2026-11-21T21:37:08Z"}     a timestamp (extension -1), RFC 3339 with up to nine digits of a second
//	{"$ext":[5,"AAEC"]}                  any other extension: its type and bytes
//	{"$map":[[1,"one"],["two",2]]}       a map as pairs, where a key is not a UTF-8 string or the first is a name of these six
//
// So nothing is lost but how wide a number or a length was written, and the bits of a NaN. Two equal string keys in one map
// are refused, as napalm-logs' own reader does it.
package msgpack

import "keyward/fault"

// DefaultMaxSize is how many bytes a message may have where a caller does not say: 1 MiB.
const DefaultMaxSize = 1 << 20

const (
	maxDepth  = 64      // maps and arrays around a value
	maxValues = 1 << 16 // of a message, keys counted too
)

// The keys of what JSON has no form for.
const (
	binForm   = "$bin"
	strForm   = "$str"
	floatForm = "$float"
	timeForm  = "$time"
	extForm   = "$ext"
	mapForm   = "$map"
)

// isForm says whether an object that begins with the key is one of the forms.
func isForm[T string | []byte](key T) bool {
	if len(key) == 0 || key[0] != '$' {
		return false
	}
	switch string(key) {
	case binForm, strForm, floatForm, timeForm, extForm, mapForm:
		return true
	}
	return false
}

func invalid(format string, args ...any) error {
	return fault.New(fault.InvalidFile, "", format, args...)
}

// budget is how many values may still come.
type budget int

func (b *budget) take(depth int) error {
	if *b--; *b < 0 {
		return invalid("more than %d values", maxValues)
	}
	if depth > maxDepth {
		return invalid("deeper than %d levels", maxDepth)
	}
	return nil
}

// keySet finds a key that is in a map twice. Small sets need no memory of their own.
type keySet struct {
	count int
	few   [16][]byte
	many  map[string]struct{}
}

// add says whether the key is new.
func (s *keySet) add(key []byte) bool {
	if s.many == nil && s.count < len(s.few) {
		for _, k := range s.few[:s.count] {
			if string(k) == string(key) {
				return false
			}
		}
		s.few[s.count] = key
		s.count++
		return true
	}
	if s.many == nil {
		s.many = make(map[string]struct{}, 2*len(s.few))
		for _, k := range s.few {
			s.many[string(k)] = struct{}{}
		}
	}
	before := len(s.many)
	s.many[string(key)] = struct{}{}
	return len(s.many) > before
}
