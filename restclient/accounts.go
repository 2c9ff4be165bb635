package restclient

import (
	"context"
	"iter"
	"net/http"

	"keyward/bus"
	"keyward/registry/wire"
)

// Accounts lists the accounts of the bus by name while they arrive, the revoked ones too; an administrator's act. An error
// is the last thing it yields.
func (c *Client) Accounts(ctx context.Context, token Token) iter.Seq2[bus.Account, error] {
	return stream[bus.Account](ctx, c, call{method: http.MethodGet, path: wire.PathAccounts, token: token}, "accounts")
}

// Account asks for one account, as the server sent it; fault.NotFound where there is none.
func (c *Client) Account(ctx context.Context, token Token, name bus.Name) (bus.Account, error) {
	return c.account(ctx, token, http.MethodGet, name, nil)
}

// AddAccount adds an account of this name, with these roles, patterns and identities, also in the place of a revoked one, and
// gives what it then is. fault.Exists where the name is taken, in this case or another. fault.Policy with bus.Faults where
// something is wrong with it.
func (c *Client) AddAccount(ctx context.Context, token Token, a bus.Account) (added bus.Account, err error) {
	in := wire.NewAccount{Name: a.Name, Roles: a.Roles, Publish: a.Publish, Subscribe: a.Subscribe, Identities: a.Identities}
	err = c.do(ctx, call{method: http.MethodPost, path: wire.PathAccounts, token: token, body: in, need: "name"}, &added)
	return added, err
}

// UpdateAccount gives the account of this name and Revision these roles, patterns and identities, and gives what it then is.
// fault.Exists where it has another revision by now; fault.NotFound; fault.Policy as with AddAccount, and where it is revoked.
func (c *Client) UpdateAccount(ctx context.Context, token Token, a bus.Account) (bus.Account, error) {
	in := wire.AccountChange{Revision: a.Revision, Roles: a.Roles, Publish: a.Publish, Subscribe: a.Subscribe, Identities: a.Identities}
	return c.account(ctx, token, http.MethodPut, a.Name, in)
}

// RevokeAccount revokes the account: its certificates open nothing any more, and its name stays taken until it is added again.
func (c *Client) RevokeAccount(ctx context.Context, token Token, name bus.Name) error {
	if _, err := bus.ParseName(string(name)); err != nil {
		return err
	}
	return c.do(ctx, call{method: http.MethodDelete, path: wire.AccountPath(name), token: token}, nil)
}

// account makes a call about one account that answers with it.
func (c *Client) account(ctx context.Context, token Token, method string, name bus.Name, body any) (a bus.Account, err error) {
	if _, err := bus.ParseName(string(name)); err != nil {
		return a, err
	}
	err = c.do(ctx, call{method: method, path: wire.AccountPath(name), token: token, body: body, need: "name"}, &a)
	return a, err
}
