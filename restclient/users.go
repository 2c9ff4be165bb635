package restclient

import (
	"context"
	"net/http"

	"keyward/registry/wire"
)

// AddUser adds a user; an administrator's act. fault.Exists where the name is taken.
func (c *Client) AddUser(ctx context.Context, token Token, user wire.NewUser) error {
	if err := checkUser(user.Name); err != nil {
		return err
	}
	return c.do(ctx, call{method: http.MethodPost, path: wire.PathUsers, token: token, body: user}, nil)
}

// Users lists the users, as the server sent them.
func (c *Client) Users(ctx context.Context, token Token) ([]wire.User, error) {
	var answer wire.Users
	err := c.do(ctx, call{method: http.MethodGet, path: wire.PathUsers, token: token, need: "users"}, &answer)
	return answer.Users, err
}

// SetPassword changes the user's password, which ends the user's tokens.
func (c *Client) SetPassword(ctx context.Context, token Token, user, password string) error {
	if err := checkUser(user); err != nil {
		return err
	}
	return c.do(ctx, call{
		method: http.MethodPut,
		path:   wire.PasswordPath(user),
		token:  token,
		body:   wire.NewPassword{Password: password},
	}, nil)
}

// DeleteUser removes the user with their keys and tokens.
func (c *Client) DeleteUser(ctx context.Context, token Token, user string) error {
	if err := checkUser(user); err != nil {
		return err
	}
	return c.do(ctx, call{method: http.MethodDelete, path: wire.UserPath(user), token: token}, nil)
}
