package relay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
)

const (
	requestSize = 8 << 10 // of a request to upgrade
	meetupSize  = 1 << 10 // of a meetup id
)

// upgraded is what a request to upgrade agreed on.
type upgraded struct {
	in      *bufio.Reader // may hold frames already
	target  string        // of the request, as it came
	deflate bool
}

// upgrade answers a websocket client's request (RFC 6455, section 4.2). It reads no further than the request.
func upgrade(nc net.Conn) (upgraded, error) { return agree(nc, nil) }

// refuse429 answers it with 429 Too Many Requests. Its error says so.
func refuse429(nc net.Conn) error {
	_, err := agree(nc, ws.RejectConnectionError(ws.RejectionStatus(http.StatusTooManyRequests), ws.RejectionReason("its certificate has its share of connections")))
	return err
}

// agree answers it, with the refusal where that is not nil.
func agree(nc net.Conn, refusal error) (upgraded, error) {
	u := upgraded{in: bufio.NewReaderSize(nc, bufferSize)}
	compression := wsflate.Extension{Parameters: wsflate.Parameters{ServerNoContextTakeover: true, ClientNoContextTakeover: true}}
	upgrader := ws.Upgrader{
		OnRequest: func(target []byte) error {
			u.target = string(target)
			return nil
		},
		OnBeforeUpgrade: func() (ws.HandshakeHeader, error) { return nil, refusal }, // all of the request is read
		Negotiate:       decline(compression.Negotiate),
	}
	_, err := upgrader.Upgrade(&request{Writer: nc, in: u.in, left: requestSize})
	_, u.deflate = compression.Accepted()
	return u, err
}

// decline takes an offer that cannot be read for one that is not taken, as RFC 7692 has it (section 7.1).
func decline[offer any](negotiate func(offer) (offer, error)) func(offer) (offer, error) {
	return func(o offer) (offer, error) {
		answer, err := negotiate(o)
		if err != nil {
			var none offer
			return none, nil //nolint:nilerr // no answer is none to this offer
		}
		return answer, nil
	}
}

// meetupOf is what follows the prefix in a request's target, query and all. It may be empty.
func meetupOf(target, prefix string) (id string, err error) {
	id, found := strings.CutPrefix(target, prefix)
	if !found {
		return "", &closure{code: ws.StatusInternalServerError, reason: "no relay at this path"}
	}
	if len(id) > meetupSize {
		return "", &closure{code: ws.StatusInternalServerError, reason: fmt.Sprintf("a meetup id is at most %d bytes", meetupSize)}
	}
	return id, nil
}

var errRequest = fmt.Errorf("the request is larger than %d KiB", requestSize>>10)

// request gives the lines of a request one at a time, so that what follows it stays unread.
type request struct {
	io.Writer
	in   *bufio.Reader
	left int
}

func (r *request) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, errRequest
	}
	if _, err := r.in.Peek(1); err != nil {
		return 0, err
	}
	held, err := r.in.Peek(min(r.in.Buffered(), r.left))
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if line := bytes.IndexByte(held, '\n'); line >= 0 {
		held = held[:line+1]
	}
	n := copy(p, held)
	r.left -= n
	return r.in.Discard(n)
}
