package keyexchange

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"keyward/internal/fault"
	"keyward/internal/retry"
)

const (
	fetchTime  = 20 * time.Second // to the keys
	beatTime   = 10 * time.Second // between two keep-alives
	answerTime = 20 * time.Second // to a keep-alive
)

// Client gets the keys of an exchange from keyward or from the original daemon. Its fields are set before it is used; then
// many goroutines may use it.
type Client struct {
	Address string // HOST:PORT
	// TLS says whom to trust. With RootCAs the server's chain is always verified, and no name, as in the original: any of the
	// certificates in it may be the server's own. A ServerName is demanded of any. Without RootCAs it is the system's roots,
	// and the name. Nothing switches that off. A certificate of ours is shown where there is one.
	TLS *tls.Config
	Log *slog.Logger // nil is none

	beatTime, answerTime time.Duration // for tests; those above where zero
}

// Fetch gets the keys and closes the connection. Its errors are fault.Unreachable, fault.NotTrusted for a server that is not
// who it should be, fault.NotPermitted where it does not take our certificate, and fault.Usage for an address that is none.
func (c *Client) Fetch(ctx context.Context) (OpenKeys, error) {
	conn, keys, err := c.fetch(ctx)
	if err != nil {
		return OpenKeys{}, err
	}
	_ = conn.Close()
	return keys, nil
}

// Watch gets the keys and keeps the connection alive, and connects again whenever it ends, until ctx does; then it returns
// nil. Each time the keys are others than before, and the first time, it calls changed, one call at a time. It returns earlier
// with the error where the first that it hears is that it is of no use to try again: fault.NotTrusted, fault.NotPermitted,
// fault.Usage. Once it had keys such an error is a lapse of its own, and it tries on, with pauses of up to a minute. When it
// returns, all that it started has ended.
func (c *Client) Watch(ctx context.Context, changed func(OpenKeys)) error {
	var last OpenKeys
	for tries := 0; ctx.Err() == nil; tries++ {
		conn, keys, err := c.fetch(ctx)
		if err == nil {
			if keys != last {
				changed(keys)
				last = keys
			}
			var alive bool
			if alive, err = c.keepAlive(ctx, conn); alive {
				tries = 0
			}
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it ended because it was to
		}
		if hopeless(err) && last == (OpenKeys{}) {
			return err
		}
		c.wait(ctx, tries, err)
	}
	return nil
}

// wait waits before the next try, and says why.
func (c *Client) wait(ctx context.Context, tries int, why error) {
	most, level := retry.LastPause, slog.LevelInfo
	if hopeless(why) {
		most, level = retry.LongPause, slog.LevelWarn
	}
	pause := retry.Pause(tries, most)
	c.log().Log(ctx, level, "no connection to the key exchange", "address", c.Address, "cause", why, "retry", pause)
	retry.Sleep(ctx, pause)
}

// hopeless says whether an error will be the same the next time, unless somebody does something.
func hopeless(err error) bool {
	switch fault.KindOf(err) {
	case fault.NotTrusted, fault.NotPermitted, fault.Usage:
		return true
	}
	return false
}

// fetch gives the keys, and the connection that they came by.
func (c *Client) fetch(ctx context.Context) (*tls.Conn, OpenKeys, error) {
	host, port, err := net.SplitHostPort(c.Address)
	if err != nil || port == "" {
		return nil, OpenKeys{}, fault.New(fault.Usage, "write HOST:PORT; the port of napalm-logs is 49018", "%q is no address", c.Address)
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	tcp, err := new(net.Dialer).DialContext(ctx, "tcp", c.Address)
	if err != nil {
		return nil, OpenKeys{}, c.dialError(err)
	}
	conn := tls.Client(tcp, verifying(c.TLS, host))
	keys, err := exchange(ctx, conn)
	if err != nil {
		_ = tcp.Close()
		return nil, OpenKeys{}, c.dialError(err)
	}
	return conn, keys, nil
}

// exchange does the handshake, and says and hears what brings the keys.
func exchange(ctx context.Context, conn *tls.Conn) (keys OpenKeys, err error) {
	if err := conn.HandshakeContext(ctx); err != nil {
		return keys, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.NetConn().Close() })
	defer func() {
		if !stop() {
			err = ctx.Err()
		}
	}()
	var text [verifyHex]byte
	if err := ask(conn, wordInit, keys.Box[:]); err != nil {
		return keys, err
	}
	if err := ask(conn, wordAck, text[:]); err != nil {
		return keys, err
	}
	if _, err := hex.Decode(keys.Verify[:], text[:]); err != nil || string(text[:]) != keys.Verify.String() {
		return keys, errNoKey
	}
	_, err = io.WriteString(conn, wordAck)
	return keys, err
}

