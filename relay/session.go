package relay

import (
	"context"
	"errors"
	"net/url"

	"keyward/relay/message"
)

// session is one connection to the relay.
type session struct {
	met bool // the peer's hello came
}

func parseURL(raw string) (*url.URL, error) { return url.Parse(raw) }

func (c *Client) connect(ctx context.Context, target *url.URL) (*session, error) {
	return nil, errors.ErrUnsupported
}

func (s *session) run(ctx context.Context) error { return errors.ErrUnsupported }

func (s *session) do(ctx context.Context, r *message.Request) (*message.Response, error) {
	return nil, errors.ErrUnsupported
}

func (s *session) send(ctx context.Context, m *message.Message) error { return errors.ErrUnsupported }
