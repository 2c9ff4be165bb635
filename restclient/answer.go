package restclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"keyward/registry/wire"
)

var errTooLong = fmt.Errorf("the answer is longer than %d bytes", wire.MaxAnswer)

// readAll reads an answer of at most wire.MaxAnswer bytes.
func readAll(r io.Reader) ([]byte, error) {
	return io.ReadAll(&bounded{r: r, left: wire.MaxAnswer})
}

// bounded reads up to left bytes and fails with errTooLong where there are more.
type bounded struct {
	r    io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p[:min(len(p), b.left+1)])
	if n > b.left {
		return b.left, errTooLong
	}
	b.left -= n
	return n, err
}

// judge tells whether an answer is the API's and a success; otherwise it is the fault
// that the answer means.
func judge(at Error, header http.Header, body []byte, now time.Time) error {
	if err := judgeHeader(at, header, len(body) > 0); err != nil {
		return err
	}
	if at.Status >= 300 {
		return refusal(at, header, body, now)
	}
	if len(body) > 0 && !json.Valid(body) {
		return notRegistry(at, "it answers broken JSON")
	}
	return nil
}

// judgeHeader refuses redirects and whatever is not JSON. A success may be empty.
func judgeHeader(at Error, header http.Header, hasBody bool) error {
	if at.Status >= 300 && at.Status < 400 {
		return notRegistry(at, "it redirects to %s, and redirects are not followed", target(at.URL, header.Get("Location")))
	}
	if !hasBody && at.Status < 300 {
		return nil
	}
	if kind, _, _ := mime.ParseMediaType(header.Get("Content-Type")); kind != "application/json" {
		return notRegistry(at, "it answers %d with %s, not with JSON", at.Status, orNothing(kind))
	}
	return nil
}

// target is where a redirect points: scheme and host only, the rest may hold a secret.
func target(from, location string) string {
	base, err := url.Parse(from)
	if err != nil {
		return "nowhere"
	}
	u, err := base.Parse(location)
	if err != nil || location == "" {
		return "nowhere"
	}
	return printable(u.Scheme + "://" + u.Host)
}

func orNothing(kind string) string {
	if kind == "" {
		return "no content type"
	}
	return printable(kind)
}

// decode fills out from an answer that judge passed. Fields it does not know are no
// error; the field need must be there, so that some other service's JSON does not pass for
// an empty list.
func decode(at Error, body []byte, need string, out any) error {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return notRegistry(at, "its answer is not a JSON object")
	}
	if _, ok := fields[need]; !ok {
		return notRegistry(at, "its answer has no %q", need)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return notRegistry(at, "its answer has another form: %w", err)
	}
	return nil
}

var errNotList = errors.New("its answer is not a list of what was asked for")

// decodeEach hands each thing of the list in an answer to each, until that says stop. They are never all in
// memory: more is called before each one, and grants its bytes and its time.
func decodeEach[T any](r io.Reader, list string, more func(), each func(T) bool) error {
	dec := json.NewDecoder(r)
	if err := expect(dec, json.Delim('{')); err != nil {
		return err
	}
	found := false
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		if name != list || found {
			if err := dec.Decode(new(json.RawMessage)); err != nil {
				return err
			}
			continue
		}
		found = true
		if goOn, err := decodeList(dec, more, each); err != nil || !goOn {
			return err
		}
	}
	if err := expect(dec, json.Delim('}')); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errNotList
	}
	if !found {
		return errNotList
	}
	return nil
}

// decodeList reads the list itself, where null is an empty one.
func decodeList[T any](dec *json.Decoder, more func(), each func(T) bool) (goOn bool, err error) {
	switch first, err := dec.Token(); {
	case err != nil:
		return false, err
	case first == nil:
		return true, nil
	case first != json.Delim('['):
		return false, errNotList
	}
	for more(); dec.More(); more() {
		var one T
		if err := dec.Decode(&one); err != nil {
			return false, err
		}
		if !each(one) {
			return false, nil
		}
	}
	return true, expect(dec, json.Delim(']'))
}

func expect(dec *json.Decoder, want json.Delim) error {
	got, err := dec.Token()
	if err != nil {
		return err
	}
	if got != want {
		return errNotList
	}
	return nil
}
