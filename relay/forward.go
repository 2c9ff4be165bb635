package relay

import (
	"context"
	"net/http"
	"net/url"

	"keyward/relay/message"
)

// NewForward answers REST:REQUESTs by calling the HTTP service at base; it is for a Client's Handle. The peer chooses
// nothing but what is behind base's path. A nil client is one of 30 seconds, without the environment's proxies; of another
// its redirects are not followed either. A response of more bytes than limit (DefaultMaxMessage where zero) becomes a 502.
func NewForward(base *url.URL, client *http.Client, limit int64) func(context.Context, *message.Request) *message.Response {
	return func(context.Context, *message.Request) *message.Response {
		return &message.Response{StatusCode: http.StatusNotImplemented}
	}
}
