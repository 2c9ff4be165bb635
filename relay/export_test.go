package relay

import (
	"net/url"
	"time"

	"keyward/relay/message"
)

// SetSilence makes c give up a relay of which nothing is heard for so long.
func (c *Client) SetSilence(d time.Duration) { c.mostSilence = d }

// Target is where a NewForward with this base asks for a request.
func Target(base *url.URL, r *message.Request) (*url.URL, error) {
	return (&forward{base: base}).target(r)
}
