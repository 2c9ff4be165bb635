package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"keyward/registry/wire"
)

// client asks servers for tokens over kept connections, with net/http as programs do. The connections are spread over the servers.
type client struct {
	urls        []string
	http        *http.Client
	connections int
}

func newClient(roots *x509.CertPool, connections int, servers ...*server) *client {
	var urls []string
	for _, s := range servers {
		urls = append(urls, "https://"+s.address+wire.PathToken)
	}
	return &client{
		urls:        urls,
		connections: connections,
		http: &http.Client{Transport: &http.Transport{
			TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13},
			MaxIdleConns:        connections,
			MaxIdleConnsPerHost: connections,
		}},
	}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// send posts each form once, one at a time on each connection, and returns the time from
// the first to the last answer and how many had which status. net/http makes some connections
// that it then does not need, which a server ends after ten seconds; what is sent on such a one is sent again.
func (c *client) send(ctx context.Context, forms []string) (time.Duration, map[int]int, error) {
	var (
		next    atomic.Int64
		wg      sync.WaitGroup
		mu      sync.Mutex
		total   = map[int]int{}
		failure error
	)
	start := time.Now()
	for connection := range c.connections {
		url := c.urls[connection%len(c.urls)]
		wg.Go(func() {
			statuses := map[int]int{}
			var err error
			for i := next.Add(1) - 1; err == nil && i < int64(len(forms)); i = next.Add(1) - 1 {
				var status int
				if status, err = c.post(ctx, url, forms[i]); errors.Is(err, io.EOF) {
					status, err = c.post(ctx, url, forms[i])
				}
				statuses[status]++
			}
			mu.Lock()
			defer mu.Unlock()
			for status, n := range statuses {
				total[status] += n
			}
			failure = errors.Join(failure, err)
		})
	}
	wg.Wait()
	return time.Since(start), total, failure
}

// post sends one form and reads the whole answer.
func (c *client) post(ctx context.Context, url, form string) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(form))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := c.http.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// address is the host and port in a server's URL.
func address(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", err
	}
	if u.Port() == "" {
		return "", errors.New("no URL with a port: " + text)
	}
	return u.Host, nil
}
