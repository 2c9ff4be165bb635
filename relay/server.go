// Package relay lets two peers meet over websockets with mutual TLS, as the Micronets websocket proxy does. The Server is
// the relay itself: two peers that come to one meetup id say HELLO, and from then on each gets what the other sends. It reads
// no message but the HELLO. The Client is one of the peers.
package relay

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"keyward/internal/identity"
	"keyward/internal/limit"
	"keyward/internal/tlsserver"
)

// DefaultPathPrefix is what a meetup id follows in a URL: as in the original.
const DefaultPathPrefix = "/micronets/v1/ws-proxy/"

// Config is what a Server needs. TLS is required; what is zero has the default that stands with it.
type Config struct {
	TLS           *tls.Config   // has our certificate, and the roots for clients' in ClientCAs
	PathPrefix    string        // DefaultPathPrefix
	MaxMessage    int64         // bytes of the largest message, DefaultMaxMessage
	MaxPeers      int           // connections that may be open: 4096. More wait until they are accepted.
	MaxPerAddress int           // of them from one IPv4 address or IPv6 /64: a quarter. More are closed at once.
	MaxPerPeer    int           // of them with one certificate's key: a half. More get 429.
	HelloTime     time.Duration // from the upgrade to the HELLO: 10 seconds
	WaitTime      time.Duration // for a peer; 0 is no limit
	// Permit says who may come to the meetup id that they ask for (mate is nil), and who may meet there. Its error is for the
	// log. It is asked often and by many goroutines, so it must be quick. Nil permits all.
	Permit func(who Visitor, mate *Visitor) error
	// Refused hears of a certificate, and of those that came with it, which TLS did not take. It is asked as often as strangers
	// like. Nil hears nothing.
	Refused func(remote net.Addr, chain []*x509.Certificate)
	Log     *slog.Logger     // nil is none
	Now     func() time.Time // for what the status and the log tell; time.Now

	// For the metrics; nil tells nothing.
	Certificates func() map[string]*x509.Certificate // whose ends are told, by a name for each
	NextUpdates  func() map[string]time.Time         // when CRLs end, by their issuers
}

// Visitor is who comes to a meetup id.
type Visitor struct {
	Certificate *x509.Certificate
	Chains      [][]*x509.Certificate // that lead to a root
	Address     netip.AddrPort        // zero where the network has none
	Meetup      string
}

const shakeTime = 10 * time.Second // for the TLS handshake and the request to upgrade

// Server is a relay. Its methods may be called at any time.
type Server struct {
	cfg         Config
	connections limit.Count
	holders     *limit.Tally[string] // connections by the pins of their certificates
	metrics     *metrics
	running     sync.WaitGroup // of all that works for a connection

	mu       sync.Mutex
	stopping bool
	told     time.Time         // when the log was last told of a certificate's share
	shaking  map[net.Conn]bool // connections before their upgrade
	peers    map[*peer]bool    // and behind it
	meetups  map[string]*meetup
}

// NewServer makes a Server, which Serve starts.
func NewServer(c Config) *Server {
	c.PathPrefix = cmp.Or(c.PathPrefix, DefaultPathPrefix)
	c.MaxMessage = cmp.Or(c.MaxMessage, DefaultMaxMessage)
	c.MaxPeers = cmp.Or(c.MaxPeers, 4096)
	c.MaxPerAddress = cmp.Or(c.MaxPerAddress, max(2, c.MaxPeers/4))
	c.MaxPerPeer = cmp.Or(c.MaxPerPeer, max(2, c.MaxPeers/2))
	c.HelloTime = cmp.Or(c.HelloTime, 10*time.Second)
	if c.Permit == nil {
		c.Permit = func(Visitor, *Visitor) error { return nil }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.TLS = tlsserver.Harden(c.TLS, demandCertificate)
	return &Server{cfg: c, holders: limit.NewTally[string](c.MaxPerPeer), metrics: newMetrics(), shaking: map[net.Conn]bool{}, peers: map[*peer]bool{}, meetups: map[string]*meetup{}}
}

// demandCertificate has each client show a certificate, which is verified.
func demandCertificate(config *tls.Config) { config.ClientAuth = tls.RequireAndVerifyClientCert }

// Serve answers the connections of l until ctx ends; then every peer is closed with 1001. It closes l, and returns when all
// that it started has ended, some seconds later where peers do not answer: nil after a stop, else what went wrong. It is
// called once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	limited := limit.NewListener(narrow{l}, s.cfg.MaxPeers, s.cfg.MaxPerAddress, &s.connections)
	limited.Refuse = s.tellCrowd()
	ctx, stop := context.WithCancel(ctx)
	s.running.Go(func() {
		<-ctx.Done()
		_ = limited.Close()
		s.stop()
	})
	err := limit.Accept(ctx, limited, s.cfg.Log, func(nc net.Conn) { s.running.Go(func() { s.receive(nc) }) })
	stop()
	s.running.Wait()
	if err != nil {
		return fmt.Errorf("serve on %s: %w", l.Addr(), err)
	}
	return nil
}

