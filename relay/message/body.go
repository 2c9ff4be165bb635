package message

import "unicode/utf8"

// NewBody is what a message carries for an HTTP body of this Content-Type: JSON as a value, text in UTF-8 as text, and all
// else as an octet stream. It is empty where data is, and an error where data should be JSON and is not.
func NewBody(contentType string, data []byte) (Body, error) {
	if len(data) == 0 {
		return Body{}, nil
	}
	switch mediaType(contentType) {
	case JSON:
		return jsonBody(contentType, data)
	case "", OctetStream:
		return octets(contentType, data), nil
	}
	if !utf8.Valid(data) {
		return octets(contentType, data), nil
	}
	return Body{Format: contentType, Bytes: data}, nil
}

func octets(contentType string, data []byte) Body {
	return Body{Format: OctetStream, ContentType: unless(contentType, OctetStream), Bytes: data}
}

// MediaType is the Content-Type of the body in HTTP; "" where there is no body.
func (b Body) MediaType() string {
	if b.ContentType != "" {
		return b.ContentType
	}
	return b.Format
}
