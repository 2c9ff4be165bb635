package transport

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nkeys"

	"keyward/fault"
)

// jwt is a token as nsc makes it (https://docs.nats.io/running-a-nats-service/nats_admin/security/jwt).
func jwt(t *testing.T, issuer, subject nkeys.KeyPair, kind string, limits ...string) string {
	t.Helper()
	name := func(k nkeys.KeyPair) string {
		public, err := k.PublicKey()
		check(t, err)
		return public
	}
	about := map[string]any{"type": kind, "version": 2}
	unlimited := about
	if kind == "account" {
		unlimited = map[string]any{}
		about["limits"] = unlimited
	}
	for _, limit := range limits {
		unlimited[limit] = -1
	}
	claims, err := json.Marshal(map[string]any{"jti": name(subject), "iat": 1, "iss": name(issuer), "sub": name(subject), "name": kind, "nats": about})
	check(t, err)
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"typ":"JWT","alg":"ed25519-nkey"}`)) + "." + encode(claims)
	signature, err := issuer.Sign([]byte(text))
	check(t, err)
	return text + "." + encode(signature)
}

// TestNATSCredentials logs in with the file of a user's JWT and seed, and with one whose seed is another's.
func TestNATSCredentials(t *testing.T) {
	alone(t)
	operator, err := nkeys.CreateOperator()
	check(t, err)
	account, err := nkeys.CreateAccount()
	check(t, err)
	user, err := nkeys.CreateUser()
	check(t, err)
	other, err := nkeys.CreateUser()
	check(t, err)
	public, err := account.PublicKey()
	check(t, err)
	address, _ := natsServer(t, -1, fmt.Sprintf("operator: %s\nresolver: MEMORY\nresolver_preload: { %s: %s }\n", jwt(t, operator, operator, "operator"),
		public, jwt(t, operator, account, "account", "subs", "data", "payload", "conn", "leaf", "imports", "exports")))
	for _, c := range []struct {
		who  nkeys.KeyPair
		want error
	}{{user, nil}, {other, fault.LoginRefused}} {
		seed, err := c.who.Seed()
		check(t, err)
		p, err := DialNATSPublisher(limited(t), NATSOptions{URL: "nats://" + address, Subject: "a", Credentials: func() ([]byte, error) {
			return fmt.Appendf(nil, "-----BEGIN NATS USER JWT-----\n%s\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n%s\n------END USER NKEY SEED------\n",
				jwt(t, account, user, "user", "subs", "data", "payload"), seed), nil
		}})
		if err == nil {
			check(t, p.Publish(t.Context(), []byte("x")))
			check(t, p.Close())
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%v, want %v", err, c.want)
		}
	}
}
