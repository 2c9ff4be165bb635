package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"keyward/registry/wire"
)

// client holds connections to a server open.
type client struct {
	conns []*conn
}

type conn struct {
	net.Conn
	in *bufio.Reader
}

// dial opens n connections and has a request answered on each: a server cuts off those
// that ask nothing at first.
func dial(ctx context.Context, address string, roots *x509.CertPool, n int) (*client, error) {
	d := tls.Dialer{Config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}}
	c := new(client)
	for range n {
		raw, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			c.close()
			return nil, err
		}
		one := &conn{raw, bufio.NewReader(raw)}
		c.conns = append(c.conns, one)
		if _, err := one.ask([]byte("GET " + wire.PathHealth + " HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

func (c *client) close() {
	for _, one := range c.conns {
		one.Close()
	}
}

// send sends each request once, one at a time on each connection, and returns the time
// from the first to the last answer and how many had which status.
func (c *client) send(requests [][]byte) (time.Duration, map[int]int, error) {
	var (
		next    atomic.Int64
		wg      sync.WaitGroup
		mu      sync.Mutex
		total   = map[int]int{}
		failure error
	)
	start := time.Now()
	for _, one := range c.conns {
		wg.Go(func() {
			statuses := map[int]int{}
			err := one.sendAll(requests, &next, statuses)
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

func (c *conn) sendAll(requests [][]byte, next *atomic.Int64, statuses map[int]int) error {
	for {
		i := int(next.Add(1)) - 1
		if i >= len(requests) {
			return nil
		}
		status, err := c.ask(requests[i])
		if err != nil {
			return err
		}
		statuses[status]++
	}
}

// ask sends a request and reads its whole answer.
func (c *conn) ask(request []byte) (status int, err error) {
	if _, err := c.Write(request); err != nil {
		return 0, err
	}
	answer, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// loginRequest is a whole request for a token, made before it is timed.
func loginRequest(form url.Values) []byte {
	body := form.Encode()
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
		wire.PathToken, len(body), body)
}

// hostPort is the address in a URL.
func hostPort(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", err
	}
	_, _, err = net.SplitHostPort(u.Host)
	return u.Host, err
}
