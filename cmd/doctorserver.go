package cmd

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"keyward/fault"
	"keyward/keys"
	"keyward/registry/wire"
	"keyward/restclient"
)

// visit is a look at one registry.
type visit struct {
	*ownPlace
	server server

	by     string      // what vouches for the server, in words
	config *tls.Config // nil for the system's roots
	err    error       // why it cannot even be asked
	conn   *connection // nil then

	seen    restclient.Seen // in its answer
	refused error           // that it is ready
	between [2]time.Time    // it was asked, and had answered

	key   *keys.PublicKey   // the server's, to log in with; nil where it is not to be
	token *restclient.Token // nil without a login
}

func serverChecks() []check[visit] {
	return []check[visit]{
		{"address", lookAtAddress},
		{"plain-http", lookAtPlainHTTP},
		{"proxy", lookAtProxy},
		{"reachable", lookAtReachable},
		{"trusted", lookAtTrusted},
		{"certificate", lookAtCertificate},
		{"clock", lookAtClock},
		{"server-key", lookAtServerKey},
		{"registered", lookAtRegistered},
		{"key-expiry", lookAtKeyExpiry},
		{"version", lookAtVersion},
	}
}

// visit reads the files that say how s is trusted.
func (p *ownPlace) visit(s server) *visit {
	v := &visit{ownPlace: p, server: s}
	if v.config, v.by, v.err = p.settledTrust(s); v.err != nil {
		return v
	}
	client, err := p.client(p.c, s, v.config)
	if v.err = err; err == nil {
		v.conn = &connection{client, s}
	}
	return v
}

func (v *visit) look(ctx context.Context) []finding {
	if v.conn != nil {
		defer v.conn.Close()
		v.between[0] = v.now()
		v.seen, v.refused = v.conn.Ready(ctx)
		v.between[1] = v.now()
	}
	all := lookAt(ctx, serverChecks(), v)
	if v.token != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = v.conn.Revoke(ctx, *v.token)
	}
	return all
}

// flags are those that name the server to a command.
func (v *visit) flags() []string {
	if v.server.Name != "" {
		return []string{"--server", v.server.Name}
	}
	flags := []string{"--url", v.server.URL}
	if v.server.Pin != "" {
		flags = append(flags, "--pin", v.server.Pin)
	} else if v.server.CAFile != "" {
		flags = append(flags, "--ca-file", v.server.CAFile)
	}
	return flags
}

// command is a command of keyward's for this server.
func (v *visit) command(args ...string) string {
	return words(append(append([]string{"keyward"}, args...), v.flags()...)...)
}

func (v *visit) url() *url.URL {
	u, err := restclient.ParseURL(v.server.URL)
	if err != nil {
		return nil
	}
	return u
}

// title names the server. A URL that does not parse is not told: it may have a password in it.
func (v *visit) title() string {
	u := v.url()
	switch {
	case v.server.Name != "":
		return printable(v.server.Name)
	case u == nil:
		return "--url"
	}
	return u.String()
}

const notAsked = "it does not answer"

func lookAtAddress(_ context.Context, v *visit) finding {
	u, err := restclient.ParseURL(v.server.URL)
	switch {
	case err != nil && v.server.Name != "":
		return isFault(words("keyward", "servers", "remove", v.server.Name), "%v", err)
	case err != nil:
		return isFault(comment("%s", v.hintOf(err)), "%v", err)
	}
	return isOK("%s", u)
}

func lookAtPlainHTTP(_ context.Context, v *visit) finding {
	u := v.url()
	switch {
	case u == nil:
		return isSkipped("the address is no URL")
	case u.Scheme == "https":
		return isOK("https")
	case errors.Is(v.err, fault.Policy):
		return v.failedBy(v.err)
	case machine(u.Host) != "localhost":
		return isWarning(comment("use https: everything that is sent can be read on the way"), "%s is plain http", u)
	}
	return isOK("plain http, which does not leave this machine")
}

