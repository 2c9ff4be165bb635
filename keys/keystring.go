package keys

import (
	"encoding/base64"
	"strconv"
	"strings"

	"keyward/fault"
)

const keystringHint = "write LENGTH:BASE64, as `keyward getkey` prints it: 32 and 44 characters of padded standard base64"

// EncodeString writes b as its length, a colon and padded standard base64.
func EncodeString(b []byte) string {
	return strconv.Itoa(len(b)) + ":" + base64.StdEncoding.EncodeToString(b)
}

// DecodeString reads what EncodeString writes, at most limit bytes, and nothing else: of the
// many spellings that base64 allows for the same bytes it takes one. Its errors are of kind
// fault.InvalidFile and never quote s, which may be a secret.
func DecodeString(s string, limit int) ([]byte, error) {
	length, text, ok := strings.Cut(s, ":")
	if !ok {
		return nil, malformed("no length and colon before the base64")
	}
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 || strconv.Itoa(n) != length {
		return nil, malformed("the length before the colon is not a plain decimal number")
	}
	if err := checkBase64(text); err != nil {
		return nil, err
	}
	if len(text) > base64.StdEncoding.EncodedLen(limit) {
		return nil, malformed("longer than %d bytes", limit)
	}
	data, err := decodeBase64(text)
	if err != nil {
		return nil, err
	}
	if len(data) != n {
		return nil, malformed("the length says %d bytes, the base64 holds %d", n, len(data))
	}
	if n > limit {
		return nil, malformed("longer than %d bytes", limit)
	}
	return data, nil
}

// checkBase64 says of a text of any length what base64.Strict, which skips line breaks, does not.
func checkBase64(text string) error {
	if strings.ContainsAny(text, "\r\n") {
		return malformed("a line break inside the base64")
	}
	if strings.ContainsAny(text, "-_") {
		return malformed("base64 of the URL alphabet (- and _ for + and /)")
	}
	if pad := strings.IndexByte(text, '='); pad >= 0 && strings.Trim(text[pad:], "=") != "" {
		return malformed("text after the base64's padding")
	}
	if len(text)%4 != 0 {
		return malformed("the base64 is cut off or not padded")
	}
	return nil
}

func decodeBase64(text string) ([]byte, error) {
	if _, err := base64.StdEncoding.DecodeString(text); err != nil {
		return nil, malformed("not base64")
	}
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, malformed("base64 that is not canonical: the last character has bits beyond the data")
	}
	return data, nil
}

func malformed(format string, args ...any) error {
	return fault.New(fault.InvalidFile, keystringHint, "key string: "+format, args...)
}
