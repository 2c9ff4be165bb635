package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"keyward/registry/wire"
	"keyward/store"
)

// call is one request on its way to its answer.
type call struct {
	w     http.ResponseWriter
	r     *http.Request
	path  string // as in package wire, with {user}
	id    string
	start time.Time

	token  store.Token // what the request came with; empty on open routes
	caller store.User  // whose token it is
	user   string      // whom the request is about
	grant  string      // of a login

	status int   // sent; 0 as long as nothing is
	bytes  int64 // of the answer's body
	cause  error // of an answer 500 or 503

	release int64 // the beat that the answer waits for; 0 where it does not
}

func newCall(w http.ResponseWriter, r *http.Request, path string) *call {
	c := &call{w: w, r: r, path: path, start: time.Now(), user: r.PathValue("user")}
	c.id = fmt.Sprintf("%016x", rand.Uint64()) //nolint:gosec // names a request, and keeps no secret
	h := w.Header()
	h.Set("X-Request-Id", c.id)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	return c
}

// answer sends v as JSON.
func (c *call) answer(status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	c.write(status, body)
	return nil
}

// done answers where there is nothing to say.
func (c *call) done() error {
	c.status = http.StatusNoContent
	c.w.WriteHeader(c.status)
	return nil
}

func (c *call) write(status int, body []byte) {
	c.begin(status)
	_, _ = c.Write(body)
}

// begin sends the header of a JSON answer.
func (c *call) begin(status int) {
	c.status = status
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
}

// Write sends a part of the answer's body.
func (c *call) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.bytes += int64(n)
	return n, err
}

// body reads the request's body, which is of the given media type and of at most limit bytes.
func (c *call) body(mediaType string, limit int64) ([]byte, error) {
	got, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || got != mediaType {
		return nil, refuse(http.StatusUnsupportedMediaType, wire.CodeBadRequest, "the body is not "+mediaType, "set the Content-Type")
	}
	size := c.r.ContentLength
	if size < 0 || size > limit {
		size = limit
	}
	data := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead)) // so that it never grows
	_, err = data.ReadFrom(http.MaxBytesReader(c.w, c.r.Body, limit))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, refuse(http.StatusRequestEntityTooLarge, wire.CodeBadRequest,
			"the body is over "+strconv.FormatInt(limit, 10)+" bytes", "")
	}
	if err != nil {
		return nil, badRequest("the body ends early")
	}
	return data.Bytes(), nil
}

// decode reads the request's JSON body into v.
func (c *call) decode(v any) error {
	data, err := c.body("application/json", wire.MaxBody)
	if err != nil {
		return err
	}
	return decodeJSON(data, v)
}

// form reads the request's form. The query of the URL is not looked at: a credential
// there would end up in logs.
func (c *call) form() (url.Values, error) {
	data, err := c.body("application/x-www-form-urlencoded", wire.MaxForm)
	if err != nil {
		return nil, err
	}
	return decodeForm(string(data))
}

// decodeForm takes each field once, as RFC 6749, section 3.2, asks. Unknown fields
// are ignored, as it asks too.
func decodeForm(data string) (url.Values, error) {
	form, err := url.ParseQuery(data)
	if err != nil {
		return nil, badRequest("the body is not a form")
	}
	for _, values := range form {
		if len(values) > 1 {
			return nil, badRequest("a form field is given twice")
		}
	}
	return form, nil
}
