package keyexchange

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"keyward/fault"
	"keyward/internal/retry"
	"keyward/internal/tlsclient"
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

	fetchTime, beatTime, answerTime time.Duration // for tests; those above where zero
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
	var hint string // that was told last
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
			if errors.Is(err, io.EOF) {
				err = errAway
			}
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it ended because it was to
		}
		if retry.Hopeless(err) && last == (OpenKeys{}) {
			return err
		}
		about := []any{"address", c.Address}
		if h := fault.HintOf(err); h != "" && h != hint {
			hint = h
			about = append(about, "hint", h)
		}
		retry.Wait(ctx, c.log(), "no connection to the key exchange", tries, err, about...)
	}
	return nil
}

// fetch gives the keys, and the connection that they came by.
func (c *Client) fetch(ctx context.Context) (*tls.Conn, OpenKeys, error) {
	host, port, err := net.SplitHostPort(c.Address)
	if err != nil || port == "" {
		return nil, OpenKeys{}, fault.New(fault.Usage, "write HOST:PORT; the port of napalm-logs is 49018", "%q is no address", c.Address)
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.fetchTime, fetchTime))
	defer cancel()
	tcp, err := new(net.Dialer).DialContext(ctx, "tcp", c.Address)
	if err != nil {
		return nil, OpenKeys{}, c.dialError(err)
	}
	conn := tls.Client(tcp, tlsclient.Verifying(c.TLS, host, nil))
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
	if keys.Box == (BoxKey{}) || keys.Verify == (VerifyKey{}) {
		return keys, errZeros
	}
	_, err = io.WriteString(conn, wordAck)
	return keys, err
}

// errNoKey is of a server that sent something else in the place of a key.
var errNoKey = errors.New("the answer is no key in hexadecimal")

// errZeros is of a server that lost its keys: anybody can read and forge what zeros seal.
var errZeros = errors.New("the answer is a key of zeros, which is none")

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

// errAway is of a server that ends a connection on which it gave keys.
var errAway = errors.New("the exchange closed the connection, as it does when keys change")

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

// dialError says why there are no keys.
func (c *Client) dialError(err error) error {
	server := tlsclient.Server{
		Name:     "the key exchange at " + c.Address,
		HintRoot: "give the server's certificate or its root with --cert",
		HintHost: "name the server as its certificate does",
		HintOurs: "give --client-cert a certificate that the server's CA signed; this one may have ended, or be revoked",
	}
	if c.TLS == nil || c.TLS.GetClientCertificate == nil && len(c.TLS.Certificates) == 0 {
		server.HintNone = "give --client-cert one that the server's CA signed, and its key"
	}
	if err := server.Fault(err); err != nil {
		return err
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