// sendBuffer is what the system holds of what a peer was sent, in bytes; Linux takes twice as much. It grows to megabytes
// where it may, and then a peer that reads slowly needs longer for it than a ping or a write may take.
const sendBuffer = 128 << 10

// narrow is a listener of connections with that buffer.
type narrow struct{ net.Listener }

func (n narrow) Accept() (net.Conn, error) {
	nc, err := n.Listener.Accept()
	if tcp, ok := nc.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // else it is only slower to notice
	}
	return nc, err
}

// tellCrowd logs that connections are closed at once, a minute apart at least. What it returns is one goroutine's.
func (s *Server) tellCrowd() func(remote net.Addr) {
	var told time.Time
	return func(remote net.Addr) {
		now := s.cfg.Now()
		if !told.IsZero() && now.Sub(told) < time.Minute {
			return
		}
		told = now
		s.cfg.Log.Info("an address has its share, and more connections from it are closed", "remote", remote.String(),
			"share", s.cfg.MaxPerAddress, "closed", s.connections.Refused.Load())
	}
}

// receive brings a connection to its HELLO. The rest runs in a goroutine of its own, since the stack that a handshake needs
// does not get smaller, and most peers wait for long.
func (s *Server) receive(nc net.Conn) {
	p, err := s.shake(nc)
	if unverified, ok := errors.AsType[*tls.CertificateVerificationError](err); ok && s.cfg.Refused != nil {
		s.cfg.Refused(nc.RemoteAddr(), unverified.UnverifiedCertificates)
	}
	if err != nil {
		_ = nc.Close()
		s.metrics.shakesFailed.Add(1)
		s.cfg.Log.Debug("no websocket", "remote", nc.RemoteAddr().String(), "error", err)
		return
	}
	p.startBeat()
	if err := p.greet(); err != nil {
		p.dismiss(err)
		return
	}
	s.running.Go(func() { p.dismiss(p.pass()) })
}

// shake does both handshakes.
func (s *Server) shake(nc net.Conn) (*peer, error) {
	from := &bursts{Conn: nc}
	tc := tls.Server(from, s.cfg.TLS)
	if !s.enter(nc) {
		return nil, errClosing
	}
	defer s.exit(nc)
	_ = nc.SetDeadline(time.Now().Add(shakeTime))
	if err := tc.HandshakeContext(context.Background()); err != nil { // stop closes nc
		return nil, err
	}
	state := tc.ConnectionState()
	if len(state.VerifiedChains) == 0 {
		return nil, errors.New("no certificate that was verified")
	}
	who := Visitor{Certificate: state.PeerCertificates[0], Chains: state.VerifiedChains, Address: addressOf(nc)}
	holder := identity.Pin(who.Certificate)
	if !s.holders.Enter(holder) {
		s.tellShare(who)
		return nil, refuse429(tc)
	}
	p, err := s.welcome(from, tc, who)
	if err != nil {
		s.holders.Leave(holder)
	}
	return p, err
}

// welcome makes a websocket of a connection, and a peer of that.
func (s *Server) welcome(from *bursts, tc *tls.Conn, who Visitor) (*peer, error) {
	up, err := upgrade(tc)
	if err != nil {
		return nil, err
	}
	_ = tc.SetDeadline(time.Time{})
	who.Meetup = strings.TrimPrefix(up.target, s.cfg.PathPrefix)
	return s.admit(from, tc, up, who)
}

// tellShare logs that a certificate is shown too often, a minute apart at least.
func (s *Server) tellShare(who Visitor) {
	s.mu.Lock()
	now := s.cfg.Now()
	due := s.told.IsZero() || now.Sub(s.told) >= time.Minute
	if due {
		s.told = now
	}
	s.mu.Unlock()
	if due {
		s.cfg.Log.Warn("a certificate has its share, and more connections with it are refused",
			append(LogAttrs(who.Certificate), "remote", who.Address, "share", s.cfg.MaxPerPeer)...)
	}
}

func addressOf(nc net.Conn) netip.AddrPort {
	a, _ := netip.ParseAddrPort(nc.RemoteAddr().String())
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// enter keeps a connection for the case that the server stops, unless it does already.
func (s *Server) enter(nc net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopping {
		s.shaking[nc] = true
	}
	return !s.stopping
}

func (s *Server) exit(nc net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.shaking, nc)
}

// stop closes what is open: connections that are no websockets yet at once, peers with a close frame.
func (s *Server) stop() {
	s.mu.Lock()
	s.stopping = true
	for nc := range s.shaking {
		_ = nc.Close()
	}
	s.mu.Unlock()
	for _, p := range s.everybody() {
		s.running.Go(func() { p.close(errStopped) })
	}
}

// Review asks Permit again about all who are here, for when what it knows has changed. Who may not is closed with 1008, all
// at once: of many who do not take their close frame each takes a second or two.
func (s *Server) Review() {
	var closing sync.WaitGroup
	defer closing.Wait()
	for _, p := range s.everybody() {
		if why := p.permitted(p.mate.Load()); why != nil {
			closing.Go(func() { p.expel(why) })
		}
	}
}

func (s *Server) everybody() []*peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*peer, 0, len(s.peers))
	for p := range s.peers {
		all = append(all, p)
	}
	return all
}