// lookAtProxy tells of a proxy by its host alone: in its URL there may be a password.
func lookAtProxy(_ context.Context, v *visit) finding {
	u := v.url()
	if u == nil {
		return isSkipped("the address is no URL")
	}
	variable := v.proxyVariable(u.Scheme)
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u})
	switch {
	case err != nil:
		return isFault(words("unset", variable), "%s cannot be used", variable)
	case proxy == nil && !parses(v.getenv(variable)):
		return isWarning(words("unset", variable), "%s is no URL, and so does nothing", variable)
	case proxy == nil:
		return isOK("none is in between")
	}
	mend := "export NO_PROXY=\"${NO_PROXY:+$NO_PROXY,}\"" + words(u.Hostname())
	if proxy.Scheme == "https" {
		return isFault(mend, "%s names a proxy that speaks TLS itself, %s: what the registry is held against would count for it too", variable, proxy.Host)
	}
	return isWarning(mend, "%s sends what is for %s to the proxy %s", variable, u.Host, proxy.Host)
}

func parses(address string) bool {
	_, err := url.Parse(address)
	return err == nil
}

// proxyVariable is the one that http.ProxyFromEnvironment follows.
func (v *visit) proxyVariable(scheme string) string {
	name := strings.ToUpper(scheme) + "_PROXY"
	if v.getenv(name) == "" {
		name = strings.ToLower(name)
	}
	return name
}

// lookAtReachable is about an answer; of whom it is says lookAtTrusted.
func lookAtReachable(_ context.Context, v *visit) finding {
	switch {
	case v.conn == nil:
		return isSkipped("it is not asked")
	case v.refused == nil:
		return isOK("it is ready")
	case errors.Is(v.refused, fault.NotTrusted):
		return isOK("it answers")
	}
	return v.failedBy(v.refused)
}

func lookAtTrusted(_ context.Context, v *visit) finding {
	switch {
	case v.conn == nil && v.url() != nil && !errors.Is(v.err, fault.Policy):
		return v.failedBy(v.err)
	case v.conn == nil:
		return isSkipped("it is not asked")
	case errors.Is(v.refused, fault.NotTrusted):
		return v.failedBy(v.refused)
	case v.seen.Date.IsZero() && v.seen.TLS == nil:
		return isSkipped(notAsked)
	case v.seen.TLS == nil:
		return isSkipped("plain http shows nothing to trust")
	}
	if chains := v.seen.TLS.VerifiedChains; len(chains) > 0 {
		chain := chains[0]
		return isOK("%s vouches, of %s", title(chain[len(chain)-1]), v.by)
	}
	return isOK("%s vouches", v.by)
}

func lookAtCertificate(_ context.Context, v *visit) finding {
	if v.seen.TLS == nil {
		return isSkipped("no trusted one was seen")
	}
	leaf := v.seen.TLS.PeerCertificates[0]
	now := v.now()
	if !leaf.NotAfter.After(v.soon) {
		f := isWarning(comment("ask the administrator of %s to renew it; a registry's own is renewed while `keyward serve` runs", v.title()),
			"%s ends on %s, in %d days", title(leaf), leaf.NotAfter.Format(time.DateOnly), daysLeft(leaf.NotAfter, now))
		f.due = true
		return f
	}
	return isOK("%s ends on %s, in %d days", title(leaf), leaf.NotAfter.Format(time.DateOnly), daysLeft(leaf.NotAfter, now))
}

// How far a clock may be off before it is told of, and before the registry refuses key logins.
const (
	clockOdd   = time.Minute
	clockWrong = 2 * time.Minute
)

const setClock = "sudo timedatectl set-ntp true"

func lookAtClock(_ context.Context, v *visit) finding {
	if v.seen.Date.IsZero() {
		return isSkipped("it does not tell the time")
	}
	here := v.between[0].Add(v.between[1].Sub(v.between[0]) / 2)
	off := here.Sub(v.seen.Date.Add(time.Second / 2)).Round(time.Second)
	words := off.Abs().String() + " ahead of the server's"
	if off < 0 {
		words = off.Abs().String() + " behind the server's"
	}
	switch {
	case off.Abs() >= clockWrong:
		return isFault(setClock, "this clock is %s, and key logins fail from %v on; or the server's is wrong", words, clockWrong)
	case off.Abs() >= clockOdd:
		return isWarning(setClock, "this clock is %s, and key logins fail from %v on; or the server's is wrong", words, clockWrong)
	}
	return isOK("this clock is %s", words)
}

