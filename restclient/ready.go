package restclient

import (
	"context"
	"crypto/tls"
	"net/http"
	"time"

	"keyward/registry/wire"
)

// Seen is what an answer shows beside what it says.
type Seen struct {
	Date time.Time            // the server's clock, in whole seconds; zero where it does not tell
	TLS  *tls.ConnectionState // nil for plain http
}

func seenIn(resp *http.Response) Seen {
	date, _ := http.ParseTime(resp.Header.Get("Date"))
	return Seen{date, resp.TLS}
}

// Ready asks whether the server and its store answer, which takes no login. What was seen is
// there wherever an answer came, with an error or without.
func (c *Client) Ready(ctx context.Context) (Seen, error) {
	_, seen, _, err := c.ask(ctx, call{method: http.MethodGet, path: wire.PathReady})
	return seen, err
}
