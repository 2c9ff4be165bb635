package relay

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"keyward/relay/message"
)

// callTime is how long a request of HTTP may take where nothing else is said.
const callTime = 30 * time.Second

// NewProxy turns HTTP requests into REST:REQUESTs to c's peer, and the responses into HTTP answers, each within the timeout
// (30 seconds where zero). What the proxy itself has to say is plain text: 400 and 413 for a request that does not fit a
// message, 408 for one that does not come in time, 415 for a Content-Encoding other than gzip, 503 without a peer, 502 for
// one that went away or answers what is no response, 504 for one that does not answer in time.
//
// Any web page can have its user's browser talk to a port of this machine. So a request is answered only where its Host is
// an IP address, localhost or a name under it, or one of hosts ("*" is all): a page whose name was made to lead here has
// another. And of other sites' pages only GET, HEAD and OPTIONS come through (http.CrossOriginProtection), whose answers
// browsers do not show to them. Both get 403.
func NewProxy(c *Client, timeout time.Duration, hosts ...string) http.Handler {
	if timeout <= 0 {
		timeout = callTime
	}
	p := &proxy{c, timeout, hosts}
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "this proxy takes no such request from a web page of another origin", http.StatusForbidden)
	}))
	return guard.Handler(p)
}

type proxy struct {
	client  *Client
	timeout time.Duration
	hosts   []string
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !p.serves(r.Host) {
		http.Error(w, "this proxy is not for the host "+strconv.Quote(r.Host)+": --http-proxy-name lets it in", http.StatusForbidden)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), p.timeout)
	defer cancel()
	control := http.NewResponseController(w)
	deadline := time.Now().Add(p.timeout)
	_ = control.SetReadDeadline(deadline) // where it is a connection
	request, status, err := p.request(w, r)
	if err != nil {
		http.Error(w, "the request cannot be sent: "+err.Error(), status)
		return // with the deadline, for what of the request was not read
	}
	_ = control.SetReadDeadline(time.Time{})
	response, err := p.client.Do(ctx, request)
	if err != nil {
		refuse(w, err)
		return
	}
	reply(w, r.Method, response)
}

// serves says whether a Host is of those that the proxy answers for.
func (p *proxy) serves(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost") ||
		slices.ContainsFunc(p.hosts, func(h string) bool { return h == "*" || strings.EqualFold(h, host) })
}

// request makes a REST:REQUEST of an HTTP request. With an error comes the status to answer.
func (p *proxy) request(w http.ResponseWriter, r *http.Request) (request *message.Request, status int, err error) {
	if r.Method == http.MethodConnect {
		return nil, http.StatusMethodNotAllowed, errors.New("CONNECT has no place in a message")
	}
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, http.StatusBadRequest, err
	}
	limit := p.client.limit()
	data, err := readBody(r.Header, http.MaxBytesReader(w, r.Body, limit), limit)
	if _, more := errors.AsType[*http.MaxBytesError](err); more {
		err = tooLarge(limit)
	}
	if err != nil {
		return nil, bodyStatus(err), err
	}
	body, err := message.NewBody(r.Header.Get("Content-Type"), data)
	if err != nil {
		return nil, http.StatusBadRequest, err
	}
	host := message.Field{Name: "Host", Value: r.Host}
	return &message.Request{
		Method:  r.Method,
		Path:    r.URL.EscapedPath(),
		Query:   query,
		Headers: append([]message.Field{host}, fieldsOf(r.Header)...),
		Body:    body,
	}, 0, nil
}

// bodyStatus is the status for a body that cannot be read.
func bodyStatus(err error) int {
	switch {
	case errors.Is(err, ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, errEncoding):
		return http.StatusUnsupportedMediaType
	case errors.Is(err, os.ErrDeadlineExceeded):
		return http.StatusRequestTimeout
	}
	return http.StatusBadRequest
}

// parseQuery is url.ParseQuery that keeps the order.
func parseQuery(raw string) ([]message.Field, error) {
	var fields []message.Field
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, err
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, err
		}
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, errors.New("the query is not UTF-8")
		}
		fields = append(fields, message.Field{Name: name, Value: value})
	}
	return fields, nil
}

// refuse answers for a peer that did not.
func refuse(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, ErrNoPeer):
		w.Header().Set("Retry-After", "5")
		http.Error(w, "no peer is there: try again later", http.StatusServiceUnavailable)
	case errors.Is(err, ErrTooLarge):
		http.Error(w, "the request cannot be sent: "+err.Error(), http.StatusRequestEntityTooLarge)
	case errors.Is(err, context.DeadlineExceeded):
		http.Error(w, "the peer did not answer in time", http.StatusGatewayTimeout)
	default:
		http.Error(w, "the peer gave no response: "+err.Error(), http.StatusBadGateway)
	}
}

// reply makes an HTTP answer of a response.
func reply(w http.ResponseWriter, method string, r *message.Response) {
	if r.StatusCode < 200 || r.StatusCode > 599 {
		http.Error(w, "the peer answered with the status "+strconv.Itoa(r.StatusCode), http.StatusBadGateway)
		return
	}
	for name, values := range headerOf(r.Headers) {
		w.Header()[name] = values
	}
	bodiless := r.StatusCode == http.StatusNoContent || r.StatusCode == http.StatusNotModified
	if kind := contentType(r.Body); kind != "" && !bodiless {
		w.Header().Set("Content-Type", kind)
	}
	if !bodiless && (r.Body.Bytes != nil || method != http.MethodHead) {
		w.Header().Set("Content-Length", strconv.Itoa(len(r.Body.Bytes)))
	}
	w.WriteHeader(r.StatusCode)
	if !bodiless && method != http.MethodHead {
		_, _ = w.Write(r.Body.Bytes) //nolint:gosec // what the peer answers is what was asked for
	}
}
