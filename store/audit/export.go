package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"keyward/fault"
)

// signatureField begins the last field of an exported record. Inside a JSON string it would be spelt otherwise.
const signatureField = `,"sig":"`

// MaxExport bounds an exported record, in bytes.
const MaxExport = MaxLine + 128

// Export is the record as one line of JSON, without a newline: the line that was signed, with its signature in
// standard base64 as one more field, sig.
func (r Record) Export() []byte {
	text := append(slices.Clone(bytes.TrimSuffix(r.Line, []byte("}"))), signatureField...)
	return append(base64.StdEncoding.AppendEncode(text, r.Signature[:]), `"}`...)
}

// ParseExport reads what Export wrote. Whether the record holds is for a Chain to say. Errors are fault.InvalidFile.
func ParseExport(text []byte) (Record, error) {
	var signature string
	i := bytes.LastIndex(text, []byte(signatureField))
	if i >= 0 {
		signature = string(text[i+len(signatureField):])
	}
	signature, closed := strings.CutSuffix(signature, `"}`)
	if !closed {
		return Record{}, notExported(errors.New("it does not end with a signature"))
	}
	return NewRecord(append(slices.Clone(text[:i]), '}'), signature)
}

// NewRecord is a record of its two parts, the signature in standard base64.
func NewRecord(line []byte, signature string) (Record, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(signature)
	if err != nil || len(b) != ed25519.SignatureSize || len(line) > MaxLine {
		return Record{}, notExported(errors.New("its signature is none"))
	}
	return Record{line, [ed25519.SignatureSize]byte(b)}, nil
}

func notExported(err error) error {
	return fault.New(fault.InvalidFile, "take the lines that `keyward audit list --json` printed", "not an audit record: %w", err)
}
