package relay

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"syscall"
	"time"

	"github.com/gobwas/ws"

	"keyward/fault"
	"keyward/internal/tlsclient"
)

const (
	dialTime   = 20 * time.Second // to a websocket
	mostHeader = 64 << 10         // bytes of the answer to the handshake

	hintRelay   = "check that the relay runs and that the URL names its host and port"
	hintRefused = "give --client-cert a certificate that the relay's CA signed, with its intermediates after it in the file, and --client-key its key; " +
		"one that has ended, is not for clients or is revoked is refused too, and everybody is while the relay's CRL is too old: its log says which"
)

// parseURL reads the URL of a meetup.
func parseURL(raw string) (*url.URL, error) {
	const hint = "it is wss://HOST:PORT" + DefaultPathPrefix + "MEETUP-ID"
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fault.New(fault.Usage, hint, "the URL of the relay cannot be read") // err repeats it, with a password in it
	}
	if u.Scheme != "wss" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return nil, fault.New(fault.Usage, hint, "%q is not the URL of a meetup", u.Redacted())
	}
	return u, nil
}

// dial makes a websocket.
func (c *Client) dial(ctx context.Context, target *url.URL) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	tcp, err := c.connect(ctx, target)
	if err != nil {
		return nil, dialError(target, err)
	}
	secure := tls.Client(tcp, tlsclient.Verifying(c.TLS, target.Hostname(), namedBySAN))
	in, err := shakeHands(ctx, secure, target)
	if err != nil {
		_ = tcp.Close()
		return nil, dialError(target, err)
	}
	return newSession(c, newConn(secure, in, ws.StateClientSide, c.limit())), nil
}

// shakeHands makes TLS and then a websocket of a connection. It gives what to read it from.
func shakeHands(ctx context.Context, secure *tls.Conn, target *url.URL) (*bufio.Reader, error) {
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = secure.NetConn().Close() })
	in, err := askUpgrade(secure, target)
	if !stop() {
		return nil, ctx.Err()
	}
	return in, err
}

func askUpgrade(secure *tls.Conn, target *url.URL) (*bufio.Reader, error) {
	// An answer without end is not kept.
	bounded := struct {
		io.Reader
		io.Writer
	}{io.LimitReader(secure, mostHeader), secure}
	in, _, err := ws.Dialer{}.Upgrade(bounded, target)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		// With TLS 1.3 the relay judges our certificate after our handshake. Its alert may be there to read.
		_, alert := secure.Read(make([]byte, 1))
		err = errors.Join(err, alert)
	}
	if err != nil || in == nil {
		return bufio.NewReader(secure), err
	}
	early, err := in.Peek(in.Buffered())
	return bufio.NewReader(io.MultiReader(bytes.NewReader(early), secure)), err
}

// namedBySAN holds a host against a certificate's names, where it has any.
func namedBySAN(leaf *x509.Certificate, host string) error {
	if !hasSAN(leaf) {
		return nil
	}
	return leaf.VerifyHostname(host)
}

var subjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

// hasSAN says whether a certificate has a subject alternative name of any sort (RFC 5280, section 4.2.1.6).
func hasSAN(c *x509.Certificate) bool {
	return slices.ContainsFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(subjectAltName) })
}

// dialError says why there is no websocket.
func dialError(target *url.URL, err error) error {
	server := tlsclient.Server{
		Name:     "the relay at " + target.Host,
		HintRoot: "give the root of its certificate with --ca-file",
		HintHost: "name the relay as its certificate does, in the URL or with --server-name",
		HintOurs: hintRefused,
	}
	if err := server.Fault(err); err != nil {
		return err
	}
	if status, ok := errors.AsType[ws.StatusError](err); ok && status == http.StatusTooManyRequests {
		return fault.New(fault.Unreachable, "end others that show this certificate, or have the relay's --max-per-peer raised",
			"the relay at %s takes no more connections with this certificate", target.Host)
	} else if ok {
		return fault.New(kindOf(int(status)), "check the URL: a relay answers with 101", "there is no relay at %s: it answers %d", target.Redacted(), int(status))
	}
	return fault.New(fault.Unreachable, hintRelay, "cannot connect to the relay at %s: %w", target.Host, err)
}

// kindOf says what an HTTP status instead of a websocket means. What a proxy says while its relay is away may change.
func kindOf(status int) fault.Kind {
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fault.NotPermitted
	case status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status < 400 || status >= 500:
		return fault.Unreachable
	}
	return fault.NotFound
}
