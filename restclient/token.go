package restclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"keyward/fault"
	"keyward/keys"
	"keyward/registry/wire"
)

// Token is what a login gives and later calls take. It prints as "[token]", however it is printed.
type Token struct {
	Access  string    `json:"-"` // the secret
	Type    string    // "Bearer" where empty
	Expires time.Time // zero where the server does not say

	Handover string // vouches for the server's next key, as wire.Token has it; mostly ""
}

const redacted = "[token]"

// String hides the token.
func (Token) String() string { return redacted }

// Format hides the token under every verb.
func (Token) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue hides the token.
func (Token) LogValue() slog.Value { return slog.StringValue(redacted) }

// authorization is the header's value. Altair's has a colon and no space.
func (t Token) authorization(altair bool) string {
	if !altair {
		return "Bearer " + t.Access
	}
	if t.Type == "" {
		return "Bearer:" + t.Access
	}
	return t.Type + ":" + t.Access
}

// sendable tells whether the token is fit for a header: visible ASCII only.
func (t Token) sendable() bool {
	return !strings.ContainsFunc(t.Type+t.Access, func(r rune) bool { return r <= ' ' || r > '~' })
}

// LoginPassword gets a token for the user's password: the grant "password" of RFC 6749, section 4.3.
// A refusal is fault.LoginRefused.
func (c *Client) LoginPassword(ctx context.Context, user, password string) (Token, error) {
	return c.login(ctx, "check the user name and the password", url.Values{
		wire.FieldGrantType: {wire.GrantPassword},
		wire.FieldUsername:  {user},
		wire.FieldPassword:  {password},
	})
}

// LoginKey gets a token for the user's key: the grant "apikey" of a vovserver, a message
// sealed for the server's key. It is tried once, since a server takes a sealed message
// once. Where the clock is off by too much, the error says by how much.
func (c *Client) LoginKey(ctx context.Context, user string, pair keys.Pair, server keys.PublicKey) (Token, error) {
	sealed, err := keys.SealLogin(pair, server, c.now())
	if err != nil {
		return Token{}, err
	}
	return c.login(ctx, "check the user name, and that this key is registered for it", url.Values{
		wire.FieldGrantType:    {wire.GrantAPIKey},
		wire.FieldClientID:     {"keyward"},
		wire.FieldClientSecret: {""},
		wire.FieldUsername:     {user},
		wire.FieldAPIKey:       {sealed},
	})
}

// login posts the form; the hint is for a refusal, which the server does not explain.
func (c *Client) login(ctx context.Context, hint string, form url.Values) (Token, error) {
	k := call{method: http.MethodPost, path: wire.PathToken, body: form, need: "access_token"}
	var answer struct { // a wire.Token; a vovserver's may have a scope of another form
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
		Handover    string `json:"handover"`
	}
	err := c.do(ctx, k, &answer)
	if e, ok := errors.AsType[*Error](err); ok && e.Code == wire.CodeLoginRefused {
		return Token{}, fault.New(fault.LoginRefused, hint, "%w", err)
	}
	if err != nil {
		return Token{}, err
	}
	token := Token{Access: answer.AccessToken, Type: answer.TokenType, Handover: answer.Handover}
	if token.Access == "" || !token.sendable() {
		return Token{}, notRegistry(c.at(k), "its token is empty or not printable")
	}
	if answer.ExpiresIn > 0 {
		token.Expires = c.now().Add(time.Duration(min(answer.ExpiresIn, maxExpiresIn)) * time.Second)
	}
	return token, nil
}

// maxExpiresIn keeps a token's life, in seconds, within a time.Duration.
const maxExpiresIn = 1<<31 - 1

// Revoke ends the token.
func (c *Client) Revoke(ctx context.Context, token Token) error {
	return c.do(ctx, call{method: http.MethodDelete, path: wire.PathToken, token: token}, nil)
}
