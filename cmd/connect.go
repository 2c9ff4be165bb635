package cmd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/internal/term"
	"keyward/keys"
	"keyward/registry/wire"
	"keyward/restclient"
)

// connection is a client of one registry.
type connection struct {
	*restclient.Client
	server server
}

// connect makes the connection to the one registry that the flags name.
func (e *env) connect(c *cli.Context) (*connection, error) {
	s, err := e.server(c)
	if err != nil {
		return nil, err
	}
	return e.connectTo(c, s)
}

// connectAs is connect for those who log in.
func (e *env) connectAs(c *cli.Context) (*connection, error) {
	s, err := e.server(c)
	if err != nil {
		return nil, err
	}
	if err := s.needUser(); err != nil {
		return nil, err
	}
	return e.connectTo(c, s)
}

// connectTo makes a connection to s. How it is trusted: by its pin, by its CA file,
// by the pin that was stored when it was first trusted, else by the system's roots;
// where those do not know it, the person at the terminal is shown its key and asked.
func (e *env) connectTo(c *cli.Context, s server) (*connection, error) {
	if c.Duration("timeout") <= 0 {
		return nil, fault.New(fault.Usage, "give a time as 30s", "--timeout is not more than nothing")
	}
	config, err := e.trust(c, s)
	if err != nil {
		return nil, err
	}
	client, err := e.client(c, s, config)
	if err != nil {
		return nil, err
	}
	return &connection{client, s}, nil
}

func (e *env) client(c *cli.Context, s server, config *tls.Config) (*restclient.Client, error) {
	return restclient.New(s.URL, restclient.Options{
		TLS:       config,
		AllowHTTP: c.Bool("allow-http"),
		Timeout:   c.Duration("timeout"),
		UserAgent: "keyward/" + e.version,
		Proxy:     http.ProxyFromEnvironment,
	})
}

// trust is nil for the system's roots.
func (e *env) trust(c *cli.Context, s server) (*tls.Config, error) {
	config, _, err := e.settledTrust(s)
	if config != nil || err != nil || e.terminal() == nil {
		return config, err
	}
	return e.trustOnFirstUse(c, s)
}

// settledTrust is how s is trusted without a question, and what vouches for it, in words.
func (e *env) settledTrust(s server) (config *tls.Config, by string, err error) {
	if s.Pin != "" {
		config, err = restclient.Pinned(s.Pin)
		return config, "the pin that is given", err
	}
	if s.CAFile != "" {
		config, err = rootsFrom(s.CAFile)
		return config, s.CAFile, err
	}
	host, err := s.host()
	if err != nil {
		return nil, "", err
	}
	known, err := e.knownServers()
	if err != nil {
		return nil, "", err
	}
	if pin := known.get(host, "tls"); pin != "" {
		e.pinnedFrom(known.path, pin)
		config, err = restclient.Pinned(pin)
		return config, "the pin in " + known.path, err
	}
	return nil, "the system's roots", nil
}

// pinnedFrom notes which file a pin came from, for the hint of a server that shows another one.
func (e *env) pinnedFrom(file, pin string) {
	if e.pinFiles == nil {
		e.pinFiles = map[string]string{}
	}
	e.pinFiles[pin] = file
}

