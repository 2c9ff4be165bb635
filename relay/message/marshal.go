package message

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Each message has its members in the order of the README of the Micronets proxy. The body is put behind them.
type (
	head struct {
		MessageID        int64  `json:"messageId"`
		MessageType      string `json:"messageType"`
		RequiresResponse bool   `json:"requiresResponse"`
		InResponseTo     *int64 `json:"inResponseTo,omitempty"`
	}
	body struct {
		DataFormat  string `json:"dataFormat,omitempty"`
		ContentType string `json:"contentType,omitempty"`
	}
	hello struct {
		head
		PeerClass string `json:"peerClass,omitempty"`
		PeerID    string `json:"peerId,omitempty"`
	}
	request struct {
		head
		Method       string  `json:"method"`
		Path         string  `json:"path"`
		QueryStrings []field `json:"queryStrings,omitempty"`
		Headers      []field `json:"headers,omitempty"`
		body
	}
	response struct {
		head
		StatusCode   int     `json:"statusCode"`
		ReasonPhrase string  `json:"reasonPhrase,omitempty"`
		Headers      []field `json:"headers,omitempty"`
		body
	}
	event struct {
		head
		body
	}
	field struct {
		Name  string  `json:"name"`
		Value string  `json:"value"`
		Val   *string `json:"val,omitempty"`
	}
)

// Marshal writes a message, without a newline behind it. Headers that the body stands for are left out. What is no UTF-8
// in a header or a path is written as U+FFFD. A JSON body is written byte for byte. The error says what of m is missing or
// is not what it says to be.
func (m *Message) Marshal() ([]byte, error) {
	h := head{m.ID, m.Type, m.RequiresResponse, m.InResponseTo}
	switch {
	case m.Type == "":
		return nil, errors.New("the message has no type")
	case m.Type == TypeHello && m.Hello != nil:
		return encode(hello{h, m.Hello.PeerClass, m.Hello.PeerID}, Body{})
	case m.Type == TypeRequest && m.Request != nil:
		r := m.Request
		return encode(request{h, r.Method, r.Path, plain(r.Query), plain(carried(r.Headers)), formats(r.Body)}, r.Body)
	case m.Type == TypeResponse && m.Response != nil && m.InResponseTo != nil:
		r := m.Response
		return encode(response{h, r.StatusCode, r.Reason, doubled(carried(r.Headers)), formats(r.Body)}, r.Body)
	case m.Event != nil && m.Type == EventPrefix+m.Event.Name:
		return encode(event{h, formats(m.Event.Body)}, m.Event.Body)
	case known(m.Type):
		return nil, fmt.Errorf("%s: the message lacks what its type says", m.Type)
	}
	return encode(h, Body{})
}

func known(messageType string) bool {
	return messageType == TypeHello || messageType == TypeRequest || messageType == TypeResponse || strings.HasPrefix(messageType, EventPrefix)
}

// carried are the headers that travel as headers.
func carried(all []Field) []Field {
	return slices.DeleteFunc(slices.Clone(all), func(f Field) bool {
		return strings.EqualFold(f.Name, "Content-Length") || strings.EqualFold(f.Name, "Content-Type") || strings.EqualFold(f.Name, "Content-Encoding")
	})
}

func plain(fields []Field) []field {
	list := make([]field, len(fields))
	for i, f := range fields {
		list[i] = field{Name: f.Name, Value: f.Value}
	}
	return list
}

// doubled has each value twice, for readers of "val" and of "value".
func doubled(fields []Field) []field {
	list := plain(fields)
	for i := range list {
		list[i].Val = &list[i].Value
	}
	return list
}

func formats(b Body) body {
	if b.Bytes == nil {
		return body{}
	}
	return body{b.Format, b.ContentType}
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
			return nil, err
		}
	}
	out.WriteString("}}")
	return out.Bytes(), nil
}

func encodeBody(out *bytes.Buffer, enc *json.Encoder, b Body) error {
	switch b.Format {
	case JSON:
		if _, err := jsonBody(JSON, b.Bytes); err != nil {
			return fmt.Errorf("the body: %w", err)
		}
		out.Write(b.Bytes)
	case OctetStream:
		out.WriteByte('"')
		out.Write(base64.StdEncoding.AppendEncode(out.AvailableBuffer(), b.Bytes))
		out.WriteByte('"')
	case "":
		return errors.New("the body has no format")
	default:
		if !utf8.Valid(b.Bytes) {
			return fmt.Errorf("the body is not UTF-8, as %s must be", b.Format)
		}
		if err := enc.Encode(string(b.Bytes)); err != nil {
			return err
		}
		out.Truncate(out.Len() - 1) // the newline
	}
	return nil
}
