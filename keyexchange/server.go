package keyexchange

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
	"sync"
	"time"

	"keyward/internal/limit"
	"keyward/internal/tlsserver"
)

// DefaultPort is where the original daemon serves the exchange.
const DefaultPort = 49018

// Config is what a Server needs. TLS and Ring are required; what is zero has the default that stands with it.
type Config struct {
	// TLS has our certificate. Its ClientAuth and ClientCAs say whether a certificate is asked for: where one is required, the
	// original clients stay out, since they have none.
	TLS *tls.Config
	// Ring is the keys. It is asked often and by many goroutines, so it must be quick. When it gives others than before, call
	// Server.Review.
	Ring func() *Ring
	// Permit says who gets the keys. Its error is for the log. It is asked as Ring is. Nil permits all.
	Permit        func(Visitor) error
	MaxClients    int           // connections that may be open: 8192. More wait until they are accepted.
	MaxPerAddress int           // of them from one IPv4 address or IPv6 /64: a quarter. More are closed at once.
	StepTime      time.Duration // for the TLS handshake, and for each of the client's words up to its last ACK: 10 seconds
	IdleTime      time.Duration // from then on, between two words: a minute
	// Refused hears of a certificate, and of those that came with it, which TLS did not take. It is asked as often as strangers
	// like. Nil hears nothing.
	Refused func(remote net.Addr, chain []*x509.Certificate)
	Log     *slog.Logger // nil is none
	Now     func() time.Time

	// For the metrics; nil tells nothing.
	Certificates func() map[string]*x509.Certificate // whose ends are told, by a name for each
	NextUpdates  func() map[string]time.Time         // when CRLs end, by their issuers
}

// Visitor is who asks for the keys.
type Visitor struct {
	Certificate *x509.Certificate // nil where the client showed none
	Chains      [][]*x509.Certificate
	Address     netip.AddrPort // zero where the network has none
}

const (
	lingerTime = 15 * time.Second // for a client to see that it is sent away: it looks every 10 seconds
	turnTime   = time.Minute      // at most between two looks at which keys hold
)

// Server gives the keys to clients. Its methods may be called at any time.
type Server struct {
	cfg         Config
	connections limit.Count
	running     sync.WaitGroup // of all that works for a connection
	turned      chan struct{}  // the ring may be another
	linger      time.Duration  // lingerTime, but in tests
	metrics     metrics
	refusals    refusals

	mu       sync.Mutex
	stopping bool
	visits   map[*visit]bool
}

// NewServer makes a Server, which Serve starts.
func NewServer(c Config) *Server {
	c.MaxClients = cmp.Or(c.MaxClients, 8192)
	c.MaxPerAddress = cmp.Or(c.MaxPerAddress, max(2, c.MaxClients/4))
	c.StepTime = cmp.Or(c.StepTime, 10*time.Second)
	c.IdleTime = cmp.Or(c.IdleTime, time.Minute)
	if c.Permit == nil {
		c.Permit = func(Visitor) error { return nil }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.TLS = tlsserver.Harden(c.TLS)
	return &Server{cfg: c, turned: make(chan struct{}, 1), linger: lingerTime, metrics: metrics{started: time.Now()}, visits: map[*visit]bool{}}
}

// Serve answers the connections of l until ctx ends. It closes l, and returns when all that it started has ended: nil after a
// stop, else what went wrong. It is called once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	limited := limit.NewListener(l, s.cfg.MaxClients, s.cfg.MaxPerAddress, &s.connections)
	ctx, stop := context.WithCancel(ctx)
	s.running.Go(func() {
		s.turn(ctx)
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

// receive brings a connection through its handshake. The rest runs in a goroutine of its own, since the stack that a
// handshake needs does not get smaller, and most clients stay for long.
func (s *Server) receive(nc net.Conn) {
	v := newVisit(s, nc)
	if !s.enter(v) {
		_ = nc.Close()
		return
	}
	if err := v.shake(); err != nil {
		s.failed(nc, err)
		v.end(err)
		return
	}
	s.running.Go(func() { v.end(v.talk()) })
}

// failed notes a handshake that came to nothing.
func (s *Server) failed(nc net.Conn, err error) {
	s.metrics.shakesFailed.Add(1)
	if unverified, ok := errors.AsType[*tls.CertificateVerificationError](err); ok && s.cfg.Refused != nil {
		s.cfg.Refused(nc.RemoteAddr(), unverified.UnverifiedCertificates)
	}
}

func (s *Server) enter(v *visit) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopping {
		s.visits[v] = true
	}
	return !s.stopping
}

func (s *Server) exit(v *visit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.visits, v)
}

// turn sends clients away whose keys do not hold any more, at the moment of each switch, until ctx ends.
func (s *Server) turn(ctx context.Context) {
	for ctx.Err() == nil {
		now, wait := s.cfg.Now(), turnTime
		if at, ok := s.cfg.Ring().Switch(now); ok {
			wait = min(wait, at.Sub(now))
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-s.turned:
		case <-timer.C:
			s.dismiss(func(*visit) error { return nil })
		}
		timer.Stop()
	}
}

// errOldKeys is why a client is sent away whose keys changed.
var errOldKeys = errors.New("the keys have changed")

// Review looks at the Ring again and asks Permit again about all who have keys, for when what they know has changed. Who has
// other keys than those that seal now, or may not have them, is sent away.
func (s *Server) Review() {
	s.dismiss(func(v *visit) error { return s.cfg.Permit(v.Visitor) })
	select {
	case s.turned <- struct{}{}:
	default:
	}
}

// dismiss sends clients away that have old keys, or that may not stay.
func (s *Server) dismiss(stay func(*visit) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return
	}
	now := s.cfg.Ring().At(s.cfg.Now()).OpenKeys
	for v := range s.visits {
		if !v.hasKeys || v.leaving {
			continue
		}
		err := stay(v)
		if v.keys != now {
			err = errOldKeys
		}
		if err != nil {
			v.leaving = true
			s.metrics.sentAway.Add(1)
			s.running.Go(func() { v.sendAway(err) })
		}
	}
}

// stop closes what is open.
func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	for v := range s.visits {
		s.running.Go(func() { _ = v.conn.Close() })
	}
}

// Status is what a Server does at the moment.
type Status struct {
	Open    int64 // connections
	Refused int64 // closed at once, since their source had its share
}

// Status counts.
func (s *Server) Status() Status {
	return Status{Open: s.connections.Open.Load(), Refused: s.connections.Refused.Load()}
}