// errNoKey is of a server that sent something else in the place of a key.
var errNoKey = errors.New("the answer is no key in hexadecimal")

// ask says a word and reads the whole answer.
func ask(conn *tls.Conn, word string, answer []byte) error {
	if _, err := io.WriteString(conn, word); err != nil {
		// With TLS 1.3 the server judges our certificate after our handshake. Its alert may be there to read.
		_, alert := conn.Read(answer[:1])
		return errors.Join(err, alert)
	}
	_, err := io.ReadFull(conn, answer)
	return err
}

// errSilent is of a server that does not answer as it should.
var errSilent = errors.New("no answer to a keep-alive")

// keepAlive holds the connection until it ends, and says whether it was answered at all.
func (c *Client) keepAlive(ctx context.Context, conn *tls.Conn) (alive bool, err error) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.NetConn().Close() })
	defer stop()
	for {
		if err := c.beat(conn); err != nil {
			return alive, err
		}
		alive = true
		// The server says nothing until we do. Waiting in a read shows at once when it closes the connection.
		_ = conn.SetReadDeadline(time.Now().Add(cmp.Or(c.beatTime, beatTime)))
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			return alive, cmp.Or(err, errSilent)
		}
	}
}

// beat sends a keep-alive and takes the answer.
func (c *Client) beat(conn *tls.Conn) error {
	_ = conn.SetDeadline(time.Now().Add(cmp.Or(c.answerTime, answerTime)))
	if _, err := io.WriteString(conn, wordKeepAlive); err != nil {
		return err
	}
	var answer [len(wordKeepAliveAck)]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return err
	}
	if string(answer[:]) != wordKeepAliveAck {
		return errSilent
	}
	return nil
}

// verifying is the config with what Client.TLS promises for the server at this host.
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
	further := config.VerifyConnection
	config.ServerName = ""
	config.InsecureSkipVerify = true // VerifyConnection verifies, on resumed sessions too
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if err := verify(config, state.PeerCertificates); err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
		}
		if further == nil {
			return nil
		}
		return further(state)
	}
	return config
}

// verify checks a chain, leaf first, and no name.
func verify(config *tls.Config, chain []*x509.Certificate) error {
	opts := x509.VerifyOptions{Roots: config.RootCAs, Intermediates: x509.NewCertPool()}
	if config.Time != nil {
		opts.CurrentTime = config.Time()
	}
	for _, c := range chain[1:] {
		opts.Intermediates.AddCert(c)
	}
	_, err := chain[0].Verify(opts)
	return err
}

// refusesUs says whether an error is an alert by which the other end does not take our certificate (RFC 8446, section 6.2).
// Package tls gives alerts no type of their own.
func refusesUs(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "remote error" {
		return false
	}
	for _, code := range []tls.AlertError{40, 42, 43, 44, 45, 46, 48, 49, 116} {
		if op.Err.Error() == code.Error() {
			return true
		}
	}
	return false
}

// hintTrust says what to do about a server that is not trusted.
func hintTrust(err error) string {
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "name the server as its certificate does"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "check this machine's clock, or ask who runs the server to renew its certificate"
	}
	return "give the server's certificate or its root with --cert"
}

// dialError says why there are no keys.
func (c *Client) dialError(err error) error {
	if further, ok := errors.AsType[*fault.Error](err); ok { // of the caller's VerifyConnection
		return further
	}
	if refusesUs(err) {
		return fault.New(fault.NotPermitted, "give a certificate that the server's CA signed, and its key",
			"the key exchange at %s does not take our certificate: %w", c.Address, err)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fault.New(fault.NotTrusted, hintTrust(err), "the key exchange at %s is not trusted: %w", c.Address, err)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return fault.New(fault.Unreachable, "check the host and the port", "there is no key exchange at %s: it does not speak TLS", c.Address)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fault.New(fault.Unreachable, "check the port, and whether the server lets us have the keys", "the key exchange at %s closes the connection without keys", c.Address)
	}
	return fault.New(fault.Unreachable, "check that the key exchange runs, and its host and port", "cannot get the keys from %s: %w", c.Address, err)
}

func (c *Client) log() *slog.Logger {
	if c.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Log
}
