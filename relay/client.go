package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"keyward/internal/retry"
	"keyward/relay/message"
)

// DefaultMaxMessage is how many bytes a message may have where nothing else is said: as many as in the original.
const DefaultMaxMessage = 1 << 20

const (
	mostSilence = 30 * time.Second // of a relay, which pings every 10 seconds
	looks       = 3                // whether it was heard, in that time
)

// ErrNoPeer is the error of a call while no peer is met.
var ErrNoPeer = errors.New("no peer is met")

// ErrPeerGone is the error of a call whose peer went away before it answered.
var ErrPeerGone = errors.New("the peer went away")

// ErrTooLarge is the error of what does not fit a message, and of a connection that the relay ended for that.
var ErrTooLarge = errors.New("it does not fit a message")

// tooLarge is the error of what is larger than a message of limit bytes.
func tooLarge(limit int64) error {
	return fmt.Errorf("%w of %d bytes (--max-message)", ErrTooLarge, limit)
}

// Client is the client's end of a relay: it meets the peer that comes to the same meetup id and serves both directions at
// once. Its fields are set before Run; its methods may be called from many goroutines.
type Client struct {
	URL string // wss://host:port/prefix/meetup-id
	// TLS has our certificate and says whom to trust. With RootCAs the relay's chain is always verified, and its name wherever
	// its certificate has a SAN: Micronets certificates have none. A ServerName is demanded of any. Without RootCAs it is the
	// system's roots, and the name. Nothing switches that off.
	TLS *tls.Config
	// Proxy chooses an http proxy as http.Transport does, for a request to https://host:port. TLS goes through it to the relay.
	// Nil is none.
	Proxy      func(*http.Request) (*url.URL, error)
	Hello      message.Hello
	MaxMessage int64 // bytes of the largest message, either way; DefaultMaxMessage where zero

	// Handle answers the peer's requests, several at once. Its context ends with the connection to the peer, and then it has
	// to return. Without it they get 501.
	Handle func(context.Context, *message.Request) *message.Response
	// OnEvent is told the peer's events, in order and one at a time. While it does not return, and many wait, nothing more is
	// read from the peer.
	OnEvent func(message.Event)
	// OnPeer is told whom we met, and nil when it is gone.
	OnPeer func(*message.Hello)
	// OnEnd is told why a connection ended, by Run itself. It is an ErrTooLarge where a message was larger than the relay takes:
	// that one, and what was sent after it, did not arrive.
	OnEnd func(error)

	Log  *slog.Logger // nil is none
	Once bool         // no second connection

	mostSilence time.Duration // for tests; mostSilence where zero

	lastID atomic.Int64 // one more than the last message's id, over all connections

	mu      sync.Mutex
	session *session // with the peer that is met
}

// Run connects, and again whenever the connection ends, until ctx does; then it closes with 1000 and returns nil. It ends
// earlier with the error where the first that the relay says is that it is of no use to try again: fault.NotTrusted,
// fault.NotPermitted where the relay does not take us, fault.NotFound for a path that is none, fault.Usage. Once the relay
// has taken us such an error is a lapse of its own, and Run tries on, with pauses of up to a minute. With Once it returns
// after the first connection. When it returns, all that it started has ended. It is called once.
func (c *Client) Run(ctx context.Context) error {
	target, err := parseURL(c.URL)
	if err != nil {
		return err
	}
	taken := false // by the relay, once
	for tries := 0; ctx.Err() == nil; tries++ {
		how, err := c.visit(ctx, target)
		if c.OnEnd != nil {
			c.OnEnd(err)
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it ended because it was to
		}
		if how.met {
			tries = 0
		}
		taken = taken || how.taken
		if c.Once || retry.Hopeless(err) && !taken {
			return err
		}
		retry.Wait(ctx, c.log(), "no connection to a peer", tries, err)
	}
	return nil
}

// outcome is what became of a connection: the relay took us, and we met a peer.
type outcome struct{ taken, met bool }

// visit is one connection, from its beginning to its end. Whom a relay does not take it sends away at once.
func (c *Client) visit(ctx context.Context, target *url.URL) (outcome, error) {
	s, err := c.dial(ctx, target)
	if err != nil {
		return outcome{}, err
	}
	settled := time.Now().Add(c.silence() / looks) //nolint:forbidigo // a time on the network, which no test sets
	err = s.run(ctx)
	return outcome{taken: s.met || !retry.Hopeless(err) || time.Until(settled) < 0, met: s.met}, err
}

// Do sends a request to the peer and waits for its response. Its errors are ErrNoPeer, ErrPeerGone, ErrTooLarge, that of
// ctx, and what the codec says of a request that cannot be written.
func (c *Client) Do(ctx context.Context, r *message.Request) (*message.Response, error) {
	s := c.current()
	if s == nil {
		return nil, ErrNoPeer
	}
	return s.do(ctx, r)
}

// Publish sends an event to the peer. Its errors are those of Do. Nobody says whether the peer took it.
func (c *Client) Publish(ctx context.Context, e message.Event) error {
	s := c.current()
	if s == nil {
		return ErrNoPeer
	}
	_, err := s.send(ctx, &message.Message{ID: c.nextID(), Type: message.EventPrefix + e.Name, Event: &e})
	return err
}

func (c *Client) current() *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

// enter makes s what calls go to.
func (c *Client) enter(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = s
}

// leave makes calls fail until the next peer is met.
func (c *Client) leave() { c.enter(nil) }

func (c *Client) tellPeer(h *message.Hello) {
	if c.OnPeer != nil {
		c.OnPeer(h)
	}
}

// handle answers a request of the peer.
func (c *Client) handle(ctx context.Context, r *message.Request) *message.Response {
	if c.Handle == nil {
		return problem(http.StatusNotImplemented, "this peer serves no requests")
	}
	if response := c.Handle(ctx, r); response != nil {
		return response
	}
	return problem(http.StatusInternalServerError, "there is no response")
}

// problem is a response that says what went wrong.
func problem(status int, text string) *message.Response {
	return &message.Response{
		StatusCode: status,
		Reason:     http.StatusText(status),
		Body:       message.Body{Format: "text/plain; charset=utf-8", Bytes: []byte(text + "\n")},
	}
}

// nextID gives each message an id of its own: 0 for the first hello.
func (c *Client) nextID() int64 { return c.lastID.Add(1) - 1 }

func (c *Client) limit() int64 {
	if c.MaxMessage > 0 {
		return c.MaxMessage
	}
	return DefaultMaxMessage
}

func (c *Client) silence() time.Duration {
	if c.mostSilence > 0 {
		return c.mostSilence
	}
	return mostSilence
}

func (c *Client) log() *slog.Logger {
	if c.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Log
}
