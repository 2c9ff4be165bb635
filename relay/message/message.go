// Package message is the codec of the messages that Micronets peers exchange through a relay: JSON objects with the one
// member "message". It is strict in what it writes and liberal in what it reads, and knows nothing of sockets.
// The format is that of the Micronets websocket proxy's README, and of what its peers really send.
package message

// The types of messages. That of an event is EventPrefix and the event's name.
const (
	TypeHello    = "CONN:HELLO"
	TypeRequest  = "REST:REQUEST"
	TypeResponse = "REST:RESPONSE"
	EventPrefix  = "EVENT:"
)

// The data formats (MIME types) that are not written as a string.
const (
	JSON        = "application/json"
	OctetStream = "application/octet-stream"
)

// Message is a message of any type. Of Hello, Request, Response and Event the one that Type says is there; none where the
// type is not known.
type Message struct {
	ID               int64
	Type             string
	RequiresResponse bool
	InResponseTo     *int64 // the ID of the request that this answers
	Hello            *Hello
	Request          *Request
	Response         *Response
	Event            *Event
}

// Hello is the first message of each peer (CONN:HELLO).
type Hello struct {
	PeerClass string
	PeerID    string
}

// Request is an HTTP request (REST:REQUEST).
type Request struct {
	Method  string
	Path    string  // may have a query too: the original test client sends it so
	Query   []Field // in their order
	Headers []Field // without Content-Length, Content-Type and Content-Encoding
	Body    Body
}

// Response is an HTTP response (REST:RESPONSE).
type Response struct {
	StatusCode int
	Reason     string // may be empty
	Headers    []Field
	Body       Body
}

// Event is something that a peer tells (EVENT:name).
type Event struct {
	Name string
	Body Body
}

// Field is a header or a parameter of a query. In responses the wild reads "val" and others "value": both are written.
type Field struct{ Name, Value string }

// Body is what a message carries. With the format application/json Bytes are a JSON value, with application/octet-stream
// any bytes, which travel as base64, and with others text in UTF-8. Bytes is nil where there is no body.
type Body struct {
	Format string // a MIME type; "" where there is no body
	// ContentType is the media type that an HTTP message had, where Format does not say it: bytes that are no UTF-8 travel as
	// application/octet-stream, whatever they are, and the answer to a HEAD has no Bytes. It is our own member contentType,
	// which other peers do not read.
	ContentType string
	Bytes       []byte
}
