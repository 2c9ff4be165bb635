package cmd

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"

	"github.com/urfave/cli/v2"

	"keyward/internal/fault"
	"keyward/keys"
	"keyward/restclient"
)

// connect makes the client that the server flags describe. How the server is
// trusted: by --pin, by --ca-file, by the pin that was stored when it was first
// trusted, else by the system's roots; where those do not know it, the person at
// the terminal is shown its key and asked.
func (e *env) connect(c *cli.Context) (*restclient.Client, error) {
	if e.call.given["pin"] && e.call.given["ca-file"] {
		return nil, fault.New(fault.Usage, "take one of them", "--pin and --ca-file do not go together")
	}
	if c.Duration("timeout") <= 0 {
		return nil, fault.New(fault.Usage, "give a time as 30s", "--timeout is not more than nothing")
	}
	if c.String("url") == "" {
		return nil, fault.New(fault.Usage, "give --url, or set KEYWARD_URL or NC_URL", "no registry is named")
	}
	host, err := serverHost(c)
	if err != nil {
		return nil, err
	}
	config, err := e.trust(c, host)
	if err != nil {
		return nil, err
	}
	return e.client(c, config)
}

func (e *env) client(c *cli.Context, config *tls.Config) (*restclient.Client, error) {
	return restclient.New(c.String("url"), restclient.Options{
		TLS:       config,
		AllowHTTP: c.Bool("allow-http"),
		Timeout:   c.Duration("timeout"),
		UserAgent: "keyward/" + e.version,
		Proxy:     http.ProxyFromEnvironment,
	})
}

// serverHost is the registry's host:port, under which it is remembered.
func serverHost(c *cli.Context) (string, error) {
	u, err := restclient.ParseURL(c.String("url"))
	if err != nil {
		return "", err
	}
	return u.Host, nil
}

// trust is nil for the system's roots.
func (e *env) trust(c *cli.Context, host string) (*tls.Config, error) {
	if pin := c.String("pin"); pin != "" && !e.call.given["ca-file"] { // the flag goes before the variable
		return restclient.Pinned(pin)
	}
	if file := c.String("ca-file"); file != "" {
		return rootsFrom(file)
	}
	known, err := e.knownServers()
	if err != nil {
		return nil, err
	}
	if pin := known.get(host, "tls"); pin != "" {
		e.pinnedIn = known.path
		return restclient.Pinned(pin)
	}
	if e.terminal() == nil {
		return nil, nil
	}
	return e.trustOnFirstUse(c, host, known)
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
func (e *env) trustOnFirstUse(c *cli.Context, host string, known *knownServers) (*tls.Config, error) {
	client, err := e.client(c, nil)
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

// session is a client with a token.
type session struct {
	*restclient.Client
	token restclient.Token
	user  string // the caller
}

// login connects and logs in with the password.
func (e *env) login(c *cli.Context) (*session, error) {
	user, err := caller(c)
	if err != nil {
		return nil, err
	}
	client, err := e.connect(c)
	if err != nil {
		return nil, err
	}
	password, err := e.password(c.String("password-file"))
	if err != nil {
		return nil, err
	}
	token, err := client.LoginPassword(c.Context, user, password)
	if err != nil {
		return nil, err
	}
	return &session{client, token, user}, nil
}

// caller is who logs in.
func caller(c *cli.Context) (string, error) {
	if user := c.String("as"); user != "" {
		return user, nil
	}
	return "", fault.New(fault.Usage, "give --as NAME, or set KEYWARD_USER or USER", "it is not known who logs in")
}

// serverKey fetches the registry's NaCl public key and holds it against the one
// seen first: a key that changed would let whoever changed it open the logins. A key that
// is another host's would let this one pass the logins on to it.
func (e *env) serverKey(c *cli.Context, client *restclient.Client) (keys.PublicKey, error) {
	key, err := client.ServerKey(c.Context)
	if err != nil {
		return key, err
	}
	known, err := e.knownServers()
	if err != nil {
		return key, err
	}
	host, err := serverHost(c)
	if err != nil {
		return key, err
	}
	if first := known.get(host, "key"); first != "" && first != key.String() {
		return key, fault.New(fault.NotTrusted,
			fmt.Sprintf("ask its administrator; if the change is meant, delete the line `%s key ...` from %s", host, known.path),
			"THE KEY OF %s HAS CHANGED: it was %s and is now %s", host, first, key)
	} else if first != "" {
		return key, nil
	}
	if other := known.other(host, "key", key.String()); other != "" {
		return key, fault.New(fault.NotTrusted,
			fmt.Sprintf("if they are one registry, use the name %s, or add the line `%s key %s` to %s", other, host, key, known.path),
			"%s shows the key of %s: it could pass a login on to it", host, other)
	}
	return key, known.set(c.Context, host, "key", key.String())
}
