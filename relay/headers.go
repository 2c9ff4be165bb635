package relay

import (
	"compress/gzip"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"unicode/utf8"

	"keyward/relay/message"
)

// oneHop are the headers that are not for the other end (RFC 9110, section 7.6.1), and those that the body stands for.
var oneHop = []string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade", "Expect", "Content-Length", "Content-Type", "Content-Encoding",
}

// passed are the headers that go on to the other end: not those of one hop, nor what is none in HTTP.
func passed(fields []message.Field) []message.Field {
	dropped := slices.Clone(oneHop)
	for _, f := range fields {
		if strings.EqualFold(f.Name, "Connection") {
			for name := range strings.SplitSeq(f.Value, ",") {
				dropped = append(dropped, textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)))
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(fields), func(f message.Field) bool {
		return !isToken(f.Name) || !isValue(f.Value) || slices.Contains(dropped, textproto.CanonicalMIMEHeaderKey(f.Name))
	})
}

// fieldsOf are the headers that go on, by name, and those of one name in their order.
func fieldsOf(h http.Header) []message.Field {
	var fields []message.Field
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			fields = append(fields, message.Field{Name: name, Value: inUTF8(value)})
		}
	}
	return passed(fields)
}

// headerOf is fieldsOf the other way round.
func headerOf(fields []message.Field) http.Header {
	h := http.Header{}
	for _, f := range passed(fields) {
		h.Add(f.Name, f.Value)
	}
	return h
}

// inUTF8 takes a header's value that is no UTF-8 for ISO-8859-1, which it once was (RFC 9110, section 5.5).
func inUTF8(value string) string {
	if utf8.ValidString(value) {
		return value
	}
	runes := make([]rune, len(value))
	for i := range len(value) {
		runes[i] = rune(value[i])
	}
	return string(runes)
}

// isToken says whether a header may have the name (RFC 9110, section 5.6.2).
func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

// isValue says whether a header may have the value (RFC 9110, section 5.5).
func isValue(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// contentType is the Content-Type of a body that came. What came as text is UTF-8 now, whatever it was.
func contentType(b message.Body) string {
	whole := b.MediaType()
	if b.Format == message.JSON || b.Format == message.OctetStream {
		return whole
	}
	name, params, err := mime.ParseMediaType(whole)
	if err != nil || !strings.HasPrefix(name, "text/") {
		return whole
	}
	params["charset"] = "utf-8"
	return mime.FormatMediaType(name, params)
}

var errEncoding = errors.New("it has a Content-Encoding other than gzip")

// readBody reads what an HTTP message carries, without its Content-Encoding. The error is ErrTooLarge for more bytes than
// limit, coded or not, and errEncoding.
func readBody(h http.Header, body io.Reader, limit int64) ([]byte, error) {
	coded := &io.LimitedReader{R: body, N: limit + 1}
	plain, err := decoded(h, coded)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(plain, limit+1))
	if coded.N <= 0 || int64(len(data)) > limit {
		return nil, tooLarge(limit)
	}
	return data, err
}

func decoded(h http.Header, coded *io.LimitedReader) (io.Reader, error) {
	switch strings.ToLower(strings.TrimSpace(strings.Join(h.Values("Content-Encoding"), ","))) {
	case "", "identity":
		return coded, nil
	case "gzip", "x-gzip":
		plain, err := gzip.NewReader(coded)
		if errors.Is(err, io.EOF) {
			return coded, nil // there is no body at all
		}
		return plain, err
	}
	return nil, errEncoding
}
