package restclient

import (
	"context"
	"iter"
	"net/http"

	"keyward/keys"
	"keyward/registry/wire"
)

// ServerKey asks for the server's public key, which takes no login.
func (c *Client) ServerKey(ctx context.Context) (keys.PublicKey, error) {
	k := call{method: http.MethodGet, path: wire.PathServerKey, need: "key"}
	var answer wire.ServerKey
	if err := c.do(ctx, k, &answer); err != nil {
		return keys.PublicKey{}, err
	}
	key, err := keys.ParsePublic(answer.Key)
	if err != nil {
		return keys.PublicKey{}, notRegistry(c.at(k), "its public key is not one: %w", err)
	}
	return key, nil
}

// AddKey registers the key for the user; fault.Exists where the user has it already.
func (c *Client) AddKey(ctx context.Context, token Token, user string, key keys.PublicKey, description string) error {
	if err := checkUser(user); err != nil {
		return err
	}
	return c.do(ctx, call{
		method: http.MethodPost,
		path:   wire.UserKeysPath(user),
		token:  token,
		body:   wire.NewKey{Key: key.String(), Description: description},
	}, nil)
}

// Keys lists the user's keys, as the server sent them.
func (c *Client) Keys(ctx context.Context, token Token, user string) ([]wire.Key, error) {
	if err := checkUser(user); err != nil {
		return nil, err
	}
	var answer wire.Keys
	err := c.do(ctx, call{method: http.MethodGet, path: wire.UserKeysPath(user), token: token, need: "keys"}, &answer)
	return answer.Keys, err
}

// AllKeys lists the keys of all users while they arrive. Each may take wire.MaxAnswer
// bytes and Options.Timeout; their number has no bound. An error is the last thing it
// yields.
func (c *Client) AllKeys(ctx context.Context, token Token) iter.Seq2[wire.Key, error] {
	return func(yield func(wire.Key, error) bool) {
		each := func(key wire.Key) bool { return yield(key, nil) }
		if err := c.eachKey(ctx, token, each); err != nil {
			yield(wire.Key{}, err)
		}
	}
}

func (c *Client) eachKey(ctx context.Context, token Token, each func(wire.Key) bool) error {
	ctx, timer := c.limit(ctx)
	defer timer.stop()
	k := call{method: http.MethodGet, path: wire.PathKeys, token: token}
	at := c.at(k)
	resp, err := c.send(ctx, k)
	if err != nil {
		return noAnswer(ctx, at, err, c.now())
	}
	defer resp.Body.Close()
	at.Status = resp.StatusCode
	if err := judgeHeader(at, resp.Header, true); err != nil {
		return err
	}
	if at.Status >= 300 {
		body, err := readAll(resp.Body)
		if err != nil {
			return noAnswer(ctx, at, err, c.now())
		}
		return refusal(at, resp.Header, body, c.now())
	}
	body := &bounded{r: resp.Body, left: wire.MaxAnswer}
	more := func() { body.left = wire.MaxAnswer; timer.renew() }
	err = decodeKeys(body, more, func(key wire.Key) bool {
		timer.pause() // the caller's time is not the server's
		return each(key)
	})
	if err != nil {
		return noAnswer(ctx, at, err, c.now())
	}
	return nil
}

// DeleteKey removes the user's key; fault.NotFound where the user does not have it.
func (c *Client) DeleteKey(ctx context.Context, token Token, user string, key keys.PublicKey) error {
	if err := checkUser(user); err != nil {
		return err
	}
	return c.do(ctx, call{method: http.MethodDelete, path: wire.UserKeyPath(user, key.Fingerprint()), token: token}, nil)
}
