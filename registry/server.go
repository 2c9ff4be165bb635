// Package registry is the server of the REST API v3: users, their public keys and
// the tokens they log in for, over a store. Its paths, types and error codes are
// those of package wire; openapi.json describes them.
package registry

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"keyward/internal/limit"
	"keyward/internal/tlsserver"
	"keyward/keys"
	"keyward/store"
)

// The bounds on a connection. A client that is slower is cut off.
const (
	headerTime  = 10 * time.Second // the TLS handshake, and a request's header
	requestTime = 30 * time.Second // the whole request
	answerTime  = 60 * time.Second // from the end of the header to the end of the answer; of a list, to its next thing
	idleTime    = 2 * time.Minute  // between two requests
	headerBytes = 16 << 10
)

const stopTime = 10 * time.Second // what running requests get when the server stops

// Config is what a Server needs. Store and Key are required.
type Config struct {
	Store   store.Store
	Key     keys.Pair // the server's own, which key logins are sealed for
	Project string    // what PathProject answers
	Version string    // what PathVersion answers

	Others   []OtherKey        // more pairs of the server's, while Key is replaced; SetKeys changes both
	AuditKey ed25519.PublicKey // that the store signs its audit records with

	Now             func() time.Time  // time.Now where nil
	Log             *slog.Logger      // one line a request; nothing where nil
	TokenLife       time.Duration     // 15 minutes where zero
	MaxConnections  int               // open at a time, a quarter of them from one address; 4096 where zero
	PasswordChanged func(user string) // called after a password changed or its user went; may be nil

	Certificates func() map[string]*x509.Certificate // whose ends the metrics tell, by a name for each; may be nil
}

// Server answers the REST API v3. It is an http.Handler, safe for concurrent use.
type Server struct {
	cfg     Config
	mux     *http.ServeMux
	secret  [32]byte // makes the decoys; new in each process
	beats   *beats
	hashing hashing
	refused *refusals
	noHash  phc          // what the password of a user who is not there is compared with
	running sync.RWMutex // read-locked by each request
	metrics *metrics

	accepted atomic.Pointer[[]acceptedKey] // the server's keys, the current one first
}

// New makes a Server.
func New(c Config) (*Server, error) {
	if c.Store == nil {
		return nil, errors.New("registry: no store")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.TokenLife = cmp.Or(c.TokenLife, 15*time.Minute)
	c.MaxConnections = cmp.Or(c.MaxConnections, 4096)

	s := &Server{cfg: c, beats: newBeats(), hashing: newHashing(), refused: newRefusals(), noHash: decoy(), metrics: newMetrics()}
	if err := s.SetKeys(c.Key, c.Others); err != nil {
		return nil, err
	}
	rand.Read(s.secret[:])
	s.mux = s.routes()
	return s, nil
}

// limited gives one source at most a quarter of the connections that may be open.
func limited(l net.Listener, most int, count *limit.Count) net.Listener {
	return limit.NewListener(l, most, max(1, most/4), count)
}

// Serve answers the connections of l over TLS, 1.2 or newer, until ctx ends. Running
// requests then get ten seconds to finish. It closes l, and returns when every
// goroutine it started has ended: nil after a stop, else what went wrong.
func (s *Server) Serve(ctx context.Context, l net.Listener, config *tls.Config) error {
	srv := s.httpServer(config)
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { s.everyMinute(ctx) })
	wg.Go(func() {
		<-ctx.Done()
		s.shutdown(srv)
	})
	err := srv.ServeTLS(limited(l, s.cfg.MaxConnections, &s.metrics.connections), "", "")
	stop()
	wg.Wait()
	s.noteLast(ctx)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve on %s: %w", l.Addr(), err)
}

// httpServer sets the bounds. It speaks HTTP/1.1 only: there a connection has one
// request at a time, and the time-outs say all about how long it can be held.
func (s *Server) httpServer(config *tls.Config) *http.Server {
	config = config.Clone()
	tlsserver.Floor(config)
	srv := &http.Server{
		Handler:           s,
		TLSConfig:         config,
		Protocols:         new(http.Protocols),
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      answerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    headerBytes,
		ErrorLog:          slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelWarn),
	}
	srv.Protocols.SetHTTP1(true)
	return srv
}

// shutdown lets running requests finish, within stopTime. Then it cuts their
// connections, and waits for them all the same: the store is closed after it.
func (s *Server) shutdown(srv *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	if srv.Shutdown(ctx) != nil {
		_ = srv.Close()
	}
	s.running.Lock()
	defer s.running.Unlock()
}

// noteLast records what was counted since the last minute ended, when the server stops.
func (s *Server) noteLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	s.noteCounted(ctx)
}

// everyMinute does what is due each minute, until ctx ends.
func (s *Server) everyMinute(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		s.prune(ctx)
		select {
		case <-tick.C:
			s.noteCounted(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// prune has the store forget what has expired.
func (s *Server) prune(ctx context.Context) {
	if err := s.cfg.Store.Prune(ctx, s.cfg.Now()); err != nil && ctx.Err() == nil {
		s.metrics.storeErrors.Add(1)
		s.cfg.Log.Error("prune", "error", err)
	}
}
