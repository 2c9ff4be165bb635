package relay

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"syscall"
	"time"

	"github.com/gobwas/ws"

	"keyward/internal/fault"
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
	tcp, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(target.Hostname(), cmp.Or(target.Port(), "443")))
	if err != nil {
		return nil, dialError(target, err)
	}
	secure := tls.Client(tcp, verifying(c.TLS, target.Hostname()))
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

// verifying is the config with what Client.TLS promises for the relay at this host.
func verifying(config *tls.Config, host string) *tls.Config {
	if config = config.Clone(); config == nil {
		config = new(tls.Config)
	}
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	config.InsecureSkipVerify = false
	named := config.ServerName != ""
	config.ServerName = cmp.Or(config.ServerName, host)
	if config.RootCAs == nil || named {
		return config
	}
	name, further := config.ServerName, config.VerifyConnection
	config.InsecureSkipVerify = true // VerifyConnection verifies, on resumed sessions too
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if err := verify(config, state.PeerCertificates, name); err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
		}
		if further == nil {
			return nil
		}
		return further(state)
	}
	return config
}

// verify checks a chain, leaf first, and the name where the leaf has any.
func verify(config *tls.Config, chain []*x509.Certificate, name string) error {
	opts := x509.VerifyOptions{Roots: config.RootCAs, Intermediates: x509.NewCertPool()}
	if config.Time != nil {
		opts.CurrentTime = config.Time()
	}
	for _, c := range chain[1:] {
		opts.Intermediates.AddCert(c)
	}
	if _, err := chain[0].Verify(opts); err != nil {
		return err
	}
	if !hasSAN(chain[0]) {
		return nil
	}
	return chain[0].VerifyHostname(name)
}

var subjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

// hasSAN says whether a certificate has a subject alternative name of any sort (RFC 5280, section 4.2.1.6).
func hasSAN(c *x509.Certificate) bool {
	return slices.ContainsFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(subjectAltName) })
}

// certificateAlerts are those by which the other end says that it does not take our certificate (RFC 8446, section 6.2).
var certificateAlerts = []tls.AlertError{
	40,  // handshake_failure: what TLS 1.2 says to who has none
	42,  // bad_certificate
	43,  // unsupported_certificate
	44,  // certificate_revoked
	45,  // certificate_expired
	46,  // certificate_unknown
	48,  // unknown_ca
	49,  // access_denied
	116, // certificate_required
}

// refusesUs says whether an error is such an alert. Package tls gives alerts no type of their own.
func refusesUs(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error" &&
		slices.ContainsFunc(certificateAlerts, func(a tls.AlertError) bool { return op.Err.Error() == a.Error() })
}

// dialError says why there is no websocket.
func dialError(target *url.URL, err error) error {
	if further, ok := errors.AsType[*fault.Error](err); ok { // of the caller's VerifyConnection
		return further
	}
	if refusesUs(err) {
		return fault.New(fault.NotPermitted, hintRefused, "the relay at %s does not take our certificate: %w", target.Host, err)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fault.New(fault.NotTrusted, hintTrust(err), "the relay at %s is not trusted: %w", target.Host, err)
	}
	if status, ok := errors.AsType[ws.StatusError](err); ok {
		return fault.New(kindOf(int(status)), "check the URL: a relay answers with 101", "there is no relay at %s: it answers %d", target.Redacted(), int(status))
	}
	return fault.New(fault.Unreachable, hintRelay, "cannot connect to the relay at %s: %w", target.Host, err)
}

// hintTrust says what to do about a relay that is not trusted.
func hintTrust(err error) string {
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "name the relay as its certificate does, in the URL or with --server-name"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "check this machine's clock, or ask who runs the relay to renew its certificate"
	}
	return "give the root of its certificate with --ca-file"
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
