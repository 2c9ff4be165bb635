package restclient

import (
	"context"
	"iter"
	"net/http"
	"time"

	"keyward/keys"
	"keyward/registry/wire"
)

// ServerKey asks for the server's public key, which takes no login.
func (c *Client) ServerKey(ctx context.Context) (keys.PublicKey, error) {
	all, err := c.ServerKeys(ctx)
	if err != nil {
		return keys.PublicKey{}, err
	}
	return all[0], nil
}

// ServerKeys asks for the server's public keys: the current one, and then the others that logins may be sealed for
// while it is being replaced.
func (c *Client) ServerKeys(ctx context.Context) ([]keys.PublicKey, error) {
	k := call{method: http.MethodGet, path: wire.PathServerKey, need: "key"}
	var answer wire.ServerKey
	if err := c.do(ctx, k, &answer); err != nil {
		return nil, err
	}
	var all []keys.PublicKey
	for _, text := range append([]string{answer.Key}, answer.Others...) {
		key, err := keys.ParsePublic(text)
		if err != nil {
			return nil, notRegistry(c.at(k), "its public key is not one: %w", err)
		}
		all = append(all, key)
	}
	return all, nil
}

// AddKey registers the key for the user; fault.Exists where the user has it already.
func (c *Client) AddKey(ctx context.Context, token Token, user string, key wire.NewKey) error {
	if err := checkUser(user); err != nil {
		return err
	}
	return c.do(ctx, call{method: http.MethodPost, path: wire.UserKeysPath(user), token: token, body: key}, nil)
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
	return stream[wire.Key](ctx, c, call{method: http.MethodGet, path: wire.PathKeys, token: token}, "keys")
}

// DeleteKey removes the user's key; fault.NotFound where the user does not have it.
func (c *Client) DeleteKey(ctx context.Context, token Token, user, fingerprint string) error {
	if err := checkUser(user); err != nil {
		return err
	}
	return c.do(ctx, call{method: http.MethodDelete, path: wire.UserKeyPath(user, fingerprint), token: token}, nil)
}

// ExpireKey sets when the user's key ends; the zero time is never. fault.NotFound where the user does not have it.
func (c *Client) ExpireKey(ctx context.Context, token Token, user, fingerprint string, at time.Time) error {
	if err := checkUser(user); err != nil {
		return err
	}
	return c.do(ctx, call{
		method: http.MethodPatch,
		path:   wire.UserKeyPath(user, fingerprint),
		token:  token,
		body:   wire.KeyChange{Expires: wire.Time(at)},
	}, nil)
}

// PruneKeys deletes the keys of all users that expired before then, and returns them; an administrator's act.
// The zero time is now.
func (c *Client) PruneKeys(ctx context.Context, token Token, before time.Time) ([]wire.Key, error) {
	k := call{method: http.MethodPost, path: wire.PathPrune, token: token, body: wire.Prune{Before: wire.Time(before)}}
	gone := []wire.Key{}
	for key, err := range stream[wire.Key](ctx, c, k, "keys") {
		if err != nil {
			return gone, err
		}
		gone = append(gone, key)
	}
	return gone, nil
}

// Directory tells the public keys of another user that have not expired.
func (c *Client) Directory(ctx context.Context, token Token, user string) ([]wire.DirectoryKey, error) {
	if err := checkUser(user); err != nil {
		return nil, err
	}
	var answer wire.Directory
	err := c.do(ctx, call{method: http.MethodGet, path: wire.DirectoryPath(user), token: token, need: "keys"}, &answer)
	return answer.Keys, err
}
