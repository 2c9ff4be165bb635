package message

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Each message has its members in the order of the README of the Micronets proxy. The body is put behind them.
type (
	headJSON struct {
		MessageID        int64  `json:"messageId"`
		MessageType      string `json:"messageType"`
		RequiresResponse bool   `json:"requiresResponse"`
		InResponseTo     *int64 `json:"inResponseTo,omitempty"`
	}
	formatJSON struct {
		DataFormat  string `json:"dataFormat,omitempty"`
		ContentType string `json:"contentType,omitempty"`
	}
	helloJSON struct {
		headJSON
		PeerClass string `json:"peerClass,omitempty"`
		PeerID    string `json:"peerId,omitempty"`
	}
	requestJSON struct {
		headJSON
		Method       string      `json:"method"`
		Path         string      `json:"path"`
		QueryStrings []fieldJSON `json:"queryStrings,omitempty"`
		Headers      []fieldJSON `json:"headers,omitempty"`
		formatJSON
	}
	responseJSON struct {
		headJSON
		StatusCode   int         `json:"statusCode"`
		ReasonPhrase string      `json:"reasonPhrase,omitempty"`
		Headers      []fieldJSON `json:"headers,omitempty"`
		formatJSON
	}
	eventJSON struct {
		headJSON
		formatJSON
	}
	fieldJSON struct {
		Name  string  `json:"name"`
		Value string  `json:"value"`
		Val   *string `json:"val,omitempty"`
	}
)

// Marshal writes a message, without a newline behind it. Headers that the body stands for are left out. What is no UTF-8
// in a header or a path is written as U+FFFD. A JSON body is written byte for byte. The error says what of m is missing or
// is not what it says to be.
func (m *Message) Marshal() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("a message of type %q: %w", m.Type, err)
	}
	head := headJSON{m.ID, m.Type, m.RequiresResponse, m.InResponseTo}
	switch {
	case m.Type == TypeHello:
		return encode(helloJSON{head, m.Hello.PeerClass, m.Hello.PeerID}, Body{})
	case m.Type == TypeRequest:
		r := m.Request
		return encode(requestJSON{head, r.Method, r.Path, plain(r.Query), plain(carried(r.Headers)), format(r.Body)}, r.Body)
	case m.Type == TypeResponse:
		r := m.Response
		return encode(responseJSON{head, r.StatusCode, r.Reason, doubled(carried(r.Headers)), format(r.Body)}, r.Body)
	case m.Event != nil:
		return encode(eventJSON{head, format(m.Event.Body)}, m.Event.Body)
	}
	return encode(head, Body{})
}

// check says whether m is what its type says.
func (m *Message) check() error {
	name, event := strings.CutPrefix(m.Type, EventPrefix)
	switch {
	case m.Type == "":
		return errNoType
	case event && name == "":
		return errNoName
	case (m.Type == TypeHello) != (m.Hello != nil), (m.Type == TypeRequest) != (m.Request != nil),
		(m.Type == TypeResponse) != (m.Response != nil), event != (m.Event != nil), event && name != m.Event.Name:
		return errors.New("it holds something else")
	case m.Request != nil && m.Request.Method == "":
		return errNoMethod
	case m.Response != nil && m.InResponseTo == nil:
		return errNoRequest
	case m.Response != nil && !isStatus(m.Response.StatusCode):
		return fmt.Errorf("%d is no status code of HTTP", m.Response.StatusCode)
	}
	return nil
}

// What both ends of a message refuse.
var (
	errNoType    = errors.New("it has no messageType")
	errNoName    = errors.New("the event has no name")
	errNoMethod  = errors.New("the request has no method")
	errNoRequest = errors.New("the response has no inResponseTo")
)

// isStatus says whether net/http would write it.
func isStatus(code int) bool { return code >= 100 && code <= 999 }

// carried are the headers that travel as headers; the body stands for the others.
func carried(all []Field) []Field {
	var list []Field
	for _, f := range all {
		switch strings.ToLower(f.Name) {
		case "content-length", "content-type", "content-encoding":
		default:
			list = append(list, f)
		}
	}
	return list
}

func plain(fields []Field) []fieldJSON {
	list := make([]fieldJSON, len(fields))
	for i, f := range fields {
		list[i] = fieldJSON{Name: f.Name, Value: f.Value}
	}
	return list
}

// doubled has each value twice, for readers of "val" and of "value".
func doubled(fields []Field) []fieldJSON {
	list := plain(fields)
	for i := range list {
		list[i].Val = &list[i].Value
	}
	return list
}

func format(b Body) formatJSON {
	if b.Bytes == nil {
		return formatJSON{ContentType: b.ContentType}
	}
	return formatJSON{b.Format, b.ContentType}
}

// encode writes the members of a message and its body behind them.
func encode(members any, b Body) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString(`{"message":`)
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(members); err != nil {
		return nil, err
	}
	out.Truncate(out.Len() - len("}\n"))
	if b.Bytes != nil {
		out.WriteString(`,"messageBody":`)
		if err := encodeBody(&out, enc, b); err != nil {
			return nil, fmt.Errorf("the body of a message: %w", err)
		}
	}
	out.WriteString("}}")
	return out.Bytes(), nil
}

func encodeBody(out *bytes.Buffer, enc *json.Encoder, b Body) error {
	switch b.Format {
	case JSON:
		if _, err := jsonBody(JSON, b.Bytes); err != nil {
			return err
		}
		out.Write(b.Bytes)
	case OctetStream:
		out.WriteByte('"')
		out.Write(base64.StdEncoding.AppendEncode(out.AvailableBuffer(), b.Bytes))
		out.WriteByte('"')
	case "":
		return errors.New("it has no format")
	default:
		if !utf8.Valid(b.Bytes) {
			return fmt.Errorf("it is not UTF-8, as %s must be", b.Format)
		}
		if err := enc.Encode(string(b.Bytes)); err != nil {
			return err
		}
		out.Truncate(out.Len() - 1) // the newline
	}
	return nil
}
