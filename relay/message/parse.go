package message

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ContentError is a message whose head is sound and whose content is not: a request can still be answered with 400,
// and who waits for a response can be told that it is there.
type ContentError struct {
	Head Message // ID, Type, RequiresResponse and InResponseTo
	Err  error
}

func (e *ContentError) Error() string { return e.Head.Type + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *ContentError) Unwrap() error { return e.Err }

// Parse reads a message. It takes what peers are known to send beside what the README of the Micronets proxy says: ids
// that are strings of digits, "val" for "value" in headers, no requiresResponse (a request then requires one), and JSON
// text in a string where the dataFormat has parameters. A CONN:HELLO is held to the rules of ParseHello. The error is a
// *ContentError where only the content is unsound. Nothing of text is kept.
func Parse(text []byte) (*Message, error) {
	in, err := open(text)
	if err != nil {
		return nil, notFinite(text, err)
	}
	m, err := in.head()
	if err != nil {
		return nil, err
	}
	if m.Type == TypeHello {
		return in.hello()
	}
	head := *m
	if err := in.content(m); err != nil {
		return nil, &ContentError{head, err}
	}
	return m, nil
}

// ParseHello reads a CONN:HELLO as the original proxy does: the messageId is an integer and requiresResponse is there.
// Members that nobody knows are let pass. What only Python takes is refused: true for a number, NaN, UTF-16. The ID is 0
// where it does not fit into 64 bits, since a HELLO has no answer.
func ParseHello(text []byte) (*Message, error) {
	in, err := open(text)
	if err != nil {
		return nil, err
	}
	return in.hello()
}

// notFinite is err, or a *ContentError where all that is wrong with text are the NaN and Infinity that Python writes.
func notFinite(text []byte, err error) error {
	in, worse := open(finite(text))
	if worse != nil {
		return err
	}
	m, worse := in.head()
	if worse != nil {
		return err
	}
	return &ContentError{*m, err}
}

// hello reads a CONN:HELLO.
func (in members) hello() (*Message, error) {
	if !isInteger(string(in["messageId"])) {
		return nil, errors.New("the messageId of a CONN:HELLO must be an integer")
	}
	m := &Message{Hello: new(Hello)}
	if id, err := in.id("messageId"); err == nil {
		m.ID = *id
	}
	if err := in.need("messageType", &m.Type); err != nil {
		return nil, err
	}
	if m.Type != TypeHello {
		return nil, fmt.Errorf("the messageType is %q and not %s", m.Type, TypeHello)
	}
	if err := in.need("requiresResponse", &m.RequiresResponse); err != nil {
		return nil, err
	}
	// What the original does not look at may be anything.
	_ = in.read("peerClass", &m.Hello.PeerClass)
	_ = in.read("peerId", &m.Hello.PeerID)
	return m, nil
}

func isInteger(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

// head reads what every message has.
func (in members) head() (*Message, error) {
	m := new(Message)
	if err := in.need("messageType", &m.Type); err != nil {
		return nil, err
	}
	if m.Type == "" {
		return nil, errNoType
	}
	if m.Type == TypeHello {
		return m, nil
	}
	id, err := in.id("messageId")
	if err != nil {
		return nil, err
	}
	if id != nil {
		m.ID = *id
	}
	if id == nil && m.Type == TypeRequest {
		return nil, errors.New("a request without a messageId cannot be answered")
	}
	if m.InResponseTo, err = in.id("inResponseTo"); err != nil {
		return nil, err
	}
	m.RequiresResponse = m.Type == TypeRequest // where it is not said
	return m, in.read("requiresResponse", &m.RequiresResponse)
}

// id reads an id, which is an integer or a string of digits. It is nil where there is none.
func (in members) id(name string) (*int64, error) {
	if !in.has(name) {
		return nil, nil
	}
	text := strings.Trim(string(in[name]), `"`)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || !isInteger(text) {
		return nil, fmt.Errorf("the member %q is not an integer of 64 bits", name)
	}
	return &n, nil
}

// content fills m with what its type says.
func (in members) content(m *Message) error {
	name, event := strings.CutPrefix(m.Type, EventPrefix)
	var err error
	switch {
	case m.Type == TypeRequest:
		m.Request, err = in.request()
	case m.Type == TypeResponse:
		m.Response, err = in.response()
	case event:
		m.Event = &Event{Name: name}
		m.Event.Body, err = in.body()
	}
	if err != nil {
		return err
	}
	return m.check()
}

func (in members) request() (*Request, error) {
	r := new(Request)
	if err := in.need("method", &r.Method); err != nil {
		return nil, err
	}
	if err := in.need("path", &r.Path); err != nil {
		return nil, err
	}
	var err error
	if r.Query, err = in.fields("queryStrings"); err != nil {
		return nil, err
	}
	if r.Headers, err = in.headers(); err != nil {
		return nil, err
	}
	r.Body, err = in.body()
	return r, err
}

func (in members) response() (*Response, error) {
	r := new(Response)
	if err := in.need("statusCode", &r.StatusCode); err != nil {
		return nil, err
	}
	if err := in.read("reasonPhrase", &r.Reason); err != nil {
		return nil, err
	}
	var err error
	if r.Headers, err = in.headers(); err != nil {
		return nil, err
	}
	r.Body, err = in.body()
	return r, err
}

// headers are the fields of "headers" without those that the body stands for.
func (in members) headers() ([]Field, error) {
	all, err := in.fields("headers")
	return carried(all), err
}

// fields reads a list of names and values.
func (in members) fields(name string) ([]Field, error) {
	var raw []struct{ Name, Value, Val *string }
	if err := in.read(name, &raw); err != nil || len(raw) == 0 {
		return nil, err
	}
	fields := make([]Field, len(raw))
	for i, f := range raw {
		if f.Value == nil {
			f.Value = f.Val
		}
		if f.Name == nil || f.Value == nil {
			return nil, fmt.Errorf("number %d of %q has no name or no value", i+1, name)
		}
		fields[i] = Field{*f.Name, *f.Value}
	}
	return fields, nil
}

// body reads what a message carries.
func (in members) body() (Body, error) {
	var format, contentType string
	if err := in.read("dataFormat", &format); err != nil {
		return Body{}, err
	}
	if err := in.read("contentType", &contentType); err != nil {
		return Body{}, err
	}
	raw, ok := in["messageBody"]
	if !ok {
		return Body{ContentType: contentType}, nil
	}
	b, err := parseBody(format, raw)
	if err != nil {
		return Body{}, fmt.Errorf("the messageBody is not what its dataFormat says: %w", err)
	}
	if contentType != "" {
		b.ContentType = unless(contentType, b.Format)
	}
	return b, nil
}
