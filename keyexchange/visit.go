package keyexchange

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"keyward/internal/identity"
)

// visit is one connection of a client. One goroutine reads from it and answers.
type visit struct {
	Visitor
	server *Server
	conn   *tls.Conn
	words  words

	// Guarded by Server.mu.
	hasKeys bool
	keys    OpenKeys // that it got, or is just getting
	leaving bool     // it was sent away
}

func newVisit(s *Server, nc net.Conn) *visit {
	a, _ := netip.ParseAddrPort(nc.RemoteAddr().String())
	conn := tls.Server(nc, s.cfg.TLS)
	return &visit{
		Visitor: Visitor{Address: netip.AddrPortFrom(a.Addr().Unmap(), a.Port())},
		server:  s,
		conn:    conn,
		words:   words{in: conn},
	}
}

// shake does the TLS handshake. When the server stops, that closes the connection.
func (v *visit) shake() error {
	v.wait(v.server.cfg.StepTime)
	if err := v.conn.HandshakeContext(context.Background()); err != nil {
		return err
	}
	state := v.conn.ConnectionState()
	if len(state.VerifiedChains) > 0 {
		v.Certificate, v.Chains = state.PeerCertificates[0], state.VerifiedChains
	}
	return nil
}

// talk is the exchange, up to its end.
func (v *visit) talk() error {
	step := v.server.cfg.StepTime
	if err := v.expect(wordInit, step); err != nil {
		return err
	}
	keys, err := v.take()
	if err != nil {
		return err
	}
	if err := v.say(keys.Box[:], wordAck); err != nil {
		return err
	}
	if err := v.say([]byte(keys.Verify.String()), wordAck); err != nil {
		return err
	}
	v.server.metrics.given.Add(1)
	v.server.cfg.Log.Info("gave the keys", append(v.logged(), "verify", keys.Verify.String())...)
	for {
		if err := v.expect(wordKeepAlive, v.server.cfg.IdleTime); err != nil {
			return err
		}
		if err := v.write([]byte(wordKeepAliveAck)); err != nil {
			return err
		}
	}
}

// take notes which keys the client gets, and asks whether it may have them: after that, so that a Review in between sees it.
func (v *visit) take() (OpenKeys, error) {
	keys := v.note()
	if err := v.server.cfg.Permit(v.Visitor); err != nil {
		v.server.metrics.notPermitted.Add(1)
		if v.server.refusals.due(v.Visitor, v.server.cfg.Now()) {
			v.server.cfg.Log.Warn("not permitted", append(v.logged(), "error", err)...)
		}
		return OpenKeys{}, err
	}
	return keys, nil
}

func (v *visit) note() OpenKeys {
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	v.hasKeys, v.keys = true, v.server.cfg.Ring().At(v.server.cfg.Now()).OpenKeys
	return v.keys
}

// logged is who the log says that the client is.
func (v *visit) logged() []any {
	if v.Certificate == nil {
		return []any{"remote", v.Address}
	}
	return append([]any{"remote", v.Address}, identity.LogAttrs(v.Certificate)...)
}

// say writes a key, whole, and waits for the client's word for it.
func (v *visit) say(key []byte, answer string) error {
	if err := v.write(key); err != nil {
		return err
	}
	return v.expect(answer, v.server.cfg.StepTime)
}

// write sends something as one record. To a client that does not take it nothing more can be said, not even the end: without
// this, closing would try that for some seconds.
func (v *visit) write(b []byte) error {
	_, err := v.conn.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		_ = v.conn.NetConn().Close()
	}
	return err
}

// expect takes a word from the client, and gives it that long. The same time is for our answer.
func (v *visit) expect(word string, within time.Duration) error {
	v.wait(within)
	return v.words.expect(word)
}

// wait gives reads and writes that long from now, unless the client is leaving.
func (v *visit) wait(d time.Duration) {
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	if !v.leaving {
		_ = v.conn.SetDeadline(time.Now().Add(d))
	}
}

// sendAway tells a client that nothing more comes, and lets it close the connection: were it closed here, the client's next
// word would be answered by a reset, which the original takes for an error and not for an end.
func (v *visit) sendAway(why error) {
	v.server.cfg.Log.Info("sent away", append(v.logged(), "cause", why)...)
	_ = v.conn.CloseWrite()
	_ = v.conn.SetReadDeadline(time.Now().Add(v.server.linger))
}

// end frees the connection.
func (v *visit) end(cause error) {
	if v.isLeaving() {
		v.drain()
	}
	_ = v.conn.Close()
	v.server.exit(v)
	v.server.cfg.Log.Debug("closed", append(v.logged(), "cause", cause)...)
}

func (v *visit) isLeaving() bool {
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	return v.leaving
}

// drain reads until the client who was sent away has closed, or its time is over.
func (v *visit) drain() {
	_, _ = io.Copy(io.Discard, v.conn)
}