func rootsFrom(file string) (*tls.Config, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.New(kindOf(err), "give --ca-file the registry's ca.cert.pem", "cannot read the roots: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fault.New(fault.InvalidFile, "give --ca-file the registry's ca.cert.pem", "%s holds no certificate in PEM", file)
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}

// trustOnFirstUse asks about a server that the system's roots do not vouch for, and stores its pin.
func (e *env) trustOnFirstUse(c *cli.Context, s server) (*tls.Config, error) {
	host, err := s.host()
	if err != nil {
		return nil, err
	}
	known, err := e.knownServers()
	if err != nil {
		return nil, err
	}
	client, err := e.client(c, s, nil)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	_, err = client.ServerKey(c.Context)
	cert, ok := restclient.Stranger(err)
	if !ok {
		return nil, err
	}
	pin := restclient.Pin(cert)
	e.note("Nobody that this machine trusts vouches for %s.\nIts public key is %s", host, pin)
	yes, err := e.terminal().Confirm("Is this the key that its administrator told you? Then it is trusted from now on.")
	if err != nil {
		return nil, err
	}
	if !yes {
		return nil, fault.New(fault.NotTrusted, "compare the key with the one that `serve` logged, or give --ca-file", "%s is not trusted", host)
	}
	if err := known.set(c.Context, host, "tls", pin); err != nil {
		return nil, err
	}
	return restclient.Pinned(pin)
}

// session is a connection with a token.
type session struct {
	*connection
	token restclient.Token
	user  string // the caller
}

// login connects to the one registry that the flags name, and logs in with the password.
func (e *env) login(c *cli.Context) (*session, error) {
	s, err := e.server(c)
	if err != nil {
		return nil, err
	}
	conn, password, err := e.prepare(c, s, false)
	if err != nil {
		return nil, err
	}
	return conn.login(c.Context, password)
}

// login logs in with the password.
func (conn *connection) login(ctx context.Context, password string) (*session, error) {
	token, err := conn.LoginPassword(ctx, conn.server.User, password)
	if e, ok := errors.AsType[*restclient.Error](err); ok && e.Code == wire.CodeLoginRefused {
		return nil, fault.New(fault.LoginRefused, "check the password, and the user name, which --as gives", "login as %s: %w", conn.server.User, err)
	}
	if err != nil {
		return nil, err
	}
	return &session{conn, token, conn.server.User}, nil
}

// onEach logs in to each server with the password and does what is to be done there, side by side, once all are
// connected to and all passwords are there. It returns the servers' errors, in their order.
func (e *env) onEach(c *cli.Context, servers []server, do func(*session) error) ([]error, error) {
	errs := make([]error, len(servers))
	conns, passwords := make([]*connection, len(servers)), make([]string, len(servers))
	defer func() {
		for _, conn := range conns {
			if conn != nil {
				conn.Close()
			}
		}
	}()
	for i, s := range servers {
		conns[i], passwords[i], errs[i] = e.prepare(c, s, len(servers) > 1)
		if errors.Is(errs[i], term.ErrInterrupted) {
			return nil, errs[i]
		}
	}
	var working sync.WaitGroup
	slots := make(chan struct{}, maxAsked)
	for i, conn := range conns {
		if errs[i] != nil {
			continue
		}
		slots <- struct{}{}
		working.Go(func() {
			errs[i] = conn.during(c, passwords[i], do)
			<-slots
		})
	}
	working.Wait()
	return errs, nil
}

// during logs in, does what is to be done, and revokes the token.
func (conn *connection) during(c *cli.Context, password string, do func(*session) error) error {
	s, err := conn.login(c.Context, password)
	if err != nil {
		return err
	}
	defer s.end(c)
	return do(s)
}

// prepare connects to s and finds the caller's password there.
func (e *env) prepare(c *cli.Context, s server, oneOfSeveral bool) (*connection, string, error) {
	if e.call.given["u"] && c.String("u") == "" {
		return nil, "", fault.New(fault.Usage, "name a user, or leave out -u for the caller", "-u names nobody")
	}
	if err := s.needUser(); err != nil {
		return nil, "", err
	}
	conn, err := e.connectTo(c, s)
	if err != nil {
		return nil, "", err
	}
	prompt := ownPassword
	if oneOfSeveral {
		prompt = "Password of " + printable(s.User) + " at " + s.title() + ":"
	}
	password, err := e.password(c, prompt)
	if err != nil {
		conn.Close()
	}
	return conn, password, err
}

// end revokes a token that served its one command, and closes the client. What
// was asked for is done by then: a token that stays ends by itself in minutes.
func (s *session) end(c *cli.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context), 5*time.Second)
	defer cancel()
	_ = s.Revoke(ctx, s.token)
	s.Close()
}

// serverKey fetches the registry's NaCl public keys and holds them against the one
// seen first: a key that changed would let whoever changed it open the logins. A key that
// is another host's would let this one pass the logins on to it. The key that is known is the one to
// seal for, also where the registry is replacing it.
func (e *env) serverKey(c *cli.Context, conn *connection) (key keys.PublicKey, err error) {
	told, err := conn.ServerKeys(c.Context)
	if err != nil {
		return key, err
	}
	known, err := e.knownServers()
	if err != nil {
		return key, err
	}
	host, err := conn.server.host()
	if err != nil {
		return key, err
	}
	key, fresh, err := known.vet(host, told)
	if err != nil || !fresh {
		return key, err
	}
	return key, known.set(c.Context, host, "key", key.String())
}

// followServerKey remembers the next key of a registry, where the one that is known vouches for it.
func (e *env) followServerKey(c *cli.Context, conn *connection, pair keys.Pair, old keys.PublicKey, handover string) error {
	next, err := keys.OpenHandover(pair, old, handover)
	if err != nil || next == old {
		return err
	}
	known, err := e.knownServers()
	if err != nil {
		return err
	}
	host, err := conn.server.host()
	if err != nil {
		return err
	}
	if err := known.vetOther(host, next); err != nil {
		return err
	}
	if err := known.move(c.Context, host, "key", old.String(), next.String()); err != nil {
		e.note("warning: %s has a new server key, and it could not be remembered: %v", host, err)
		return nil
	}
	e.note("note: %s has a new server key, %s; the one that was known vouches for it, and it is remembered in its place", host, next)
	return nil
}