// lookAtServerKey is env.serverKey, but that nothing is remembered.
func lookAtServerKey(ctx context.Context, v *visit) finding {
	if v.conn == nil || v.refused != nil {
		return isSkipped(notAsked)
	}
	if v.known == nil {
		return isSkipped("known_servers cannot be read")
	}
	told, err := v.conn.ServerKeys(ctx)
	if err != nil {
		return v.failedBy(err)
	}
	host := v.url().Host
	key, fresh, err := v.known.vet(host, told)
	if err != nil {
		return v.failedBy(err)
	}
	v.key = &key
	if fresh {
		return isOK("%s, which the first login with the key will remember", key.Fingerprint())
	}
	if key != told[0] {
		return isWarning(v.command("login", "--with-key", "--as", v.server.User, "--keyfile", v.keyfile)+" >/dev/null", "%s, as it is remembered, is being replaced by %s: the next login with the key moves on", key.Fingerprint(), told[0].Fingerprint())
	}
	return isOK("%s, as it is remembered", key.Fingerprint())
}

func lookAtRegistered(ctx context.Context, v *visit) finding {
	switch {
	case v.key == nil:
		return isSkipped("there is no server key to log in with")
	case v.pair == nil:
		return isSkipped("there is no user key to log in with")
	case v.server.User == "":
		return isSkipped("it is not known who logs in: give --as")
	}
	token, err := v.conn.LoginKey(ctx, v.server.User, *v.pair, *v.key)
	answer, _ := errors.AsType[*restclient.Error](err)
	switch {
	case err == nil:
		v.token = &token
		return isOK("%s logs in with the key", v.server.User)
	case answer != nil && answer.Code == wire.CodeLoginTime:
		return isFault(setClock, "%v", err)
	case answer != nil && answer.Code == wire.CodeLoginRefused:
		return isFault(v.command("addkey", "--as", v.server.User, "--keyfile", v.keyfile), "the key is not registered for %s: %v", v.server.User, err)
	}
	return v.failedBy(err)
}

func lookAtKeyExpiry(ctx context.Context, v *visit) finding {
	if v.token == nil {
		return isSkipped("there was no login")
	}
	list, err := v.conn.Keys(ctx, *v.token, v.server.User)
	if err != nil {
		return v.failedBy(err)
	}
	for _, k := range list {
		if k.Fingerprint != v.pair.Public.Fingerprint() {
			continue
		}
		end, err := time.Parse(time.RFC3339, k.Expires)
		switch {
		case err != nil:
			return isOK("the key does not expire")
		case !end.After(v.soon):
			f := isWarning(v.command("rotatekey", "--as", v.server.User, "--keyfile", v.keyfile), "the key expires on %s, in %d days", end.Format(time.DateOnly), daysLeft(end, v.now()))
			f.due = true
			return f
		}
		return isOK("the key expires on %s, in %d days", end.Format(time.DateOnly), daysLeft(end, v.now()))
	}
	return isSkipped("the server does not list the key")
}

func lookAtVersion(ctx context.Context, v *visit) finding {
	if v.token == nil {
		return isSkipped("there was no login")
	}
	theirs, err := v.conn.Version(ctx, *v.token)
	if err != nil {
		return v.failedBy(err)
	}
	if older(v.version, theirs) {
		return isWarning(comment("install keyward %s", theirs), "this is %s, and the server is of %s", v.version, theirs)
	}
	return isOK("this is %s, and the server is of %s", v.version, theirs)
}

// older compares versions as 1.2.3, and knows nothing of others.
func older(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	if len(as) != 3 || len(bs) != 3 {
		return false
	}
	for i := range as {
		x, errX := strconv.Atoi(as[i])
		y, errY := strconv.Atoi(bs[i])
		if errX != nil || errY != nil || x != y {
			return errX == nil && errY == nil && x < y
		}
	}
	return false
}
