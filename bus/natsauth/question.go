package natsauth

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"keyward/fault"
)

// What NATS calls things: nats-server, server/auth_callout.go.
const (
	calloutSubject  = "$SYS.REQ.USER.AUTH"
	calloutAudience = "nats-authorization-request"
	xkeyHeader      = "Nats-Server-Xkey"
)

// Limits on what a server sends.
const (
	maxQuestion = 512 << 10 // bytes
	maxChain    = 16        // certificates
	maxSkew     = 10 * time.Second
)

// question is a server's request to authorize a client.
type question struct {
	server jwt.ServerID
	client jwt.ClientInformation
	user   string // the key that the answer has to be for
	xkey   string // the server's; empty where it did not encrypt
	chain  []*x509.Certificate
	until  time.Time // after it the server waits no more
}

// ask reads a question, and says why it is refused. Where the question is not nil the error can be answered, else nothing can.
// Nothing of what a client wrote itself is in the error.
func (k *Keys) ask(data []byte, xkey string, now time.Time) (*question, error) {
	if len(data) > maxQuestion {
		return nil, fault.New(fault.Policy, "", "a request of %d bytes is too large", len(data))
	}
	text := data
	if xkey != "" {
		var err error
		if text, err = k.xkey.Open(data, xkey); err != nil {
			return nil, fault.New(fault.NotTrusted, "have each server use what `keyward bus config` prints for these keys", "a request cannot be decrypted")
		}
	}
	claims, err := jwt.DecodeAuthorizationRequestClaims(string(text))
	if err != nil {
		return nil, fault.New(fault.NotTrusted, "", "a request does not parse: %w", err)
	}
	if !nkeys.IsValidPublicUserKey(claims.UserNkey) || !nkeys.IsValidPublicServerKey(claims.Server.ID) {
		return nil, fault.New(fault.NotTrusted, "", "a request has no key of a user or of a server")
	}
	q := &question{server: claims.Server, client: claims.ClientInformation, user: claims.UserNkey, xkey: xkey, until: time.Unix(claims.Expires, 0)}
	if err := q.check(claims, k.Public().Issuer, now); err != nil {
		return q, err
	}
	q.chain, err = chainOf(claims.TLS)
	return q, err
}

// check holds the request to what a server of this bus sends now, of a client that may be let in.
func (q *question) check(claims *jwt.AuthorizationRequestClaims, issuer string, now time.Time) error {
	const other = "have each server use what `keyward bus config` prints for these keys"
	issued, expires := time.Unix(claims.IssuedAt, 0), time.Unix(claims.Expires, 0)
	switch {
	case q.xkey == "":
		return fault.New(fault.NotTrusted, other, "the server %s does not encrypt its requests", q.server.Name)
	case q.xkey != claims.Server.XKey:
		return fault.New(fault.NotTrusted, "", "a request is encrypted with another key than it names")
	case claims.Issuer != claims.Server.ID:
		return fault.New(fault.NotTrusted, "", "a request is signed by another server than it names")
	case claims.Subject != issuer:
		return fault.New(fault.NotTrusted, other, "the server %s asks for answers of %.60s", q.server.Name, claims.Subject)
	case claims.Audience != calloutAudience:
		return fault.New(fault.NotTrusted, "", "a request is for %.60q", claims.Audience)
	case now.After(expires.Add(time.Second)): // they are whole seconds
		return fault.New(fault.Unreachable, "check the load of the authorizers and of the store, and that the clocks agree", "%w: the request ended %s ago", errLate, now.Sub(expires).Round(time.Millisecond))
	case issued.After(now.Add(maxSkew)):
		return fault.New(fault.NotTrusted, "check that the clocks of authorizers and servers agree", "the request is from %s ahead", issued.Sub(now))
	case q.client.Kind != "Client" || q.client.Type != "nats" && q.client.Type != "websocket":
		return fault.New(fault.NotPermitted, "only clients of NATS are let in, over TCP or websockets", "the connection is of kind %.20q, type %.20q", q.client.Kind, q.client.Type)
	}
	return CheckVersion(q.server.Version)
}

// chainOf is what a client showed: its own certificate, and others that may be above it.
func chainOf(shown *jwt.ClientTLS) ([]*x509.Certificate, error) {
	if shown == nil {
		return nil, nil
	}
	if len(shown.VerifiedChains) > 0 && len(shown.VerifiedChains[0]) == 0 {
		return nil, fault.New(fault.NotTrusted, "", "the server verified a chain without the client's certificate")
	}
	texts := slices.Clone([]string(shown.Certs))
	for i, chain := range shown.VerifiedChains {
		if i == 0 {
			texts = slices.Clone([]string(chain))
		} else if len(chain) > 0 { // all begin with the same
			texts = append(texts, chain[1:]...)
		}
	}
	slices.Sort(texts[min(1, len(texts)):])
	texts = slices.Compact(texts)
	if len(texts) > maxChain {
		return nil, fault.New(fault.NotTrusted, "", "the client shows %d certificates, more than %d", len(texts), maxChain)
	}
	chain := make([]*x509.Certificate, len(texts))
	for i, text := range texts {
		block, rest := pem.Decode([]byte(text))
		if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
			return nil, fault.New(fault.NotTrusted, "", "a certificate of the client is no PEM")
		}
		var err error
		if chain[i], err = x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fault.New(fault.NotTrusted, "", "a certificate of the client: %w", err)
		}
	}
	return chain, nil
}

// minVersion is the oldest server whose auth callout is taken.
var minVersion = [3]int{2, 12, 6}

// CheckVersion refuses with fault.Policy a NATS server that is older than 2.12.6, or says nothing that is a version.
func CheckVersion(text string) error {
	const hint = "upgrade nats-server to 2.12.6 or newer on every machine"
	numbers, _, beta := strings.Cut(text, "-")
	parts := strings.Split(numbers, ".")
	if len(parts) != len(minVersion) {
		return fault.New(fault.Policy, hint, "the NATS server says no version: %.40q", text)
	}
	var version [3]int
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil {
			return fault.New(fault.Policy, hint, "the NATS server says no version: %.40q", text)
		}
		version[i] = int(n)
	}
	order := slices.Compare(version[:], minVersion[:])
	if order < 0 || order == 0 && beta {
		return fault.New(fault.Policy, hint, "the NATS server has version %.40q, which is too old", text)
	}
	return nil
}
