package relay

import "time"

// Backoff is backoff.
var Backoff = backoff

// SetSilence makes c give up a relay of which nothing is heard for so long.
func (c *Client) SetSilence(d time.Duration) { c.mostSilence = d }
